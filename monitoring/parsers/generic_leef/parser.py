"""LEEF of any product: what its keys mean is the format's, what happened is read from its words."""

from __future__ import annotations

from monitoring.event import Value
from monitoring.parsers import Line, Pairs
from monitoring.parsers._infer import infer

_WORDS = ("leef.id", "cat", "action", "act", "isLoginEvent", "isLogoutEvent", "result", "outcome", "reason", "msg")


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """The event with its kind and outcome."""
    words = " ".join(str(pairs[word]) for word in _WORDS if word in pairs)
    if str(pairs.get("isLoginEvent", "")).lower() == "true":
        words += " login"
    elif str(pairs.get("isLogoutEvent", "")).lower() == "true":
        words += " logout"
    if fields.get("event.outcome") == "unknown":
        del fields["event.outcome"]
    infer(fields, words.replace("isLoginEvent", "").replace("isLogoutEvent", ""))
    return fields
