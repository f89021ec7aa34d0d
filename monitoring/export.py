"""Events as files for other programs: NDJSON, CSV, Parquet. Streaming: a batch at a time, however many there are.

CSV is for spreadsheets, which run what looks like a formula; text that begins like one gets an apostrophe in front.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from monitoring import ecs
from monitoring.event import Event, Value

BATCH = 2500
OTHER = "other"  # the column of everything that has none, as JSON
_MOST = 2**63 - 1
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_KINDS = {"long": pa.int64(), "float": pa.float64(), "boolean": pa.bool_(), "date": pa.timestamp("us", "UTC")}


def ndjson(events: Iterable[Event], out: IO[bytes], fields: Sequence[str] = ()) -> int:
    """One nested ECS document a line. Returns how many."""
    count = 0
    for event in events:
        out.write(event.as_json().encode("utf-8", "backslashreplace") + b"\n")
        count += 1
    return count


def to_csv(events: Iterable[Event], out: IO[bytes], fields: Sequence[str] = ()) -> int:
    """A header and one row an event: the asked fields, or all columns of ecs.yaml and `other`. Returns how many."""
    names = fields or _all_names()
    # With its mark of order a spreadsheet takes the file for UTF-8, not for the encoding of its country.
    text = io.TextIOWrapper(out, "utf-8-sig", errors="backslashreplace", newline="", write_through=True)
    table = csv.writer(text)
    table.writerow([*names, *([] if fields else [OTHER])])
    count = 0
    for event in events:
        row = [_cell(event.get(name)) for name in names]
        if not fields:
            row.append(_cell(_other(event.fields, frozenset(names))))
        table.writerow(row)
        count += 1
    text.flush()
    text.detach()
    return count


def parquet(events: Iterable[Event], out: IO[bytes], fields: Sequence[str] = ()) -> int:
    """A Parquet file (zstd): a column a field as ecs.yaml types it, what does not fit in `other`. Returns how many."""
    names = list(fields) or _all_names()
    schema = pa.schema([*((name, _type(name)) for name in names), (OTHER, pa.string())])
    count = 0
    waiting = iter(events)
    with pq.ParquetWriter(out, schema, compression="zstd") as writer:
        while batch := list(islice(waiting, BATCH)):
            writer.write_table(_table(batch, names, schema))
            count += len(batch)
    return count


FORMATS: Mapping[str, Callable[[Iterable[Event], IO[bytes], Sequence[str]], int]] = {
    "ndjson": ndjson,
    "csv": to_csv,
    "parquet": parquet,
}


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """A file that is there as a whole or not at all. Raises OSError."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.unlink(missing_ok=True)
        with part.open("xb") as file:  # never through a link that somebody laid there
            yield file
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _all_names() -> list[str]:
    """The columns of an export of whole events."""
    return ["event.id", *(field.name for field in ecs.columns())]


def _cell(value: Value | None) -> str:
    """A value as a cell. Numbers are numbers; text never is a formula."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    text = "; ".join(map(str, value)) if isinstance(value, tuple) else value
    text = text.replace("\0", "\\0")  # no CSV reader takes it
    return f"'{text}" if text.startswith(_FORMULA) else text


def _other(fields: Mapping[str, Value], named: frozenset[str]) -> str:
    rest = {name: value for name, value in fields.items() if name not in named}
    return json.dumps(rest, ensure_ascii=False, separators=(",", ":")) if rest else ""


def _type(name: str) -> pa.DataType:
    field = ecs.field_type(name)
    kind = _KINDS.get(field.kind, pa.string())
    return pa.list_(kind) if field.is_list else kind


def _table(batch: Sequence[Event], names: Sequence[str], schema: pa.Schema) -> pa.Table:
    columns: list[list[Any]] = [[None] * len(batch) for _ in names]
    others: list[str | None] = [None] * len(batch)
    readers = [_reader(name) for name in names]
    named = frozenset(names)
    for row, event in enumerate(batch):
        misfits: set[str] = set()
        for column, name, read in zip(columns, names, readers, strict=True):
            value = event.get(name)
            if value is not None:
                column[row] = read(value)
                if column[row] is None:
                    misfits.add(name)
        others[row] = _other(event.fields, named - misfits) or None
    return pa.Table.from_arrays(
        [pa.array(column, kind.type) for column, kind in zip([*columns, others], schema, strict=True)], schema=schema
    )


def _reader(name: str) -> Callable[[Value], Any]:
    """What a value is in its column; None when it does not fit there."""
    field = ecs.field_type(name)
    if field.is_list:
        return lambda value: list(map(_text, value)) if isinstance(value, tuple) else None
    if field.kind == "date":
        return _moment
    wanted = {"long": int, "float": float, "boolean": bool}.get(field.kind)
    if wanted is None:
        return lambda value: _text(value) if isinstance(value, str) else None
    return lambda value: value if type(value) is wanted and not (type(value) is int and abs(value) > _MOST) else None


def _text(value: object) -> str:
    return str(value).encode("utf-8", "backslashreplace").decode()


def _moment(value: Value) -> datetime | None:
    try:
        return datetime.fromisoformat(str(value)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
