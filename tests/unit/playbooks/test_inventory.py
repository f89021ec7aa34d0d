"""The derived Ansible inventory: complete, without secrets, and no wider than the declared flows."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from ipaddress import ip_address, ip_network
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

import inventory
from inventory.model import Province, Role

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOKS = ROOT / "playbooks"
LAB = ROOT / "inventory/provinces/lab"
KINDS = ("router", "firewall", "application", "soc", "workstation")


def _module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ansible_inventory", PLAYBOOKS / "inventory.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


derived = _module()


@pytest.fixture(scope="module")
def province() -> Province:
    return inventory.load(LAB)


@pytest.fixture(scope="module")
def document(province: Province) -> dict[str, Any]:
    return dict(derived.ansible_inventory(province, LAB, Path("/data"), list(province.devices)))


def test_every_device_is_in_exactly_one_kind(province: Province, document: dict[str, Any]) -> None:
    hosts = [name for kind in KINDS for name in document[kind]["hosts"]]
    assert sorted(hosts) == sorted(province.devices)


def test_groups_follow_role_site_and_platform(document: dict[str, Any]) -> None:
    assert document["role_ce"]["hosts"] == ["hh-ce1", "stc-ce1", "tx-ce1"]
    assert document["site_dc"]["hosts"] == ["dc-r1", "dc-r2", "dc-fw1", "dc-app1", "dc-soc1"]
    assert set(document["platform_frr"]["hosts"]) == set(document["router"]["hosts"] + document["firewall"]["hosts"])


def test_role_host_gets_every_value_it_requires(document: dict[str, Any]) -> None:
    """The contract between the two: meta/argument_specs.yml of role host."""
    specification = yaml.safe_load((PLAYBOOKS / "roles/host/meta/argument_specs.yml").read_text())
    options = specification["argument_specs"]["main"]["options"]
    required = {name for name, option in options.items() if option.get("required") and name.startswith("canh_")}
    for name, variables in document["_meta"]["hostvars"].items():
        assert required <= set(variables) | set(document["all"]["vars"]), name


def test_no_secret_is_in_the_inventory(tmp_path: Path, province: Province) -> None:
    (tmp_path / "secrets.json").write_text(json.dumps({"device": {"password": "hunter2"}}))
    text = json.dumps(derived.ansible_inventory(province, LAB, tmp_path, list(province.devices)))
    assert "hunter2" not in text and "password" not in text


def test_only_machines_of_the_lab_are_hosts(tmp_path: Path, province: Province) -> None:
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab/lab.json").write_text(json.dumps({"machines": {"hh-ce1": {}, "core1": {}}}))
    assert derived.machines_up(tmp_path, province) == ["core1", "hh-ce1"]
    assert derived.machines_up(tmp_path / "none", province) == list(province.devices)


def _forwards(province: Province, device: str, source: str, destination: str, protocol: str, port: int) -> bool:
    """Whether the filter of `device` lets a new connection through; the rules are all that does."""
    return any(
        rule.protocol == protocol
        and rule.port == port
        and any(ip_address(source) in ip_network(n) for n in rule.sources)
        and any(ip_address(destination) in ip_network(n) for n in rule.destinations)
        for rule in derived.forward_rules(province, province.devices[device])
    )


def test_a_commune_reaches_the_application_through_every_router_on_the_way(province: Province) -> None:
    pc, app = (str(province.devices[n].service_address) for n in ("hh-pc1", "dc-app1"))
    for router in ("hh-ce1", "core1", "dc-r1", "dc-fw1"):
        assert _forwards(province, router, pc, app, "tcp", 443), router


def test_what_no_flow_allows_stops_at_the_first_router(province: Province) -> None:
    pc, app, soc = (str(province.devices[n].service_address) for n in ("hh-pc1", "dc-app1", "dc-soc1"))
    for destination, protocol, port in ((app, "tcp", 22), (soc, "tcp", 8443), (soc, "udp", 161), (app, "udp", 443)):
        assert not _forwards(province, "hh-ce1", pc, destination, protocol, port), (destination, port)


def test_an_edge_forwards_nothing_between_two_other_sites(province: Province) -> None:
    """A department has two uplinks; it must not become a way round the core."""
    stranger, app = (str(province.devices[n].service_address) for n in ("hh-pc1", "dc-app1"))
    assert not _forwards(province, "stc-ce1", stranger, app, "tcp", 443)


def test_only_the_maintaining_department_reaches_the_application_by_ssh(province: Province) -> None:
    app = str(province.devices["dc-app1"].service_address)
    allowed = {
        pc: _forwards(province, "dc-fw1", str(province.devices[pc].service_address), app, "tcp", 22)
        for pc in ("stc-pc1", "hh-pc1", "tx-pc1")
    }
    assert allowed == {"stc-pc1": True, "hh-pc1": False, "tx-pc1": False}


def test_every_device_lets_management_in_and_the_soc_poll_it(province: Province) -> None:
    soc = str(province.soc.service_address)
    for device in province.devices.values():
        rules = {rule.port: rule for rule in derived.input_rules(province, device)}
        assert rules[22].out_of_band or device.role is Role.APPLICATION, device.name
        assert rules[22].told, device.name
        assert rules[161].sources == (soc,), device.name


def test_collectors_are_open_on_the_soc_host_alone(province: Province) -> None:
    for device in province.devices.values():
        ports = {rule.port for rule in derived.input_rules(province, device)}
        assert ({514, 6514, 162, 123, 8443} <= ports) == (device.role is Role.SOC), device.name


def test_people_s_connections_are_told_and_the_machines_own_are_not(province: Province) -> None:
    told = {rule.flow: rule.told for rule in derived.forward_rules(province, province.devices["dc-fw1"])}
    assert told["offices-app"] and told["stc-app-maintenance"]
    assert not told["devices-syslog"] and not told["devices-ntp"] and not told["soc-snmp"]


def test_two_core_routers_keep_no_state_and_edges_do(document: dict[str, Any]) -> None:
    variables = document["_meta"]["hostvars"]
    stateful = {name for name, v in variables.items() if v["canh_stateful"]}
    assert stateful == {"dc-fw1", "hh-ce1", "stc-ce1", "tx-ce1"}


def test_ospf_is_heard_only_between_routers(document: dict[str, Any]) -> None:
    variables = document["_meta"]["hostvars"]
    assert variables["stc-ce1"]["canh_ospf_interfaces"] == ["eth1", "eth2"]
    assert variables["dc-fw1"]["canh_ospf_interfaces"] == ["eth1", "eth2"]
    assert variables["hh-pc1"]["canh_ospf_interfaces"] == []


def test_the_program_prints_what_ansible_reads(tmp_path: Path) -> None:
    """Run as Ansible runs it: from its own folder, where its name hides the package `inventory`."""
    done = subprocess.run(
        [sys.executable, str(PLAYBOOKS / "inventory.py"), "--list"],
        cwd=PLAYBOOKS,
        env={"CANH_PROVINCE": str(LAB), "CANH_DATA": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(KINDS) <= set(json.loads(done.stdout))
