"""Which blocks of a merged segment can hold an answer: a file beside it, so that a needle need not be read for.

`<segment>.grams`: a JSON line {"format": 1, "times": [[least, greatest] of each block, microseconds]}, then rows of one
bit a block: for each of 2**17 hashes of four characters of a line, and each of 2**18 hashes of whole values of the
columns VALUES. A block is BLOCK events; they stand newest first, so blocks are spans of time. A segment without
the file is read, and so is one of which most blocks could hold an answer. What it says is never trusted alone:
the events of the spans it names are still held against the query.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc
from canh_native import Grams

from monitoring import ecs
from monitoring.query import All, Any, Network, Node, Term, Text, Wildcard, fold, forms
from monitoring.rows import id_octets
from monitoring.store import _columns

FORMAT = 1
SUFFIX = ".grams"
BLOCK = 4096  # events
MOST_SHARE = 0.5  # of a segment's blocks; with more it is read as a whole
MOST_SPANS = 64
_TEXTS = ("event.original", "message")
_FEW = ("event.", "log.", "canh.", "observer.", "network.", "http.", "error.")  # fields of few values: no needles
Span = tuple[int, int]  # microseconds, both ends in it
# What must be there: all these bits, or all or any of several needs.
Bits = tuple[int, ...]


class Need:
    """Of a query: which blocks can hold an answer, given the bits of each. `blocks` maps a bit to a set of blocks."""

    def __init__(self, bits: Bits = (), every: tuple[Need, ...] = (), some: tuple[Need, ...] = ()) -> None:
        self._bits, self._every, self._some = bits, every, some

    def held(self, blocks: Callable[[int], int], everywhere: int) -> int:
        """The blocks as bits of a number. everywhere: all of them."""
        held = everywhere
        for bit in self._bits:
            held &= blocks(bit)
            if not held:
                return 0
        for need in self._every:
            held &= need.held(blocks, held)
        if self._some:
            several = 0
            for need in self._some:
                several |= need.held(blocks, held)
            held &= several
        return held


def need_of(node: Node) -> Need | None:
    """What an event must hold to fit a query; None when nothing can be told."""
    match node:
        case All(nodes):
            known = tuple(need for one in nodes if (need := need_of(one)) is not None)
            return Need(every=known) if known else None
        case Any(nodes):
            several = [need_of(one) for one in nodes]
            return None if None in several else Need(some=tuple(need for need in several if need is not None))
        case Text(words) | Term("message" | "event.original", words):
            return _of_texts((words,))
        case Wildcard("" | "message" | "event.original", parts):
            return _of_texts(tuple(part for part in parts if not part.startswith("\0")))
        case Network(field, network) if network.num_addresses == 1 and _columns.number_of(field) in _valued():
            return of_value(_columns.number_of(field), _columns.octets_of(str(network[0])) or b"")
        case Term("event.id", value):
            return of_value(_columns.ID, id_octets(value))
        case Term(field, value) if field in _valued():
            return Need(some=tuple(of_value(field, form.encode("utf-8", "replace")) for form in forms(value)))
    return None


def of_value(column: str, value: bytes) -> Need:
    return Need(tuple(Grams.wanted_value(column, value)))


def of_ids(ids: Sequence[bytes]) -> Need:
    return Need(some=tuple(of_value(_columns.ID, one) for one in ids))


class Blocks:
    """What stands in the blocks of a segment, gathered while it is written."""

    def __init__(self) -> None:
        self._grams, self._times = Grams(), list[Span]()

    def add(self, rows: pa.Table) -> None:
        """The next rows, whole blocks of them but at the end."""
        rows = rows.combine_chunks()
        for begin in range(0, len(rows), BLOCK):
            block = rows.slice(begin, BLOCK)
            self._grams.next()
            ends = pc.min_max(block.column(_columns.TIME).cast(pa.int64()))
            self._times.append((ends["min"].as_py() or 0, ends["max"].as_py() or 0))
            for name in (*_TEXTS, *_valued()):
                column = block.column(name)
                if column.null_count < len(column):
                    _add(self._grams, name, column.chunk(0))

    def write(self, path: Path) -> None:
        """Make the file beside a segment. Raises OSError."""
        head = json.dumps({"format": FORMAT, "times": self._times}, separators=(",", ":")).encode() + b"\n"
        part = path.with_name(f".{path.name}{SUFFIX}")
        try:
            with part.open("wb") as out:
                out.write(head + self._grams.rows())
                out.flush()
                os.fsync(out.fileno())
            part.replace(beside(path))
        except OSError:
            part.unlink(missing_ok=True)
            raise


def beside(path: Path) -> Path:
    """The file of a segment."""
    return path.with_name(path.name + SUFFIX)


def spans(path: Path, need: Need) -> list[Span] | None:
    """When answers can be in a segment, oldest first; None when it is to be read as a whole."""
    head = _head(beside(path))
    if head is None:
        return None
    begin, times = head
    try:
        with beside(path).open("rb", buffering=0) as file:
            held = need.held(_rows(file, begin, (len(times) + 7) // 8), (1 << len(times)) - 1)
    except OSError:
        return None
    chosen = [times[number] for number in range(len(times)) if held >> number & 1]
    return None if len(chosen) > MOST_SHARE * len(times) else joined(chosen)


def joined(several: Sequence[Span]) -> list[Span]:
    """Spans that touch as one, oldest first; the nearest ones too when there are very many."""
    result: list[Span] = []
    for low, high in sorted(several):
        if result and low <= result[-1][1] + 1:
            result[-1] = (result[-1][0], max(high, result[-1][1]))
        else:
            result.append((low, high))
    if len(result) > MOST_SPANS:
        gaps = sorted(range(len(result) - 1), key=lambda n: result[n + 1][0] - result[n][1], reverse=True)
        kept = sorted(gaps[: MOST_SPANS - 1])
        firsts, lasts = [0, *(n + 1 for n in kept)], [*kept, len(result) - 1]
        result = [(result[first][0], result[last][1]) for first, last in zip(firsts, lasts, strict=True)]
    return result


def _of_texts(texts: tuple[str, ...]) -> Need | None:
    bits = sorted({bit for text in texts for bit in Grams.wanted(fold(text))})
    return Need(tuple(bits)) if bits else None


@cache
def _valued() -> frozenset[str]:
    """Columns whose whole values are looked up: names and addresses, each event's id."""
    fields = [field for field in ecs.columns() if not field.is_list and not field.name.startswith(_FEW)]
    words = {field.name for field in fields if field.kind == "keyword"}
    return frozenset({_columns.ID, *words, *(_columns.number_of(field.name) for field in fields if field.kind == "ip")})


def _rows(file: IO[bytes], begin: int, width: int) -> Callable[[int], int]:
    """Of a bit the blocks that have it."""

    def blocks(bit: int) -> int:
        return int.from_bytes(os.pread(file.fileno(), width, begin + bit * width), "little")

    return blocks


@lru_cache(maxsize=4096)
def _head(path: Path) -> tuple[int, tuple[Span, ...]] | None:
    """Where the rows begin, and the times of the blocks; None without a whole file of this format."""
    try:
        with path.open("rb") as file:
            line = file.readline()
        document = json.loads(line)
        if document["format"] != FORMAT:
            return None
        return len(line), tuple((low, high) for low, high in document["times"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _add(grams: Grams, name: str, column: pa.Array) -> None:
    if pa.types.is_fixed_size_binary(column.type):
        column = column.cast(pa.binary())
    column = pa.concat_arrays([column])  # a slice's own octets only
    _, offsets, octets = column.buffers()
    if octets is None:
        return
    begins = memoryview(offsets).cast("B").cast("i")[column.offset : column.offset + len(column) + 1]
    if name in _TEXTS:
        grams.add(memoryview(octets).cast("B"), begins)
    else:
        grams.add_values(name, memoryview(octets).cast("B"), begins)
