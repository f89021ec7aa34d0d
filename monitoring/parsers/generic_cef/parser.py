"""CEF of any product: what its keys mean is the standard's, what happened is read from its words."""

from __future__ import annotations

from monitoring.event import Value
from monitoring.parsers import Line, Pairs
from monitoring.parsers._infer import infer

_SEVERITIES = {
    "unknown": 0,
    "low": 3,
    "medium": 6,
    "high": 8,
    "very-high": 10,
    "very high": 10,
    "critical": 10,
    "info": 1,
}
_WORDS = ("cef.name", "act", "action", "outcome", "cat", "categoryBehavior", "categoryOutcome", "reason", "msg")


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """The event with its kind and outcome; the name of the event is its message when it has no other."""
    fields.setdefault("message", pairs["cef.name"])
    severity = _SEVERITIES.get(str(pairs.get("cef.severity", "")).lower())
    if severity is not None:
        fields["event.severity"] = severity
    fields.setdefault("rule.name", pairs["cef.name"])
    if fields.get("event.outcome") == "unknown":
        del fields["event.outcome"]
    infer(fields, " ".join(str(pairs[word]) for word in _WORDS if word in pairs))
    return fields
