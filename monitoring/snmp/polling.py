"""What a polled device's answer says: state, counters, rates. Pure: answers in, documents out.

The documents are described in the package's docstring.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monitoring.snmp.catalogue import object_of

SYSTEM_GROUP = "1.3.6.1.2.1.1"
SYSTEM = tuple(f"{SYSTEM_GROUP}.{n}.0" for n in (1, 2, 3, 4, 5, 6))
INTERFACES = "1.3.6.1.2.1.2.2.1"  # IF-MIB ifEntry
INTERFACES_MORE = "1.3.6.1.2.1.31.1.1.1"  # ifXEntry: 64-bit counters
UPTIME_WRAPS_MS = 2**32 * 10
COUNTERS = {  # name: (64-bit column of ifXEntry, or 0; 32-bit column of ifEntry)
    "in_octets": (6, 10),
    "out_octets": (10, 16),
    "in_packets": (7, 11),
    "out_packets": (11, 17),
    "in_errors": (0, 14),
    "out_errors": (0, 20),
    "in_discards": (0, 13),
    "out_discards": (0, 19),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    value: int
    bits: int  # 32 or 64


@dataclass(frozen=True, slots=True, kw_only=True)
class InterfaceSample:
    index: int
    name: str
    alias: str
    type: int
    admin_status: str
    oper_status: str
    speed_bps: int
    counters: Mapping[str, Counter]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One device at one moment."""

    at: float  # monotonic seconds
    took_s: float
    uptime_ms: int
    system: Mapping[str, str]
    interfaces: tuple[InterfaceSample, ...]


def sample_of(answer: Mapping[str, Any], *, at: float, took_s: float) -> Sample:
    """answer: values by OID, as the device gave them; what it does not have is missing."""
    names = ("descr", "object_id", "", "contact", "name", "location")
    system = {name: _text(answer.get(oid, "")) for name, oid in zip(names, SYSTEM, strict=True) if name}
    return Sample(
        at=at,
        took_s=took_s,
        uptime_ms=_number(answer.get(SYSTEM[2], 0)) * 10,
        system=system,
        interfaces=tuple(_interface(index, row, more) for index, row, more in _rows(answer)),
    )


def records_of(device: str, before: Sample | None, now: Sample) -> list[bytes]:
    """The documents of an answer: the system, then each interface. before: the answer ahead of this one."""
    restarted = before is not None and has_restarted(before, now)
    document = {
        "kind": "system",
        "device": device,
        "is_up": True,
        "took_ms": round(now.took_s * 1000, 1),
        "uptime_ms": now.uptime_ms,
        "restarted": restarted,
        "system": dict(now.system),
    }
    earlier = {} if before is None or restarted else {(i.index, i.name): i for i in before.interfaces}
    seconds = 0.0 if before is None else now.at - before.at
    rows = [_interface_document(device, earlier.get((i.index, i.name)), i, seconds) for i in now.interfaces]
    return [_line(document), *map(_line, rows)]


def failure_record(device: str, reason: str, detail: str, failures: int) -> bytes:
    """The document of a poll without an answer."""
    facts = {"kind": "failure", "device": device, "is_up": False}
    return _line(facts | {"reason": reason, "detail": detail, "failures": failures})


def has_restarted(before: Sample, now: Sample) -> bool:
    """Whether the device (or its agent) started anew: its uptime went back, other than by its wrap after 497 days."""
    if now.uptime_ms >= before.uptime_ms:
        return False
    return before.uptime_ms + (now.at - before.at) * 1000 + 60_000 < UPTIME_WRAPS_MS


def rate(before: Counter, now: Counter, seconds: float, most_per_s: float) -> float | None:
    """Per second between two readings; None when they do not belong together.

    A 32-bit counter may wrap once; what then comes out above `most_per_s` (0: unknown) was a
    reset. A 64-bit one never wraps in practice, so one that went back was reset.
    """
    if seconds <= 0 or before.bits != now.bits:
        return None
    difference = now.value - before.value
    if difference < 0 and now.bits == 32:
        difference += 2**32
    if difference < 0:
        return None
    value = difference / seconds
    is_reset = now.bits == 32 and most_per_s and value > most_per_s * 1.1
    return None if is_reset else value


def _interface_document(
    device: str, before: InterfaceSample | None, now: InterfaceSample, seconds: float
) -> dict[str, Any]:
    def per_second(name: str, most: float = 0.0) -> float | None:
        if before is None or name not in before.counters or name not in now.counters:
            return None
        return rate(before.counters[name], now.counters[name], seconds, most)

    octets_limit = now.speed_bps / 8
    return {
        "kind": "interface",
        "device": device,
        "index": now.index,
        "name": now.name,
        "alias": now.alias,
        "type": now.type,
        "admin_status": now.admin_status,
        "oper_status": now.oper_status,
        "speed_bps": now.speed_bps,
        "counters": {name: counter.value for name, counter in now.counters.items()},
        "interval_s": None if before is None else round(seconds, 3),
        "in_bps": _times(per_second("in_octets", octets_limit), 8),
        "out_bps": _times(per_second("out_octets", octets_limit), 8),
        "in_errors_per_s": _times(per_second("in_errors"), 1),
        "out_errors_per_s": _times(per_second("out_errors"), 1),
    }


def _times(value: float | None, factor: int) -> float | None:
    return None if value is None else round(value * factor, 3)


def _rows(answer: Mapping[str, Any]) -> list[tuple[int, dict[int, Any], dict[int, Any]]]:
    """The two interface tables by index: {column: value} of each."""
    rows: dict[int, tuple[dict[int, Any], dict[int, Any]]] = {}
    for oid, value in answer.items():
        for place, table in enumerate((INTERFACES, INTERFACES_MORE)):
            if oid.startswith(f"{table}."):
                column, _, index = oid[len(table) + 1 :].partition(".")
                if column.isdigit() and index.isdigit():
                    rows.setdefault(int(index), ({}, {}))[place][int(column)] = value
    return [(index, row, more) for index, (row, more) in sorted(rows.items())]


def _interface(index: int, row: Mapping[int, Any], more: Mapping[int, Any]) -> InterfaceSample:
    counters = {}
    for name, (wide, narrow) in COUNTERS.items():
        if wide and wide in more:
            counters[name] = Counter(value=_number(more[wide]), bits=64)
        elif narrow in row:
            counters[name] = Counter(value=_number(row[narrow]), bits=32)
    megabits = _number(more.get(15, 0))
    return InterfaceSample(
        index=index,
        name=_text(more.get(1, "")) or _text(row.get(2, "")),
        alias=_text(more.get(18, "")),
        type=_number(row.get(3, 0)),
        admin_status=_label(f"{INTERFACES}.7", row.get(7)),
        oper_status=_label(f"{INTERFACES}.8", row.get(8)),
        speed_bps=megabits * 1_000_000 if megabits else _number(row.get(5, 0)),
        counters=counters,
    )


def _label(column: str, value: object) -> str:
    known = object_of(column)
    number = _number(value)
    return known[0].labels.get(number, str(number)) if known and value is not None else "unknown"


def _number(value: object) -> int:
    return int(value) if isinstance(value, (int, float)) else 0


def _text(value: object) -> str:
    text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
    return text.rstrip("\0")


def _line(document: Mapping[str, object] | Sequence[object]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")
