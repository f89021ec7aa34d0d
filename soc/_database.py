"""Opens soc.db: engine, owner of the file, migrations, transactions.

Root on the host and the platform's own user on the SOC host open the same file, so a file made
here always belongs to whoever owns its directory (SQLite gives -wal and -shm the owner of the file).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import DatabaseError as DriverError

from soc._schema import HEAD
from soc.errors import DatabaseError

BUSY_S = 15  # how long a writer waits for another process's transaction


class Database:
    """A migrated database. `where` is a data directory (SQLite in its soc.db) or a SQLAlchemy URL."""

    def __init__(self, where: Path | str) -> None:
        is_url = isinstance(where, str) and "://" in where
        self._path = None if is_url else Path(where) / "soc.db"
        self._engine = _engine(str(where) if is_url else f"sqlite:///{self._path}")
        self.where = str(where) if self._path is None else str(self._path)
        with self._errors():
            if self._path is not None:
                make_file(self._path)
            self._migrate()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for one consistent read."""
        with self._errors(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction, committed at the end, undone by any exception."""
        with self._errors(), self._engine.execution_options(canh_write=True).begin() as connection:
            yield connection

    def close(self) -> None:
        self._engine.dispose()

    def _migrate(self) -> None:
        with self._alone():
            with self._engine.connect() as connection:
                if inspect(connection).has_table("alembic_version"):
                    now = connection.execute(text("select version_num from alembic_version")).scalar()
                    if now == HEAD:  # spares every start the import of Alembic
                        return
            from alembic import command
            from alembic.config import Config

            config = Config()
            config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
            with self._engine.execution_options(canh_write=True).begin() as connection:
                config.attributes["connection"] = connection
                command.upgrade(config, "head")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the directory's lock, so that two processes starting together migrate once."""
        if self._path is None:
            yield
            return
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (DriverError, OSError) as error:
            cause = getattr(error, "orig", None) or error
            raise DatabaseError(
                f"the alert database cannot be used: {cause}",
                where=self.where,
                fix="check that the directory exists, has free space and is writable by this user",
            ) from error


def make_file(path: Path) -> None:
    """Create the file for its directory's owner. An existing one is left alone: closing a second
    descriptor would drop the locks SQLite holds on it in this process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    owner = path.parent.stat()
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return
    try:
        if os.geteuid() == 0:
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
    finally:
        os.close(descriptor)


def _engine(url: str) -> Engine:
    engine = create_engine(
        url, pool_pre_ping=not url.startswith("sqlite"), pool_size=5, max_overflow=5, pool_timeout=30
    )
    if url.startswith("sqlite"):
        event.listen(engine, "connect", _on_connect)
        event.listen(engine, "begin", _on_begin)
    return engine


def _on_connect(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves, below
    cursor = connection.cursor()
    for pragma in (f"busy_timeout={BUSY_S * 1000}", "journal_mode=wal", "synchronous=full", "foreign_keys=on"):
        cursor.execute(f"pragma {pragma}")
    cursor.close()


def _on_begin(connection: Connection) -> None:
    """A writer takes the write lock at once: upgrading from a read would fail instead of wait."""
    writes = connection.get_execution_options().get("canh_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
