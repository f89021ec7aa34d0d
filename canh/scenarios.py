"""Real attacks and faults on the lab, each with the rules that must see it.

A scenario does something on the machines and takes it back afterwards. Nothing here writes an event or an
alert: the alert has to come the whole way, from the machine's own log or trap through the store's spool
and the detector.
"""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from canh.machines import Machines
from inventory.errors import OpsError
from inventory.model import Province
from soc.alert import Alert

POLL_EVERY_S = 0.2
NEIGHBOUR_WITHIN_S = 30.0


class ScenarioError(OpsError):
    """The scenario could not be carried out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """What a scenario may touch."""

    province: Province
    machines: Machines
    lab_id: str

    def service_address(self, device: str) -> str:
        return str(self.province.devices[device].service_address)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    name: str
    says: str  # one line for people: what is being done
    rules: tuple[str, ...]  # slugs of the rules any of which must raise the alert
    devices: tuple[str, ...]  # the alert names one of these devices, or an address of them in its group
    act: Callable[[Lab], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    scenario: str
    alert_id: str
    seconds: float


def carry_out(
    scenario: Scenario,
    lab: Lab,
    alerts: Callable[[datetime], Iterator[Alert]],
    rule_ids: Callable[[str], str],
    *,
    within_s: float,
) -> Outcome | None:
    """Do `scenario` for real and wait for its alert. None when none came in time.

    alerts: yields the alerts that were raised or grew since a moment.
    """
    wanted = {rule_ids(slug) for slug in scenario.rules}
    began, clock = datetime.now(UTC), time.monotonic()
    with scenario.act(lab):
        while time.monotonic() - clock < within_s:
            for alert in alerts(began):
                if alert.rule_id in wanted and alert.last_seen >= began and _names(alert, scenario, lab):
                    return Outcome(
                        scenario=scenario.name, alert_id=alert.id, seconds=round(time.monotonic() - clock, 2)
                    )
            time.sleep(POLL_EVERY_S)
    return None


def _names(alert: Alert, scenario: Scenario, lab: Lab) -> bool:
    if alert.device in scenario.devices:
        return True
    addresses = {str(a) for name in scenario.devices for a in lab.province.devices[name].addresses}
    return any(value in addresses for _, value in alert.group)


# The scenarios -------------------------------------------------------------------------------------------------------


@contextmanager
def _ssh_bruteforce(lab: Lab) -> Iterator[None]:
    """Twelve wrong logins from the department's office machine to the application host it may reach by ssh."""
    target = lab.service_address("dc-app1")
    attempt = (
        f"ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ConnectTimeout=4 "
        f"-o BatchMode=yes -o LogLevel=QUIET admin@{target} true"
    )
    lab.machines.run("stc-pc1", "sh", "-c", f"for n in 1 2 3; do for m in 1 2 3 4; do {attempt} & done; wait; done")
    yield


@contextmanager
def _unauthorised_change(lab: Lab) -> Iterator[None]:
    """Somebody configures a commune's router by hand, with no change open."""
    target, interface = "hh-ce1", "eth2"
    note = ["configure terminal", f"interface {interface}", "description changed by hand", "end"]
    undo = ["configure terminal", f"interface {interface}", "no description", "end"]
    lab.machines.run(target, "sudo", "vtysh", *_each("-c", note))
    try:
        yield
    finally:
        before = _description(lab, target, interface)
        again = undo if before is None else [*undo[:2], f"description {before}", "end"]
        lab.machines.run(target, "sudo", "vtysh", *_each("-c", again))


def _description(lab: Lab, device: str, interface: str) -> str | None:
    """What the inventory says the interface is for, as the router's intended configuration carries it."""
    text = lab.province.devices[device].interface(interface).description
    return text or None


@contextmanager
def _link_down(lab: Lab) -> Iterator[None]:
    """The only uplink of a commune goes down."""
    device = "hh-ce1"
    uplink = next(i.name for i in lab.province.devices[device].interfaces if i.link and not i.segment)
    lab.machines.run(device, "sudo", "ip", "link", "set", uplink, "down")
    try:
        yield
    finally:
        lab.machines.run(device, "sudo", "ip", "link", "set", uplink, "up")
        _await_neighbour(lab, device)


def _await_neighbour(lab: Lab, device: str) -> None:
    """Leave the commune connected again: without its route the next scenario would have nothing to see."""
    deadline = time.monotonic() + NEIGHBOUR_WITHIN_S
    while time.monotonic() < deadline:
        if "Full" in lab.machines.run(device, "sudo", "vtysh", "-c", "show ip ospf neighbor").stdout:
            return
        time.sleep(0.5)
    raise ScenarioError(f"the uplink of {device} is up but its neighbour did not come back", fix="canh lab up")


