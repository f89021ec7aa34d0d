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
_PYTHON = {"long": int, "boolean": bool, "float": (int, float)}
_MOST = 2**63 - 1


@cache
def schema() -> pa.Schema:
    """The columns of a segment, in order."""
    listed = []
    for field in ecs.columns():
        kind = _ARROW[field.kind]
        listed.append(pa.field(field.name, pa.list_(kind) if field.is_list else kind))
        if field.kind == "ip":
            listed.append(pa.field(number_of(field.name), pa.binary(16)))
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


def table_of(events: Sequence[Event]) -> pa.Table:
    """The rows of some events, in their order."""
    size = len(events)
    cells: dict[str, list[Any]] = {}
    rest: list[str | None] = [None] * size
    checks = _checks()
    for row, event in enumerate(events):
        more: dict[str, Value] | None = None
        for name, value in event.fields.items():
            check = checks.get(name)
            if check is None or not check(value):
                if more is None:
                    more = {}
                more[name] = value
                continue
            column = cells.get(name)
            if column is None:
                column = cells[name] = [None] * size
            column[row] = value
        if more is not None:
            more.pop("event.id", None)
            if more:
                rest[row] = _json(more)
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


@cache
def _checks() -> dict[str, Any]:
    """For each column, whether a value may stand in it; what may not goes to `rest` as it is."""
    return {field.name: _check(field) for field in ecs.columns()}


def _check(field: ecs.FieldType) -> Any:
    if field.is_list:
        return lambda value: type(value) is tuple and all(type(item) is str for item in value)
    if field.kind == "long":
        return lambda value: type(value) is int and -_MOST <= value <= _MOST
    if field.kind == "boolean":
        return lambda value: type(value) is bool
    if field.kind == "date":
        return lambda value: type(value) is str and len(value) == 27 and value[26] == "Z"
    return lambda value: type(value) is str


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
            octets = None if addresses is None else [octets_of(a) if a else None for a in addresses]
            arrays.append(pa.nulls(size, field.type) if octets is None else pa.array(octets, field.type))
        elif name not in cells:
            arrays.append(pa.nulls(size, field.type))
        elif pa.types.is_timestamp(field.type):
            arrays.append(pa.array(cells[name], pa.string()).cast(pa.timestamp("us", "UTC")).cast(field.type))
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


def _strings(values: Iterable[str | None]) -> pa.Array:
    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:  # half a surrogate pair, out of someone's JSON
        return pa.array([v and v.encode("utf-8", "backslashreplace").decode() for v in values], pa.string())


def _json(fields: dict[str, Value]) -> str:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
