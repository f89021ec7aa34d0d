"""Dead letters: what was received and could not be stored, kept with its reason until someone settles it.

`<data>/dead/<day>.ndjson` is a journal, appended to by the store's worker only, one object a line:
    a letter        {"event_id", "spool", "position", "source", "reason", "detail", "at", "received", "peer_port",
                     "cut", "event": the flat event or null, "raw": base64}
    its settling    {"event_id", "settled": "replayed" | "dropped" | "expired", "at"}
The last line of an `event_id` counts. The file's length is part of the store's checkpoint, so lines whose
events were not committed are taken back after a crash. What a person wants done with letters comes as a file of
`requests/`: {"event_id", "action": "replay" | "drop", "raw": base64 of an edited message, if edited} a line.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

from monitoring.event import Event
from monitoring.spool import SpoolRecord

Letter = Mapping[str, Any]


class DeadLetters:
    """Appends; `mark` goes into the checkpoint, `restore` takes back what came after it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lines: list[str] = []

    def add(self, record: SpoolRecord, event: Event | None, reason: str) -> None:
        """Note one; on disk only with the next `mark`. reason: "word" or "word: detail"."""
        word, _, detail = reason.partition(": ")
        letter = {
            "event_id": str(record.event_id),
            "spool": str(record.spool_id),
            "position": record.position,
            "source": record.source,
            "reason": word,
            "detail": detail,
            "at": datetime.now(UTC).isoformat(),
            "received": record.received.isoformat(),
            "peer_port": record.peer_port,
            "cut": record.cut,
            "event": None if event is None else dict(event.fields),
            "raw": base64.b64encode(record.raw).decode("ascii"),
        }
        self._lines.append(json.dumps(letter, ensure_ascii=False, default=str) + "\n")

    def settle(self, event_id: str, how: str) -> None:
        """Note that a letter needs nothing more; on disk only with the next `mark`."""
        line = {"event_id": event_id, "settled": how, "at": datetime.now(UTC).isoformat()}
        self._lines.append(json.dumps(line) + "\n")

    def mark(self, before: Mapping[str, Any]) -> dict[str, Any]:
        """Write what was noted, durably; returns what to put into the checkpoint. Raises OSError."""
        if not self._lines:
            return dict(before)
        self._directory.mkdir(parents=True, exist_ok=True)
        path = self._directory / f"{datetime.now(UTC):%Y-%m-%d}.ndjson"
        with path.open("ab") as file:
            file.write("".join(self._lines).encode("utf-8", "backslashreplace"))
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        self._lines.clear()
        return {"file": path.name, "size": size}

    def restore(self, mark: Mapping[str, Any]) -> None:
        """Take back what was written after `mark` was made. Raises OSError.

        Without a mark the store is a new one: letters of an older one are set aside, not removed.
        """
        self._lines.clear()
        name, size = str(mark.get("file", "")), int(mark.get("size", 0))
        for path in sorted(self._directory.glob("*.ndjson")):
            if not name:
                path.rename(path.with_name(f"{path.name}.before-new-store"))
            elif path.name > name:
                path.unlink()
            elif path.name == name and path.stat().st_size > size:
                os.truncate(path, size)

    def files_before(self, day: str) -> tuple[Path, ...]:
        """The journal's files of days before `day` ("2026-11-22"), oldest first."""
        return tuple(p for p in sorted(self._directory.glob("*.ndjson")) if p.stem < day)


def dead_letters(data_dir: Path, wanted: Container[str] | None = None) -> Iterator[dict[str, Any]]:
    """The letters nobody settled, oldest first; a line that is being written is left out.

    wanted: only letters of these event ids.
    """
    paths = sorted((data_dir / "dead").glob("*.ndjson"))
    last: dict[str, int] = {}  # the last line of each letter, -1 when it is settled
    for number, line in _lines(paths):
        last[line["event_id"]] = -1 if "settled" in line else number
    for number, line in _lines(paths):
        if last.get(line["event_id"]) == number and (wanted is None or line["event_id"] in wanted):
            yield line


def letters_of(path: Path) -> Iterator[dict[str, Any]]:
    """Every letter that stands in one file of the journal, settled or not."""
    return (line for _, line in _lines((path,)) if "settled" not in line)


def record_of(letter: Letter, raw: bytes | None = None) -> SpoolRecord:
    """The record a letter was made of, with the same event id; `raw`: its message, edited.

    Raises KeyError, ValueError when the letter is not one.
    """
    receiver, _, peer = str(letter["source"]).partition(" ")
    position = int(letter["position"])
    return SpoolRecord(
        position,
        position,
        UUID(letter["spool"]),
        datetime.fromisoformat(letter.get("received") or letter["at"]),
        peer,
        int(letter.get("peer_port", 0)),
        receiver,
        base64.b64decode(letter["raw"]) if raw is None else raw,
        int(letter.get("cut", 0)),
    )


def request(data_dir: Path, lines: Iterable[Mapping[str, str]], name: str) -> Path:
    """Leave word for the store's worker, whole or not at all; returns the file, which is removed when it is done.

    Asked by an administrator, it belongs to the platform's own user, who has to read and remove it; of what that
    user owns no link is followed. Raises OSError.
    """
    text = "".join(json.dumps(line) + "\n" for line in lines)
    top = os.open(data_dir, os.O_RDONLY | os.O_DIRECTORY)
    with ExitStack() as opened:
        opened.callback(os.close, top)
        owner, folder = os.fstat(top), top
        for part in ("dead", "requests"):
            folder = _folder_in(folder, part, owner)
            opened.callback(os.close, folder)
        draft = f".{name}.part"
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=folder)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            _give_to(file.fileno(), owner)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.rename(draft, f"{name}.ndjson", src_dir_fd=folder, dst_dir_fd=folder)
    return data_dir / "dead" / "requests" / f"{name}.ndjson"


def _folder_in(parent: int, name: str, owner: os.stat_result) -> int:
    with suppress(FileExistsError):
        os.mkdir(name, 0o755, dir_fd=parent)
    folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    _give_to(folder, owner)
    return folder


def _give_to(handle: int, owner: os.stat_result) -> None:
    if os.geteuid() == 0:
        os.fchown(handle, owner.st_uid, owner.st_gid)


def requests(data_dir: Path) -> tuple[Path, ...]:
    """What is asked for and not done, oldest first."""
    return tuple(sorted((data_dir / "dead" / "requests").glob("*.ndjson"), key=lambda p: (_age(p), p.name)))


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _lines(paths: Iterable[Path]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Every whole line of the files with its number in all of them; what is no object with an id is left out."""
    number = count()
    for path in paths:
        try:
            file = path.open(encoding="utf-8", newline="\n")
        except FileNotFoundError:  # expired this moment
            continue
        with file:
            for text in file:
                try:
                    line = json.loads(text) if text.endswith("\n") else None
                except ValueError:
                    line = None
                at = next(number)
                if isinstance(line, dict) and isinstance(line.get("event_id"), str):
                    yield at, line
