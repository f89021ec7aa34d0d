"""Events as documents and back. Pure; see `_templates` for the document's shape."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID

from monitoring import ecs
from monitoring.elastic._templates import FIND, MORE, find_field
from monitoring.event import Event, Value, flat
from monitoring.query import fold
from monitoring.rows import id_octets
from monitoring.store import _columns

PIECE, OVERLAP = 8000, 1000  # characters of a piece of text, and of the next one that are in both
BETWEEN = "\x1f"  # of name and value
NEVER = "1970-01-01T00:00:00.000000Z"
NO_DAY = "1970-01-01"
_TIME = re.compile(r"(19[7-9]\d|20\d\d|21\d\d)-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z\Z")
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def id_of(event: Event) -> str:
    """`_id` and `event.id`: the spool's, so that a replay writes the same document."""
    return canonical(event.id)


def canonical(text: str) -> str:
    """An id as the store has it: a UUID in its usual form."""
    return str(UUID(bytes=id_octets(text)))


def day_of(event: Event) -> str:
    """The received day, UTC, as the spool has it: yyyy-mm-dd."""
    day = event.text("event.ingested")[:10]
    return day if re.fullmatch(r"\d{4}-\d\d-\d\d", day) else NO_DAY


def encoded(event: Event) -> bytes:
    """The document of an event as JSON."""
    try:
        return _encode(document_of(event)).encode()
    except UnicodeEncodeError:  # half a surrogate pair, out of someone's JSON
        return _encode(document_of(Event({name: _whole(value) for name, value in event.fields.items()}))).encode()


def document_of(event: Event) -> dict[str, Any]:
    """The document of an event."""
    document: dict[str, Any] = {}
    more: dict[str, Value] = {}
    find: dict[str, Any] = {}
    places = _places()
    for name, value in event.fields.items():
        place = places.get(name)
        if name == "event.id":
            continue
        if place is None or not _columns.holds(name, value):
            more[name] = value
            continue
        parents, leaf, kind, text = place
        if kind == "date":
            moment = _moment(str(value))
            if moment is None:
                more[name] = value
                continue
            value = moment
        elif text:
            find[text] = _pieces(fold(str(value)))
        node = document
        for parent in parents:
            node = node.setdefault(parent, {})
        node[leaf] = value
    document.setdefault("event", {})["id"] = id_of(event)
    document.setdefault("@timestamp", NEVER)
    if more:
        document[MORE] = more
        find["more"] = [f"{name}{BETWEEN}{one}" for name, value in more.items() for one in _texts(value)]
    document[FIND] = find
    return document


def event_of(source: Mapping[str, Any]) -> Event:
    """The event of a document's `_source`."""
    fields = dict(flat({name: value for name, value in source.items() if name != MORE}))
    for name, value in source.get(MORE, {}).items():
        fields[name] = tuple(value) if isinstance(value, list) else value
    return Event(fields)


@cache
def _places() -> dict[str, tuple[tuple[str, ...], str, str, str]]:
    """Of each listed field: parents, leaf, kind, and under which name of `canh_find` its text is ("" for none)."""
    places = {}
    for field in ecs.fields().values():
        *parents, leaf = field.name.split(".")
        text = find_field(field.name).partition(".")[2] if field.kind == "text" else ""
        places[field.name] = (tuple(parents), leaf, field.kind, text)
    return places


def _moment(text: str) -> str | None:
    """A time in the one form the store has; None for what is none, or outside 1970 to 2199."""
    if _TIME.match(text):
        try:
            datetime.fromisoformat(text)
        except ValueError:
            return None
        return text
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    written = moment.isoformat(timespec="microseconds")[:26] + "Z"
    return written if _TIME.match(written) else None


def _whole(value: Value) -> Value:
    """A value with half a surrogate pair written out."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    return tuple(str(_whole(one)) for one in value) if isinstance(value, tuple) else value


def _pieces(text: str) -> str | list[str]:
    """A long text in pieces that overlap: whatever is at most OVERLAP long is whole in one of them."""
    if len(text) <= PIECE:
        return text
    step = PIECE - OVERLAP
    return [text[start : start + PIECE] for start in range(0, len(text) - OVERLAP, step)]


def _texts(value: Value) -> list[str]:
    """The values of an unlisted field as text, as JSON writes them."""
    if isinstance(value, tuple):
        return [text for one in value for text in _texts(one)]
    return [value] if isinstance(value, str) else [_encode(value)]
