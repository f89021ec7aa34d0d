"""The process that tells people: alerts from the case store, by the routes, through the channels; and the dead man.

    case store ► routes ► deliver.db ► channel (a thread each) ► mail, web hook, syslog

It runs beside detection and not in it, so that it can say when detection stands still. A channel
that hangs delays no other. What it does is in `stats/deliver.json`.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from monitoring.durable import replace_json
from soc._case import Case
from soc.alert import Alert
from soc.delivery import ways
from soc.delivery.message import Told, of_alerts
from soc.delivery.queue import Entry, Queue
from soc.delivery.routing import entries_of, is_settled
from soc.delivery.settings import Channel, Settings
from soc.delivery.vigil import Vigil
from soc.errors import DatabaseError, UnknownAlert

TOGETHER = 5  # so many alerts that are due at once are told in one message
MOST_REFUSALS = (
    16  # of one message and its parts: enough to find one among thousands; then all that is left is set aside
)
_TICK_S = 1.0
_PAGE = 500
_NEW_AFTER = "new-after"  # cases made after this change of the store may not have been looked at
_FORGET_EVERY = timedelta(hours=1)

log = logging.getLogger("canh.deliver")


class Cases(Protocol):
    """`soc.cases.CaseStore`."""

    def since(self, seq: int, limit: int = 1000) -> tuple[Case, ...]: ...
    def seq(self) -> int: ...
    def get(self, alert_id: str) -> Case: ...


class Deliverer:
    """Made for one state of the settings; `run` goes on until `stop` is set."""

    def __init__(
        self,
        settings: Settings,
        cases: Callable[[], Cases],
        data_dir: Path,
        stop: threading.Event,
        *,
        title_of: Callable[[Alert, str], str] = lambda alert, language: alert.title,
        look_after_held: Callable[[datetime], object] = lambda now: None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        send: ways.Send = ways.send,
    ) -> None:
        """cases: opens the store, once for each thread. title_of: an alert's title in a language.

        look_after_held: releases alerts whose change is over (`soc.hold_keeper`).
        Raises DatabaseError.
        """
        self._settings, self._open, self._data_dir, self._title_of = settings, cases, data_dir, title_of
        self._clock, self._send, self._stop = clock, send, stop
        self._look_after_held = look_after_held
        self._turn = threading.Event()  # other settings came: the channels end
        self._path = data_dir / "deliver.db"
        self._queue, self._cases = Queue(self._path), cases()
        known, there = self._queue.seq(), self._cases.seq()
        # What was raised before delivery was set up is in the console; so is all of an older store put back.
        if known is None or there < known:
            self._queue.take(there, [], [], clock())
        self._new_after = int(self._queue.noted(_NEW_AFTER) or self._queue.seq() or 0)
        self._new_after = min(self._new_after, there)
        self._forgotten = datetime.min.replace(tzinfo=UTC)
        self._trouble: dict[str, str] = {}
        self._counted: dict[str, dict[str, int]] = {}
        self._count_after = 0.0
        self.vigil = Vigil(settings, self._queue, data_dir, clock, send, self._told)

    def run(self, fresh: Callable[[], Settings | None] = lambda: None) -> Settings | None:
        """Until `stop`, or until `fresh` gives other settings, which are returned.

        A channel that cannot send now is tried again; nothing that waits is lost.
        """
        channels = self._settings.channels.values()
        threads = [threading.Thread(target=self._serve, args=(channel,), daemon=True) for channel in channels]
        for thread in threads:
            thread.start()
        other: Settings | None = None
        while not self._stop.is_set():
            self._tick()
            other = fresh()
            if other is not None:
                break
            self._stop.wait(_TICK_S)
        self._turn.set()
        # What one is sending when other settings come would be sent by its successor, too.
        until = time.monotonic() + 1 + (ways.TIMEOUT_S if other is None else ways.WHOLE_S)
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
        self._queue.close()
        return other

    def _tick(self) -> None:
        """Every step, whatever became of the others: a store that fails must not hide that detection is dead."""
        steps = (("delivery", self.look), ("dead man", self.vigil.watch), ("heartbeat", self.vigil.beat))
        for name, step in steps:
            try:
                step()
                if name != "heartbeat":  # it tells by itself how it went
                    self._trouble.pop(name, None)
            except Exception as error:
                self._failed(name, error)
        self._say()

    def _failed(self, name: str, error: Exception) -> None:
        why = error.what if isinstance(error, DatabaseError) else f"{type(error).__name__}: {error}"
        if not isinstance(error, DatabaseError) and self._trouble.get(name) != why:
            log.exception("%s", name)
        self._told(name, why)

    def look(self) -> None:
        """Queue what is new in the case store."""
        now = self._clock()
        try:
            self._look_after_held(now)
            self._trouble.pop("held alerts", None)
        except Exception as error:  # what is held stays held until its time; all others are to be told
            self._failed("held alerts", error)
        while True:
            seq = self._queue.seq() or 0
            cases = self._cases.since(seq, _PAGE)
            if not cases:
                break
            entries: list[Entry] = []
            for case in cases:
                # One that a change of ours explains comes again when it is released, as if it were new.
                # New since the last look that saw all: one that has grown meanwhile comes behind those raised after it.
                if case.created_seq > self._new_after and not is_settled(case) and case.held_until is None:
                    entries += entries_of(case, self._settings, now)
            self._queue.take(cases[-1].seq, entries, [case.id for case in cases if is_settled(case)], now)
        if seq != self._new_after:
            self._queue.note(_NEW_AFTER, str(seq))
            self._new_after = seq
        if abs(now - self._forgotten) > _FORGET_EVERY:
            self._queue.forget(now)
            self._forgotten = now

    def pass_on(self, channel: Channel, queue: Queue, cases: Cases) -> int:
        """Send what is due on a channel now, as few messages as may be. Returns how many were sent."""
        sent, refused = 0, False  # what was refused before is tried after the others, which it must not hold up
        while True:
            now = self._clock()
            room = queue.room(channel.name, channel.rate.most, channel.rate.per, now)
            due = queue.waiting(channel.name, now, refused=refused) if room else []
            if not due and (refused or not room):
                return sent
            if not due:
                refused = True
                continue
            together = due if len(due) >= TOGETHER or len(due) > room else due[:1]
            told = self._still(channel, together, queue, cases, now)
            went, goes_on = self._tell(channel, told, queue)
            sent += went
            if not goes_on:
                return sent

    def _tell(self, channel: Channel, told: list[Told], queue: Queue) -> tuple[int, bool]:
        """Tell these; halves of what the server refuses, until what it does not want is alone and set aside.

        Returns how many messages were sent, and whether the channel works and has room.
        """
        parts, sent, refusals = [told] if told else [], 0, 0
        while parts:
            now, part = self._clock(), parts.pop()
            ids = [one.alert.id for one in part]
            if sent and not queue.room(channel.name, channel.rate.most, channel.rate.per, now):
                return sent, False
            message = of_alerts(
                part,
                channel=channel.name,
                language=channel.language,
                console=self._settings.console,
                zone=self._settings.zone,
            )
            try:
                self._send(channel, message, self._data_dir, now)
            except ways.Partly as error:
                queue.done(channel.name, ids, self._clock(), but=str(error))
                self._told(channel.name, str(error))
                sent += 1
            except ways.Refused as error:
                refusals += 1
                half = len(part) // 2 if refusals < MOST_REFUSALS else 0
                if half:
                    parts += [part[half:], part[:half]]
                    continue
                queue.failed(channel.name, ids, str(error), self._clock(), refused=True)
                self._told(channel.name, str(error))
            except ways.SendError as error:
                ids += [one.alert.id for left in parts for one in left]
                queue.failed(channel.name, ids, str(error), self._clock())
                self._told(channel.name, str(error))
                return sent, False
            else:
                queue.done(channel.name, ids, self._clock())
                self._trouble.pop(channel.name, None)
                sent += 1
        return sent, True

    def _still(self, channel: Channel, alerts: list[str], queue: Queue, cases: Cases, now: datetime) -> list[Told]:
        """Those of `alerts` that are still to be told; somebody may have taken one up meanwhile."""
        told: list[Told] = []
        for alert_id in alerts:
            try:
                case = cases.get(alert_id)
            except UnknownAlert:
                queue.settle(channel.name, [alert_id], now)
                continue
            if is_settled(case):
                queue.settle(channel.name, [alert_id], now)
                continue
            # Of a storm of 50,000 the events alone would take gigabytes, and none is sent.
            alert = replace(case.alert, events=())
            told.append(Told(alert=alert, title=self._title_of(alert, channel.language)))
        return told

    def _serve(self, channel: Channel) -> None:
        """A channel's thread."""
        queue: Queue | None = None
        cases: Cases | None = None
        while not self._turn.is_set():
            try:
                queue = queue or Queue(self._path)
                cases = cases or self._open()
                self.pass_on(channel, queue, cases)
            except Exception as error:  # one channel's defect must not silence it for good, nor the others
                self._failed(channel.name, error)
            self._turn.wait(_TICK_S)
        if queue is not None:
            queue.close()

    def _told(self, who: str, why: str) -> None:
        """Trouble, until it is told that there is none ("")."""
        if not why:
            self._trouble.pop(who, None)
            return
        if self._trouble.get(who) != why:
            log.error("%s: %s", who, why)
        self._trouble[who] = why

    def _counts(self) -> dict[str, dict[str, int]]:
        """Rows by channel and state. A month of rows takes a while to count: no more than a twentieth of the time."""
        began = time.monotonic()
        if began >= self._count_after:
            self._counted = self._queue.counts()
            self._count_after = time.monotonic() + 20 * (time.monotonic() - began)
        return self._counted

    def _say(self) -> None:
        """`stats/deliver.json`."""
        try:
            document = {
                "process": "deliver",
                "at": self._clock().isoformat(),
                "channels": self._counts(),
                "waits_because": self._queue.errors(),
                "detection_still_since": self.vigil.still_since or None,
                "trouble": dict(self._trouble),
            }
            path = self._data_dir / "stats" / "deliver.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_json(path, document)
        except OSError as error:
            self._told("stats", f"stats cannot be written: {error.strerror}")
        except sqlite3.Error as error:
            self._told("stats", f"the delivery queue cannot be read: {error}")
        else:
            self._trouble.pop("stats", None)
