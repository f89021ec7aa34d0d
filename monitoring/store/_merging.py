"""The rows of several segments, newest first, a few row groups in memory at a time.

Segments as written are in the order of arrival, merged ones newest first; times of devices jump in both. So nothing
is taken for granted but the newest time of each row group, which its file tells: groups are read in that order, and
what is newer than everything not read yet can go out. Where segments follow one another in time, as they
mostly do, that is a group or two; where all of them reach over the same time, order gives way to memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from monitoring.store import _columns
from monitoring.store._manifest import Segment

ROWS = 32_768  # of a row group
MOST_HELD = 2 * ROWS  # above it the newest of them go out, in order or not: they take 1.2 kB each
_NEWEST = 2**63 - 1


class _Group(NamedTuple):
    newest_us: int
    path: Path
    metadata: pq.FileMetaData
    number: int
    columns: str


def newest_first(folder: Path, segments: Sequence[Segment]) -> Iterator[pa.Table]:
    """Tables of ROWS rows, the last one of fewer. Raises OSError, ArrowException."""
    groups = sorted((g for s in segments for g in _groups(folder / s.file, s.columns)), key=lambda g: g.newest_us)
    held = _columns.schema().empty_table()
    while groups:
        held = pa.concat_tables([held, _read(groups.pop())])
        times = held.column(_columns.TIME).cast(pa.int64())
        ready = len(held) if not groups else pc.sum(pc.greater_equal(times, groups[-1].newest_us)).as_py() or 0
        if len(held) > MOST_HELD:
            ready = max(ready, len(held) - MOST_HELD // 2)
        if groups and ready < ROWS:
            continue
        order = pc.array_sort_indices(times.combine_chunks(), order="descending")
        out = ready if not groups else ready - ready % ROWS
        for begin in range(0, out, ROWS):
            yield held.take(order[begin : min(begin + ROWS, out)])
        held = held.take(order[out:])


def _groups(path: Path, columns: str) -> Iterator[_Group]:
    metadata = pq.read_metadata(path)
    place = next(n for n in range(metadata.num_columns) if metadata.schema.column(n).path == _columns.TIME)
    for number in range(metadata.num_row_groups):
        told = metadata.row_group(number).column(place).statistics
        newest_us = told.max_raw if told is not None and told.has_min_max else _NEWEST
        yield _Group(newest_us, path, metadata, number, columns)


def _read(group: _Group) -> pa.Table:
    """Its rows with the columns of today."""
    with pq.ParquetFile(group.path, metadata=group.metadata) as file:
        return _columns.of_file(file.read_row_group(group.number, use_threads=False), group.columns)
