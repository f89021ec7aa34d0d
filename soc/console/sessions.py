"""Sessions of the console, kept on the server. A cookie holds a random token; soc.db only its hash.

A session ends after `IDLE` without a page, after `LIFE` in any case, at logout, at a new login from
the same browser, and when the account is reset or disabled.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select, update

from soc import _schema as schema
from soc._database import Database
from soc.users import User, user_of

IDLE = timedelta(minutes=30)
LIFE = timedelta(hours=10)  # a shift of 8 hours and its handovers
TOUCH_EVERY = timedelta(seconds=30)  # the stored time of last use is this exact
MAX_PER_USER = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    user: User
    csrf: str
    ends_at: datetime  # when it ends if nothing more is done


class SessionStore:
    """Sessions in soc.db."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def start(self, user: User, *, source: str, at: datetime, replaces: str = "") -> str:
        """A new session; returns its token. `replaces` is the token the browser had: it ends (rotation)."""
        token = secrets.token_urlsafe(32)
        table = schema.sessions
        with self._database.write() as connection:
            connection.execute(delete(table).where((table.c.created_at <= at - LIFE) | (table.c.seen_at <= at - IDLE)))
            connection.execute(delete(table).where(table.c.token_hash == _hash(replaces)))
            newest = select(table.c.token_hash).where(table.c.user_name == user.name)
            kept = newest.order_by(table.c.created_at.desc()).limit(MAX_PER_USER - 1)
            connection.execute(delete(table).where(table.c.user_name == user.name, table.c.token_hash.not_in(kept)))
            connection.execute(
                insert(table).values(
                    token_hash=_hash(token),
                    user_name=user.name,
                    csrf=secrets.token_urlsafe(32),
                    created_at=at,
                    seen_at=at,
                    source=source[:64],
                )
            )
        return token

    def find(self, token: str, at: datetime, *, touch: bool = True) -> Session | None:
        """The live session of a token. `touch` counts as use; the live stream does not."""
        table, users = schema.sessions, schema.users
        query = select(table, users).join(users).where(table.c.token_hash == _hash(token))
        with self._database.read() as connection:
            row = connection.execute(query).mappings().first()
        if row is None or row[users.c.disabled]:
            return None
        created, seen = row[table.c.created_at], row[table.c.seen_at]
        if at >= created + LIFE or at >= seen + IDLE:
            self.end(token)
            return None
        if touch and at - seen > TOUCH_EVERY:
            seen = at
            with self._database.write() as connection:
                connection.execute(update(table).where(table.c.token_hash == _hash(token)).values(seen_at=at))
        user = user_of({column.name: row[column] for column in users.c})
        return Session(user=user, csrf=row[table.c.csrf], ends_at=min(created + LIFE, seen + IDLE))

    def end(self, token: str) -> None:
        with self._database.write() as connection:
            connection.execute(delete(schema.sessions).where(schema.sessions.c.token_hash == _hash(token)))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
