"""The loader on whole provinces: what it makes of a right one, and that no text makes it stumble."""

from __future__ import annotations

import json
import shutil
from datetime import date
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inventory import InventoryError, load, validate, write_allocations
from inventory.allocations import text_of
from inventory.model import Province, Role

MACHINES = {
    "core1": Role.CORE,
    "core2": Role.CORE,
    "dc-r1": Role.DISTRIBUTION,
    "dc-r2": Role.DISTRIBUTION,
    "dc-fw1": Role.FIREWALL,
    "dc-app1": Role.APPLICATION,
    "dc-soc1": Role.SOC,
    "stc-ce1": Role.CE,
    "stc-pc1": Role.WORKSTATION,
    "hh-ce1": Role.CE,
    "hh-pc1": Role.WORKSTATION,
    "tx-ce1": Role.CE,
    "tx-pc1": Role.WORKSTATION,
}


@pytest.fixture(scope="module")
def province(lab: Path) -> Province:
    return load(lab)


def test_the_lab_has_its_thirteen_machines(province: Province) -> None:
    assert {d.name: d.role for d in province.devices.values()} == MACHINES
    assert province.soc.name == "dc-soc1"


def test_the_lab_stays_inside_its_network(province: Province) -> None:
    assert province.lab is not None
    assert all(a in province.lab.network for a in province.device_by_address)
    assert province.lab.station.ip not in province.device_by_address


def test_the_data_centre_and_the_department_have_two_uplinks_and_a_commune_one(province: Province) -> None:
    uplinks = {s.name: [(x, province.links[x].backup) for x in s.uplinks] for s in province.sites.values()}
    assert uplinks == {
        "core": [],
        "dc": [("core1--dc-r1", False), ("core2--dc-r2", False)],
        "hh": [("core1--hh-ce1", False)],
        "stc": [("core1--stc-ce1", False), ("core2--stc-ce1", True)],
        "tx": [("core2--tx-ce1", False)],
    }


def test_both_ends_of_a_link_are_interfaces_of_their_devices(province: Province) -> None:
    for link in province.links.values():
        for end in (link.a, link.b):
            interface = province.devices[end.device].interface(end.interface)
            assert (interface.link, interface.segment, interface.address) == (link.name, link.segment, end.address)


def test_neighbours_are_who_is_at_the_other_end(province: Province) -> None:
    seen = {(n.local.interface, n.remote.device) for n in province.neighbours("stc-ce1")}
    assert seen == {("eth1", "core1"), ("eth2", "core2"), ("eth3", "stc-pc1")}
    assert all(
        n.local.device == d and n.local.address.network == n.remote.address.network
        for d in province.devices
        for n in province.neighbours(d)
    )


def test_any_device_covers_every_in_band_address_and_no_management_address(province: Province) -> None:
    flow = province.flows["devices-syslog"]
    for device in province.devices.values():
        for address in device.addresses:
            covered = any(address in n for n in flow.source_networks)
            assert covered == (address != device.management_address), (device.name, address)
    assert flow.destination_networks == (IPv4Network("10.250.64.74/32"),)


def test_flows_resolve_segments_zones_and_devices(province: Province) -> None:
    lan = {n: province.segments[f"{n}-lan"].prefix for n in ("hh", "tx", "stc")}
    offices = province.flows["offices-app"]
    assert all(any(p.subnet_of(n) for n in offices.source_networks) for p in lan.values())
    assert sum(n.num_addresses for n in offices.source_networks) == sum(p.num_addresses for p in lan.values())
    assert province.flows["stc-app-maintenance"].source_networks == (lan["stc"],)
    polled = province.flows["soc-snmp"]
    assert polled.source_networks == (IPv4Network(province.soc.service_address),)
    for device in province.devices.values():
        assert any(device.service_address in n for n in polled.destination_networks)


def test_out_of_band_flows_end_at_management_addresses(province: Province) -> None:
    flow = province.flows["management-ssh"]
    assert flow.is_out_of_band
    assert flow.source_networks == (province.networks.management,)
    ends = [a for n in flow.destination_networks for a in n]
    assert sorted(ends) == sorted(d.management_address for d in province.devices.values())


def test_units_keep_their_dates_and_successors(province: Province) -> None:
    old = province.units["xa-hoang-ha"]
    assert (old.valid_to, old.successors) == (date(2025, 6, 30), ("xa-hoang-hoa",))


def test_the_committed_allocations_are_as_the_plan_writes_them(lab: Path, tmp_path: Path) -> None:
    shutil.copytree(lab, tmp_path / "lab")
    (tmp_path / "lab/allocations.yaml").unlink()
    write_allocations(tmp_path / "lab")
    assert (tmp_path / "lab/allocations.yaml").read_text() == (lab / "allocations.yaml").read_text()


def test_an_allocation_file_reads_back_as_it_was(demo: Path) -> None:
    from inventory._documents import AllocationsDoc
    from inventory._yaml import read

    document, findings = read(demo / "allocations.yaml", "allocations.yaml")
    assert document is not None and not findings
    assert text_of(AllocationsDoc.model_validate(document.data).to_domain()) == (demo / "allocations.yaml").read_text()


def test_allocating_again_writes_nothing(demo: Path) -> None:
    before = (demo / "allocations.yaml").stat()
    assert write_allocations(demo) == ()
    assert write_allocations(demo, prune=True) == ()
    after = (demo / "allocations.yaml").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_faulty_province_gets_no_allocations(demo: Path) -> None:
    before = (demo / "allocations.yaml").read_bytes()
    (demo / "sites/xn.yaml").write_text("title: x\nprofile: commune\nunit: nobody\nuplinks: [core1]\n")
    with pytest.raises(InventoryError, match="nobody"):
        write_allocations(demo)
    assert (demo / "allocations.yaml").read_bytes() == before
    assert sorted(p.name for p in demo.iterdir()) == sorted(
        ["allocations.yaml", "lists.yaml", "province.yaml", "services.yaml", "sites", "units.yaml"]
    )


