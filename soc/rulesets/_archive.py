"""The files of a community set, from a zip, a tar or a folder.

What comes in is hostile: nothing is written from here, names that lead elsewhere refuse the whole, links and
devices are passed over, and a bound stands on the number of files, their size and how much an archive unpacks to.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, NoReturn

import zstandard

from soc.rulesets.errors import SourceError

MOST_FILES = 50_000
MOST_ARCHIVE_OCTETS = 256 * 2**20
MOST_OCTETS = 512 * 2**20  # of everything once unpacked, skipped files too
MOST_FILE_OCTETS = 2**20  # of a rule; a longer file is passed over
MOST_DEPTH = 16
_ENTRY = b"PK\x01\x02"  # what each entry of a zip's directory begins with
_MOST_MEMORY = 2**27  # for unpacking; what the zstd command takes without being asked

Wanted = Callable[[tuple[str, ...]], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A file of the set. `octets` is None when nobody asked for it or it is too long."""

    path: tuple[str, ...]
    octets: bytes | None
    is_too_long: bool = False
    is_link: bool = False  # or a device: nothing to read


def files_of(source: Path, is_wanted: Wanted) -> Iterator[Found]:
    """Every file, read if it is wanted. Raises SourceError."""
    walk = _folder if source.is_dir() else _zip if _is_zip(source) else _tar
    try:
        for number, found in enumerate(walk(source, is_wanted), 1):
            _check_number(number, source)
            yield found
    except (zipfile.BadZipFile, tarfile.TarError, zstandard.ZstdError, EOFError, zlib.error, lzma.LZMAError) as error:
        _refuse(
            f"it is no archive that can be read: {error}", source, "give a zip, a tar (gz, bz2, xz, zst) or a folder"
        )
    # RuntimeError: a zip with a password, or packed in a way nobody knows; ValueError: names that are not UTF-8
    except (OSError, RuntimeError, ValueError) as error:
        _refuse(f"it cannot be read: {getattr(error, 'strerror', None) or error}", source)


def _folder(source: Path, is_wanted: Wanted) -> Iterator[Found]:
    budget = _Budget(source)
    for place, folders, names in os.walk(source, followlinks=False):
        folders.sort()
        for name in sorted(names):
            path = Path(place) / name
            parts = path.relative_to(source).parts
            _check_depth(parts, source)
            kind = path.lstat()
            if not stat.S_ISREG(kind.st_mode):
                yield Found(path=parts, octets=None, is_link=True)
                continue
            budget.take(kind.st_size if is_wanted(parts) else 0)
            yield _found(parts, kind.st_size, is_wanted, partial(io.FileIO, path))


def _zip(source: Path, is_wanted: Wanted) -> Iterator[Found]:
    _check_size(source)
    _check_directory(source)
    budget = _Budget(source)
    with zipfile.ZipFile(source) as archive:
        for entry in archive.infolist():
            parts = _parts(entry.filename, source)
            if entry.is_dir():
                continue
            if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
                yield Found(path=parts, octets=None, is_link=True)
                continue
            # What the directory states may be a lie: reading stops at the bound whatever it says.
            budget.take(min(entry.file_size, MOST_FILE_OCTETS + 1) if is_wanted(parts) else 0)
            yield _found(parts, entry.file_size, is_wanted, partial(archive.open, entry))


def _tar(source: Path, is_wanted: Wanted) -> Iterator[Found]:
    _check_size(source)
    with source.open("rb") as raw, _unpacked(raw, source) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
        for number, entry in enumerate(archive, 1):
            _check_number(number, source)  # folders too: a few octets stand for very many
            parts = _parts(entry.name, source)
            if entry.isdir():
                continue
            if not entry.isreg():
                yield Found(path=parts, octets=None, is_link=True)
                continue
            yield _found(parts, entry.size, is_wanted, partial(archive.extractfile, entry))


