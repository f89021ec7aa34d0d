"""Where and how rsyslog sends the machine's log."""

from __future__ import annotations

import re

from compliance.model import Facts

COMMAND = "cat /etc/rsyslog.conf /etc/rsyslog.d/*.conf"
_ACTION = re.compile(r"action\s*\((.*?)\)", re.S)
_PARAMETER = re.compile(r'([\w.]+)\s*=\s*"([^"]*)"')


def facts(output: str) -> Facts:
    """`forwarding.targets`, `.protocols`, `.encrypted` (every target by TLS), `.disk_queue` (every target has one)."""
    text = "\n".join(line for line in output.splitlines() if not line.lstrip().startswith("#"))
    actions = [{k.lower(): v for k, v in _PARAMETER.findall(body)} for body in _ACTION.findall(text)]
    forwards = [action for action in actions if action.get("type") == "omfwd"]
    return {
        "forwarding.targets": sorted({f.get("target", "") for f in forwards}),
        "forwarding.protocols": sorted({f.get("protocol", "udp") for f in forwards}),
        "forwarding.encrypted": bool(forwards)
        and all(f.get("streamdriver") and f.get("streamdrivermode") == "1" for f in forwards),
        "forwarding.disk_queue": bool(forwards) and all("queue.filename" in f for f in forwards),
    }
