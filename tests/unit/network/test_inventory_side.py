"""From inventory to text: intent, rendering, who depends on whom."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from inventory.model import Province
from network.errors import PlatformError, RenderError, UnknownTarget
from network.intent import intent_of, neighbours_of
from network.plan import intended_of, routers
from network.platform import Platform, load_platform, platform_names
from network.render import render
from network.topology import blast_radius, waves
from network.tree import lines_of, parse

GOLDEN = Path(__file__).parent / "stc-ce1.conf"  # a router with every kind of interface there is


def test_a_router_with_two_uplinks_renders_as_on_file(province: Province) -> None:
    text = intended_of(province, "stc-ce1")
    if os.environ.get("CANH_GOLDEN") == "write":
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_every_router_renders_to_a_configuration_of_its_platform(province: Province, frr: Platform) -> None:
    for name in routers(province):
        tree = parse(intended_of(province, name), frr)
        interfaces = {n.line for n in tree if n.line.startswith("interface ")}
        assert interfaces == {f"interface {i.name}" for i in province.devices[name].interfaces} | {"interface lo"}


def test_management_takes_no_part_in_routing(province: Province, frr: Platform) -> None:
    for name in routers(province):
        (mgmt,) = (n for n in parse(intended_of(province, name), frr) if n.line == "interface mgmt0")
        assert not any("ospf" in line for line in lines_of(mgmt.children))


def test_offices_are_announced_but_not_spoken_to(province: Province) -> None:
    ospf = {i.name: i.ospf for i in intent_of(province, "hh-ce1").interfaces}
    assert ospf["eth2"] is not None and ospf["eth2"].passive
    assert ospf["eth1"] is not None and not ospf["eth1"].passive


def test_a_backup_uplink_costs_more_at_both_ends(province: Province) -> None:
    at_site = {i.name: i.ospf.cost for i in intent_of(province, "stc-ce1").interfaces if i.ospf}
    at_core = {i.name: i.ospf.cost for i in intent_of(province, "core2").interfaces if i.ospf}
    assert (at_site["eth1"], at_site["eth2"], at_core["eth3"]) == (10, 100, 100)


def test_neighbours_are_mutual(province: Province) -> None:
    pairs = {(name, n.device) for name in routers(province) for n in neighbours_of(province, name)}
    assert pairs == {(b, a) for a, b in pairs}
    assert len(pairs) == 20


def test_a_description_cannot_smuggle_a_line_in(province: Province) -> None:
    core1 = province.devices["core1"]
    evil = dataclasses.replace(core1.interfaces[0], description="x\nno router ospf")
    device = dataclasses.replace(core1, interfaces=(evil, *core1.interfaces[1:]))
    hostile = dataclasses.replace(province, devices={**province.devices, "core1": device})
    with pytest.raises(RenderError, match="cannot stand in a configuration line"):
        intent_of(hostile, "core1")


def test_hosts_and_strangers_are_no_routers(province: Province) -> None:
    for name in ("dc-app1", "nobody"):
        with pytest.raises(UnknownTarget):
            intent_of(province, name)
        with pytest.raises(UnknownTarget, match="neither a site nor a router"):
            routers(province, [name])


def test_sites_and_devices_select_routers(province: Province) -> None:
    assert routers(province, ["core", "hh-ce1"]) == ("core1", "core2", "hh-ce1")
    assert len(routers(province)) == 8


def test_a_template_that_names_what_is_not_there_is_refused(province: Province, frr: Platform, tmp_path: Path) -> None:
    (tmp_path / "router.j2").write_text("hostname {{ intent.hostnam }}\n", encoding="utf-8")
    with pytest.raises(PlatformError, match="hostnam"):
        render(intent_of(province, "core1"), dataclasses.replace(frr, templates=tmp_path))


EVERY_OFFICE = ("hh-ce1", "hh-pc1", "stc-ce1", "stc-pc1", "tx-ce1", "tx-pc1")


@pytest.mark.parametrize(
    ("failed", "devices", "sites"),
    [
        (("core1",), ("hh-ce1", "hh-pc1"), ("hh",)),
        (("dc-r1",), (), ()),
        (("stc-ce1",), ("stc-pc1",), ("stc",)),
        (("dc-r1", "dc-r2"), ("core1", "core2", *EVERY_OFFICE), ("core", "hh", "stc", "tx")),
        ((), (), ()),
    ],
)
def test_the_blast_radius_is_what_loses_the_data_centre(
    province: Province, failed: tuple[str, ...], devices: tuple[str, ...], sites: tuple[str, ...]
) -> None:
    radius = blast_radius(province, failed)
    assert (radius.devices, radius.sites) == (devices, sites)


def test_routers_that_stand_in_for_each_other_are_in_different_waves(province: Province) -> None:
    order = waves(province, ["core1", "core2", "hh-ce1", "tx-ce1"])
    assert order == (("hh-ce1",), ("core1", "tx-ce1"), ("core2",))


def test_a_wave_is_never_larger_than_asked(province: Province) -> None:
    assert all(len(w) <= 2 for w in waves(province, routers(province), size=2))


def test_what_must_change_together_does(province: Province) -> None:
    assert waves(province, ["core1", "core2", "dc-r1"], together=[("core1", "core2")]) == (
        ("dc-r1",),
        ("core1", "core2"),
    )


def test_no_vendor_is_named_in_the_engine() -> None:
    words = {part for name in platform_names() for part in name.split("_")} | {"cisco", "vtysh", "huawei", "juniper"}
    engine = Path(__file__).parents[3] / "network"
    for module in engine.glob("*.py"):
        text = module.read_text(encoding="utf-8").lower()
        assert not [word for word in words if word in text], module.name


def test_an_unknown_platform_is_told_the_known_ones() -> None:
    with pytest.raises(PlatformError) as refused:
        load_platform("ios")
    assert "frr" in refused.value.fix


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("nigate: 'no'", "Extra inputs are not permitted"),
        ("secrets: ['^password .*']", "needs a group around the secret"),
        ("failures: []", "at least 1 item"),
        ("warnings: ['(']", "valid regular expression"),
        ("warnings: [", "is not YAML"),
    ],
)
def test_a_broken_platform_file_is_refused(tmp_path: Path, change: str, told: str) -> None:
    (tmp_path / "broken").mkdir()
    made_up = Path(__file__).parent / "platforms/ordered/platform.yaml"
    keep = [x for x in made_up.read_text(encoding="utf-8").splitlines() if not x.startswith(change.split(":")[0])]
    (tmp_path / "broken/platform.yaml").write_text("\n".join([*keep, change]), encoding="utf-8")
    with pytest.raises(PlatformError, match=told):
        load_platform("broken", tmp_path)
