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
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache, lru_cache
from ipaddress import IPv4Address, ip_address
from typing import Any
from uuid import UUID

import pyarrow as pa

from monitoring import ecs
from monitoring.event import Event, Value
from monitoring.rows import Buffers, columns_of

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


def holds(name: str, value: Value) -> bool:
    """Whether a listed field takes a value as it is: of its type, and no number beyond 64 bits."""
    return _listed_types().get(name) is type(value) and _fits(value)


def table_of(events: Sequence[Event]) -> pa.Table:
    """The rows of some events, in their order. A value its column cannot hold stands in `rest` as it is."""
    return table(len(events), columns_of([dict(event.fields) for event in events]))


def table(size: int, columns: Mapping[str, Buffers]) -> pa.Table:
    """The rows as `rows.Rows` has them; nothing is copied."""
    arrays = [
        pa.nulls(size, field.type)
        if (buffers := columns.get(field.name)) is None
        else _array(field.type, size, buffers)
        for field in schema()
    ]
    return pa.Table.from_arrays(arrays, schema=schema())


def of_file(rows: pa.Table, columns: str) -> pa.Table:
    """Rows as a file of the column list `columns` has them, as ours: other programs name inner types in their own way.

    Those of another list are taken apart and put together again.
    """
    if columns == schema_hash():
        return rows.select(schema().names).cast(schema())
    return table_of([event_of(row) for row in rows.to_pylist()])


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


_HIDDEN = frozenset({ID, LENGTH, REST})


@cache
def _listed_types() -> dict[str, type]:
    """For each listed field, column or not, the type of value it is."""
    return {field.name: tuple if field.is_list else _PYTHON[field.kind] for field in ecs.fields().values()}


def _fits(value: Value) -> bool:
    """Whether a number is small enough and a list is one of words; everything else fits."""
    if type(value) is int:
        return -_MOST <= value <= _MOST
    return type(value) is not tuple or all(type(item) is str for item in value)


def _array(kind: pa.DataType, size: int, buffers: Buffers) -> pa.Array:
    valid, *others = (None if octets is None else pa.py_buffer(octets) for octets in buffers)
    if not pa.types.is_list(kind):
        return pa.Array.from_buffers(kind, size, [valid, *others])
    counts, ends, octets = others
    words = pa.Array.from_buffers(kind.value_type, len(buffers[2] or b"") // 4 - 1, [None, ends, octets])
    return pa.Array.from_buffers(kind, size, [valid, counts], children=[words])
