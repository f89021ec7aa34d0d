"""A plan: what would change on which device, and what is cut off if it goes wrong. Touches nothing.

A plan is a file, `<data>/plans/<plan_id>.json`; its id is made of its content, so planning twice gives
the same file. It holds no secret: the lines are masked, and applying computes them again.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from inventory.errors import OpsError
from inventory.model import Province
from network.backup import digest
from network.device import Connect
from network.diff import Difference, diff, touched_sections
from network.errors import NotOnFile, UnknownTarget
from network.intent import intent_of
from network.platform import Platform, load_platform
from network.render import render
from network.topology import BlastRadius, blast_radius, waves
from network.tree import Tree, parse

NAMESPACE = uuid.UUID("6f1c5c1e-3d0e-5f0a-9c56-2f6f0d3c7a11")  # of plans and changes
SESSIONS_MAX = 16  # at once from one station; each is a thread and an ssh session
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicePlan:
    """`basis` and `expected` are digests of the configuration before and after; lines are masked."""

    device: str
    site: str
    platform: str
    basis: str
    expected: str
    change: tuple[str, ...]
    rollback: tuple[str, ...]
    blast_radius: BlastRadius


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    plan_id: str
    province: str
    devices: tuple[DevicePlan, ...]  # only those that would change
    waves: tuple[tuple[str, ...], ...]
    blast_radius: BlastRadius  # if all of them fail at once

    def as_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, indent=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One device as it is and as it shall be."""

    device: str
    platform: Platform
    text: str  # as the device shows it, secrets and all: never written down
    running: Tree
    intended: Tree

    @property
    def difference(self) -> Difference:
        return diff(self.running, self.intended, self.platform)


