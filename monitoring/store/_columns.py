"""Events as columns and back.

Each listed column of `ecs` is a Parquet column of its name; the rest of an event is a flat JSON
object in `rest`. Three columns save space or time: `id` holds `event.id` as 16 octets,
`message_length` says how many characters at the end of `event.original` are the `message` (then
`message` itself is empty), and `<field>#n` holds an address as 16 octets in network order (IPv4
mapped into IPv6), so that a prefix is a range.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache, lru_cache
from ipaddress import IPv4Address, ip_address
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

import pyarrow as pa

from monitoring import ecs
from monitoring.event import Event, Value

ID, LENGTH, REST = "id", "message_length", "rest"
TIME, INGESTED = "@timestamp", "event.ingested"
_ARROW = {
    "keyword": pa.string(),
    "text": pa.string(),
    "ip": pa.string(),
    "long": pa.int64(),
    "float": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.timestamp("us"),
}
_PYTHON: dict[str, type] = {
    "keyword": str,
    "text": str,
    "ip": str,
    "date": str,
    "long": int,
    "float": float,
    "boolean": bool,
}
_MOST = 2**63 - 1


@cache
def schema() -> pa.Schema:
    """The columns of a segment, in order."""
    listed = []
    for field in ecs.columns():
        kind = _ARROW[field.kind]
        listed.append(pa.field(field.name, pa.list_(kind) if field.is_list else kind))
        if field.kind == "ip":
            number = pa.binary(16)
            listed.append(pa.field(number_of(field.name), pa.list_(number) if field.is_list else number))
    extra = [pa.field(ID, pa.binary(16)), pa.field(LENGTH, pa.int32()), pa.field(REST, pa.string())]
    return pa.schema([*listed, *extra])


@cache
def schema_hash() -> str:
    """Short name of the column list; segments that differ in it are read by name."""
    return hashlib.sha256(str(schema()).encode()).hexdigest()[:8]


def number_of(field: str) -> str:
    """The column that holds an address field as octets."""
    return f"{field}#n"


@lru_cache(maxsize=65536)
def octets_of(address: str) -> bytes | None:
    """An address as 16 octets; None when it is none."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    return b"\0" * 10 + b"\xff\xff" + parsed.packed if isinstance(parsed, IPv4Address) else parsed.packed


def holds(name: str, value: Value) -> bool:
    """Whether a listed field takes a value as it is: of its type, and no number beyond 64 bits."""
    return _listed_types().get(name) is type(value) and _fits(value)


def table_of(events: Sequence[Event]) -> pa.Table:
    """The rows of some events, in their order. A value its column cannot hold stands in `rest` as it is."""
    size = len(events)
    cells: dict[str, list[Any]] = {}
    rest: list[str | None] = [None] * size
    types, fits = _types(), _fits
    for row, event in enumerate(events):
        more: dict[str, Value] = {}
        for name, value in event.fields.items():
            wanted = types.get(name)
            if wanted is not type(value) or (wanted is not str and not fits(value)):
                more[name] = value
                continue
            column = cells.get(name)
            if column is None:
                column = cells[name] = [None] * size
            column[row] = value
        more.pop("event.id", None)
        if more:
            rest[row] = _encode(more)
    return _table(events, cells, rest)


def event_of(row: dict[str, Any]) -> Event:
    """The event of one row (column name -> value, empty columns may be absent)."""
    fields: dict[str, Value] = {}
    for name, value in row.items():
        if value is None or name in _HIDDEN or name.endswith("#n"):
            continue
        if isinstance(value, datetime):
            fields[name] = value.replace(tzinfo=UTC).isoformat(timespec="microseconds")[:26] + "Z"
        elif isinstance(value, list):
            fields[name] = tuple(value)
        else:
            fields[name] = value
    length = row.get(LENGTH)
    if length is not None and "event.original" in fields:
        original = str(fields["event.original"])
        fields["message"] = original[len(original) - length :]
    if row.get(ID) is not None:
        fields["event.id"] = str(UUID(bytes=bytes(row[ID])))
    if row.get(REST):
        fields |= {name: tuple(v) if isinstance(v, list) else v for name, v in json.loads(row[REST]).items()}
    return Event(fields)


def id_octets(text: str) -> bytes:
    """`event.id` as 16 octets; an id that is no UUID gets one of its own."""
    try:
        return UUID(text).bytes
    except ValueError:
        return uuid5(NAMESPACE_OID, text).bytes


_HIDDEN = frozenset({ID, LENGTH, REST})


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@cache
def _types() -> dict[str, type]:
    """For each column the type of value it holds."""
    return {field.name: tuple if field.is_list else _PYTHON[field.kind] for field in ecs.columns()}


@cache
def _listed_types() -> dict[str, type]:
    """For each listed field, column or not, the type of value it is."""
    return {field.name: tuple if field.is_list else _PYTHON[field.kind] for field in ecs.fields().values()}


def _octets(value: str | tuple[str, ...]) -> bytes | list[bytes | None] | None:
    return octets_of(value) if isinstance(value, str) else [octets_of(one) for one in value]


def _fits(value: Value) -> bool:
    """Whether a number is small enough and a list is one of words; everything else fits."""
    if type(value) is int:
        return -_MOST <= value <= _MOST
    return type(value) is not tuple or all(type(item) is str for item in value)


def _table(events: Sequence[Event], cells: dict[str, list[Any]], rest: list[str | None]) -> pa.Table:
    size = len(events)
    lengths = _take_messages(cells, size)
    arrays: list[pa.Array] = []
    for field in schema():
        name = field.name
        if name == ID:
            arrays.append(pa.array([id_octets(e.text("event.id")) for e in events], pa.binary(16)))
        elif name == LENGTH:
            arrays.append(pa.array(lengths, pa.int32()))
        elif name == REST:
            arrays.append(_strings(rest))
        elif name.endswith("#n"):
            addresses = cells.get(name[:-2])
            octets = None if addresses is None else [_octets(a) if a else None for a in addresses]
            arrays.append(pa.nulls(size, field.type) if octets is None else pa.array(octets, field.type))
        elif name not in cells:
            arrays.append(pa.nulls(size, field.type))
        elif pa.types.is_timestamp(field.type):
            arrays.append(_times(cells[name]).cast(field.type))
        elif field.type == pa.string():
            arrays.append(_strings(cells[name]))
        else:
            arrays.append(pa.array(cells[name], field.type))
    return pa.Table.from_arrays(arrays, schema=schema())


def _take_messages(cells: dict[str, list[Any]], size: int) -> list[int | None]:
    """Empty each message that is the end of its original; its length takes its place."""
    lengths: list[int | None] = [None] * size
    messages, originals = cells.get("message"), cells.get("event.original")
    if messages is not None and originals is not None:
        for row, (message, original) in enumerate(zip(messages, originals, strict=True)):
            if message is not None and original is not None and original.endswith(message):
                lengths[row] = len(message)
                messages[row] = None
    return lengths


def _times(written: list[str | None]) -> pa.Array:
    try:
        return pa.array(written, pa.string()).cast(pa.timestamp("us", "UTC"))
    except pa.ArrowInvalid:  # none of the pipeline's; 1970 is better than no event
        return pa.array([_moment(text) for text in written], pa.timestamp("us", "UTC"))


def _moment(text: str | None) -> datetime | None:
    try:
        return None if text is None else datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return datetime(1970, 1, 1, tzinfo=UTC)


def _strings(values: Iterable[str | None]) -> pa.Array:
    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:  # half a surrogate pair, out of someone's JSON
        return pa.array([v and v.encode("utf-8", "backslashreplace").decode() for v in values], pa.string())
