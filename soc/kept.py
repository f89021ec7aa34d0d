"""A SQLite file that one part of the platform keeps for itself: opened with care, written whole or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from soc._database import make_file
from soc.errors import DatabaseError

PATIENCE_S = 10.0  # how long one who reads it, a backup, may hold us up


@contextmanager
def whole(db: sqlite3.Connection) -> Iterator[None]:
    """One transaction: all of it or nothing. Raises sqlite3.Error."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # SQLite itself rolls back when the disk is full
            db.execute("ROLLBACK")
        raise


class Kept:
    """A connection. Subclasses say what it is (`WHAT`), what to do when it fails (`FIX`), and its tables (`SCHEMA`)."""

    WHAT = FIX = SCHEMA = ""
    SYNCHRONOUS = "NORMAL"  # FULL: what is committed outlives a power cut

    def __init__(self, path: Path) -> None:
        """Open or make it. Raises DatabaseError."""
        self.path = path
        try:
            make_file(path)
            self._db = sqlite3.connect(path, isolation_level=None, timeout=PATIENCE_S)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute(f"PRAGMA synchronous={self.SYNCHRONOUS}")
            self._db.executescript(self.SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise self._failed(error) from error

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All of it or nothing. Raises DatabaseError."""
        try:
            with whole(self._db):
                yield
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> DatabaseError:
        return DatabaseError(f"{self.WHAT} cannot be used: {error}", where=self.path, fix=self.FIX)
