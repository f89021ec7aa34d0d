"""`detect.db`: what detection knows, written down in one transaction, and the alerts not yet delivered.

Spool positions, the reorder buffer, groups (`soc.shelf`), episodes and the alerts raised from them are committed
together. After a crash the spool is read again from the committed position and gives the same
alerts; what was committed and not delivered is delivered again, which the case store takes as once.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from soc._database import make_file
from soc.alert import Alert, FieldMatch, Level
from soc.detection import Detection
from soc.episodes import MOST_EVENTS, Episode, moment
from soc.errors import DatabaseError
from soc.kept import PATIENCE_S, whole
from soc.shelf import SCHEMA, Shelf
from soc.sigma.loader import RuleSet
from soc.sigma.matcher import decode
from soc.sigma.rule import Known
from soc.sigma.sighting import Judgement, Sighting
from soc.sigma.window import Entry

# A state of another layout is dropped: the spool is read again from its start, alert ids are made of
# content, and the case store takes what it has as delivered.
_LAYOUT = 4
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS position (
    spool TEXT PRIMARY KEY, position INTEGER NOT NULL, warm INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pending (
    at_us INTEGER, id TEXT, rule TEXT, event INTEGER, body BLOB, PRIMARY KEY (at_us, id, rule)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS episode (
    alert_id TEXT PRIMARY KEY, rule TEXT, is_open INTEGER, touched_us INTEGER, body TEXT);
CREATE TABLE IF NOT EXISTS evidence (
    alert_id TEXT, at_us INTEGER, id TEXT, event BLOB, PRIMARY KEY (alert_id, at_us, id));
CREATE TABLE IF NOT EXISTS outbox (alert_id TEXT PRIMARY KEY, is_new INTEGER NOT NULL) WITHOUT ROWID;
"""


