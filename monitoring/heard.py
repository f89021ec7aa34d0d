"""Who was heard in a batch of events: counted where it is parsed, added up by the one who stores.

Between parsing and the store's worker. A batch has thousands of events of few senders, so what the worker keeps of
each sender (the balance, `senders`, the heartbeat) comes to it as a few numbers instead of the events.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from monitoring.event import Value

GRAIN_S = 1.0  # pauses matter from minutes on


class Sender(NamedTuple):
    """Events that came the same way, from the same address, under the same name."""

    receiver: str
    peer: str
    kind: str  # `canh.source.kind`
    claimed: str  # `canh.source.claimed`
    device: str  # of the inventory; "" when it is none


class _Times:
    """How many events, and when: first, last, and between them none within GRAIN_S of the one before."""

    __slots__ = ("count", "last_s", "moments_s")

    def __init__(self, at_s: float) -> None:
        self.count, self.last_s, self.moments_s = 1, at_s, [at_s]


class Heard:
    """Moments are seconds since 1970 UTC, when an event was received."""

    __slots__ = ("_senders",)

    def __init__(self) -> None:
        self._senders: dict[_Key, _Times] = {}

    def add(self, receiver: str, peer: str, at_s: float, fields: Mapping[str, Value]) -> None:
        """An event that is to be stored."""
        get = fields.get
        device = get("host.name") if get("canh.source.known") else None
        sender = (receiver, peer, get("canh.source.kind"), get("canh.source.claimed"), device)
        times = self._senders.get(sender)
        if times is None:
            self._senders[sender] = _Times(at_s)
            return
        times.count += 1
        times.last_s = at_s
        if at_s - times.moments_s[-1] >= GRAIN_S:
            times.moments_s.append(at_s)

    def counts(self) -> Iterator[tuple[Sender, int]]:
        return ((_sender(key), times.count) for key, times in self._senders.items())

    def moments(self) -> list[tuple[float, str, str]]:
        """(when, device, receiver) of the devices of the inventory, in order."""
        return sorted(
            (at_s, sender.device, sender.receiver)
            for key, times in self._senders.items()
            if (sender := _sender(key)).device
            for at_s in (*times.moments_s, times.last_s)
        )


_Key = tuple[str, str, Value | None, Value | None, Value | None]


def _sender(key: _Key) -> Sender:
    receiver, peer, *named = key
    kind, claimed, device = (str(value or "") for value in named)
    return Sender(receiver, peer, kind, claimed, device)
