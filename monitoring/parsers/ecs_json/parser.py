"""Documents that are ECS already: their fields are kept, each in the form its type asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from monitoring.ecs import field_type
from monitoring.event import Value
from monitoring.parsers import Line, flat_of, put
from monitoring.parsers._infer import infer
from monitoring.parsers.json_wrapped.parser import of_message
from monitoring.parsers.windows._catalogue import meaning_of

# Said by us, or of no use beside what the pipeline sets.
_OURS = frozenset(("event.ingested", "event.id", "@version"))
_OUR_PREFIXES = ("canh.", "log.syslog.", "@metadata.")
_SETS = frozenset(
    ("event.category", "event.type", "related.ip", "related.user", "related.hosts", "related.hash", "tags")
)
LONGEST_KEY = 128
_STARTS = (
    "agent.",
    "ecs.",
    "event.",
    "host.",
    "source.",
    "destination.",
    "winlog.",
    "process.",
    "user.",
    "log.",
    "observer.",
)


def parse(line: Line) -> dict[str, Value] | None:
    """The document's own fields; None when it is not ECS."""
    if line.document is None or "winlog" in line.document:
        return None
    fields = fields_of_ecs(line.document)
    if sum(any(name.startswith(start) for name in fields) for start in _STARTS) < 2:
        return _of_shipped(line, line.document)
    original = fields.pop("event.original", None)
    if "event.category" not in fields:
        told = _of_windows(fields)
        if told:
            return told | fields
        text = str(original or fields.get("message", "")).strip()
        if text:
            fields = _with_inner(line, text, fields)
    stated = fields.get("event.category")
    infer(fields, str(fields.get("message", "")))
    if stated is not None and fields["event.category"] != stated:  # only its type was open
        fields["event.category"], fields["event.type"] = stated, ("info",)
    return fields


def _of_windows(fields: Mapping[str, Value]) -> dict[str, Value]:
    """What an event of Windows is, of an agent that says its provider and number alone."""
    provider, code = str(fields.get("event.provider", "")), str(fields.get("event.code", ""))
    if not code.isdecimal() or not provider.startswith("Microsoft-Windows-"):
        return {}
    return dict(meaning_of(provider, "", code)[1])


def _of_shipped(line: Line, document: Mapping[str, Any]) -> dict[str, Value] | None:
    """A raw line of a known product with the time and the host of its shipper; None for any other text."""
    text = document.get("message")
    if not isinstance(text, str) or "@timestamp" not in document:
        return None
    inner = of_message(line, text.strip())
    if str(inner.get("canh.parser", "generic_")).startswith("generic_"):
        return None
    fields: dict[str, Value] = {}
    put(fields, "@timestamp", document["@timestamp"])
    host = document.get("host")
    put(fields, "host.name", host.get("name") if isinstance(host, Mapping) else host)
    return fields | inner


def _with_inner(line: Line, text: str, fields: dict[str, Value]) -> dict[str, Value]:
    """A raw line that a shipper carries: what it says goes before what the shipper knows, but for the host's name."""
    inner = of_message(line, text, str(fields.get("process.name", "")))
    if inner.get("event.category") == ("host",) and "event.action" not in inner:
        return inner | fields
    return fields | {name: value for name, value in inner.items() if name != "host.name" or name not in fields}


def fields_of_ecs(document: Mapping[str, Any]) -> dict[str, Value]:
    """Flat fields of a nested or dotted document. What is ours to say (`canh.*`, ids) is not taken from it."""
    fields: dict[str, Value] = {}
    for name, value in flat_of(document).items():
        if name == "event.id" and isinstance(value, str | int):
            fields["canh.source.event_id"] = str(value)  # `event.id` is ours
        if name in _OURS or name.startswith(_OUR_PREFIXES) or len(name) > LONGEST_KEY:
            continue
        if name in _SETS:
            words = tuple(str(one) for one in value) if isinstance(value, list) else (str(value),)
            fields[name] = words
        elif isinstance(value, list) and field_type(name).kind == "keyword":
            if value and not isinstance(value[0], Mapping):
                fields[name] = tuple(str(one) for one in value)
        else:
            put(fields, name, value)
    return fields
