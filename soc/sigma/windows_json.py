"""Windows events as the tools for .evtx files print them, made flat.

What rules call `Image` is there `Event.EventData.Image`:
    {"Event": {"System": {"EventID": 1, "Channel": ..., "Provider": {"#attributes": {"Name": ...}}, ...},
               "EventData": {"Image": ...}}}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def flattened(line: bytes) -> bytes:
    """The event as one flat JSON object; any other line as it is."""
    if b'"Event"' not in line[:4096] or b'"System"' not in line:
        return line
    try:
        event = json.loads(line).get("Event")
    except (ValueError, AttributeError, RecursionError):
        return line
    if not isinstance(event, Mapping) or not isinstance(event.get("System"), Mapping):
        return line
    return json.dumps(_fields(event), ensure_ascii=False).encode("utf-8", "replace")


def _fields(event: Mapping[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in event["System"].items():
        inner = _attributes(value)
        if name == "Provider":
            fields["Provider_Name"] = inner.get("Name", "")
        elif name == "TimeCreated":
            fields["SystemTime"] = inner.get("SystemTime", "")
        else:
            fields[name] = value.get("#text", "") if isinstance(value, Mapping) else value
    for section in ("EventData", "UserData"):
        fields |= _leaves(event.get(section))
    return fields


def _leaves(node: Any) -> dict[str, Any]:
    """Every named value below a node; a name that comes twice keeps the first."""
    found: dict[str, Any] = {}
    if isinstance(node, Mapping):
        for name, value in node.items():
            if name == "#attributes":
                continue
            if isinstance(value, Mapping) and "#text" not in value:
                for below, leaf in _leaves(value).items():
                    found.setdefault(below, leaf)
            else:
                found.setdefault(name, value["#text"] if isinstance(value, Mapping) else value)
    return found


def _attributes(value: Any) -> Mapping[str, Any]:
    inner = value.get("#attributes", value) if isinstance(value, Mapping) else {}
    return inner if isinstance(inner, Mapping) else {}
