"""What the inventory knows of two addresses: what sort of place each is, and whether they may speak."""

from __future__ import annotations

import pickle
from dataclasses import replace
from datetime import date
from ipaddress import IPv4Address
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.lists import NamedList
from inventory.model import Province
from monitoring.ends import Ends
from monitoring.event import Event
from tests.unit.monitoring.lab import pipeline, province, record

PACKET = (
    "<134>1 2026-11-22T03:19:58Z dc-fw1 ulogd 1 - - canh:{verdict}:forward "
    "IN=eth1 OUT=eth3 SRC={src} DST={dst} PROTO={protocol} SPT={sport} DPT={port}"
)


def bare(**lists: tuple[str, ...]) -> Province:
    made = {
        name: NamedList(name=name, values=values, checked=date(2026, 11, 1), owner="x", reason="y")
        for name, values in lists.items()
    }
    return replace(province(), lists=MappingProxyType(made))


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("10.250.65.10", "office"),
        ("10.250.64.2", "server"),
        ("10.250.64.66", "soc"),
        ("10.250.255.77", "management"),
        ("10.250.0.3", "transit"),
        ("10.250.1.13", "transit"),
        ("10.250.100.1", "inside-unknown"),
        ("192.168.1.7", "inside-unknown"),
        ("100.64.3.4", "inside-unknown"),
        ("fd12::1", "inside-unknown"),
        ("203.0.113.9", "internet"),
        ("8.8.8.8", "internet"),
        ("2001:db8::9", "internet"),
        ("::ffff:10.250.65.10", "office"),
        ("127.0.0.1", None),
        ("169.254.3.4", None),
        ("224.0.0.5", None),
        ("255.255.255.255", None),
        ("fe80::1", None),
        ("not-an-address", None),
    ],
)
def test_an_address_is_a_sort_of_place(address: str, kind: str | None) -> None:
    facts = Ends(bare()).of(address).source
    assert facts.get("canh.src.kind") == kind
    is_known = kind not in (None, "internet", "inside-unknown")
    assert facts.get("canh.src.known_prefix", False) is is_known


def test_lists_say_what_sort_of_place_a_prefix_is_that_no_site_has() -> None:
    ends = Ends(bare(camera_networks=("10.250.64.128/27",), vpn_pools=("172.16.9.0/24",)))
    assert ends.of("10.250.64.130").destination["canh.dst.kind"] == "camera", "the smaller prefix counts"
    assert ends.of("10.250.64.170").destination["canh.dst.kind"] == "office"
    assert ends.of("172.16.9.1").destination["canh.dst.known_prefix"] is True


def test_a_zone_says_of_what_kind_its_segments_are() -> None:
    zones = {**province().zones, "servers": replace(province().zones["servers"], kind="dmz")}
    ends = Ends(replace(province(), zones=MappingProxyType(zones)))
    assert ends.of("10.250.64.2").destination["canh.dst.kind"] == "dmz"


@given(st.sampled_from(sorted(province().flows)), st.data())
def test_what_a_flow_allows_is_declared_and_so_is_its_answer(name: str, data: st.DataObject) -> None:
    flow, ends = province().flows[name], Ends(province())
    source = ends.of(str(data.draw(st.sampled_from(flow.source_networks)).network_address))
    target = ends.of(str(data.draw(st.sampled_from(flow.destination_networks)).network_address))
    assert ends.is_declared(source, target, (flow.protocol, flow.port), 50000)
    assert ends.is_declared(target, source, (flow.protocol, 50000), flow.port)


@given(
    st.ip_addresses(v=4) | st.sampled_from(sorted(province().device_by_address)),
    st.sampled_from(sorted(province().device_by_address)),
    st.sampled_from(sorted({(f.protocol, f.port) for f in province().flows.values()} | {("tcp", 3306)})),
)
def test_what_passes_between_two_is_what_the_flows_say_one_by_one(
    source: IPv4Address, target: IPv4Address, service: tuple[str, int]
) -> None:
    slow = any(
        (f.protocol, f.port) == service
        and any(source in n for n in f.source_networks)
        and any(target in n for n in f.destination_networks)
        for f in province().flows.values()
    )
    ends = Ends(province())
    assert ends.is_declared(ends.of(str(source)), ends.of(str(target)), service, None) is slow


def test_addresses_of_which_the_same_is_known_share_it() -> None:
    ends = Ends(province())
    assert ends.of("203.0.113.9") is ends.of("198.51.100.1")
    assert ends.of("10.250.65.20") is ends.of("10.250.65.21") is not ends.of("10.250.64.140")


def packet(
    src: str, dst: str, port: int, sport: int = 50000, *, verdict: str = "allow", protocol: str = "TCP"
) -> Event:
    line = PACKET.format(verdict=verdict, src=src, dst=dst, protocol=protocol, sport=sport, port=port)
    return pipeline().event_of(record(line))


def test_a_connection_is_declared_or_not() -> None:
    office, app = "10.250.65.10", str(province().devices["dc-app1"].service_address)
    assert packet(office, app, 443).get("canh.flow.declared") is True
    assert packet(office, app, 443, protocol="UDP").get("canh.flow.declared") is False
    assert packet(office, app, 3306).get("canh.flow.declared") is False
    assert packet(app, office, 50112, 443).get("canh.flow.declared") is True, "the answer"
    assert packet(app, office, 445, 443).get("canh.flow.declared") is False, "no answer goes to a port of a service"
    assert packet(app, "203.0.113.9", 443).get("canh.flow.declared") is False


def test_a_connection_knows_whether_it_leaves_its_site_and_its_unit() -> None:
    event = packet("10.250.65.10", "10.250.64.2", 443)
    assert (event.get("canh.flow.inter_site"), event.get("canh.flow.inter_unit")) == (True, True)
    event = packet("10.250.64.2", "10.250.64.66", 514)
    assert (event.get("canh.flow.inter_site"), event.get("canh.flow.inter_unit")) == (False, False)
    assert "canh.flow.inter_site" not in packet("10.250.65.10", "203.0.113.9", 443).fields


def test_a_login_is_no_connection() -> None:
    line = "<38>1 2026-11-22T03:19:58Z h sshd 1 - - Failed password for root from 10.250.65.10 port 50112 ssh2"
    assert "canh.flow.declared" not in pipeline().event_of(record(line)).fields


def test_a_port_has_a_role_where_the_inventory_has_the_interface() -> None:
    event = packet("10.250.65.10", "10.250.64.2", 443)  # dc-r1's eth1 leads to core1
    assert event.get("canh.port.role") == "uplink" and "canh.port.kind" not in event.fields
    line = "<134>1 2026-11-22T03:19:58Z hh-ce1 ulogd 1 - - canh:deny:forward IN={port} OUT= SRC=10.0.0.1 DST=8.8.8.8"
    event = pipeline().event_of(record(line.format(port="eth2"), peer="10.250.0.6"))
    assert (event.get("canh.port.role"), event.get("canh.port.kind")) == ("access", "office")
    assert "canh.port.role" not in pipeline().event_of(record(line.format(port="eth9"), peer="10.250.0.6")).fields


def test_what_is_known_of_ends_can_be_sent_to_another_process() -> None:
    ends = Ends(province())
    ends.of("10.250.65.10")
    assert pickle.loads(pickle.dumps(ends)).of("10.250.65.10") == ends.of("10.250.65.10")