Goal = Callable[[str, str], Reading]  # (device, running configuration as shown) -> what it is and shall be


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What was read, and why the rest could not be."""

    readings: tuple[Reading, ...]
    errors: tuple[OpsError, ...]


def routers(province: Province, targets: Iterable[str] = ()) -> tuple[str, ...]:
    """The routers `targets` (sites or devices) stand for, all of them when there are none.

    Raises UnknownTarget at a name that is neither.
    """
    wanted = set(targets)
    every = tuple(d for d in province.devices.values() if d.is_router)
    for name in sorted(wanted):
        if name not in province.sites and name not in {d.name for d in every}:
            known = ", ".join([*province.sites, *(d.name for d in every)])
            raise UnknownTarget(f"{name!r} is neither a site nor a router", fix=f"choose from: {known}")
    return tuple(d.name for d in every if not wanted or {d.name, d.site} & wanted)


def intended_of(province: Province, device: str) -> str:
    """The configuration the inventory asks of `device`, as text."""
    return render(intent_of(province, device), load_platform(province.devices[device].platform.value))


def survey(connect: Connect, devices: Iterable[str], goal: Goal) -> Survey:
    """Read every device, several at a time; `goal` says what it shall be."""

    def read(name: str) -> Reading:
        device = connect(name)
        try:
            text = device.running()
        finally:
            device.close()
        return goal(name, text)

    readings, errors = each(devices, read)
    return Survey(readings=tuple(readings.values()), errors=tuple(errors.values()))


def to_inventory(province: Province) -> Goal:
    """The goal of plan, apply and drift: what the inventory asks."""
    return lambda name, text: reading_of(province, name, text)


def reading_of(province: Province, name: str, text: str) -> Reading:
    """What is to be said of `name`, whose running configuration is `text`."""
    platform = load_platform(province.devices[name].platform.value)
    return Reading(
        device=name,
        platform=platform,
        text=text,
        running=parse(text, platform, where=f"{name} running-config"),
        intended=parse(intended_of(province, name), platform, where=f"{name} template"),
    )


def plan_of(province: Province, readings: Iterable[Reading], *, wave_size: int | None = None) -> Plan:
    """The plan for the devices read. The ones that need nothing are left out."""
    devices = tuple(_device_plan(province, r) for r in sorted(readings, key=lambda r: r.device) if r.difference)
    names = tuple(d.device for d in devices)
    content = json.dumps([province.slug, wave_size, [asdict(d) for d in devices]], sort_keys=True)
    return Plan(
        plan_id=str(uuid.uuid5(NAMESPACE, content)),
        province=province.slug,
        devices=devices,
        waves=waves(province, names, together=_coupled(province, devices), size=wave_size),
        blast_radius=blast_radius(province, names),
    )


def store(plan: Plan, data_dir: Path) -> Path:
    """Write the plan to its file, whole or not at all."""
    path = data_dir / "plans" / f"{plan.plan_id}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(plan.as_json() + "\n", encoding="utf-8")
    return part.rename(path)


def load_plan(data_dir: Path, plan_id: str) -> Plan:
    """The stored plan whose id is, or begins with, `plan_id`. Raises NotOnFile."""
    folder = data_dir / "plans"
    hits = sorted(folder.glob(f"{plan_id}*.json")) if plan_id.replace("-", "").isalnum() else []
    if len(hits) != 1:
        what = "is more than one plan" if hits else "is no plan on file"
        raise NotOnFile(f"{plan_id!r} {what}", where=folder, fix="make one: canh plan")
    return _plan_from(json.loads(hits[0].read_text(encoding="utf-8")))


def each(names: Iterable[str], work: Callable[[str], T]) -> tuple[dict[str, T], dict[str, OpsError]]:
    """`work(name)` for every name, several at a time: results and errors by name, in the order given."""
    todo = tuple(names)
    results: dict[str, T] = {}
    errors: dict[str, OpsError] = {}
    with ThreadPoolExecutor(max_workers=max(1, min(SESSIONS_MAX, len(todo)))) as pool:
        futures = {name: pool.submit(work, name) for name in todo}
        for name, future in futures.items():
            try:
                results[name] = future.result()
            except OpsError as error:
                errors[name] = error
    return results, errors


def each_or_raise(names: Iterable[str], work: Callable[[str], T]) -> dict[str, T]:
    """As `each`, but all or nothing: raises the first error once every one has ended."""
    results, errors = each(names, work)
    for error in errors.values():
        raise error
    return results


def masked_lines(lines: Iterable[str], platform: Platform) -> tuple[str, ...]:
    return tuple(_masked_line(line, platform) for line in lines)


def _masked_line(line: str, platform: Platform) -> str:
    """A typed line without its secret, also when it removes a line that has one."""
    prefix = f"{platform.negate} "
    return prefix + platform.masked(line.removeprefix(prefix)) if line.startswith(prefix) else platform.masked(line)


def _device_plan(province: Province, reading: Reading) -> DevicePlan:
    difference, platform = reading.difference, reading.platform
    return DevicePlan(
        device=reading.device,
        site=province.devices[reading.device].site,
        platform=platform.name,
        basis=digest(reading.running, platform),
        expected=digest(reading.intended, platform),
        change=masked_lines(difference.change, platform),
        rollback=masked_lines(difference.rollback, platform),
        blast_radius=blast_radius(province, (reading.device,)),
    )


def _coupled(province: Province, devices: Iterable[DevicePlan]) -> tuple[tuple[str, str], ...]:
    """Pairs whose common link changes at both ends: what must agree on it would not, in between."""
    touched = {
        d.device: {word for top in touched_sections(d.change, load_platform(d.platform)) for word in top.split()}
        for d in devices
    }
    return tuple(
        (link.a.device, link.b.device)
        for link in province.links.values()
        if link.a.interface in touched.get(link.a.device, ()) and link.b.interface in touched.get(link.b.device, ())
    )


def _plan_from(document: Mapping[str, Any]) -> Plan:
    def radius(found: Mapping[str, Any]) -> BlastRadius:
        return BlastRadius(devices=tuple(found["devices"]), sites=tuple(found["sites"]))

    devices = tuple(
        DevicePlan(
            **{**d, "change": tuple(d["change"]), "rollback": tuple(d["rollback"])}
            | {"blast_radius": radius(d["blast_radius"])}
        )
        for d in document["devices"]
    )
    return Plan(
        plan_id=document["plan_id"],
        province=document["province"],
        devices=devices,
        waves=tuple(tuple(w) for w in document["waves"]),
        blast_radius=radius(document["blast_radius"]),
    )
