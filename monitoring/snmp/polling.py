"""What a polled device's answer says: state, counters, rates, and what changed. Pure: answers in, documents out.

The documents are described in the package's docstring. `Memory` is what one poll leaves for the next.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from monitoring.snmp import neighbours
from monitoring.snmp.catalogue import object_of
from monitoring.snmp.metrics import Measurement, Watched, measurements
from monitoring.snmp.profile import COUNTERS, INTERFACE_COUNT, INTERFACES, UPTIME, Port, Profile, number_of, speed_oids

UPTIME_WRAPS_MS = 2**32 * 10
UP, DOWN = "up", frozenset({"down", "lower-layer-down", "not-present"})
Document = dict[str, Any]
_ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


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
class Reading:
    """What a device answered to one poll."""

    at: float  # monotonic seconds
    took_s: float
    values: Mapping[str, Any]  # by OID
    is_sample: bool  # counters and slow measurements were asked for too
    bgp: Mapping[str, int] = field(default_factory=dict)  # peer: bgpPeerState
    ospf: Mapping[str, int] = field(default_factory=dict)  # neighbour's address: ospfNbrState
    ospf_ids: Mapping[str, str] = field(default_factory=dict)
    lldp: Mapping[str, neighbours.Remote] | None = None  # by local port; None: not asked
    engine_id: str = ""  # hex; "" for v1 and v2c

    @property
    def uptime_ms(self) -> int:
        return number_of(self.values.get(UPTIME)) * 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What ought to stay the same."""

    version: str = ""
    serial: str = ""
    engine_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What is remembered of a device from poll to poll; `is_known` False: nothing to compare with yet."""

    is_known: bool = False
    at: float = 0.0
    uptime_ms: int = 0
    ports: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # name: admin and oper status
    counted_at: float = 0.0
    counters: Mapping[str, Mapping[str, Counter]] = field(default_factory=dict)  # by port
    bad: Mapping[str, str] = field(default_factory=dict)  # state/row: word, of those that are bad
    identity: Identity = field(default_factory=Identity)
    neighbours: neighbours.Neighbours = field(default_factory=neighbours.Neighbours)


def documents_of(
    device: str, uplinks: Mapping[str, Uplink], profile: Profile, before: Memory, now: Reading
) -> tuple[list[bytes], Memory]:
    """What to keep of an answer, and what to remember of it."""
    restarted = before.is_known and has_restarted(before, now)
    found: list[Document] = [_system(profile, now, restarted)]
    found += _identities(before.identity, identity := _identity(profile, now))
    earlier = replace(before, counters={}) if restarted else before
    ports, statuses, counters = _ports(uplinks, profile, earlier, now)
    found += ports
    states, bad = _states(profile.states, before, now)
    found += states
    found += [_metric(m) for measured in profile.metrics if now.is_sample or measured.metric.is_frequent
              for m in measurements(measured, now.values)]  # fmt: skip
    if now.is_sample and any(u.is_wan for u in uplinks.values()):
        up = sum(1 for name, u in uplinks.items() if u.is_wan and statuses.get(name, ("", ""))[1] == UP)
        found.append(_metric(Measurement("circuits_up", up)))
    changes, known = neighbours.compared(before.neighbours, now.bgp, now.ospf, now.ospf_ids, now.lldp, profile)
    found += [_with_role(c, uplinks) for c in changes]
    memory = Memory(
        is_known=True,
        at=now.at,
        uptime_ms=now.uptime_ms,
        ports=statuses,
        counted_at=now.at if now.is_sample else before.counted_at,
        counters=counters if now.is_sample else earlier.counters,
        bad=bad,
        identity=identity,
        neighbours=known,
    )
    return [line({"kind": d.pop("kind"), "device": device} | d) for d in found], memory


def failure_record(device: str, reason: str, detail: str, failures: int) -> bytes:
    """The document of a poll without an answer."""
    facts = {"kind": "failure", "device": device, "is_up": False}
    return line(facts | {"reason": reason, "detail": detail, "failures": failures})


def has_restarted(before: Memory, now: Reading) -> bool:
    """Whether the device (or its agent) started anew: its uptime went back, other than by its wrap after 497 days."""
    if now.uptime_ms >= before.uptime_ms:
        return False
    return before.uptime_ms + (now.at - before.at) * 1000 + 60_000 < UPTIME_WRAPS_MS


def has_changed(profile: Profile, before: Memory, now: Reading) -> bool:
    """Whether what the device has must be found out again."""
    count = number_of(now.values.get(INTERFACE_COUNT))
    return count != profile.interface_count or (before.is_known and has_restarted(before, now))


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


def line(document: Mapping[str, object] | Sequence[object]) -> bytes:
    return _ENCODE(document).encode("utf-8", "backslashreplace")


def _system(profile: Profile, now: Reading, restarted: bool) -> Document:
    return {
        "kind": "system",
        "is_up": True,
        "took_ms": round(now.took_s * 1000, 1),
        "uptime_ms": now.uptime_ms,
        "restarted": restarted,
        "system": dict(profile.system),
    }


def _identity(profile: Profile, now: Reading) -> Identity:
    return Identity(version=profile.version, serial=profile.serial, engine_id=now.engine_id)


def _identities(before: Identity, now: Identity) -> list[Document]:
    """A version is told when it is first seen, the others only when they change."""
    found = []
    for what, was, value in (
        ("version", before.version, now.version),
        ("serial", before.serial, now.serial),
        ("engine", before.engine_id, now.engine_id),
    ):
        if value and value != was and (was or what == "version"):
            found.append({"kind": "identity", "what": what, "was": was, "now": value})
    return found


def _ports(
    uplinks: Mapping[str, Uplink], profile: Profile, before: Memory, now: Reading
) -> tuple[list[Document], dict[str, tuple[str, str]], dict[str, dict[str, Counter]]]:
    """The documents of interfaces: with each sample, and of one that changed at once."""
    found: list[Document] = []
    statuses: dict[str, tuple[str, str]] = {}
    counted: dict[str, dict[str, Counter]] = {}
    seconds = now.at - before.counted_at
    for port in profile.ports:
        status = _status(port, now.values, 7), _status(port, now.values, 8)
        was = before.ports.get(port.name)
        statuses[port.name] = status
        change = _change(was, status)
        if not now.is_sample and (was is None or was == status):
            continue
        counters = _counters(port, now.values)
        if now.is_sample:
            counted[port.name] = counters
        uplink = uplinks.get(port.name)
        speed = _speed(port, now.values)
        rates = _rates(before.counters.get(port.name, {}), counters, seconds, speed) if now.is_sample else {}
        found.append(_interface(port, status, change, uplink, now, speed, counters, rates, seconds))
        if now.is_sample and uplink is not None:
            found += _use(port, uplink, rates, speed, before.counters.get(port.name, {}), counters)
    return found, statuses, counted


def _interface(
    port: Port,
    status: tuple[str, str],
    change: str,
    uplink: Uplink | None,
    now: Reading,
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


def _use(
    port: Port,
    uplink: Uplink,
    rates: Mapping[str, float],
    speed: int,
    before: Mapping[str, Counter],
    now: Mapping[str, Counter],
) -> list[Document]:
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
    return [_metric(m) | {"interface": port.name, "link": uplink.link} for m in found]


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


def _change(was: tuple[str, str] | None, now: tuple[str, str]) -> str:
    if was is None or was[1] == now[1]:
        return ""
    if was[1] == UP and now[1] in DOWN:
        return "down"
    return UP if now[1] == UP and was[1] in DOWN else ""


def _states(watched: Iterable[Watched], before: Memory, now: Reading) -> tuple[list[Document], dict[str, str]]:
    """What went bad or is well again. What is bad when first seen is told too."""
    found: list[Document] = []
    bad: dict[str, str] = {}
    for each in watched:
        for row, oid in zip(each.rows, each.oids, strict=True):
            key, was = f"{each.state.name}/{row.index}", before.bad.get(f"{each.state.name}/{row.index}")
            if (value := now.values.get(oid)) is None:
                if was is not None:
                    bad[key] = was  # not told this time: as it was
                continue
            word = each.state.labels.get(number_of(value), str(number_of(value)))
            is_bad = word in each.state.bad
            if is_bad:
                bad[key] = word
            if is_bad == (was is not None):
                continue
            found.append({"kind": "state", "part": each.state.name, "instance": row.label or row.index,
                          "state": word, "was": was or "", "action": each.state.action,
                          "cleared": "" if is_bad else each.state.cleared or "alarm-cleared"})  # fmt: skip
    return found, bad


def _metric(measured: Measurement) -> Document:
    return {"kind": "metric", "name": measured.name, "value": measured.value, "instance": measured.instance}


def _with_role(document: Document, uplinks: Mapping[str, Uplink]) -> Document:
    """An LLDP neighbour on a link of the inventory is on an uplink."""
    if document.get("interface") in uplinks:
        return document | {"role": "uplink", "link": uplinks[document["interface"]].link}
    return document


def _times(value: float | None, factor: int) -> float | None:
    return None if value is None else round(value * factor, 3)
