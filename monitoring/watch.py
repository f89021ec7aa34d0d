"""The heartbeat at work: fed by the store's worker, its announcements become messages of a spool of their own.

An announcement is made once, whatever is killed: the worker's checkpoint says who is silent and which
messages the spool is to get from which position on; after a crash only those that are not there are
appended. What was learned of each source is saved beside, now and then; losing half a minute of it does no harm.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inventory.model import Province
from monitoring.durable import read_json, replace_json
from monitoring.heartbeat import Announcement, Heartbeat, declared_of
from monitoring.spool import Received, Spool, SpoolReader
from monitoring.usage import RECEIVER, message

SPOOL = "platform"  # below <data>/spool/
LOOK_S = 5.0
LEARNED_S = 30.0
NOT_LOGS = frozenset({RECEIVER, "snmp-poll"})  # what we say and ask ourselves shows no sign of life of a sender's log


class Watch:
    """Owned by the store's worker. `saved`: its part of the checkpoint."""

    def __init__(self, province: Province, data_dir: Path, saved: Mapping[str, Any]) -> None:
        """Appends what the last checkpoint announced and the spool lacks. Raises SpoolError, OSError."""
        self._file = data_dir / "stats" / "heartbeat.json"
        self._addresses = {d.name: str(d.addresses[0]) for d in province.devices.values()}
        self._spool = Spool(data_dir / "spool" / SPOOL)
        self._told: list[Received] = []
        now_s = time.time()
        self.heartbeat = Heartbeat(
            declared_of(province), learned=read_json(self._file), silent=saved.get("silent", {}), now_s=now_s
        )
        self._looked_s = self._saved_s = time.monotonic()
        self._append_what_is_missing(saved.get("announced", {}))

    @property
    def is_due(self) -> bool:
        """Whether it is time for `look`, or something waits for a commit."""
        return bool(self._told) or time.monotonic() - self._looked_s >= LOOK_S

    def saw(self, device: str, receiver: str, at_s: float) -> None:
        if receiver not in NOT_LOGS:
            self.heartbeat.saw(device, at_s)

    def look(self, now_s: float) -> bool:
        """Note what changed up to `now_s`; True when there is something to commit."""
        self._looked_s = time.monotonic()
        self._told += [self._message(told) for told in self.heartbeat.look(now_s)]
        return bool(self._told)

    def document(self) -> dict[str, Any]:
        """For the checkpoint: who is silent, and what is to be appended once it is committed."""
        messages = [[m.raw.decode(), m.received_us, m.peer] for m in self._told]
        return {"silent": self.heartbeat.silent, "announced": {"position": self._spool.end, "messages": messages}}

    def committed(self) -> None:
        """The checkpoint is safe: say what it announced. Raises SpoolError, OSError."""
        self._spool.append(self._told)
        self._told = []
        if time.monotonic() - self._saved_s >= LEARNED_S:
            self._save()

    def close(self) -> None:
        """Raises OSError."""
        try:
            self._save()
        finally:
            self._spool.close()

    def _save(self) -> None:
        self._saved_s = time.monotonic()
        self._file.parent.mkdir(parents=True, exist_ok=True)
        replace_json(self._file, self.heartbeat.learned())
        self._spool.remove_consumed()

    def _append_what_is_missing(self, announced: Mapping[str, Any]) -> None:
        messages = [Received(raw.encode(), at, RECEIVER, peer, 0) for raw, at, peer in announced.get("messages", ())]
        if messages:
            there = SpoolReader(self._spool.directory).count(int(announced["position"]), self._spool.end).total
            self._spool.append(messages[there:])

    def _message(self, told: Announcement) -> Received:
        kind = "source-silent" if told.is_silent else "source-returned"
        facts: dict[str, str | int | float] = {"device": told.device, "limit_s": round(told.limit_s)}
        if told.last_s is not None:
            facts |= {"last_s": round(told.last_s, 3), "silent_s": round(told.at_s - told.last_s)}
        return message(kind, facts)._replace(peer=self._addresses[told.device])
