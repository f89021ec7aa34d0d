"""Accounts of the console: argon2 hashes, roles, lock-out. Sessions are in `soc.console.sessions`.

Five wrong passwords lock an account for fifteen minutes. A name nobody has behaves the same, so the
answer to a login never tells whether an account exists.
"""

from __future__ import annotations

import re
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from sqlalchemy import RowMapping, delete, insert, select, update

from soc import _schema as schema
from soc._database import Database
from soc.errors import UserError

MAX_FAILURES = 5
LOCK_TIME = timedelta(minutes=15)
MIN_PASSWORD = 12
MAX_PASSWORD = 256  # characters; more only costs time to hash
_NAME = re.compile(r"[a-z][a-z0-9._-]{1,31}")
_REMEMBERED_STRANGERS = 5000  # unknown names whose failures are counted at once
# OWASP Password Storage Cheat Sheet, Argon2id: 19 MiB, 2 iterations, 1 lane.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


class Role(StrEnum):
    ANALYST = "analyst"  # works alerts
    ENGINEER = "engineer"  # reads
    AUDITOR = "auditor"  # reads controls and alerts, never acts
    ADMIN = "admin"  # manages accounts


# The accounts of a new installation.
FIRST_USERS: Mapping[str, tuple[Role, str]] = MappingProxyType(
    {
        "analyst": (Role.ANALYST, "Trực ca giám sát"),
        "engineer": (Role.ENGINEER, "Kỹ sư hạ tầng"),
        "auditor": (Role.AUDITOR, "Kiểm toán viên"),
        "admin": (Role.ADMIN, "Quản trị hệ thống"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    name: str
    full_name: str
    role: Role
    language: str  # "vi" or "en"
    disabled: bool
    locked_until: datetime | None
    last_login_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why nobody was let in: `locked_until` when locked, else how many tries are left."""

    tries_left: int = 0
    locked_until: datetime | None = None
    known: bool = False  # for the audit log only: a stranger's name may be a mistyped password


class UserStore:
    """Accounts in soc.db. `where` is the data directory, a SQLAlchemy URL or an open Database."""

    def __init__(self, where: Path | str | Database) -> None:
        self.database = where if isinstance(where, Database) else Database(where)
        self._strangers: OrderedDict[str, tuple[int, datetime]] = OrderedDict()
        self._lock = Lock()  # also keeps two hashes, 19 MiB each, from running at once

    def list(self) -> tuple[User, ...]:
        with self.database.read() as connection:
            rows = connection.execute(select(schema.users).order_by(schema.users.c.name)).mappings()
            return tuple(user_of(dict(row)) for row in rows)

    def get(self, name: str) -> User:
        """The account. Raises UserError."""
        return user_of(dict(self._existing(name)))

    def add(self, name: str, role: Role, *, at: datetime, full_name: str = "", password: str | None = None) -> str:
        """Make an account; returns its password, generated unless given. Raises UserError."""
        if not _NAME.fullmatch(name):
            raise UserError(
                f"{name!r} cannot be a user name",
                fix="2 to 32 of a-z 0-9 . _ -, starting with a letter",
            )
        password = new_password() if password is None else _strong(password)
        values = {
            "name": name,
            "full_name": full_name.strip()[:200],
            "role": role.value,
            "password_hash": _HASHER.hash(password),
            "created_at": at,
        }
        with self.database.write() as connection:
            if connection.execute(_row(name)).first() is not None:
                raise UserError(f"there is already a user {name}", fix=f"`canh users reset {name}` for a new password")
            connection.execute(insert(schema.users).values(**values))
        return password

    def bootstrap(self, at: datetime) -> dict[str, str]:
        """Make the accounts of a new installation that are missing; returns the passwords made, by name."""
        existing = {user.name for user in self.list()}
        return {
            name: self.add(name, role, at=at, full_name=full_name)
            for name, (role, full_name) in FIRST_USERS.items()
            if name not in existing
        }

    def reset(self, name: str, password: str | None = None) -> str:
        """Set a new password (generated unless given), unlock, end all sessions; returns the password."""
        self._existing(name)
        password = new_password() if password is None else _strong(password)
        self._set(name, password_hash=_HASHER.hash(password), failures=0, locked_until=None)
        self._end_sessions(name)
        return password

    def disable(self, name: str, disabled: bool = True) -> None:
        """Keep somebody out (or let them in again) and end their sessions."""
        user = self.get(name)
        admins = [u for u in self.list() if u.role is Role.ADMIN and not u.disabled and u.name != name]
        if disabled and user.role is Role.ADMIN and not admins:
            raise UserError(f"{name} is the last administrator", fix="make another one first")
        self._set(name, disabled=disabled)
        self._end_sessions(name)

    def set_language(self, name: str, language: str) -> None:
        self._set(name, language=language)

    def authenticate(self, name: str, password: str, at: datetime) -> User | Refusal:
        """The account, if the password is right and it may log in now; else why not."""
        with self._lock:
            with self.database.read() as connection:
                row = connection.execute(_row(name)).mappings().first()
            if row is None:
                _verify(_DECOY, password)  # the same time as for a real account
                return self._stranger(name, at)
            if row["locked_until"] is not None and row["locked_until"] > at:
                _verify(_DECOY, password)  # as for a stranger, whose answer takes as long
                return Refusal(locked_until=row["locked_until"], known=True)
            if not _verify(row["password_hash"], password) or row["disabled"]:
                return self._failed(row, at)
            self._set(name, failures=0, locked_until=None, last_login_at=at)
            if _HASHER.check_needs_rehash(row["password_hash"]):
                self._set(name, password_hash=_HASHER.hash(password))
            return user_of(dict(row))

    def _failed(self, row: RowMapping, at: datetime) -> Refusal:
        failures = (0 if row["locked_until"] else row["failures"]) + 1  # a lock that ended starts afresh
        locked_until = at + LOCK_TIME if failures >= MAX_FAILURES else None
        self._set(row["name"], failures=failures, locked_until=locked_until)
        return Refusal(tries_left=MAX_FAILURES - failures, locked_until=locked_until, known=True)

    def _stranger(self, name: str, at: datetime) -> Refusal:
        failures, last = self._strangers.pop(name[:64], (0, at))
        if failures >= MAX_FAILURES and at < last + LOCK_TIME:
            self._strangers[name[:64]] = (failures, last)
            return Refusal(locked_until=last + LOCK_TIME)
        failures = 1 if failures >= MAX_FAILURES else failures + 1
        self._strangers[name[:64]] = (failures, at)
        while len(self._strangers) > _REMEMBERED_STRANGERS:
            self._strangers.popitem(last=False)
        locked = at + LOCK_TIME if failures >= MAX_FAILURES else None
        return Refusal(tries_left=MAX_FAILURES - failures, locked_until=locked)

    def _existing(self, name: str) -> RowMapping:
        with self.database.read() as connection:
            row = connection.execute(_row(name)).mappings().first()
        if row is None:
            raise UserError(f"there is no user {name}", fix="`canh users list` names them")
        return row

    def _set(self, name: str, **values: Any) -> None:
        with self.database.write() as connection:
            connection.execute(update(schema.users).where(schema.users.c.name == name).values(**values))

    def _end_sessions(self, name: str) -> None:
        with self.database.write() as connection:
            connection.execute(delete(schema.sessions).where(schema.sessions.c.user_name == name))


def new_password() -> str:
    """20 letters and digits in groups, about 99 bits; without those that look alike."""
    alphabet = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(alphabet) for _ in range(5)) for _ in range(4))


def user_of(row: Mapping[str, Any]) -> User:
    return User(
        name=row["name"],
        full_name=row["full_name"] or row["name"],
        role=Role(row["role"]),
        language=row["language"],
        disabled=row["disabled"],
        locked_until=row["locked_until"],
        last_login_at=row["last_login_at"],
        created_at=row["created_at"],
    )


def _row(name: str) -> Any:
    return select(schema.users).where(schema.users.c.name == name)


def _strong(password: str) -> str:
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise UserError(
            f"the password has {len(password)} characters",
            fix=f"use {MIN_PASSWORD} to {MAX_PASSWORD}",
        )
    return password


def _verify(hashed: str, password: str) -> bool:
    if len(password) > MAX_PASSWORD:
        return False
    try:
        return _HASHER.verify(hashed, password)
    except (Argon2Error, InvalidHashError):
        return False


_DECOY = _HASHER.hash(secrets.token_hex(16))
