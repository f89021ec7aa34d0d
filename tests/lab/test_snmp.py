"""SNMP on the running lab: every machine is measured, its reports are believed, and who may not report is counted."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from inventory import load
from monitoring.store import reader
from tests.lab.conftest import ROOT, Canh

RUNS_EVERY_S = 60.0  # a poll
Events = list[dict[str, Any]]


@pytest.fixture(scope="module")
def on(lab_data: Path) -> Callable[[str, str], str]:
    """Runs a command line on a machine."""

    def run(device: str, command: str) -> str:
        words = ["ssh", "-F", str(lab_data / "lab/ssh_config"), device, command]
        return subprocess.run(words, capture_output=True, text=True, timeout=60, check=True).stdout

    return run


def found(lab_data: Path, query: str, within_s: float, enough: Callable[[Events], bool]) -> Events:
    """Events of the last ten minutes, as soon as there are enough of them."""
    until = time.monotonic() + within_s
    while True:
        start = datetime.now(UTC) - timedelta(minutes=10)
        events = [event.nested() for event in reader(lab_data).search(query, start, None, limit=None)]
        if enough(events) or time.monotonic() > until:
            return events
        time.sleep(0.5)


@pytest.mark.timeout(240)
def test_every_machine_is_polled_and_measured(lab_data: Path, lab_state: dict[str, Any]) -> None:
    machines = set(lab_state["machines"])
    for query in ("event.dataset:snmp.system", "canh.metric.name:memory_pct"):
        events = found(lab_data, query, 2 * RUNS_EVERY_S, lambda es: machines <= {e["canh"]["device"] for e in es})
        assert {e["canh"]["device"] for e in events} >= machines


def test_links_are_listed_without_a_verdict(canh: Canh) -> None:
    """A lab has not run for seven days."""
    document = json.loads(canh("--json", "links", code=1).stdout)
    assert {link["site"] for link in document["links"]} >= {"hh", "stc", "tx"}
    assert {link["in"]["judgement"] for link in document["links"]} == {"too-few-samples"}


def test_an_interface_that_comes_and_goes_is_told(lab_data: Path, on: Callable[[str, str], str]) -> None:
    """By snmpd's own traps, authenticated and encrypted."""
    name = "canhsnmp0"
    on("tx-pc1", f"sudo ip link add {name} type veth peer name canhsnmp1 && sudo ip link set canhsnmp1 up")
    try:
        on("tx-pc1", f"sudo ip link set {name} up && sleep 5 && sudo ip link set {name} down && sleep 5")
        query = f"event.dataset:snmp.trap AND host.name:tx-pc1 AND observer.ingress.interface.name:{name}"
        events = found(lab_data, query, 20, lambda es: "interface-down" in {e["event"]["action"] for e in es})
        assert "interface-down" in {e["event"]["action"] for e in events}
        assert {(e["canh"]["snmp"]["level"], e["canh"]["snmp"]["user"]) for e in events} == {("authPriv", "canh")}
    finally:
        on("tx-pc1", f"sudo ip link del {name}")


def test_who_may_not_report_is_counted_and_seen(canh: Canh, lab_data: Path, on: Callable[[str, str], str]) -> None:
    province = load(ROOT / "inventory/provinces/lab")
    where = province.soc.service_address
    on("tx-ce1", f"snmptrap -v2c -c nobody-knows {where} '' 1.3.6.1.6.3.1.1.5.1")
    on("tx-ce1", f"snmptrap -v3 -u nobody -l noAuthNoPriv -e 8000000001020304 {where} '' 1.3.6.1.6.3.1.1.5.1")
    wanted = {"unknown-community", "unknown-user"}
    # Other tests have the machine's own snmpd report who may not ask it: that has no reason of ours.
    query = "event.action:snmp-auth-failed AND host.name:tx-ce1 AND canh.snmp.reason:*"
    events = found(lab_data, query, 20, lambda es: wanted <= {e["canh"]["snmp"]["reason"] for e in es})
    assert {e["canh"]["snmp"]["reason"] for e in events} >= wanted
    sender = str(province.devices["tx-ce1"].loopback)
    assert {e["source"]["ip"] for e in events} == {sender}
    refused = json.loads(canh("--json", "stats").stdout)["reasons"]["refused"]
    assert refused["unknown-community"][f"snmp-trap {sender}"] >= 1
