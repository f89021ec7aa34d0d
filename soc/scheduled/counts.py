"""`scheduled.db`: what the store was asked already. Counts by hour, and what was told.

It is a memory of answers and nothing else: without it the store is asked for all of `over` again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from soc.kept import Kept
from soc.scheduled.judge import Count, Finding
from soc.scheduled.rule import Kind, Scheduled

MOST_COUNTS = 1_000_000  # of a rule; one that has more is asked of the wrong field

_SCHEMA = """
CREATE TABLE IF NOT EXISTS rule (id TEXT PRIMARY KEY, digest TEXT NOT NULL, asked_s REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counted (
    rule TEXT, grp TEXT, value TEXT, hour INTEGER, n INTEGER, first_us INTEGER, last_us INTEGER,
    PRIMARY KEY (rule, hour, grp, value)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS told (
    rule TEXT, grp TEXT, value TEXT, key TEXT, at_s REAL, PRIMARY KEY (rule, grp, value, key)) WITHOUT ROWID;
"""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR = timedelta(hours=1)
_US = timedelta(microseconds=1)


class Counts(Kept):
    """The one owner of scheduled.db."""

    WHAT = "the counts of scheduled rules"
    FIX = "free space, make the data directory writable; the file may be deleted, it is counted again then"
    SCHEMA = _SCHEMA

    @classmethod
    def below(cls, data_dir: Path) -> Counts:
        """Those of a data directory. Raises DatabaseError."""
        return cls(data_dir / "scheduled.db")

    def asked(self, rule: Scheduled) -> datetime | None:
        """Up to when the store was asked for it; None when never, or when the rule is another one now."""
        row = self._db.execute("SELECT digest, asked_s FROM rule WHERE id = ?", (rule.id,)).fetchone()
        return datetime.fromtimestamp(row[1], UTC) if row and row[0] == rule.digest else None

    def replace(self, rule: Scheduled, since: datetime, counts: Iterable[Count], now: datetime) -> int:
        """Take what the store says of all hours from `since` on. Returns how many counts did not fit."""
        with self._transaction():
            known = self._db.execute("SELECT digest FROM rule WHERE id = ?", (rule.id,)).fetchone()
            if known and known[0] != rule.digest:
                self._db.execute("DELETE FROM counted WHERE rule = ?", (rule.id,))
                self._db.execute("DELETE FROM rule WHERE id = ?", (rule.id,))
            self._db.execute("DELETE FROM counted WHERE rule = ? AND hour >= ?", (rule.id, _hour(since)))
            self._db.execute("DELETE FROM counted WHERE rule = ? AND hour < ?", (rule.id, _hour(now - rule.over)))
            (held,) = self._db.execute("SELECT count(*) FROM counted WHERE rule = ?", (rule.id,)).fetchone()
            left = 0
            for count in counts:
                if held >= MOST_COUNTS:
                    left += 1
                    continue
                held += 1
                row = (rule.id, json.dumps(count.group), count.value, _hour(count.hour), count.count)
                self._db.execute(
                    "INSERT OR REPLACE INTO counted VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (*row, (count.first - _EPOCH) // _US, (count.last - _EPOCH) // _US),
                )
            return left

    def of(self, rule: Scheduled) -> Iterator[Count]:
        """Everything counted for a rule: hour by hour where hours matter, else together."""
        query = "SELECT grp, value, min(hour), sum(n), min(first_us), max(last_us) FROM counted WHERE rule = ?"
        query += " GROUP BY grp, value, hour" if rule.kind is Kind.FELL else " GROUP BY grp, value"
        for group, value, hour, n, first_us, last_us in self._db.execute(query, (rule.id,)):
            yield Count(
                group=tuple(json.loads(group)),
                value=value,
                hour=_EPOCH + hour * _HOUR,
                count=n,
                first=_EPOCH + first_us * _US,
                last=_EPOCH + last_us * _US,
            )

    def is_told(self, rule: Scheduled, finding: Finding) -> bool:
        where = (rule.id, json.dumps(finding.group), finding.value, finding.key)
        query = "SELECT 1 FROM told WHERE rule = ? AND grp = ? AND value = ? AND key = ?"
        return self._db.execute(query, where).fetchone() is not None

    def told(self, rule: Scheduled, findings: Iterable[Finding], now: datetime, end: datetime) -> None:
        """These were delivered, and with them everything up to `end` is asked: what fails before is found again."""
        with self._transaction():
            self._db.execute("INSERT OR REPLACE INTO rule VALUES (?, ?, ?)", (rule.id, rule.digest, end.timestamp()))
            self._db.executemany(
                "INSERT OR REPLACE INTO told VALUES (?, ?, ?, ?, ?)",
                [(rule.id, json.dumps(f.group), f.value, f.key, now.timestamp()) for f in findings],
            )
            self._db.execute("DELETE FROM told WHERE at_s < ?", ((now - timedelta(days=200)).timestamp(),))

    def forget(self, rules: Iterable[Scheduled]) -> None:
        """Let go of rules that are gone."""
        kept = [rule.id for rule in rules]
        marks = ",".join("?" * len(kept))
        with self._transaction():
            self._db.execute(f"DELETE FROM counted WHERE rule NOT IN ({marks})", kept)  # noqa: S608 - marks only
            self._db.execute(f"DELETE FROM rule WHERE id NOT IN ({marks})", kept)  # noqa: S608 - marks only


def _hour(when: datetime) -> int:
    return (when - _EPOCH) // _HOUR
