"""What a device has that is worth polling: found out once an hour by walking, asked for by name in between.

Pure but for `Ask`, which a session implements, and tests on a dict.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from sys import intern
from typing import Any, Protocol

from monitoring.snmp.catalogue import Vendor, catalogue, full, object_of
from monitoring.snmp.metrics import Measured, Metric, Row, State, Watched, metric_of, state_of

SYSTEM_GROUP = "1.3.6.1.2.1.1"
SYSTEM = tuple(f"{SYSTEM_GROUP}.{n}.0" for n in (1, 2, 3, 4, 5, 6))
UPTIME, INTERFACE_COUNT = f"{SYSTEM_GROUP}.3.0", "1.3.6.1.2.1.2.1.0"
INTERFACES = "1.3.6.1.2.1.2.2.1"  # IF-MIB ifEntry
INTERFACES_MORE = "1.3.6.1.2.1.31.1.1.1"  # ifXEntry: 64-bit counters
SERIAL = "1.3.6.1.2.1.47.1.1.1.1.11"
BGP_STATE, OSPF_STATE, OSPF_ID = "1.3.6.1.2.1.15.3.1.2", "1.3.6.1.2.1.14.10.1.6", "1.3.6.1.2.1.14.10.1.3"
LLDP_NAME, LLDP_CHASSIS = "1.0.8802.1.1.2.1.4.1.1.9", "1.0.8802.1.1.2.1.4.1.1.5"
LLDP_PORT, LLDP_LOCAL = "1.0.8802.1.1.2.1.4.1.1.7", "1.0.8802.1.1.2.1.3.7.1.3"
MANY, FEW = 40, 8  # rows asked for at once
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


class Ask(Protocol):
    """A device that can be asked."""

    async def get(self, oids: Sequence[str]) -> Mapping[str, Any]:
        """Values by OID; what the device does not have is missing."""
        ...

    async def walk(self, column: str, rows: int) -> Mapping[str, Any]:
        """Values by index of one column; rows: how many to ask for at once."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """An interface as it is between two discoveries."""

    index: int
    name: str
    alias: str
    type: int
    has_wide: bool  # 64-bit counters

    @property
    def key(self) -> str:
        """Of two interfaces of one name each is itself; one with another index is another."""
        return f"{self.index} {self.name}"

    def counter_oid(self, name: str) -> tuple[str, int]:
        """Where a counter is, and of how many bits."""
        wide, narrow = COUNTERS[name]
        if wide and self.has_wide:
            return f"{INTERFACES_MORE}.{wide}.{self.index}", 64
        return f"{INTERFACES}.{narrow}.{self.index}", 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a device has. `poll_oids` are asked for at every poll, `sample_oids` with the samples besides."""

    system: Mapping[str, str]
    version: str  # of its software, "" when it does not say
    serial: str
    interface_count: int
    ports: tuple[Port, ...]
    metrics: tuple[Measured, ...]
    states: tuple[Watched, ...]
    has_bgp: bool
    has_ospf: bool
    lldp_ports: Mapping[str, str]  # local port number: interface; empty when it does not speak LLDP
    poll_oids: tuple[str, ...]
    sample_oids: tuple[str, ...]


async def discover(ask: Ask) -> Profile:
    """Ask a device what it has."""
    answer = await ask.get((*SYSTEM, INTERFACE_COUNT))
    system = _system(answer)
    ports = await _ports(ask)
    vendors = [v for v in catalogue().vendors if v.is_of(system["object_id"])]
    metrics = await _metrics(ask, [m for v in vendors for m in _compiled(v)[0]])
    states = await _states(ask, [s for v in vendors for s in _compiled(v)[1]])
    serials = await ask.walk(SERIAL, FEW)
    frequent = [oid for m in metrics if m.metric.is_frequent for oid in m.oids]
    rare = [oid for m in metrics if not m.metric.is_frequent for oid in m.oids]
    return Profile(
        system=system,
        version=_version(vendors, system["descr"]),
        serial=next((text for s in serials.values() if (text := text_of(s).strip())), ""),
        interface_count=number_of(answer.get(INTERFACE_COUNT)),
        ports=ports,
        metrics=metrics,
        states=states,
        has_bgp=bool(await ask.walk(BGP_STATE, FEW)),
        has_ospf=bool(await ask.walk(OSPF_STATE, FEW)),
        lldp_ports=await _lldp_ports(ask, ports),
        poll_oids=_interned([UPTIME, INTERFACE_COUNT, *_status_oids(ports), *_state_oids(states), *frequent]),
        sample_oids=_interned([*_counter_oids(ports), *rare]),
    )


def text_of(value: object) -> str:
    """A value as text: octets that are no UTF-8 as \\xNN, without trailing zeros; "" for nothing."""
    if value is None:
        return ""
    text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
    return text.rstrip("\0")


def number_of(value: object) -> int:
    """A number; 0 for anything else."""
    return int(value) if isinstance(value, int | float) and value == value and abs(value) < 2**64 else 0


def _system(answer: Mapping[str, Any]) -> dict[str, str]:
    names = ("descr", "object_id", "", "contact", "name", "location")
    return {name: text_of(answer.get(oid)) for name, oid in zip(names, SYSTEM, strict=True) if name}


