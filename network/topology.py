"""Who depends on whom: what loses its path when devices fail, and in which waves to change them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from inventory.model import Province, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class BlastRadius:
    """What is cut off when the devices a change touches fail: sorted names, the failed devices not among them."""

    devices: tuple[str, ...]
    sites: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.devices)


def blast_radius(province: Province, failed: Collection[str]) -> BlastRadius:
    """What can no longer reach any host of the data centre (applications, SOC) once `failed` are gone."""
    gone = set(failed)
    before, after = _served(province, set()), _served(province, gone)
    cut = before - after - gone
    sites = {province.devices[name].site for name in cut}
    return BlastRadius(devices=tuple(sorted(cut)), sites=tuple(sorted(sites)))


def waves(
    province: Province, devices: Iterable[str], *, together: Iterable[tuple[str, str]] = (), size: int | None = None
) -> tuple[tuple[str, ...], ...]:
    """`devices` in the order to change them: one canary with the smallest blast radius, then the rest.

    Devices that stand in for each other are never in one wave: their joint blast radius would be more
    than that of each alone. `together` are pairs that must change at once (both ends of a link whose
    parameters change), whatever that costs. size: most devices in a wave, None for as many as may.
    """
    groups = _groups(sorted(set(devices)), together)
    groups.sort(key=lambda g: (len(blast_radius(province, g)), g))
    result: list[list[str]] = []
    for group in groups:
        if len(result) > 1 and _fits(province, result[-1], group, size):
            result[-1].extend(group)
        else:
            result.append(list(group))
    return tuple(tuple(sorted(wave)) for wave in result)


def _fits(province: Province, wave: Sequence[str], group: Sequence[str], size: int | None) -> bool:
    if size is not None and len(wave) + len(group) > size:
        return False
    alone = {*blast_radius(province, wave).devices, *blast_radius(province, group).devices}
    return set(blast_radius(province, [*wave, *group]).devices) <= alone


def _groups(names: Sequence[str], together: Iterable[tuple[str, str]]) -> list[tuple[str, ...]]:
    """`names` in sets of those that must change at once."""
    group_of = {name: {name} for name in names}
    for a, b in together:
        if a in group_of and b in group_of and group_of[a] is not group_of[b]:
            merged = group_of[a] | group_of[b]
            for name in merged:
                group_of[name] = merged
    return sorted({tuple(sorted(group)) for group in group_of.values()})


def _served(province: Province, gone: set[str]) -> set[str]:
    """Every device with a path to a host of the data centre that is not itself."""
    near: dict[str, set[str]] = {name: set() for name in province.devices if name not in gone}
    for link in province.links.values():
        if link.a.device in near and link.b.device in near:
            near[link.a.device].add(link.b.device)
            near[link.b.device].add(link.a.device)
    anchors = [d.name for d in province.devices_of(Role.APPLICATION, Role.SOC) if d.name in near]
    served: set[str] = set()
    for anchor in anchors:
        served |= _reached(near, anchor) - {anchor}
    return served


def _reached(near: dict[str, set[str]], start: str) -> set[str]:
    """Every device with a path to `start`, itself included. Hosts do not forward."""
    seen, todo = {start}, [start]
    while todo:
        for name in near[todo.pop()] - seen:
            seen.add(name)
            todo.append(name)
    return seen