def _found(parts: tuple[str, ...], size: int, is_wanted: Wanted, opened: Callable[[], IO[bytes] | None]) -> Found:
    if not is_wanted(parts):
        return Found(path=parts, octets=None)
    if size > MOST_FILE_OCTETS:
        return Found(path=parts, octets=None, is_too_long=True)
    with opened() or io.BytesIO() as file:
        octets = file.read(MOST_FILE_OCTETS + 1)
    is_too_long = len(octets) > MOST_FILE_OCTETS
    return Found(path=parts, octets=None if is_too_long else octets, is_too_long=is_too_long)


class _Budget:
    """Octets that may still be unpacked."""

    def __init__(self, source: Path) -> None:
        self._source, self._left = source, MOST_OCTETS

    def take(self, octets: int) -> None:
        self._left -= octets
        if self._left < 0:
            _refuse(f"it unpacks to more than {MOST_OCTETS // 2**20} MiB", self._source)


class _Bounded(io.RawIOBase):
    """A stream that ends with an error when more comes out than may."""

    def __init__(self, stream: Any, source: Path) -> None:
        self._stream, self._budget = stream, _Budget(source)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        octets = self._stream.read(len(buffer))
        self._budget.take(len(octets))
        buffer[: len(octets)] = octets
        return len(octets)


class _Xz:
    """What is packed with xz, in bounded memory: a file says itself how much its reader is to set aside."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw, self._unpacker = raw, lzma.LZMADecompressor(memlimit=_MOST_MEMORY)

    def read(self, octets: int) -> bytes:
        while not self._unpacker.eof:
            packed = self._raw.read(2**16) if self._unpacker.needs_input else b""
            if self._unpacker.needs_input and not packed:
                raise EOFError("it ends early")
            if out := self._unpacker.decompress(packed, octets):
                return out
        return b""


def _unpacked(raw: IO[bytes], source: Path) -> io.BufferedReader:
    """The tar inside, however it is packed."""
    start = raw.read(6)
    raw.seek(0)
    stream: Any = raw
    if start.startswith(b"\x1f\x8b"):
        stream = gzip.GzipFile(fileobj=raw)
    elif start.startswith(b"BZh"):
        stream = bz2.BZ2File(raw)
    elif start.startswith(b"\xfd7zXZ\x00"):
        stream = _Xz(raw)
    elif start.startswith(b"\x28\xb5\x2f\xfd"):
        stream = zstandard.ZstdDecompressor(max_window_size=_MOST_MEMORY).stream_reader(raw)
    return io.BufferedReader(_Bounded(stream, source), 2**16)


def _is_zip(source: Path) -> bool:
    try:
        with source.open("rb") as file:
            return file.read(2) == b"PK"
    except OSError as error:
        _refuse(f"it cannot be read: {error.strerror}", source)


def _parts(name: str, source: Path) -> tuple[str, ...]:
    """The parts of a name in an archive; one that leads out of the place it is unpacked to refuses the whole."""
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    is_absolute = name.startswith("/") or (len(name) > 1 and name[1] == ":")
    if is_absolute or ".." in parts or "\\" in name or "\0" in name:
        _refuse(f"it holds a name that leads elsewhere: {name!r:.100}", source, "do not use this archive")
    _check_depth(parts, source)
    return parts


def _check_depth(parts: tuple[str, ...], source: Path) -> None:
    if len(parts) > MOST_DEPTH:
        _refuse(f"it holds folders deeper than {MOST_DEPTH}: {'/'.join(parts)!r:.100}", source)


def _check_size(source: Path) -> None:
    if source.stat().st_size > MOST_ARCHIVE_OCTETS:
        _refuse(f"it is larger than {MOST_ARCHIVE_OCTETS // 2**20} MiB", source)


def _check_directory(source: Path) -> None:
    """Before the library makes something of each entry of a zip: very many take gigabytes."""
    number, before = 0, b""
    with source.open("rb") as file:
        while octets := file.read(2**20):
            number += (before + octets).count(_ENTRY)
            before = octets[-3:]
    _check_number(number, source)


def _check_number(number: int, source: Path) -> None:
    if number > MOST_FILES:
        _refuse(f"it holds more than {MOST_FILES:,} files", source)


def _refuse(what: str, source: Path, fix: str = "") -> NoReturn:
    raise SourceError(what, where=source, fix=fix)