async def _ports(ask: Ask) -> tuple[Port, ...]:
    descr = await ask.walk(f"{INTERFACES}.2", MANY)
    if not descr:
        return ()
    types, names = await ask.walk(f"{INTERFACES}.3", MANY), await ask.walk(f"{INTERFACES_MORE}.1", MANY)
    aliases, wide = await ask.walk(f"{INTERFACES_MORE}.18", MANY), await ask.walk(f"{INTERFACES_MORE}.6", MANY)
    return tuple(
        Port(
            index=int(index),
            name=intern(text_of(names.get(index)) or text_of(name)),
            alias=text_of(aliases.get(index)),
            type=number_of(types.get(index)),
            has_wide=index in wide,
        )
        for index, name in sorted(descr.items(), key=lambda item: len(item[0]))
        if index.isdigit()
    )


async def _metrics(ask: Ask, metrics: Iterable[Metric]) -> tuple[Measured, ...]:
    """Of several ways to measure the same, the first that the device knows."""
    found: dict[str, Measured] = {}
    for metric in metrics:
        if metric.name not in found and (rows := await _rows(ask, metric)):
            found[metric.name] = Measured(metric=metric, rows=rows)
    return tuple(found.values())


async def _rows(ask: Ask, metric: Metric) -> tuple[Row, ...]:
    indexes = await ask.walk(metric.columns[0][1], FEW)
    for column, wanted in metric.where if indexes else ():
        values = await ask.walk(column, FEW)
        indexes = {i: v for i, v in indexes.items() if text_of(values.get(i)) == wanted}
    if not indexes:
        return ()
    labels = await ask.walk(metric.label, FEW) if metric.label else {}
    scales = await ask.walk(metric.scale, FEW) if metric.scale else {}
    precisions = await ask.walk(metric.precision, FEW) if metric.precision else {}
    return tuple(
        Row(i, text_of(labels.get(i)), 1000.0 ** _power(scales.get(i, 9)) / 10.0 ** _places(precisions.get(i, 0)))
        for i in indexes
    )


def _power(scale: object) -> int:
    """Of a thousand: ENTITY-SENSOR-MIB counts from yocto, 1, over units, 9, to yotta, 17."""
    return min(max(number_of(scale), 1), 17) - 9


def _places(precision: object) -> int:
    return min(max(number_of(precision), -8), 9)


async def _states(ask: Ask, states: Iterable[State]) -> tuple[Watched, ...]:
    found: dict[str, Watched] = {}
    for state in states:
        if state.name in found:
            continue
        if values := await ask.walk(state.column, FEW):
            labels = await ask.walk(state.label, FEW) if state.label else {}
            found[state.name] = Watched(state=state, rows=tuple(Row(i, text_of(labels.get(i))) for i in values))
    return tuple(found.values())


async def _lldp_ports(ask: Ask, ports: Sequence[Port]) -> dict[str, str]:
    """Local port numbers of LLDP are the interface's index, or the port is called like the interface."""
    local = await ask.walk(LLDP_LOCAL, FEW)
    by_index, names = {str(p.index): p.name for p in ports}, {p.name for p in ports}
    found = {}
    for number, value in local.items():
        text = text_of(value)
        found[number] = text if text in names else by_index.get(number, text)
    return found


def _status_oids(ports: Iterable[Port]) -> list[str]:
    return [f"{INTERFACES}.{column}.{p.index}" for p in ports for column in (7, 8)]


def _counter_oids(ports: Iterable[Port]) -> list[str]:
    counters = [p.counter_oid(name)[0] for p in ports for name in COUNTERS]
    return counters + [oid for p in ports for oid in speed_oids(p)]


def speed_oids(port: Port) -> tuple[str, str]:
    """ifSpeed in bit/s, which ends at 4.3 Gbit/s, and ifHighSpeed in Mbit/s."""
    return f"{INTERFACES}.5.{port.index}", f"{INTERFACES_MORE}.15.{port.index}"


def _state_oids(states: Iterable[Watched]) -> list[str]:
    return [oid for watched in states for oid in watched.oids]


def _interned(oids: Iterable[str]) -> tuple[str, ...]:
    """Thousands of devices have the same OIDs: one string for all."""
    return tuple(map(intern, dict.fromkeys(oids)))


def _version(vendors: Iterable[Vendor], descr: str) -> str:
    for vendor in vendors:
        if vendor.version is not None and (read := vendor.version.search(descr)) is not None:
            return read[1]
    return ""


@cache
def _compiled_by_name() -> Mapping[str, tuple[tuple[Metric, ...], tuple[State, ...]]]:
    known = catalogue()
    compiled = {}
    for vendor in known.vendors:
        metrics = tuple(metric_of(m, full) for m in vendor.metrics)
        states = []
        for state in vendor.states:
            listed = object_of(full(state.value))
            labels = known.enumerations[vendor.name, state.enumeration] if state.enumeration else {}
            states.append(state_of(state, labels or (listed[0].labels if listed else {}), full))
        compiled[vendor.name] = (metrics, tuple(states))
    return compiled


def _compiled(vendor: Vendor) -> tuple[tuple[Metric, ...], tuple[State, ...]]:
    return _compiled_by_name()[vendor.name]
