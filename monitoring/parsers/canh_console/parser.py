"""The platform's log of logins and acts: `2026-03-02 10:00:00,123 INFO canh.audit {"event": "login", ...}`."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from monitoring.event import Value
from monitoring.parsers import Line, number_of, put, text_of

_LINE = re.compile(r"(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]{4,8} )?canh\.audit (\{.{1,8192}\})\s*\Z", re.DOTALL)


class Meaning(NamedTuple):
    action: str
    category: tuple[str, ...]
    type: tuple[str, ...]
    outcome: str = "success"


_MEANINGS = {
    "login": Meaning("console-login", ("authentication",), ("start",)),
    "login-failed": Meaning("console-login", ("authentication",), ("start",), "failure"),
    "locked-out": Meaning("console-locked", ("authentication",), ("start",), "failure"),
    "throttled": Meaning("console-locked", ("authentication",), ("start",), "failure"),
    "refused": Meaning("console-refused", ("web",), ("access", "denied"), "failure"),
    "logout": Meaning("logout", ("authentication",), ("end",)),
    "user-added": Meaning("console-account-created", ("iam",), ("user", "creation")),
    "user-reset": Meaning("console-account-reset", ("iam",), ("user", "change")),
    "user-disabled": Meaning("console-account-disabled", ("iam",), ("user", "change")),
    "user-enabled": Meaning("console-account-enabled", ("iam",), ("user", "change")),
    "alert-closed": Meaning("alert-closed", ("process",), ("end",)),
    "search-exported": Meaning("search-exported", ("database",), ("access",)),
}
_PLACES = {
    "user": "user.name",
    "source": "source.ip",
    "account": "user.target.name",
    "role": "user.target.roles",
    "alert": "canh.alert.id",
    "rule": "rule.id",
    "resolution": "event.reason",
    "path": "url.path",
    "query": "canh.export.query",
    "file": "file.path",
}


def parse(line: Line) -> dict[str, Value] | None:
    """The fields of a line; None for one that is not of this log."""
    found = _LINE.match(line.text)
    try:
        said = json.loads(found[1]) if found is not None else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    meaning = _MEANINGS.get(text_of(said.get("event")))
    if meaning is None:
        return None
    fields: dict[str, Value] = {
        "event.action": meaning.action,
        "event.category": meaning.category,
        "event.type": meaning.type,
        "event.outcome": meaning.outcome,
    }
    for key, place in _PLACES.items():
        value = text_of(said.get(key))
        if value and value != "(unknown)":
            put(fields, place, value)
    if said.get("event") == "alert-closed":
        fields["canh.alert.closed_by_subject"] = said.get("own") == "yes"
    count = number_of(said.get("events"))
    if count is not None:
        fields["canh.export.events"] = count
    told = ", ".join(f"{key} {text_of(value)}" for key, value in said.items() if key != "event" and text_of(value))
    fields["message"] = f"{text_of(said.get('event'))}: {told}"
    return fields