def test_a_site_is_a_profile_and_its_exceptions(demo: Path) -> None:
    (demo / "sites/xn.yaml").write_text(
        "title: Xã mới\nprofile: commune\nunit: xa-mau\nzone: departments\nwithout: [pc1]\n"
        "uplinks: [{to: core2, bandwidth: 20M}]\nsegments: {lan: {prefix: 10.100.0.0/22}}\n"
    )
    write_allocations(demo)
    province = load(demo)
    lan = province.segments["xn-lan"]
    assert (str(lan.prefix), lan.zone) == ("10.100.0.0/22", "departments")
    assert province.links["core2--xn-ce1"].bandwidth_bps == 20_000_000
    router = province.devices["xn-ce1"]
    assert str(router.interface("eth2").address) == "10.100.0.1/22"
    assert "xn-pc1" not in province.devices
    assert IPv4Address("10.100.0.1") in province.device_by_address


def test_a_profile_of_the_province_takes_the_place_of_ours(demo: Path) -> None:
    (demo / "profiles").mkdir()
    (demo / "profiles/commune.yaml").write_text(
        "title: Xã không có máy trạm\nzone: communes\ndevices: {ce1: {role: ce}}\n"
        "segments: {lan: {kind: lan, gateway: ce1, size: 26}}\nuplinks: [{from: ce1, bandwidth: 1G}]\n"
    )
    assert validate(demo) == []
    assert "xm-pc1" not in load(demo).devices


def test_findings_come_in_file_order(demo: Path) -> None:
    for name in ("units.yaml", "sites/xm.yaml", "province.yaml", "sites/dc.yaml", "services.yaml", "allocations.yaml"):
        with (demo / name).open("a") as file:
            file.write("surplus: 1\n")
    places = [Path(f.where.rpartition(":")[0]).name for f in validate(demo)]
    assert places == ["province.yaml", "units.yaml", "services.yaml", "dc.yaml", "xm.yaml", "allocations.yaml"]


@pytest.mark.parametrize("name", ["province.yaml", "units.yaml", "services.yaml"])
def test_a_missing_file_is_a_finding(demo: Path, name: str) -> None:
    (demo / name).unlink()
    assert [f.what for f in validate(demo)] == ["the file does not exist"]


def test_a_file_that_would_be_passed_over_is_a_finding(demo: Path) -> None:
    (demo / "sites/xn.yml").write_text("title: x\n")
    assert [f.what for f in validate(demo)] == ['"xn.yml" is not read: its name does not end in .yaml']


def test_a_folder_in_place_of_a_file_is_a_finding(demo: Path) -> None:
    (demo / "sites/xn.yaml").mkdir()
    assert [f.what for f in validate(demo)] == ["the file cannot be read: Is a directory"]


def test_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InventoryError, match="there is no province here"):
        validate(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "text",
    ["a: " + "[" * 5000, "a: " + "{a: " * 200, "x: &a [*a]", "a: &x [1]\nb: [*x, *x]\n", "\x07", "a: !!python/none x"],
    ids=["deep brackets", "deep braces", "a loop", "twice", "a control character", "a python tag"],
)
def test_hostile_yaml_is_findings(demo: Path, text: str) -> None:
    (demo / "sites/xm.yaml").write_text(text)
    assert validate(demo)


def test_a_huge_file_is_refused_unread(demo: Path) -> None:
    (demo / "sites/xm.yaml").write_bytes(b"#" * (17 << 20))
    assert [f.what for f in validate(demo)] == ["the file is larger than 16 MiB"]


WORDS = ["title", "profile", "unit", "uplinks", "zone", "segments", "lan", "commune", "core1", "xa-mau", "to", "no"]
FILES = ["province.yaml", "units.yaml", "services.yaml", "sites/xm.yaml", "allocations.yaml"]
words = st.sampled_from(WORDS)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words | st.text(max_size=4), inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text() | values.map(lambda v: yaml.dump(v, Dumper=yaml.CSafeDumper, allow_unicode=True)) | st.binary())
def test_no_text_makes_the_loader_stumble(text: str | bytes, demo: Path) -> None:
    raw = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    (demo / "sites/xm.yaml").write_bytes(raw)
    findings = validate(demo)
    assert findings, "a site needs a title, a profile and a unit"
    assert all(f.what and f.fix and f.where for f in findings)
    json.dumps([f.as_json() for f in findings])


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.data(),
    name=st.sampled_from(FILES),
)
def test_one_changed_value_is_loaded_or_told(data: st.DataObject, name: str, demo: Path) -> None:
    original = (demo / name).read_text()
    document = yaml.load(original, Loader=yaml.CSafeLoader)
    holder, keys = document, []
    while isinstance(holder, dict | list) and holder:
        key = data.draw(st.sampled_from(list(holder) if isinstance(holder, dict) else list(range(len(holder)))))
        keys.append((holder, key))
        holder = holder[key]
    at, key = data.draw(st.sampled_from(keys))
    at[key] = data.draw(values)
    try:
        (demo / name).write_text(yaml.dump(document, Dumper=yaml.CSafeDumper, allow_unicode=True))
        findings = validate(demo)
        if findings:
            with pytest.raises(InventoryError):
                load(demo)
        else:
            load(demo)
    finally:
        (demo / name).write_text(original)
