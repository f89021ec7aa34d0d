"""`manifest.json`: what the store consists of at a moment. Replaced as a whole or not at all.

    {"format": 1, "generation": 17,
     "checkpoint": {...},
     "segments": [["log/2026112203/....parquet", level, rows, octets, min_us, max_us, "<columns>"], ...],
     "retired": [["<file>", retired_at_us], ...]}
`checkpoint` is the writer's caller's: how far it is, published with the segments it stands for.
A segment's times are the least and greatest `@timestamp` in it, microseconds since 1970 UTC.
`retired` files are merged or expired: still there for readers that hold an older manifest.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monitoring.errors import StoreError

FORMAT = 1
NAME = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One Parquet file. `file` is relative to the store: "<stream>/<hour>/<id>.parquet"."""

    file: str
    level: int  # 0 as written, higher after each merge
    rows: int
    octets: int
    min_us: int
    max_us: int
    columns: str  # hash of the column list it was written with

    @property
    def stream(self) -> str:
        return self.file.split("/")[0]

    @property
    def hour(self) -> str:
        """Received hour (UTC) as yyyymmddhh, or a day as yyyymmdd once its hours were joined."""
        return self.file.split("/")[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    generation: int = 0
    checkpoint: Mapping[str, Any] = field(default_factory=dict)
    segments: tuple[Segment, ...] = ()
    retired: tuple[tuple[str, int], ...] = ()

    def as_json(self) -> str:
        document = {
            "format": FORMAT,
            "generation": self.generation,
            "checkpoint": dict(self.checkpoint),
            "segments": [[s.file, s.level, s.rows, s.octets, s.min_us, s.max_us, s.columns] for s in self.segments],
            "retired": [list(entry) for entry in self.retired],
        }
        return json.dumps(document, separators=(",", ":"))


def load(folder: Path) -> Manifest:
    """The manifest of a store; an empty one when nothing was ever written. Raises StoreError."""
    path = folder / NAME
    try:
        return _manifest(json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return Manifest()
    except OSError as error:
        raise StoreError(f"the store cannot be read: {error.strerror}", where=path, fix="check permissions") from error
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"the store's manifest is damaged: {error}", where=path, fix="restore the data directory from its backup"
        ) from error


def publish(folder: Path, manifest: Manifest) -> None:
    """Replace the manifest; on return it is what every reader sees, also after a power cut."""
    staged = folder / f".{NAME}.new"
    with staged.open("w", encoding="utf-8") as file:
        file.write(manifest.as_json())
        file.flush()
        os.fsync(file.fileno())
    staged.replace(folder / NAME)
    sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder last."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _manifest(document: dict[str, Any]) -> Manifest:
    if document["format"] != FORMAT:
        raise ValueError(f"format {document['format']} is not {FORMAT}")
    return Manifest(
        generation=document["generation"],
        checkpoint=document["checkpoint"],
        segments=tuple(
            Segment(file=f, level=level, rows=rows, octets=octets, min_us=least, max_us=greatest, columns=columns)
            for f, level, rows, octets, least, greatest, columns in document["segments"]
        ),
        retired=tuple((file, at) for file, at in document["retired"]),
    )
