"""Bringing one segment to disk: hidden name, fsync, rename, fsync of the folder."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from monitoring.store import _columns, _grams, _manifest
from monitoring.store._manifest import Segment

PART = ".part"


def write_tables(folder: Path, name: str, tables: Iterable[pa.Table], *, level: int, is_found: bool = False) -> Segment:
    """Write one segment durably, a row group a table; not visible before a manifest names it.

    is_found: write beside it which of its blocks can hold an answer.
    Raises OSError, ArrowException; then nothing is left of it.
    """
    path = folder / name
    make_folder(folder, path.parent)
    part = path.with_name(f".{path.name}{PART}")
    blocks = _grams.Blocks()
    ends: list[int] = []
    rows = 0
    try:
        with pq.ParquetWriter(part, _columns.schema(), **_options()) as file:
            for table in tables:
                file.write_table(table, row_group_size=max(len(table), 1))
                rows += len(table)
                ends += _span(table.column(_columns.TIME))
                if is_found:
                    blocks.add(table)
        octets = _seal(folder, name, part)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    if is_found:
        with suppress(OSError):  # without it the segment is read
            blocks.write(path)
    times = {"min_us": min(ends, default=0), "max_us": max(ends, default=0)}
    return Segment(file=name, level=level, rows=rows, octets=octets, columns=_columns.schema_hash(), **times)


def _seal(folder: Path, name: str, part: Path) -> int:
    """Give a written file its name, durably; returns its octets."""
    with part.open("rb+") as file:
        os.fsync(file.fileno())
        octets = os.fstat(file.fileno()).st_size
    part.replace(folder / name)
    _manifest.sync_folder(part.parent)
    return octets


def _options() -> dict[str, Any]:
    """How a column is written: numbers and times by their differences, what is seldom the same twice as it is, the rest
    by a dictionary. One tried for each column took a tenth more time, and a fifth more space.
    """
    fields = list(_columns.schema())
    grown = [f.name for f in fields if pa.types.is_integer(f.type) or pa.types.is_timestamp(f.type)]
    several = [f for f in fields if f.name not in _SINGLE and f.name not in grown]
    return {
        "compression": "zstd",
        "compression_level": 3,
        "column_encoding": dict.fromkeys(grown, "DELTA_BINARY_PACKED"),
        "use_dictionary": [f"{f.name}.list.element" if pa.types.is_list(f.type) else f.name for f in several],
    }


_SINGLE = frozenset({"event.original", "message", _columns.ID})  # seldom the same twice


def _span(times: pa.ChunkedArray) -> tuple[int, int]:
    ends = pc.min_max(times.cast(pa.int64()))
    return ends["min"].as_py() or 0, ends["max"].as_py() or 0


def make_folder(store: Path, folder: Path) -> None:
    """A folder below the store whose name lasts."""
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        _manifest.sync_folder(folder.parent)
        _manifest.sync_folder(store)
