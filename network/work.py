"""What a change is carried out with, how it ended, and what held before it."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from inventory.model import Province
from network.check import Adjacency, Check, Verdict
from network.device import Connect
from network.intent import DEAD

SETTLE = timedelta(seconds=45)  # ten dead intervals: what is not up by then does not come up
HOLD = DEAD + timedelta(seconds=1)  # a neighbour lost by the change is gone from the device's list by then

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a change ended. `result` is confirmed, reverted, failed, or nothing (there was nothing to do)."""

    change_id: str | None
    result: str
    devices: tuple[str, ...]
    reason: str = ""  # why it is not confirmed
    verdicts: tuple[Verdict, ...] = ()

    @property
    def ok(self) -> bool:
        return self.result in ("confirmed", "nothing")


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a change is carried out with. `checks` come from outside (canh wires them)."""

    province: Province
    data_dir: Path
    connect: Connect
    checks: Sequence[Check] = ()
    operator: str = ""
    settle: timedelta = SETTLE
    hold: timedelta = HOLD
    patience: timedelta = timedelta()  # how long to wait for a machine that is still starting
    say: Say = lambda _text: None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    @property
    def who(self) -> str:
        return self.operator or os.environ.get("SUDO_USER") or getpass.getuser()

    @property
    def journals(self) -> Path:
        return self.data_dir / "changes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What held before a change: which neighbours were up, which checks failed (None: nobody looked)."""

    neighbours: frozenset[Adjacency]
    failing: frozenset[str] | None

    def as_fields(self) -> dict[str, object]:
        rows = [[a.device, a.neighbour, a.interface] for a in sorted(self.neighbours)]
        return {"neighbours": rows, "failing": None if self.failing is None else sorted(self.failing)}

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Baseline:
        rows = (Adjacency(device=d, neighbour=n, interface=i) for d, n, i in fields["neighbours"])
        failing = fields["failing"]
        return cls(neighbours=frozenset(rows), failing=None if failing is None else frozenset(failing))