@contextmanager
def _port_scan(lab: Lab) -> Iterator[None]:
    """An office machine of a commune knocks on sixty ports of the application host."""
    target = lab.service_address("dc-app1")
    scan = (
        "import socket, sys, time\n"
        "host = sys.argv[1]\n"
        "held = []\n"
        "for port in range(20, 80):\n"
        "    s = socket.socket()\n"
        "    s.setblocking(False)\n"
        "    s.connect_ex((host, port))\n"
        "    held.append(s)\n"
        "time.sleep(0.5)\n"
    )
    lab.machines.run("tx-pc1", "python3", "-c", scan, target)
    yield


@contextmanager
def _undeclared_host(lab: Lab) -> Iterator[None]:
    """A machine nobody declared is plugged into a commune's LAN and looks for the data centre."""
    pc = lab.province.devices["hh-pc1"]
    lan = next(i for i in pc.interfaces if i.segment and i.name != "mgmt0")
    used = lab.province.device_by_address
    free = next(a for a in reversed(list(lan.address.network.hosts())) if a not in used)
    gateway = next(
        i.address.ip
        for d in lab.province.devices.values()
        for i in d.interfaces
        if i.segment == lan.segment and d.is_router
    )
    home, rogue = f"canh-{lab.lab_id}-hh-pc1", f"canh-{lab.lab_id}-rogue"
    subprocess.run(["ip", "netns", "del", rogue], check=False, capture_output=True)  # left by a killed run
    _host("ip", "netns", "add", rogue)
    knocking: subprocess.Popen[bytes] | None = None
    try:
        _host("ip", "-n", home, "link", "add", "rogue0", "link", lan.name, "type", "macvlan", "mode", "bridge")
        _host("ip", "-n", home, "link", "set", "rogue0", "netns", rogue)
        _host("ip", "-n", rogue, "addr", "add", f"{free}/{lan.address.network.prefixlen}", "dev", "rogue0")
        _host("ip", "-n", rogue, "link", "set", "rogue0", "up")
        _host("ip", "-n", rogue, "route", "add", "default", "via", str(gateway))
        # Again and again, as somebody who looks for a way does; one knock could fall into a gap of the routing.
        knock = f"for n in $(seq 20); do nc -z -w 1 {lab.service_address('dc-app1')} 443; sleep 0.5; done"
        quiet = subprocess.DEVNULL
        knocking = subprocess.Popen(["ip", "netns", "exec", rogue, "sh", "-c", knock], stdout=quiet, stderr=quiet)
        yield
    finally:
        if knocking is not None:
            knocking.terminate()
            knocking.wait()
        _host("ip", "netns", "del", rogue)  # takes rogue0 with it


def _host(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    if done.returncode != 0:
        raise ScenarioError(f"{shlex.join(command)}: {done.stderr.strip()}", fix="run as root with the lab up")


def _each(flag: str, values: list[str]) -> list[str]:
    return [part for value in values for part in (flag, value)]


SCENARIOS = {
    s.name: s
    for s in (
        Scenario(
            name="ssh-bruteforce",
            says="twelve wrong ssh logins from stc-pc1 to dc-app1",
            rules=("ssh-bruteforce",),
            devices=("dc-app1", "stc-pc1"),
            act=_ssh_bruteforce,
        ),
        Scenario(
            name="unauthorised-change",
            says="hh-ce1 is configured by hand, with no change open",
            rules=("config-without-change",),
            devices=("hh-ce1",),
            act=_unauthorised_change,
        ),
        Scenario(
            name="link-down",
            says="the uplink of hh-ce1 goes down",
            rules=("interface-down", "neighbor-down", "several-sites-cut"),
            devices=("hh-ce1", "core1"),
            act=_link_down,
        ),
        Scenario(
            name="port-scan",
            says="tx-pc1 knocks on sixty ports of dc-app1",
            rules=("port-scan",),
            devices=("tx-pc1", "tx-ce1", "dc-fw1"),
            act=_port_scan,
        ),
        Scenario(
            name="undeclared-host",
            says="an unknown machine appears on the LAN of hh-ce1",
            rules=("undeclared-host",),
            devices=("hh-ce1", "dc-fw1", "hh-pc1"),
            act=_undeclared_host,
        ),
    )
}


def raised_since(data_dir: Path) -> Callable[[datetime], Iterator[Alert]]:
    """Alerts that detection inserted or raised after this call, as the case store shows them."""
    from soc.cases import CaseStore

    store = CaseStore(data_dir)
    start = store.seq()

    def alerts(_: datetime) -> Iterator[Alert]:
        for case in store.since(start):
            yield case.alert

    return alerts


def rule_id_of(rules_dir: Path) -> Callable[[str], str]:
    """The Sigma id of the rule in the folder called `slug`; ScenarioError when there is none."""
    import yaml

    def find(slug: str) -> str:
        for path in sorted(rules_dir.glob(f"*/{slug}/rule.yml")):
            *_, last = yaml.safe_load_all(path.read_text())
            return str(last["id"])
        raise ScenarioError(f"no rule folder is called {slug}", where=rules_dir)

    return find
