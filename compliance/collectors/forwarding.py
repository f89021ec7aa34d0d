"""Where and how rsyslog is told to send the machine's log, and where it is really connected to."""

from __future__ import annotations

import re

from compliance.model import Facts

COMMAND = """
cat /etc/rsyslog.conf /etc/rsyslog.d/*.conf
echo ---
ss -Htnp state established | awk '/"rsyslogd"/ {print $4}'
"""
_ACTION = re.compile(r"action\s*\((.*?)\)", re.S)
_PARAMETER = re.compile(r'([\w.]+)\s*=\s*"([^"]*)"')


def facts(output: str) -> Facts:
    """Of the configuration: `forwarding.targets`, `.protocols`, `.encrypted` (every target by TLS), `.disk_queue`
    (every target has one). Of the running rsyslog: `.connected`, addresses it has a connection to.
    """
    configured, dashes, peers = output.rpartition("---\n")
    if not dashes:
        raise ValueError("the output has no part about connections")
    text = "\n".join(line for line in configured.splitlines() if not line.lstrip().startswith("#"))
    actions = [{k.lower(): v for k, v in _PARAMETER.findall(body)} for body in _ACTION.findall(text)]
    forwards = [action for action in actions if action.get("type") == "omfwd"]
    return {
        "forwarding.targets": sorted({f.get("target", "") for f in forwards}),
        "forwarding.protocols": sorted({f.get("protocol", "udp") for f in forwards}),
        "forwarding.encrypted": bool(forwards)
        and all(f.get("streamdriver") and f.get("streamdrivermode") == "1" for f in forwards),
        "forwarding.connected": sorted({peer.rpartition(":")[0].strip("[]") for peer in peers.split()}),
        "forwarding.disk_queue": bool(forwards) and all("queue.filename" in f for f in forwards),
    }