class Outbox:
    """The one owner of detect.db."""

    def __init__(self, path: Path, **bounds: int) -> None:
        """Open or make it. bounds: of `Shelf`. Raises DatabaseError."""
        self.path = path
        self._stored: set[tuple[int, str, str]] = set()  # reorder buffer as it is on disk
        self._rules_digest = ""  # of the rule set in force on disk
        try:
            make_file(path)
            self._db = sqlite3.connect(path, isolation_level=None, timeout=PATIENCE_S)
            self._db.execute("PRAGMA journal_mode=WAL")
            # What is committed lets the spool go: it must outlive a power cut.
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute("PRAGMA cache_size=-16000")
            self._db.execute("PRAGMA journal_size_limit=67108864")  # what one long commit took is given back
            self._drop_other_layout()
            self._db.executescript(_SCHEMA + SCHEMA)
            self.shelf = Shelf(self._db, **bounds)
        except (OSError, sqlite3.Error) as error:
            raise self._failed("cannot be opened", error) from error

    def close(self) -> None:
        self._db.close()

    def _drop_other_layout(self) -> None:
        (found,) = self._db.execute("PRAGMA user_version").fetchone()
        if found != _LAYOUT:
            tables = self._db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for (table,) in tables:
                self._db.execute(f'DROP TABLE "{table}"')
            self._db.execute(f"PRAGMA user_version = {_LAYOUT}")

    def positions(self) -> dict[str, int]:
        """How far each spool was taken, by its id."""
        return dict(self._db.execute("SELECT spool, position FROM position"))

    def warm_positions(self) -> dict[str, int]:
        """From where each spool has to be parsed again so that parsers know what they knew."""
        return dict(self._db.execute("SELECT spool, warm FROM position"))

    def counters(self) -> dict[str, int]:
        """Counters as of the last commit."""
        return self._meta("counters") or {}

    # ---- bringing back

    def restore(self, detection: Detection) -> frozenset[str]:
        """Fill a fresh `detection`. Returns the ids of rules whose state was dropped: they changed or are gone.

        Groups stay on disk until a match comes for them.
        """
        try:
            self._rules_digest = str(self.rules().get("digest", ""))
            state = self._meta("state") or {}
            self.shelf.open(state.get("event_octets", 0))
            changed: frozenset[str] = frozenset()
            if self._rules_digest != detection.rules.digest:
                with whole(self._db):
                    changed = self._adopt(detection.rules)
            for row in self._db.execute("SELECT p.*, e.body FROM pending p LEFT JOIN event e ON e.n = p.event"):
                self._stored.add(row[:3])
                detection.pending.bring(_sighting(*row))
            detection.resume(self.shelf, state)
            bodies = self._db.execute("SELECT body FROM episode WHERE is_open ORDER BY touched_us, alert_id")
            detection.episodes.restore(_episode(body) for (body,) in bodies)
        except sqlite3.Error as error:
            raise self._failed("cannot be read", error) from error
        return changed

    def _adopt(self, rules: RuleSet) -> frozenset[str]:
        """Drop the state of rules that changed, and write down from which positions on the new ones hold."""
        changed = self.shelf.adopt(rules.all)
        for rule in changed:
            self._db.execute("DELETE FROM pending WHERE rule = ?", (rule,))
            self._db.execute("UPDATE episode SET is_open = 0 WHERE rule = ?", (rule,))
        self._set_meta("rules", {"digest": rules.digest, "from": self.positions()})
        self._rules_digest = rules.digest
        return changed

    def rules(self) -> Mapping[str, Any]:
        """{"digest", "from": {spool: position}}: the rule set in force, and since where. Empty before the first."""
        return self._meta("rules") or {}

    # ---- writing down

    def commit(
        self,
        detection: Detection,
        positions: Mapping[str, int],
        warm: Mapping[str, int],
        counters: Mapping[str, int],
    ) -> None:
        """Everything that changed, whole or not at all. Raises DatabaseError; then start again from the disk."""
        try:
            with whole(self._db):
                rows = [(spool, position, warm.get(spool, position)) for spool, position in positions.items()]
                self._db.executemany("INSERT OR REPLACE INTO position VALUES (?, ?, ?)", rows)
                if detection.rules.digest != self._rules_digest:
                    self._adopt(detection.rules)
                self.shelf.keep(detection.copies())
                self._save_pending(detection)
                self._save_windows_and_episodes(detection)
                self.shelf.let_go_copies(detection.clock_us)
                self._set_meta("state", {**detection.state(), "event_octets": self.shelf.event_octets})
                self._set_meta("counters", counters)
        except sqlite3.Error as error:
            raise self._failed("cannot be written", error) from error

    def _save_pending(self, detection: Detection) -> None:
        held = detection.pending.held
        left = [key for key in self._stored if key not in held]
        fresh = [key for key in held if key not in self._stored]
        self._db.executemany("DELETE FROM pending WHERE at_us = ? AND id = ? AND rule = ?", left)
        rows = [(*key, held[key].number, _about(held[key])) for key in fresh]
        self._db.executemany("INSERT INTO pending VALUES (?, ?, ?, ?, ?)", rows)
        self._stored.difference_update(left)
        self._stored.update(fresh)

    def _save_windows_and_episodes(self, detection: Detection) -> None:
        windows, episodes = detection.correlator.changes(), detection.episodes.changes()
        run, many = self._db.execute, self._db.executemany
        if windows.latest_us is not None:
            self.shelf.let_go_later(windows.latest_us)
        self.shelf.write(windows.windows)
        detection.correlator.written(self.shelf.let_go(windows.limits))
        many("INSERT OR IGNORE INTO evidence VALUES (?, ?, ?, ?)", episodes.copies)
        for alert, entry in windows.copied:
            self._copy(alert, entry)
        for episode in episodes.changed.values():
            row = (episode.alert_id, episode.rule_id, True, episode.touched_us, json.dumps(asdict(episode)))
            run("INSERT OR REPLACE INTO episode VALUES (?, ?, ?, ?, ?)", row)
        loud = [(e.alert_id, e.alert_id in episodes.begun) for e in episodes.changed.values() if not e.is_silent]
        many("INSERT OR IGNORE INTO outbox VALUES (?, ?)", loud)
        many("UPDATE episode SET is_open = 0 WHERE alert_id = ?", [(alert,) for alert in episodes.ended])
        if episodes.ended:
            self._forget_ended()

    def _copy(self, alert: str, entry: Entry) -> None:
        """The events behind an entry of a window: its own, or those of the episode it stands for."""
        if entry.event:
            self._db.execute(
                "INSERT OR IGNORE INTO evidence SELECT ?, ?, ?, body FROM event WHERE n = ?",
                (alert, entry.at_us, entry.id, entry.event),
            )
        else:
            self._db.execute(
                "INSERT OR IGNORE INTO evidence SELECT ?, at_us, id, event FROM evidence"
                " WHERE alert_id = ? AND at_us <= ?",
                (alert, entry.id, entry.at_us),
            )

    # ---- alerts on their way out

    def undelivered(self, *, only_new: bool = False, limit: int = 100, but: Iterable[str] = ()) -> list[Alert]:
        """Alerts that are new or have grown since they were delivered; new ones first. but: ids to leave out."""
        rows = self._db.execute(
            "SELECT e.body FROM outbox JOIN episode e USING (alert_id)"
            " WHERE is_new >= ? AND alert_id NOT IN (SELECT value FROM json_each(?))"
            " ORDER BY is_new DESC, e.touched_us, alert_id LIMIT ?",
            (only_new, json.dumps(list(but)), limit),
        ).fetchall()
        return [self._alert(_episode(body)) for (body,) in rows]

    def delivered(self, alerts: Iterable[str]) -> None:
        """The case store has these."""
        try:
            with whole(self._db):
                self._db.executemany("DELETE FROM outbox WHERE alert_id = ?", [(alert,) for alert in alerts])
                self._forget_ended()
        except sqlite3.Error as error:
            raise self._failed("cannot be written", error) from error

    def _alert(self, episode: Episode) -> Alert:
        kept = "SELECT event FROM evidence WHERE alert_id = ? ORDER BY at_us, id LIMIT ?"
        events = self._db.execute(kept, (episode.alert_id, MOST_EVENTS)).fetchall()
        return Alert(
            id=episode.alert_id,
            rule_id=episode.rule_id,
            title=episode.title,
            level=Level(episode.level),
            tags=episode.tags,
            device=episode.device,
            site=episode.site,
            group=episode.group,
            count=episode.count,
            first_seen=moment(episode.first_us),
            last_seen=moment(episode.last_us),
            raised_at=moment(episode.raised_us),
            received_at=moment(episode.received_us),
            matches=episode.matches,
            events=tuple(decode(event) for (event,) in events),
        )

    def _forget_ended(self) -> None:
        ended = "is_open = 0 AND alert_id NOT IN (SELECT alert_id FROM outbox)"
        self._db.execute(f"DELETE FROM evidence WHERE alert_id IN (SELECT alert_id FROM episode WHERE {ended})")  # noqa: S608
        self._db.execute(f"DELETE FROM episode WHERE {ended}")  # noqa: S608

    def _meta(self, key: str) -> Any:
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return json.loads(row[0]) if row else None

    def _set_meta(self, key: str, value: Any) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, json.dumps(value)))

    def _failed(self, what: str, error: Exception) -> DatabaseError:
        return DatabaseError(
            f"the detection state {what}: {error}",
            where=self.path,
            fix="free space, make the data directory writable; detection goes on from its last commit",
        )


