"""Groups of correlations on disk, in `detect.db`: what is written when they change, and read when one is missed.

A group is a row: its last few entries stand in it, older ones in sealed chunks, so that writing costs
what was added and not what is there. Copies of events are kept once, by number, and go when no
window can reach them. Everything is bounded; what is let go for the bound is counted.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b

import orjson

from soc.errors import DatabaseError
from soc.sigma.correlator import Stored
from soc.sigma.rule import AnyRule, Correlation
from soc.sigma.window import Entry, Window

MOST_GROUPS = 2_000_000
MOST_EVENT_OCTETS = 2 << 30
MOST_OCTETS = 4 << 30  # of the whole database
_TAIL = 64  # entries that stand in a group's row before they are sealed
_AT_ONCE = 20_000  # rows let go in one commit
_MINUTE_US = 60_000_000
_SIZE = ("page_count", "freelist_count", "page_size")
_COLUMNS = "touched_us, first_us, first_id, tail, sealed"  # of grp, that change

SCHEMA = """
CREATE TABLE IF NOT EXISTS rule (no INTEGER PRIMARY KEY, id TEXT, state TEXT);
CREATE TABLE IF NOT EXISTS grp (
    g INTEGER PRIMARY KEY, hash INTEGER, rule INTEGER, key TEXT,
    touched_us INTEGER, first_us INTEGER, first_id TEXT, tail BLOB, sealed BLOB);
