"""How full a spool is, and what follows from it: an alert first, then senders over TCP wait, last UDP is dropped.

Pure: shares in, what changed out. The collector asks the spool every second and acts.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from monitoring.spool import Received

RECEIVER = "canh"  # what the platform says of itself
PEER = "127.0.0.1"
SLACK = 0.05  # of the budget: so far below a mark it must fall to count as passed


class Level(StrEnum):
    NORMAL = "normal"
    ALERT = "alert"
    TCP_WAITS = "tcp-waits"


@dataclass(frozen=True, slots=True, kw_only=True)
class UsagePolicy:
    """Shares of a spool's budget, 0 to 1. At the whole of it UDP is dropped and counted."""

    alert_share: float = 0.7
    tcp_waits_share: float = 0.9


class Usage:
    """The level of one spool. It rises at once and falls when there is SLACK."""

    def __init__(self, policy: UsagePolicy) -> None:
        self.policy = policy
        self.level = Level.NORMAL
        self._marks = ((Level.TCP_WAITS, policy.tcp_waits_share), (Level.ALERT, policy.alert_share))

    def moved(self, share: float) -> Level | None:
        """The new level when `share` changes it."""
        level = next((level for level, mark in self._marks if share >= mark), Level.NORMAL)
        order = list(Level)
        if order.index(level) < order.index(self.level):
            mark = dict(self._marks)[self.level]
            if share >= mark - SLACK:
                return None
        if level is self.level:
            return None
        self.level = level
        return level


def message(kind: str, facts: Mapping[str, str | int | float]) -> Received:
    """What the platform has to say of itself, as a message of its own receiver."""
    raw = json.dumps({"kind": kind, **facts}, separators=(",", ":"), ensure_ascii=False).encode()
    return Received(raw, time.time_ns() // 1000, RECEIVER, PEER, 0)


def default_receivers() -> int:
    """Receiving processes for this machine: one for each eight cores.

    One takes 50,000 messages/s with a fifth of a core, and parsing and storing them takes many times that. On two
    cores a second one was measured to cost a quarter more and to win nothing (docs/performance.md); that it pays
    where sixteen cores can store what two bring is reckoned.
    """
    return max(1, min(8, (os.cpu_count() or 1) // 8))


def default_parsers() -> int:
    """Processes that parse when the store's worker is behind: one a core, because receiving and storing take little."""
    return min(8, os.cpu_count() or 1)
