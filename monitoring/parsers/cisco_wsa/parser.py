"""What a line of the access log means: its time, its verdict, the rule that decided."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs

_EPOCH = re.compile(r"(?:[\w-]{1,64}: )?(?:Info: )?(\d{10}\.\d{1,6}) ")
_DECISION = re.compile(r"([A-Z][A-Z_]{1,48}?)(?:_\d{1,3})?-([^-]{1,128})(?:-([^-]{1,128}))?")
_DENIED = ("BLOCK", "DROP", "NO_AUTHORIZATION", "REDIRECT")


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """Finish the fields that the rule found."""
    epoch = _EPOCH.match(line.text)
    if epoch is not None:
        fields["@timestamp"] = epoch[1]
    if "canh.wsa.result" not in fields:
        return fields
    decision = str(fields.get("canh.wsa.decision", ""))
    match = _DECISION.match(decision)
    if match is not None:
        fields["canh.wsa.acl"] = match[1]
        if match[2] != "NONE":
            fields["rule.name"] = match[2]
    is_denied = decision.startswith(_DENIED) or "DENIED" in str(fields.get("canh.wsa.result", ""))
    fields["event.outcome"] = "failure" if is_denied else "success"
    fields["event.type"] = ("access", "denied") if is_denied else ("access", "allowed")
    if "source.user.name" in fields:
        fields["user.name"] = fields["source.user.name"]
    elapsed = str(fields.pop("canh.wsa.elapsed_ms", ""))
    if elapsed.isdecimal():
        fields["event.duration"] = int(elapsed) * 1_000_000
    return fields
