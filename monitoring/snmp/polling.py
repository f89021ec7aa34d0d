"""What a polled device's answer says: state, counters, rates, and what changed. Pure: answers in, documents out.

The documents are described in the package's docstring. `Memory` is what one poll leaves for the next.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from monitoring.snmp import interfaces, neighbours
from monitoring.snmp.interfaces import UP, Before, Counter, Now, Status, Uplink, metric_document
from monitoring.snmp.metrics import Measurement, Watched, measurements
from monitoring.snmp.profile import INTERFACE_COUNT, UPTIME, Profile, number_of

UPTIME_WRAPS_MS = 2**32 * 10
Document = dict[str, Any]
_ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


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
    ports: Mapping[str, Status] = field(default_factory=dict)  # by `Port.key`
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
    ports, statuses, counters = interfaces.told(
        uplinks,
        profile.ports,
        Before(statuses=earlier.ports, counted_at=earlier.counted_at, counters=earlier.counters),
        Now(at=now.at, uptime_ms=now.uptime_ms, values=now.values, is_sample=now.is_sample),
    )
    found += ports
    states, bad = _states(profile.states, before, now)
    found += states
    found += [metric_document(m) for measured in profile.metrics if now.is_sample or measured.metric.is_frequent
              for m in measurements(measured, now.values)]  # fmt: skip
    if now.is_sample and any(u.is_wan for u in uplinks.values()):
        wan = [p for p in profile.ports if p.name in uplinks and uplinks[p.name].is_wan]
        up = sum(statuses[p.key][1] == UP for p in wan)
        found.append(metric_document(Measurement("circuits_up", up)))
        declared = sum(u.is_wan for u in uplinks.values())
        if declared > 1:  # of those that are to stand in for each other
            found.append(metric_document(Measurement("circuits_lost", declared - up)))
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


def _with_role(document: Document, uplinks: Mapping[str, Uplink]) -> Document:
    """An LLDP neighbour on a link of the inventory is on an uplink."""
    if document.get("interface") in uplinks:
        return document | {"role": "uplink", "link": uplinks[document["interface"]].link}
    return document
