"""Laws of the address plan: nothing overlaps, nothing moves, the same input gives the same plan."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from inventory._assembly import assemble
from inventory._checks import check
from inventory._documents import AllocationsDoc, SiteDoc
from inventory._expand import expand
from inventory._reading import Folder, Read, Reading, read_folder
from inventory._yaml import Document
from inventory.allocations import Allocations, text_of
from inventory.init import write_skeleton
from inventory.model import Province
from inventory.plan import PoolExhausted, allocate, missing, release

NAMES = [f"s{n}" for n in range(12)]
KEPT = ("core", "dc", "stc", "xm")
EMPTY = Allocations(loopbacks={}, management={}, transit={}, segments={}, ports={})


def _skeleton() -> Reading:
    with TemporaryDirectory() as folder:
        write_skeleton("demo", Path(folder))
        reading, findings = read_folder(Path(folder))
    assert not findings
    return reading


READING = _skeleton()
BASE = READING.whole()
assert BASE is not None


@st.composite
def some_sites(draw: st.DrawFn) -> dict[str, SiteDoc]:
    """Up to a dozen communes and departments, some with exceptions."""
    found = {}
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True)):
        profile = draw(st.sampled_from(["commune", "department"]))
        uplinks = draw(st.permutations(["core1", "core2"]))[: 1 if profile == "commune" else draw(st.integers(1, 2))]
        document = {"title": f"Xã {name}", "profile": profile, "unit": "xa-mau", "uplinks": uplinks}
        # A size goes with the name: a site that comes back with another size is a fault of its own.
        document["segments"] = {"lan": {"size": (23, 25, 28, 30)[NAMES.index(name) % 4]}}
        if draw(st.booleans()):
            document["without"] = ["pc1"]
        found[name] = SiteDoc.model_validate(document)
    return found


def with_sites(sites: dict[str, SiteDoc]) -> Folder:
    """The skeleton and these sites, in the order of their names."""
    written = {
        n: Read(document=Document(path=Path(f"{n}.yaml"), shown=f"sites/{n}.yaml", data={}, lines={}), says=s)
        for n, s in sites.items()
    }
    return replace(BASE, sites=dict(sorted({**BASE.sites, **written}.items())))


def planned(folder: Folder, given_out: Allocations) -> Allocations:
    return allocate(expand(folder), given_out, folder.province.says.networks.to_domain())


def province_of(folder: Folder, allocations: Allocations) -> Province:
    return assemble(folder, expand(folder), allocations)


@settings(max_examples=30, deadline=None)
@given(before=some_sites(), after=some_sites())
def test_adding_and_removing_sites_never_renumbers_another(
    before: dict[str, SiteDoc], after: dict[str, SiteDoc]
) -> None:
    first = planned(with_sites(before), EMPTY)
    second = planned(with_sites(after), first)
    for kind in Allocations.__slots__:
        assert getattr(first, kind).items() <= getattr(second, kind).items()
    old, new = province_of(with_sites(before), first), province_of(with_sites(after), second)
    unchanged = {*KEPT, *(n for n in before if after.get(n) == before[n])}
    for name, device in old.devices.items():
        if device.site not in unchanged:
            continue
        now = new.devices[name]
        assert (now.loopback, now.management_address) == (device.loopback, device.management_address)
        assert {i for i in device.interfaces if i.link is None or i.link in new.links} <= set(now.interfaces)
    assert {s for s in old.segments.values() if s.site in unchanged} <= set(new.segments.values())


@settings(max_examples=30, deadline=None)
@given(steps=st.lists(st.tuples(some_sites(), st.booleans()), min_size=1, max_size=3))
def test_no_two_things_share_an_address_or_an_interface(steps: list[tuple[dict[str, SiteDoc], bool]]) -> None:
    allocations = EMPTY
    for sites, prune in steps:
        folder = with_sites(sites)
        allocations = planned(folder, release(expand(folder), allocations) if prune else allocations)
    province = province_of(folder, allocations)
    addresses = [a for d in province.devices.values() for a in d.addresses]
    assert len(addresses) == len(set(addresses))
    prefixes = sorted(
        [s.prefix for s in province.segments.values()]
        + [x.a.address.network for x in province.links.values() if x.segment is None]
        + [IPv4Network(d.loopback) for d in province.devices.values() if d.loopback],
        key=lambda n: int(n.network_address),
    )
    assert all(not a.overlaps(b) for a, b in pairwise(prefixes))
    for device in province.devices.values():
        names = [i.name for i in device.interfaces]
        assert len(names) == len(set(names))
        assert all(i.address.ip in i.address.network for i in device.interfaces)
    for link in province.links.values():
        assert link.a.address.network == link.b.address.network
        assert link.a.address.ip != link.b.address.ip


@settings(max_examples=40, deadline=None)
@given(sites=some_sites())
def test_a_second_plan_changes_nothing_and_nothing_is_missing(sites: dict[str, SiteDoc]) -> None:
    folder = with_sites(sites)
    first = planned(folder, EMPTY)
    assert missing(expand(folder), first) == ()
    assert planned(folder, first) == first == planned(with_sites(dict(reversed(sites.items()))), EMPTY)
    assert release(expand(folder), first) == first


@settings(max_examples=40, deadline=None)
@given(sites=some_sites())
def test_what_the_plan_gives_out_has_no_findings(sites: dict[str, SiteDoc]) -> None:
    folder = with_sites(sites)
    allocations = planned(folder, EMPTY)
    says = AllocationsDoc.model_validate(yaml.safe_load(text_of(allocations)))
    whole = replace(READING, sites=folder.sites, allocations=replace(folder.allocations, says=says))
    assert list(check(whole, expand(whole), addressed=True)) == []


def test_release_frees_what_is_gone_and_the_next_site_takes_it() -> None:
    commune = SiteDoc.model_validate({"title": "Xã", "profile": "commune", "unit": "xa-mau", "uplinks": ["core1"]})
    first = planned(with_sites({"s1": commune}), EMPTY)
    kept = planned(with_sites({"s2": commune}), first)
    assert kept.loopbacks["s2-ce1"] != first.loopbacks["s1-ce1"]
    freed = planned(with_sites({"s2": commune}), release(expand(with_sites({"s2": commune})), first))
    assert freed.loopbacks["s2-ce1"] == first.loopbacks["s1-ce1"]
    assert "s1-ce1" not in freed.loopbacks


def test_the_station_and_the_first_ten_management_addresses_are_never_given_out() -> None:
    networks = BASE.province.says.networks.to_domain()
    taken = [IPv4Address("10.1.0.11"), IPv4Address("10.1.0.13")]
    plan = allocate(expand(BASE), EMPTY, networks, taken)
    assert min(plan.management.values()) == IPv4Address("10.1.0.12")
    assert not set(taken) & set(plan.management.values())


@pytest.mark.parametrize(
    ("kind", "pool"),
    [
        ("loopbacks", "10.0.0.0/30"),
        ("transit", "10.0.64.0/30"),
        ("management", "10.1.0.0/28"),
        ("segments", "10.64.0.0/25"),
    ],
)
def test_a_full_network_is_refused_by_name(kind: str, pool: str) -> None:
    networks = replace(BASE.province.says.networks.to_domain(), **{kind: IPv4Network(pool)})
    with pytest.raises(PoolExhausted, match="has no room left") as refused:
        allocate(expand(BASE), EMPTY, networks)
    assert f"networks.{kind}" in refused.value.fix
