"""What the platform's own counters say that somebody should hear, as messages: `detection-lag`, `rules-loaded`,
`correlation-evicted`, `messages-dropped`, `letters-dead`, `stats-checked`.

Pure but for the files it reads: the counters of receiving, storing and detecting, each written by another process, in;
what changed since the last look out. The first receiving process looks every half minute and puts what it hears into
its spool, so a process that stands still is told by one that does not. What was told is kept: a restart tells nothing
twice, a crash in between tells it again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from monitoring.change_watch import ChangeWatch
from monitoring.durable import read_json, replace_json
from monitoring.errors import SpoolError
from monitoring.receivers import Intake
from monitoring.spool import Received
from monitoring.stats import balance_of
from monitoring.usage import message

LOOK_S = 30.0
STOPPED_S = 120.0  # detection writes its counters every second, and every half minute in a long batch
BEHIND_OCTETS = 4 * 1024 * 1024  # of spool, ten thousand lines or so
BEHIND_LOOKS = 4  # two minutes: a burst is worked off in less
AGAIN_S = 600.0  # a counter that goes on growing is told again after so long
BALANCE_S = 3600.0
MOST_OCTETS = 1024 * 1024  # of each spool to be read for the balance; where more waits it is not judged
EVICTED = ("groups_evicted", "entries_evicted", "episodes_evicted", "copies_evicted", "values_cut")

log = logging.getLogger("canh.collect")


class Health:
    """Of one data directory."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._file = data_dir / "stats" / "health.json"
        self._told: dict[str, Any] = dict(read_json(self._file))
        self._changes = ChangeWatch(data_dir / "changes", self._told.get("changes"))

    async def watch(self, intake: Intake) -> None:
        """For ever. What cannot be read is said and tried again."""
        while True:
            try:
                heard = await asyncio.to_thread(self.look, datetime.now(UTC))
                if not heard or await intake.put_all_kept(list(heard)):
                    self.note()
            except (SpoolError, OSError, ValueError, TypeError, LookupError, AttributeError) as error:
                log.error("the platform's own counters: %s", error)
            await asyncio.sleep(LOOK_S)

    def look(self, now: datetime) -> tuple[Received, ...]:
        """What is to be told. Raises SpoolError, OSError."""
        detect = read_json(self._data_dir / "stats" / "detect.json")
        return (
            *self._detection(detect, now),
            *self._rules(detect),
            *self._grown("correlation-evicted", _counters(detect, EVICTED), now),
            *self._grown("messages-dropped", self._dropped(), now),
            *self._grown("letters-dead", self._dead(), now),
            *self._balance(now),
            *self._changes.look(now),
        )

    def note(self) -> None:
        """That it is told. Raises OSError."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        replace_json(self._file, {**self._told, "changes": self._changes.document()})

    def _detection(self, detect: Mapping[str, Any], now: datetime) -> Iterator[Received]:
        """Whether detection keeps up; one that never ran on this directory is not missed."""
        if "at" not in detect:
            return
        silent_s = abs((now - datetime.fromisoformat(str(detect["at"]))).total_seconds())  # the clock may be put back
        behind = int(detect.get("octets_behind", 0))
        looks = self._told["behind_looks"] = self._told.get("behind_looks", 0) + 1 if behind >= BEHIND_OCTETS else 0
        before = self._told.get("detection", "keeps-up")
        state = before
        if silent_s > STOPPED_S:
            state = "stopped"
        elif looks >= BEHIND_LOOKS:
            state = "behind"
        elif before == "stopped" or behind < BEHIND_OCTETS // 4:
            state = "keeps-up"
        if state != before:
            self._told["detection"] = state
            yield message("detection-lag", {"state": state, "octets_behind": behind, "silent_s": round(silent_s)})

    def _rules(self, detect: Mapping[str, Any]) -> Iterator[Received]:
        if "rules" not in detect:
            return
        count = int(detect["rules"]) + int(detect.get("correlations", 0))
        refused = len(detect.get("refused_rules") or ())
        digest = str(detect.get("rules_digest", ""))
        known = self._told.get("rules")
        self._told["rules"] = [count, refused, digest]
        if known and known != self._told["rules"]:
            fewer, more_refused = max(0, known[0] - count), max(0, refused - known[1])
            yield message(
                "rules-loaded", {"rules": count, "fewer": fewer, "refused": refused, "more_refused": more_refused}
            )

    def _grown(self, kind: str, counters: Mapping[str, int], now: datetime) -> Iterator[Received]:
        """Counters that grew. A new data directory begins at nothing; what is there at the first look is not news."""
        is_first = kind not in self._told
        told: dict[str, Any] = self._told.setdefault(kind, {})
        for name, count in counters.items():
            known = told.setdefault(name, {"count": count if is_first else 0, "at": 0.0})
            if count < known["count"]:  # counted anew
                known["count"] = count
            elif count > known["count"] and abs(now.timestamp() - known["at"]) >= AGAIN_S:
                yield message(kind, {"reason": name, "count": count - known["count"], "in_all": count})
                known["count"], known["at"] = count, now.timestamp()

    def _dropped(self) -> Mapping[str, int]:
        """By reason, over all receiving processes."""
        found: dict[str, int] = {}
        for path in (self._data_dir / "stats").glob("collect*.json"):
            for reason, sources in dict(read_json(path).get("dropped", {})).items():
                found[reason] = found.get(reason, 0) + sum(sources.values())
        return found

    def _dead(self) -> Mapping[str, int]:
        found: dict[str, int] = {}
        store = read_json(self._data_dir / "stats" / "store.json")
        for progress in dict(store.get("spools", {})).values():
            for reason, sources in dict(progress.get("dead", {})).items():
                found[reason] = found.get(reason, 0) + sum(sources.values())
        return found

    def _balance(self, now: datetime) -> Iterator[Received]:
        """Told when the books stop balancing, and when they balance again; a doubt is looked at twice."""
        is_due = abs(now.timestamp() - self._told.get("balance_at", 0.0)) >= BALANCE_S
        if not is_due and not self._told.get("doubted"):
            return
        if not (self._data_dir / "stats" / "store.json").exists():
            return
        balance = balance_of(self._data_dir, most_octets=MOST_OCTETS)
        self._told["balance_at"] = now.timestamp()
        if balance.is_reckoned:
            return
        is_wrong, was_wrong = not balance.balances, bool(self._told.get("unbalanced"))
        is_sure = bool(self._told.get("doubted"))
        self._told["doubted"] = is_wrong and not was_wrong and not is_sure
        if is_wrong != was_wrong and (not is_wrong or is_sure):
            self._told["unbalanced"] = is_wrong
            lost = balance.damaged_octets + balance.missing_octets
            facts = {name: balance.total(name) for name in ("received", "stored", "dead", "dropped", "missing")}
            yield message("stats-checked", {"balances": int(not is_wrong), **facts, "lost_octets": lost})


def _counters(document: Mapping[str, Any], names: tuple[str, ...]) -> Mapping[str, int]:
    return {name: int(document[name]) for name in names if name in document}