def _about(sighting: Sighting) -> bytes:
    """What is kept of a sighting that waits, beside its place and its event."""
    later = (
        None
        if sighting.judgement is None
        else (*sighting.judgement[:3], tuple(sighting.judgement.entry), sighting.judgement.known)
    )
    return orjson.dumps((sighting.received_us, sighting.device, sighting.site, dict(sighting.fields), later))


def _sighting(at_us: int, id_: str, rule: str, number: int, about: bytes, event: bytes | None) -> Sighting:
    received_us, device, site, fields, later = orjson.loads(about)
    return Sighting(
        at_us=at_us,
        id=id_,
        rule=rule,
        received_us=received_us,
        fields={name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()},
        device=device,
        site=site,
        event=event or b"",
        number=number,
        judgement=_judgement(*later) if later else None,
    )


def _judgement(correlation_id: str, key: str, group: list[list[str]], entry: list[Any], known: str) -> Judgement:
    at_us, id_, rule, values, event = entry
    pairs = tuple((name, value) for name, value in group)
    return Judgement(correlation_id, key, pairs, Entry(at_us, id_, rule, tuple(values), event), Known(known))


def _episode(body: str) -> Episode:
    fields = json.loads(body)
    fields["group"] = tuple((name, value) for name, value in fields["group"])
    fields["matches"] = tuple(FieldMatch(**match) for match in fields["matches"])
    fields["tags"] = tuple(fields["tags"])
    fields["counted_to"] = tuple(fields["counted_to"])
    return Episode(**fields)
