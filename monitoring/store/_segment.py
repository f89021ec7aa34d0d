"""Bringing one segment to disk: hidden name, fsync, rename, fsync of the folder."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from monitoring.store import _columns, _manifest
from monitoring.store._manifest import Segment

PART = ".part"


def write_table(folder: Path, name: str, table: pa.Table, *, level: int) -> Segment:
    """Write one segment durably; not visible before a manifest names it."""
    path = folder / name
    make_folder(folder, path.parent)
    part = path.with_name(f".{path.name}{PART}")
    try:
        pq.write_table(table, part, compression="zstd", compression_level=3)
        return seal(folder, name, part, table.num_rows, *_span(table.column(_columns.TIME)), level)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def seal(folder: Path, name: str, part: Path, rows: int, least: int, greatest: int, level: int) -> Segment:
    """Give a written file its name, durably."""
    with part.open("rb+") as file:
        os.fsync(file.fileno())
        octets = os.fstat(file.fileno()).st_size
    part.replace(folder / name)
    _manifest.sync_folder(part.parent)
    return Segment(
        file=name, level=level, rows=rows, octets=octets, min_us=least, max_us=greatest, columns=_columns.schema_hash()
    )


def _span(times: pa.ChunkedArray) -> tuple[int, int]:
    ends = pc.min_max(times.cast(pa.int64()))
    return ends["min"].as_py() or 0, ends["max"].as_py() or 0


def make_folder(store: Path, folder: Path) -> None:
    """A folder below the store whose name lasts."""
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        _manifest.sync_folder(folder.parent)
        _manifest.sync_folder(store)
