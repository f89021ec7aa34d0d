"""From the inventory to a lab's machines and links."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from infra.errors import LabError
from infra.layout import Keys, SocPaths, kinds_of, layout_of
from infra.spec import LabSpec, MachineSpec
from inventory.model import Province
from tests.unit.infra.goldens import assert_reads


def file_of(machine: MachineSpec, path: str) -> str:
    return next(f.content for f in machine.files if f.path == path)


def network_of(machine: MachineSpec, interface: str) -> list[str]:
    return file_of(machine, f"/etc/systemd/network/10-canh-{interface}.network").splitlines()


def test_every_interface_gets_its_planned_address(province: Province, layout: LabSpec) -> None:
    for machine in layout.machines:
        device = province.devices[machine.device]
        for interface in device.interfaces:
            assert f"Address={interface.address}" in network_of(machine, interface.name)
        if device.loopback is not None:
            assert f"Address={device.loopback}/32" in network_of(machine, "lo")


def test_a_host_leaves_by_the_router_of_its_segment_and_a_router_by_none(layout: LabSpec) -> None:
    by_name = {machine.device: machine for machine in layout.machines}
    assert "Gateway=10.250.65.1" in network_of(by_name["stc-pc1"], "eth1")
    assert "Gateway=10.250.64.65" in network_of(by_name["dc-soc1"], "eth1")
    for machine in layout.machines:
        gateways = [f.path for f in machine.files if "Gateway=" in f.content]
        assert (gateways == []) == machine.forwards
        assert not any("mgmt0" in path for path in gateways), "the management segment leads nowhere"


def test_both_ends_of_a_link_are_interfaces_of_the_inventory(province: Province, layout: LabSpec) -> None:
    ends = [(end.device, end.interface) for link in layout.links for end in (link.a, link.b)]
    assert len(ends) == len(set(ends)) == 2 * len(province.links)
    for device, interface in ends:
        assert province.devices[device].interface(interface).link is not None


def test_every_mac_is_its_own_and_locally_administered(layout: LabSpec) -> None:
    macs = [end.mac for link in layout.links for end in (link.a, link.b)] + [m.mac for m in layout.machines]
    assert len(macs) == len(set(macs))
    assert all(int(mac[:2], 16) & 0b11 == 0b10 for mac in macs), "local, unicast"


def test_only_the_soc_host_sees_the_host(layout: LabSpec) -> None:
    bound = {m.device: [(b.source, b.target, b.is_read_only) for b in m.binds] for m in layout.machines if m.binds}
    assert bound == {
        "dc-soc1": [
            ("/app", "/opt/canh/app", True),
            ("/lib", "/opt/canh/lib", True),
            ("/data", "/var/lib/canh", False),
            ("", "/var/lib/canh/lab", True),
        ]
    }


def test_a_second_look_gives_the_same_lab(province: Province, keys: Keys, layout: LabSpec) -> None:
    paths = SocPaths(app=layout.data_dir.parent / "app", lib=layout.data_dir.parent / "lib", data=layout.data_dir)
    again = layout_of(province, lab="unit", keys=keys, layers_of=lambda k: (f"/{k}", "/base"), soc_paths=paths)
    assert again == layout
    assert [m.digest for m in again.machines] == [m.digest for m in layout.machines]


def test_the_digest_sees_every_change_of_a_machine(layout: LabSpec) -> None:
    machine = layout.machines[0]
    first, *rest = machine.files
    others = [
        replace(machine, lab="other"),
        replace(machine, layers=("/newer", "/base")),
        replace(machine, forwards=not machine.forwards),
        replace(machine, files=(replace(first, content=first.content + " "), *rest)),
        replace(machine, files=(replace(first, mode=0o600), *rest)),
        replace(machine, files=tuple(rest)),
    ]
    assert len({m.digest for m in (machine, *others)}) == len(others) + 1


def test_no_secret_is_in_a_repr(layout: LabSpec, keys: Keys) -> None:
    assert "PRIVATE" not in repr(layout)
    assert "PRIVATE" not in repr(keys)
    assert any(f.is_secret and "PRIVATE" in f.content for m in layout.machines for f in m.files)


def test_a_province_without_a_lab_section_is_refused(province: Province, keys: Keys, layout: LabSpec) -> None:
    paths = SocPaths(app=layout.data_dir, lib=layout.data_dir, data=layout.data_dir)
    with pytest.raises(LabError) as refused:
        layout_of(replace(province, lab=None), lab="unit", keys=keys, layers_of=lambda kind: (), soc_paths=paths)
    assert_reads("no-lab-section", str(refused.value))


def test_each_kind_of_image_is_asked_for_once(province: Province) -> None:
    assert kinds_of(province) == ("router", "firewall", "application", "soc", "workstation")


def test_the_soc_host_sees_no_keys_of_the_lab_through_the_checkout_either() -> None:
    binds = SocPaths(app=Path("/app"), lib=Path("/lib"), data=Path("/app/var/test")).binds
    assert [b.target for b in binds if not b.source] == ["/var/lib/canh/lab", "/opt/canh/app/var"]
