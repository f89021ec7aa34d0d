"""The sets of a data directory: import, list, remove. Effects are here."""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from inventory.model import Province
from monitoring.errors import StoreError
from soc import placeholders
from soc.policy import documents
from soc.rulesets import _report
from soc.rulesets._folders import LOADED, SETS, libraries, set_paths
from soc.rulesets._import import Say, name_of, taken_in
from soc.rulesets._report import Report
from soc.rulesets._sources import Sources, sources_of
from soc.rulesets.errors import SetError

SEEN_WITHIN = timedelta(days=30)
MOST_PARSERS = 2000
_RENAME_EXCHANGE = 2  # renameat2(2)
_AT_FDCWD = -100
_ID = re.compile(r"^id: *['\"]?([^\s'\"]+)", re.MULTILINE)


def import_set(
    source: Path,
    *,
    name: str | None,
    province: Province,
    province_dir: Path,
    data_dir: Path,
    at: datetime,
    dry_run: bool,
    say: Say,
) -> Report:
    """Take a community set in, whole or not at all. Raises SourceError, SetError."""
    called = name_of(source, name)
    say("looking at what is in use and what is seen here")
    values = placeholders.of(province)
    known = _ids_in_use(province_dir, data_dir, called)
    known |= {rule.rule_id: "the inventory" for rule in documents(province)}
    sources = sources_here(province, data_dir, at)
    with alone(data_dir, dry_run=dry_run) as place:
        target = data_dir / SETS / called
        new = place / f".{called}.new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir()
        try:
            report = taken_in(
                source,
                new,
                name=called,
                sources=sources,
                placeholders=values,
                known=known,
                at=at,
                before=_before(target),
                say=say,
            )
            if not dry_run:
                put_in_place(new, target)
        finally:
            shutil.rmtree(new, ignore_errors=True)
    return report


def reports(data_dir: Path) -> tuple[Report, ...]:
    """Of every set in place, by name. Raises SetError."""
    return tuple(_report.read(path) for path in set_paths(data_dir))


def remove(data_dir: Path, name: str) -> None:
    """Take a set away. Raises SetError."""
    with alone(data_dir) as place:
        if name not in {path.name for path in set_paths(data_dir)}:
            raise SetError(f"there is no set called {name}", where=place, fix="canh rules sets lists them")
        gone = place / f".{name}.old"
        shutil.rmtree(gone, ignore_errors=True)
        (place / name).rename(gone)
        shutil.rmtree(gone)


def sources_here(province: Province, data_dir: Path, at: datetime) -> Sources:
    """What the inventory's platforms can send, and what the store has seen within a month."""
    from monitoring.store import reader

    try:
        groups = reader(data_dir).aggregate("canh.parser", "", at - SEEN_WITHIN, at, MOST_PARSERS)
        seen = [group.value for group in groups]
    except StoreError:  # no store, or one that cannot be asked: then nothing was seen
        seen = []
    return sources_of(province, seen)


@contextmanager
def alone(data_dir: Path, *, dry_run: bool = False) -> Iterator[Path]:
    """The folder of the sets, nobody else changing it meanwhile; for a dry run one that goes away. Raises SetError."""
    place = data_dir / SETS
    try:
        if dry_run:
            with tempfile.TemporaryDirectory(prefix="canh-rules-") as elsewhere:
                yield Path(elsewhere)
            return
        place.mkdir(parents=True, exist_ok=True)
        # Whoever runs the platform owns this folder, and root may import: a link there must not lead root elsewhere.
        with os.fdopen(os.open(place / ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644), "wb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise SetError("somebody else changes the rule sets just now", where=place, fix="try again") from error
            yield place
    except OSError as error:
        fix = "make it writable for the user that runs canh, with room for the set"
        raise SetError(f"the rule sets cannot be written: {error.strerror}", where=place, fix=fix) from error


def put_in_place(new: Path, target: Path) -> None:
    """Exchange `new` for `target` in one step; what was there ends up at `new`."""
    os.sync()  # a set that is half on disk must not be the one that is found after a power cut
    if not target.exists():
        new.rename(target)
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(_AT_FDCWD, os.fsencode(new), _AT_FDCWD, os.fsencode(target), _RENAME_EXCHANGE) == 0:
        return
    # A file system that cannot exchange: for a moment there is none of the two.
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    target.rename(old)
    new.rename(target)
    shutil.rmtree(old)


def _ids_in_use(province_dir: Path, data_dir: Path, name: str) -> dict[str, str]:
    """Ids of the rules that are not of this set, and where they stand."""
    known: dict[str, str] = {}
    for place in libraries(province_dir):
        for path in place.rglob("*.yml"):
            if found := _ID.search(path.read_text("utf-8", "replace")):
                known[found[1]] = str(path)
    for path in set_paths(data_dir):
        if path.name != name:
            known |= {rule.id: f"the set {path.name}" for rule in _report.read(path).loaded}
    return known


def _before(target: Path) -> Report | None:
    return _report.read(target) if (target / LOADED).is_dir() else None
