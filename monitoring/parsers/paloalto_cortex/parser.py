"""Cortex XDR: names of processes and files stand in their paths; users as a list in words."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed, _endpoint, put

_LISTED = re.compile(r"\['([^'\[\]]{1,256})'")


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed | None:
    listed = _LISTED.match(str(fields.get("user.name", "")))
    if listed is not None:
        for name in ("user.name", "source.user.name"):
            if name in fields:
                del fields[name]
                put(fields, name, listed[1].replace("\\\\", "\\"))
    if "Audit Log" in str(pairs.get("cef.id", "")):
        for name in ("process.name", "process.command_line", "rule.name"):
            fields.pop(name, None)
        result = str(pairs.get("result") or "").lower()
        fields["event.outcome"] = "failure" if result.startswith("fail") else "success"
    return _endpoint.refine(line, fields, pairs)
