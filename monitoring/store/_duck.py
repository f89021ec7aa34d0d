"""DuckDB as we use it: in memory, bounded, offline, over Parquet files."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Sequence
from contextlib import suppress
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
    spill = spill or _own_folder()
    database = duckdb.connect(
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
    database.execute("SET enable_progress_bar = false")
    return database


def _own_folder() -> Path:
    """In the system's temporary folder, where others may have made it first: one that is ours alone, or a new one."""
    folder = Path(tempfile.gettempdir()) / f"canh-duckdb-{os.getuid()}"
    try:
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        found = folder.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid():
            folder.chmod(0o700)
            return folder
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="canh-duckdb-"))


def cursor_of(database: duckdb.DuckDBPyConnection, *, keep_metadata: bool = False) -> duckdb.DuckDBPyConnection:
    """A connection of its own to the same database, for one thread. No progress bar in the output of a search.

    keep_metadata: remember where things are in the files it reads, which never change. Finding that out takes
    longer than many a search, and keeping it up to 5 MB a file, which DuckDB does not count as its memory.
    """
    cursor = database.cursor()
    cursor.execute("SET enable_progress_bar = false")
    cursor.execute(f"SET parquet_metadata_cache = {str(keep_metadata).lower()}")
    return cursor


def quoted(name: str) -> str:
    """A column name as it stands in SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A string as it stands in SQL; for file names, which cannot be bound in COPY."""
    return "'" + text.replace("'", "''") + "'"


def source(database: duckdb.DuckDBPyConnection, folder: Path, segments: Sequence[Segment]) -> str:
    """What to select from to read some segments, all columns present whatever list they were written with.

    A column that was added later is taken out of the JSON its values stood in then.
    """
    by_columns: dict[str, list[str]] = {}
    for segment in segments:
        by_columns.setdefault(segment.columns, []).append(literal(str(folder / segment.file)))
    if list(by_columns) == [_columns.schema_hash()]:
        return f"read_parquet([{', '.join(by_columns[_columns.schema_hash()])}])"
    parts = []
    for files in by_columns.values():
        described = database.execute(f"DESCRIBE SELECT * FROM read_parquet({files[0]})").fetchall()  # noqa: S608
        present = {row[0] for row in described}
        chosen = ", ".join(quoted(f.name) if f.name in present else _from_rest(f) for f in _columns.schema())
        parts.append(f"SELECT {chosen} FROM read_parquet([{', '.join(files)}])")  # noqa: S608
    return f"({' UNION ALL '.join(parts)})"


def _from_rest(field: pa.Field) -> str:
    """A column that a segment has not, out of its JSON column; an address as number cannot be had."""
    kind = _sql_type(field.type)
    if kind.startswith("BLOB"):
        return f"NULL::{kind} AS {quoted(field.name)}"
    path = literal('$."' + field.name.replace('"', '\\"') + '"')
    text = (
        f"json_extract({_columns.REST}, {path})"
        if kind.endswith("[]")
        else f"json_extract_string({_columns.REST}, {path})"
    )
    return f"TRY_CAST({text} AS {kind}) AS {quoted(field.name)}"


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
