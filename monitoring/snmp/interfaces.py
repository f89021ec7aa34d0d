"""Interfaces of a polled device: status, counters, rates, and how far a link of the inventory is used. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from monitoring.snmp.catalogue import object_of
from monitoring.snmp.metrics import Measurement
from monitoring.snmp.profile import COUNTERS, INTERFACES, Port, number_of, speed_oids

UP, DOWN = "up", frozenset({"down", "lower-layer-down", "not-present"})
Document = dict[str, Any]
Status = tuple[str, str]  # admin, oper


@dataclass(frozen=True, slots=True, kw_only=True)
class Uplink:
    """What the inventory knows of an interface: the link it belongs to."""

    link: str
    bandwidth_bps: int  # as contracted
    is_wan: bool  # between a site and the province's network


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    value: int
    bits: int  # 32 or 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What earlier polls left: statuses of the last, counters of the last that sampled them."""

    statuses: Mapping[str, Status]  # by `Port.key`
    counted_at: float
    counters: Mapping[str, Mapping[str, Counter]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """What this poll brought."""

    at: float  # monotonic seconds
    uptime_ms: int
    values: Mapping[str, Any]  # by OID
    is_sample: bool


def told(
    uplinks: Mapping[str, Uplink], ports: Iterable[Port], before: Before, now: Now
) -> tuple[list[Document], dict[str, Status], dict[str, dict[str, Counter]]]:
    """The documents of interfaces: with each sample, and of one that changed at once."""
    found: list[Document] = []
    statuses: dict[str, Status] = {}
    counted: dict[str, dict[str, Counter]] = {}
    seconds = now.at - before.counted_at
    for port in ports:
        status = _status(port, now.values, 7), _status(port, now.values, 8)
        was = before.statuses.get(port.key)
        statuses[port.key] = status
        change = _change(was, status)
        if not now.is_sample and (was is None or was == status):
            continue
        counters = _counters(port, now.values)
        if now.is_sample:
            counted[port.key] = counters
        uplink = uplinks.get(port.name)
        speed = _speed(port, now.values)
        rates = _rates(before.counters.get(port.key, {}), counters, seconds, speed) if now.is_sample else {}
        found.append(_interface(port, status, change, uplink, now, speed, counters, rates, seconds))
        if now.is_sample and uplink is not None:
            found += _use(port, uplink, rates, speed)
    return found, statuses, counted


def rate(before: Counter, now: Counter, seconds: float, most_per_s: float) -> float | None:
    """Per second between two readings; None when they do not belong together.

    A 32-bit counter may wrap once; where it could have wrapped more often at `most_per_s` (0: unknown), or what
    comes out is above it, nothing can be said. A 64-bit one never wraps in practice: one that went back was reset.
    """
    if seconds <= 0 or before.bits != now.bits:
        return None
    difference = now.value - before.value
    if now.bits == 64:
        return None if difference < 0 else difference / seconds
    if most_per_s and most_per_s * seconds >= 2**32:
        return None
    value = difference % 2**32 / seconds
    return None if most_per_s and value > most_per_s * 1.1 else value


def metric_document(measured: Measurement) -> Document:
    return {"kind": "metric", "name": measured.name, "value": measured.value, "instance": measured.instance}


def _interface(
    port: Port,
    status: Status,
    change: str,
    uplink: Uplink | None,
    now: Now,
    speed: int,
    counters: Mapping[str, Counter],
    rates: Mapping[str, float],
    seconds: float,
) -> Document:
    return {
        "kind": "interface",
        "index": port.index,
        "name": port.name,
        "alias": port.alias,
        "type": port.type,
        "admin_status": status[0],
        "oper_status": status[1],
        "change": change,
        "link": uplink.link if uplink else "",
        "contract_bps": uplink.bandwidth_bps if uplink else None,
        "speed_bps": speed if now.is_sample else None,
        "uptime_ms": now.uptime_ms,
        "counters": {name: counter.value for name, counter in counters.items()},
        "counter_bits": counters["in_octets"].bits if "in_octets" in counters else None,
        "interval_s": round(seconds, 3) if rates else None,
        "in_bps": _times(rates.get("in_octets"), 8),
        "out_bps": _times(rates.get("out_octets"), 8),
        "in_errors_per_s": _times(rates.get("in_errors"), 1),
        "out_errors_per_s": _times(rates.get("out_errors"), 1),
    }


def _use(port: Port, uplink: Uplink, rates: Mapping[str, float], speed: int) -> list[Document]:
    """How far a link of the inventory is used, and how well it works. No rate, no word: a gap is not zero."""
    found = []
    if uplink.is_wan and uplink.bandwidth_bps:
        for name, direction in (("wan_in_pct", "in_octets"), ("wan_out_pct", "out_octets")):
            if direction in rates:
                found.append(Measurement(name, round(rates[direction] * 800 / uplink.bandwidth_bps, 1)))
    if speed and uplink.bandwidth_bps:
        found.append(Measurement("if_speed_pct", min(100, round(speed * 100 / uplink.bandwidth_bps))))
    errors = rates.get("in_errors", 0.0) + rates.get("out_errors", 0.0)
    packets = rates.get("in_packets", 0.0) + rates.get("out_packets", 0.0)
    if packets:
        found.append(Measurement("if_errors_ppm", round(errors / packets * 1_000_000, 1)))
    return [metric_document(m) | {"interface": port.name, "link": uplink.link} for m in found]


def _rates(before: Mapping[str, Counter], now: Mapping[str, Counter], seconds: float, speed: int) -> dict[str, float]:
    found = {}
    for name, counter in now.items():
        most = speed / 8 if name.endswith("octets") else speed / 8 / 64  # packets are of 64 octets at least
        if name in before and (value := rate(before[name], counter, seconds, most)) is not None:
            found[name] = value
    return found


def _counters(port: Port, values: Mapping[str, Any]) -> dict[str, Counter]:
    found = {}
    for name in COUNTERS:
        oid, bits = port.counter_oid(name)
        if isinstance(value := values.get(oid), int):
            found[name] = Counter(value=value, bits=bits)
    return found


def _speed(port: Port, values: Mapping[str, Any]) -> int:
    """Bits per second, 0 when unknown."""
    slow, fast = (number_of(values.get(oid)) for oid in speed_oids(port))
    return fast * 1_000_000 if fast else slow


def _status(port: Port, values: Mapping[str, Any], column: int) -> str:
    value = values.get(f"{INTERFACES}.{column}.{port.index}")
    known = object_of(f"{INTERFACES}.{column}")
    if value is None or known is None:
        return "unknown"
    return known[0].labels.get(number_of(value), str(number_of(value)))


def _change(was: Status | None, now: Status) -> str:
    if was is None or was[1] == now[1]:
        return ""
    if was[1] == UP and now[1] in DOWN:
        return "down"
    return UP if now[1] == UP and was[1] in DOWN else ""


def _times(value: float | None, factor: int) -> float | None:
    return None if value is None else round(value * factor, 3)
