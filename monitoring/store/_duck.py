"""DuckDB as we use it: in memory, bounded, offline, over Parquet files."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from monitoring.store import _columns
from monitoring.store._manifest import Segment

MEMORY = "256MB"  # what one process may use; larger sorts go to disk
THREADS = 2


def connect(*, memory: str = MEMORY, threads: int = THREADS, spill: Path | None = None) -> duckdb.DuckDBPyConnection:
    """A connection of its own database.

    spill: where what does not fit in memory goes; None for a folder of this user's in the system's temporary
    folder, because a reader need not be able to write to the store.
    """
    spill = spill or Path(tempfile.gettempdir()) / f"canh-duckdb-{os.getuid()}"
    return duckdb.connect(
        ":memory:",
        config={
            "memory_limit": memory,
            "threads": threads,
            "temp_directory": str(spill),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "preserve_insertion_order": False,
        },
    )


def quoted(name: str) -> str:
    """A column name as it stands in SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A string as it stands in SQL; for file names, which cannot be bound in COPY."""
    return "'" + text.replace("'", "''") + "'"


def source(database: duckdb.DuckDBPyConnection, folder: Path, segments: Sequence[Segment]) -> str:
    """What to select from to read some segments, all columns present whatever they were written with."""
    files = "[" + ", ".join(literal(str(folder / s.file)) for s in segments) + "]"
    if all(s.columns == _columns.schema_hash() for s in segments):
        return f"read_parquet({files})"
    reading = f"read_parquet({files}, union_by_name = true)"
    present = {row[0] for row in database.execute(f"DESCRIBE SELECT * FROM {reading}").fetchall()}  # noqa: S608
    missing = [f for f in _columns.schema() if f.name not in present]
    added = "".join(f", NULL::{_sql_type(f.type)} AS {quoted(f.name)}" for f in missing)
    return f"(SELECT *{added} FROM {reading})"  # noqa: S608


def _sql_type(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return f"{_sql_type(kind.value_type)}[]"
    return _SQL_TYPES[str(kind)]


_SQL_TYPES = {
    "string": "VARCHAR",
    "int64": "BIGINT",
    "int32": "INTEGER",
    "double": "DOUBLE",
    "bool": "BOOLEAN",
    "timestamp[us]": "TIMESTAMP",
    "fixed_size_binary[16]": "BLOB",
}
