"""`deliver.db`: what is to be told, to whom and since when; and what was. Survives a kill at any point.

A row is an alert on its way to a channel. It is written before it is sent and marked after, so a kill
in between sends it once more with the same id, by which receivers know it again.

    waiting ──┬──► sent          all have it
              ├──► partly        some have it
              ├──► refused ──┐   for what it says: tried by itself now and then, apart from the others
              │              └──► sent, given-up, settled
              ├──► given-up      after a day
              └──► settled       somebody took it up
    repeated                     like one that was told
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from soc.alert import Level
from soc.kept import Kept

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS due (
    alert TEXT, channel TEXT, likeness TEXT NOT NULL, level INTEGER NOT NULL, at REAL NOT NULL, made REAL NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0, error TEXT NOT NULL DEFAULT '', state TEXT NOT NULL DEFAULT 'waiting',
    done REAL, PRIMARY KEY (alert, channel)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS due_waiting ON due (channel, at) WHERE state = 'waiting';
CREATE INDEX IF NOT EXISTS due_state ON due (state, channel);
CREATE INDEX IF NOT EXISTS due_like ON due (channel, likeness, made);
CREATE TABLE IF NOT EXISTS sent (channel TEXT, at REAL);
CREATE INDEX IF NOT EXISTS sent_at ON sent (channel, at);
"""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 5.0, 900.0
_REFUSED_PAUSE_S = 3600.0
_LONGEST_WAIT_S = 90_000.0  # quiet hours, a pause; longer is of a clock that was ahead
GIVE_UP = timedelta(days=1)  # after so long without success a row is given up, counted and shown
_LEAST_TRIES = 12  # but not before these, an hour of them: we may have been switched off for that day
KEEP = timedelta(days=30)  # rows that are done


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An alert for a channel. likeness: equal for alerts that people would take for the same."""

    alert: str
    channel: str
    likeness: str
    level: Level
    at: datetime  # not before
    again_after: timedelta


class Queue(Kept):
    """One owner a thread: a connection of its own."""

    WHAT = "the delivery queue"
    FIX = "free space, make the data directory writable; what waits is told then"
    SCHEMA = _SCHEMA
    SYNCHRONOUS = "FULL"

    def seq(self) -> int | None:
        """Up to which change of the case store everything was looked at; None in a new queue."""
        row = self._db.execute("SELECT value FROM meta WHERE key = 'seq'").fetchone()
        return int(row[0]) if row else None

    def take(self, seq: int, entries: Iterable[Entry], settled: Iterable[str], now: datetime) -> None:
        """All changes up to `seq` at once: what is to be told, and alerts somebody works on, which nobody need tell."""
        with self._transaction():
            for entry in entries:
                state = "repeated" if self._is_like_another(entry, now) else "waiting"
                row = (entry.alert, entry.channel, entry.likeness, entry.level.rank, _s(entry.at), _s(now), state)
                self._db.execute(
                    "INSERT OR IGNORE INTO due (alert, channel, likeness, level, at, made, state)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    row,
                )
            for alert in settled:
                self._db.execute(
                    "UPDATE due SET state = 'settled', done = ? WHERE alert = ? AND state IN ('waiting', 'refused')",
                    (_s(now), alert),
                )
            self._db.execute("INSERT OR REPLACE INTO meta VALUES ('seq', ?)", (str(seq),))

    def _is_like_another(self, entry: Entry, now: datetime) -> bool:
        since = _s(now - entry.again_after)
        found = self._db.execute(
            "SELECT 1 FROM due WHERE channel = ? AND likeness = ? AND made > ? AND alert != ?"
            " AND state IN ('waiting', 'sent', 'partly') AND level >= ? AND made <= ? LIMIT 1",
            (entry.channel, entry.likeness, since, entry.alert, entry.level.rank, _s(now)),
        )
        return found.fetchone() is not None

    def waiting(self, channel: str, now: datetime, *, refused: bool = False) -> list[str]:
        """Alerts that are due on a channel, the worst and then the oldest first. refused: those that were, instead."""
        # The clock may have been ahead when it was said until when they wait.
        rows = self._db.execute(
            "SELECT alert FROM due WHERE channel = ? AND state = ? AND (at <= ? OR at > ? OR made > ?)"
            " ORDER BY level DESC, made, alert",
            (channel, "refused" if refused else "waiting", _s(now), _s(now) + _LONGEST_WAIT_S, _s(now)),
        )
        return [alert for (alert,) in rows]

    def room(self, channel: str, most: int, per: timedelta, now: datetime) -> int:
        """How many messages the channel may send now."""
        # Not what was sent later than now: the clock was put back since, and that may be by a year.
        query = "SELECT count(*) FROM sent WHERE channel = ? AND at > ? AND at <= ?"
        (sent,) = self._db.execute(query, (channel, _s(now - per), _s(now))).fetchone()
        return max(0, most - int(sent))

    def done(self, channel: str, alerts: Iterable[str], now: datetime, but: str = "") -> None:
        """They were told, in one message. but: why some who should have it do not."""
        with self._transaction():
            state = "partly" if but else "sent"
            self._db.executemany(
                "UPDATE due SET state = ?, done = ?, error = ? WHERE channel = ? AND alert = ?",
                [(state, _s(now), but, channel, alert) for alert in alerts],
            )
            self._db.execute("INSERT INTO sent VALUES (?, ?)", (channel, _s(now)))

    def failed(self, channel: str, alerts: Iterable[str], why: str, now: datetime, *, refused: bool = False) -> None:
        """They could not be told: again later, with growing pauses, and given up after a day.

        refused: for what they say, so they no longer go with others, and less often.
        """
        with self._transaction():
            for alert in alerts:
                tries, made, state = self._db.execute(
                    "SELECT tries, min(made, ?), state FROM due WHERE channel = ? AND alert = ?",
                    (_s(now), channel, alert),
                ).fetchone()
                state = "refused" if refused else state
                pause = _REFUSED_PAUSE_S if refused else min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(tries, 20))
                is_over = _s(now) - made > GIVE_UP.total_seconds() and tries >= _LEAST_TRIES
                self._db.execute(
                    "UPDATE due SET tries = tries + 1, error = ?, at = ?, made = ?, state = ?, done = ?"
                    " WHERE channel = ? AND alert = ?",
                    (
                        why,
                        _s(now) + pause,
                        made,
                        "given-up" if is_over else state,
                        _s(now) if is_over else None,
                        channel,
                        alert,
                    ),
                )

    def settle(self, channel: str, alerts: Iterable[str], now: datetime) -> None:
        """Nobody need be told of these on this channel any more."""
        with self._transaction():
            self._db.executemany(
                "UPDATE due SET state = 'settled', done = ?"
                " WHERE channel = ? AND alert = ? AND state IN ('waiting', 'refused')",
                [(_s(now), channel, alert) for alert in alerts],
            )

    def counts(self) -> dict[str, dict[str, int]]:
        """Rows by channel and state."""
        found: dict[str, dict[str, int]] = {}
        for channel, state, n in self._db.execute("SELECT channel, state, count(*) FROM due GROUP BY state, channel"):
            found.setdefault(channel, {})[state] = n
        return found

    def errors(self) -> dict[str, str]:
        """The last reason why something waits, by channel."""
        query = "SELECT channel, error FROM due WHERE state IN ('waiting', 'refused') AND error != '' ORDER BY at"
        return dict(self._db.execute(query))

    def note(self, key: str, value: str) -> None:
        """Remember something over restarts."""
        with self._transaction():
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (f"note {key}", value))

    def noted(self, key: str) -> str:
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (f"note {key}",)).fetchone()
        return str(row[0]) if row else ""

    def forget(self, now: datetime) -> None:
        """Let go of what was done long ago."""
        with self._transaction():
            self._db.execute(
                "DELETE FROM due WHERE state NOT IN ('waiting', 'refused') AND made < ?", (_s(now - KEEP),)
            )
            self._db.execute("DELETE FROM sent WHERE at < ?", (_s(now - KEEP),))


def _s(when: datetime) -> float:
    return when.astimezone(UTC).timestamp()
