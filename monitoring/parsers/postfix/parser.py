"""Postfix: its daemons' names are others' too, so a message is its own by its tag or by what it says."""

from __future__ import annotations

from monitoring.event import Value
from monitoring.parsers import Line, Pairs

_COMPANIONS = frozenset(("policyd-spf", "policy-spf", "postgrey", "opendkim", "opendmarc"))


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value] | None:
    """The event; None for another's daemon of the same name."""
    name = line.app_name.lower()
    if name.startswith("post") or name in _COMPANIONS or "event.action" in fields:
        return fields
    return None