CREATE INDEX IF NOT EXISTS grp_hash ON grp (hash);
CREATE INDEX IF NOT EXISTS grp_touched ON grp (rule, touched_us);
CREATE TABLE IF NOT EXISTS chunk (g INTEGER, seq INTEGER, body BLOB, PRIMARY KEY (g, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS event (n INTEGER PRIMARY KEY, body BLOB);
"""


class Shelf:
    """On the connection of `soc.outbox`, which owns transactions: nothing here begins or ends one."""

    def __init__(
        self,
        db: sqlite3.Connection,
        *,
        most_groups: int = MOST_GROUPS,
        most_event_octets: int = MOST_EVENT_OCTETS,
        most_octets: int = MOST_OCTETS,
    ) -> None:
        self._db = db
        self._most_groups, self._most_event_octets, self._most_octets = most_groups, most_event_octets, most_octets
        self._numbers: dict[tuple[str, str], int] = {}
        self._ids: dict[int, str] = {}
        self.groups: Counter[int] = Counter()  # by number of the correlation
        self.event_octets = 0
        self.counts: Counter[str] = Counter()
        self._next = 1

    def open(self, event_octets: int) -> None:
        """Read what is there: a few numbers, no group. event_octets: how much the copies took at the last commit."""
        self._numbers = {(id_, state): no for no, id_, state in self._db.execute("SELECT no, id, state FROM rule")}
        self._ids = {no: id_ for (id_, _), no in self._numbers.items()}
        self.groups = Counter(dict(self._db.execute("SELECT rule, count(*) FROM grp GROUP BY rule")))
        (last,) = self._db.execute("SELECT coalesce(max(g), 0) FROM grp").fetchone()
        self.event_octets, self._next = event_octets, last + 1

    def adopt(self, rules: Iterable[AnyRule]) -> frozenset[str]:
        """Keep what belongs to these rules as they are. Returns the ids of the others, whose state is let go."""
        now = {(rule.id, rule.state) for rule in rules}
        gone = [where for where in self._numbers if where not in now]
        self._db.executemany("DELETE FROM rule WHERE no = ?", [(self._numbers[where],) for where in gone])
        for where in gone:
            del self._ids[self._numbers.pop(where)]
        # A number is never used again while rows of it are left.
        used = max((*self._ids, *self.groups), default=0)
        for no, where in enumerate(sorted(now - self._numbers.keys()), used + 1):
            self._db.execute("INSERT INTO rule VALUES (?, ?, ?)", (no, *where))
            self._numbers[where], self._ids[no] = no, where[0]
        return frozenset(id_ for id_, _ in gone)

    # ---- groups

    def recall(self, correlation: Correlation, key: str) -> Stored | None:
        """The group as it was last written; None when there is none. Raises DatabaseError."""
        try:
            return self._recalled(correlation, key)
        except sqlite3.Error as error:
            raise DatabaseError(
                f"the detection state cannot be read: {error}",
                where=f"group {key} of {correlation.title}",
                fix="free space, make the data directory readable; detection goes on from its last commit",
            ) from error

    def _recalled(self, correlation: Correlation, key: str) -> Stored | None:
        no = self._numbers.get((correlation.id, correlation.state))
        if no is None or not self.groups[no]:
            return None
        found = self._db.execute(
            "SELECT g, touched_us, first_us, first_id, tail, sealed FROM grp"
            " WHERE hash = ? AND rule = ? AND key = ? ORDER BY g DESC LIMIT 1",
            (_hash(no, key), no, key),
        ).fetchone()
        if found is None:
            return None
        g, touched_us, *first, tail, sealed = found
        rules = correlation.rules
        chunks = self._db.execute("SELECT body FROM chunk WHERE g = ? ORDER BY seq", (g,)) if sealed else ()
        since = (first[0], first[1])
        entries = [entry for (body,) in chunks for entry in _entries(body, rules) if entry[:2] >= since]
        fresh = [entry for entry in _entries(tail, rules) if entry[:2] >= since]
        sealed_chunks = tuple((seq, last_us) for seq, last_us in orjson.loads(sealed)) if sealed else ()
        return Stored(g, touched_us, entries + fresh, fresh, sealed_chunks)

    def write(self, windows: Mapping[tuple[str, str], Window]) -> None:
        """Groups that changed."""
        new: list[tuple[object, ...]] = []
        grown: list[tuple[object, ...]] = []
        chunks: list[tuple[int, int, bytes]] = []
        spent: list[tuple[int, int]] = []
        for (_, key), window in windows.items():
            correlation, first = window.correlation, window.entries[0]
            is_new = not window.number
            if is_new:
                window.number, self._next = self._next, self._next + 1
            if len(window.fresh) > _TAIL:
                self._seal(window, first, chunks)
            while window.sealed and window.sealed[0][1] < first.at_us:
                spent.append((window.number, window.sealed[0][0]))
                window.sealed = window.sealed[1:]
            sealed = orjson.dumps(window.sealed) if window.sealed else None
            row = (window.touched_us, *first[:2], _packed(window.fresh, correlation.rules), sealed)
            if not is_new:
                grown.append((*row, window.number))
                continue
            no = self._numbers[correlation.id, correlation.state]
            new.append((*row, window.number, _hash(no, key), no, key))
            self.groups[no] += 1
        self._db.executemany(f"INSERT INTO grp ({_COLUMNS}, g, hash, rule, key) VALUES (?,?,?,?,?,?,?,?,?)", new)  # noqa: S608
        self._db.executemany(f"UPDATE grp SET ({_COLUMNS}) = (?,?,?,?,?) WHERE g = ?", grown)  # noqa: S608
        self._db.executemany("INSERT OR REPLACE INTO chunk VALUES (?, ?, ?)", chunks)
        self._db.executemany("DELETE FROM chunk WHERE g = ? AND seq = ?", spent)

    def _seal(self, window: Window, first: Entry, chunks: list[tuple[int, int, bytes]]) -> None:
        """Put the fresh entries that are still in the window into a chunk, unless they still fit the row."""
        window.fresh = [entry for entry in window.fresh if entry[:2] >= first[:2]]
        if len(window.fresh) <= _TAIL:
            return
        seq = window.sealed[-1][0] + 1 if window.sealed else 1
        window.sealed = (*window.sealed, (seq, max(entry.at_us for entry in window.fresh)))
        chunks.append((window.number, seq, _packed(window.fresh, window.correlation.rules)))
        window.fresh = []

    def let_go_later(self, clock_us: int) -> None:
        """Remove groups that were touched after it: our clock was ahead then."""
        for no in list(self.groups):
            self._remove(no, "rule = ? AND touched_us > ?", (no, clock_us), most=-1)

    def let_go(self, limits: Mapping[str, int]) -> frozenset[int]:
        """Remove groups nothing can count in any more, those of rules that are gone, and those beyond the bound.

        Returns the numbers of the last kind.
        """
        for no in list(self.groups):
            limit_us = limits.get(self._ids.get(no, ""), 0) if no in self._ids else None
            where = "rule = ?" if limit_us is None else "rule = ? AND touched_us < ?"
            self._remove(no, where, (no,) if limit_us is None else (no, limit_us))
        evicted: frozenset[int] = frozenset()
        over = self.groups.total() - self._most_groups
        if over > 0:
            # The correlation that has the most gives way: one flooded with made-up addresses must not cost the
            # others theirs.
            ((no, _),) = self.groups.most_common(1)
            evicted |= self._remove(no, "rule = ?", (no,), most=over + self._most_groups // 64)
        if self._octets() > self._most_octets:
            for no, n in list(self.groups.items()):
                evicted |= self._remove(no, "rule = ?", (no,), most=n // 64 + 1)
        self.counts["groups_evicted"] += len(evicted)
        return evicted

    def _octets(self) -> int:
        """What the database takes, without pages that are free again."""
        pages, free, octets = (self._db.execute(f"PRAGMA {name}").fetchone()[0] for name in _SIZE)
        return int((pages - free) * octets)

    def _remove(self, no: int, where: str, values: Sequence[int], most: int = _AT_ONCE) -> frozenset[int]:
        """The least recently touched first. Returns their numbers."""
        query = f"SELECT g FROM grp WHERE {where} ORDER BY touched_us LIMIT ?"  # noqa: S608
        gone = self._db.execute(query, (*values, most)).fetchall()
        self._db.executemany("DELETE FROM chunk WHERE g = ?", gone)
        self._db.executemany("DELETE FROM grp WHERE g = ?", gone)
        self.groups[no] -= len(gone)
        if not self.groups[no]:
            del self.groups[no]
        return frozenset(g for (g,) in gone)

    # ---- copies of events

    def keep(self, events: Sequence[tuple[int, bytes]]) -> None:
        """Keep copies, each under its number."""
        self._db.executemany("INSERT OR REPLACE INTO event VALUES (?, ?)", events)
        self.event_octets += sum(len(body) for _, body in events)

    def let_go_copies(self, clock_us: int) -> None:
        """Remove copies no window can reach any more, and beyond the bound those that would go next."""
        unreachable = "SELECT n, length(body) FROM event WHERE n < ? ORDER BY n LIMIT ?"
        self._remove_copies(self._db.execute(unreachable, (number_of_event(clock_us, 0), _AT_ONCE)).fetchall())
        over = self.event_octets - self._most_event_octets
        if over > 0:
            gone: list[tuple[int, int]] = []
            for n, octets in self._db.execute("SELECT n, length(body) FROM event ORDER BY n"):
                gone.append((n, octets))
                over -= octets
                if over <= -self._most_event_octets // 64:
                    break
            self._remove_copies(gone)
            self.counts["copies_evicted"] += len(gone)

    def _remove_copies(self, gone: Sequence[tuple[int, int]]) -> None:
        if gone:
            self._db.execute("DELETE FROM event WHERE n <= ?", (gone[-1][0],))
            self.event_octets -= sum(octets for _, octets in gone)


def number_of_event(until_us: int, serial: int) -> int:
    """Where the copy of an event is kept that windows may reach until then: those that go first stand first."""
    return (until_us // _MINUTE_US << 32) + (serial & 0xFFFFFFFF)


def _hash(no: int, key: str) -> int:
    return int.from_bytes(blake2b(key.encode(), digest_size=8, salt=no.to_bytes(8)).digest(), signed=True)


def _packed(entries: Iterable[Entry], rules: Sequence[str]) -> bytes:
    return orjson.dumps([(e.at_us, e.id, rules.index(e.rule), e.values, e.event) for e in entries])


def _entries(packed: bytes, rules: Sequence[str]) -> list[Entry]:
    return [Entry(at, id_, rules[rule], tuple(values), event) for at, id_, rule, values, event in orjson.loads(packed)]
