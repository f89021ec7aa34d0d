"""Watches detection: tells the dead man's channels that it stands still, and the watchdog elsewhere that it lives.

What was told is in `deliver.db`, so that a restart tells nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from soc.delivery import ways
from soc.delivery.deadman import Watchman, parsed, pulse_of
from soc.delivery.message import of_dead_man
from soc.delivery.queue import Queue
from soc.delivery.settings import Settings

_STILL_AFTER = timedelta(minutes=2)  # for a heartbeat without a dead man
_ALARM_AGAIN = timedelta(seconds=30)  # when no channel took it
_NEVER = datetime.min.replace(tzinfo=UTC)


class Vigil:
    """`watch` and `beat` are called each second."""

    def __init__(
        self,
        settings: Settings,
        queue: Queue,
        data_dir: Path,
        clock: Callable[[], datetime],
        send: ways.Send,
        say: Callable[[str, str], None],
    ) -> None:
        """say: who has what trouble; "" when none."""
        self._settings, self._queue, self._data_dir = settings, queue, data_dir
        self._clock, self._send, self._say = clock, send, say
        self._noted = {key: queue.noted(key) for key in ("still-since", "still-told")}
        began = parsed(self.still_since) or clock()  # it may have been dead before we were
        self._watchman = Watchman(began, _STILL_AFTER if settings.dead_man is None else settings.dead_man.after)
        self._alarmed = self._beaten = _NEVER

    @property
    def still_since(self) -> str:
        """Since when detection stands still, "" while it lives."""
        return self._noted["still-since"]

    def watch(self) -> None:
        """Tell when detection stands still, again while it does, and when it works again."""
        now, dead = self._clock(), self._settings.dead_man
        since = self._watchman.look(pulse_of(self._data_dir), now)
        noted = parsed(self.still_since)
        if since is None:
            if noted is not None:
                self._alarm(since=noted, now=now, is_back=True)
                self._note(since="", told="")  # what was told of this one says nothing of the next
            self._alarmed = _NEVER
            return
        told = self._noted["still-told"]
        last = parsed(told)
        is_due = dead is not None and (last is None or abs(now - last) >= dead.again)
        if is_due and abs(now - self._alarmed) >= _ALARM_AGAIN:
            self._alarmed = now
            told = now.isoformat() if self._alarm(since=noted or since, now=now, is_back=False) else told
        self._note(since=(noted or since).isoformat(), told=told)

    def _note(self, *, since: str, told: str) -> None:
        """Remember it over restarts, and here too: a disk that is full stops detection, and must not stop this."""
        before, self._noted = self._noted, {"still-since": since, "still-told": told}
        for key, value in self._noted.items():
            if value != before[key]:
                self._queue.note(key, value)

    def _alarm(self, *, since: datetime, now: datetime, is_back: bool) -> bool:
        """Whether any channel took it. Neither rate nor quiet hours hold this back."""
        took, dead = False, self._settings.dead_man
        for name in () if dead is None else dead.to:
            channel = self._settings.channels[name]
            message = of_dead_man(
                channel=name,
                language=channel.language,
                zone=self._settings.zone,
                since=since,
                at=now,
                is_back=is_back,
            )
            try:
                self._send(channel, message, self._data_dir, now)
                took = True
            except ways.SendError as error:
                took = took or isinstance(error, ways.Partly)
                self._say(name, str(error))
        return took

    def beat(self) -> None:
        """Tell the watchdog elsewhere, as long as detection lives."""
        heartbeat, now = self._settings.heartbeat, self._clock()
        if heartbeat is None or abs(now - self._beaten) < heartbeat.every or self.still_since:
            return
        self._beaten = now
        try:
            ways.beat(heartbeat, self._data_dir)
            self._say("heartbeat", "")
        except ways.SendError as error:
            self._say("heartbeat", str(error))
