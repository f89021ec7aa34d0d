"""The files of a spool directory: their names, its id, the committed mark."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from monitoring.errors import SpoolError

COMMITTED = struct.Struct("<Q")


class Segment(NamedTuple):
    base: int  # position of its first octet
    path: Path


def segments(directory: Path) -> list[Segment]:
    """Every segment, oldest first."""
    return sorted(Segment(int(p.stem), p) for p in directory.glob("*.seg") if p.stem.isdigit())


def segment_path(directory: Path, base: int) -> Path:
    return directory / f"{base:020d}.seg"


def spool_id(directory: Path) -> UUID:
    """The id of an existing spool. SpoolError when there is none or it cannot be read."""
    path = directory / "spool.json"
    try:
        document = json.loads(path.read_bytes())
        return UUID(document["id"])
    except FileNotFoundError as error:
        raise SpoolError(
            "there is no spool here", where=directory, fix="start `canh collect` with this --data"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise SpoolError(
            "the spool's id cannot be read",
            where=path,
            fix="restore spool.json from a backup; without it move the directory away, a new spool is made",
        ) from error


def committed(directory: Path) -> int | None:
    """Up to where everything is fsynced; None when nobody wrote it yet."""
    try:
        octets = (directory / "committed").read_bytes()
    except FileNotFoundError:
        return None
    return COMMITTED.unpack(octets)[0] if len(octets) == COMMITTED.size else None
