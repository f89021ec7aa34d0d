"""The effective configuration of sshd, as sshd itself resolves it."""

from __future__ import annotations

from compliance.model import Facts

COMMAND = "sshd -T -C user=nobody,host=x,addr=203.0.113.1"
_LISTS = {"ciphers", "macs", "kexalgorithms", "hostkeyalgorithms", "pubkeyacceptedalgorithms"}


def facts(output: str) -> Facts:
    """`sshd.<keyword>` as text, algorithms as lists, and `sshd.idle_s`: seconds until a dead session is closed."""
    found: dict[str, object] = {}
    for line in output.splitlines():
        keyword, _, value = line.partition(" ")
        found[f"sshd.{keyword}"] = value.split(",") if keyword in _LISTS else value
    if "sshd.permitrootlogin" not in found:
        raise ValueError("this is not what sshd -T prints")
    interval, count = int(str(found["sshd.clientaliveinterval"])), int(str(found["sshd.clientalivecountmax"]))
    # An interval or a count of 0 never closes anything; that is no number, so it is within no limit.
    found["sshd.idle_s"] = interval * count if interval and count else "without end"
    return found
