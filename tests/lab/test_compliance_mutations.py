"""Each control, seen to fail on the asset that was broken, and on no other, and to hold again afterwards.

One audit before, one of all that can be broken at once with two machines silent, two of what stops parts of
the platform, one after everything is undone; then a test for each control looks at what they found.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from canh.machines import Machines
from compliance import CHAIN, EvidenceError, audit, controls, runs, verify
from compliance.model import Finding, Result, Run
from inventory import load
from inventory.model import Province
from monitoring.store import Store
from tests.lab.mutations import AT_ONCE, FROZEN, RESTARTED, SILENT, Mutation

ROOT = Path(__file__).parents[2]
MUTATIONS = (*AT_ONCE, *FROZEN, *RESTARTED)
UNTIL_READY_S = 120.0  # a machine that has just started follows its clock only after some answers
pytestmark = pytest.mark.timeout(400)  # the first test waits for all audits


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The audits: everything before, what was broken by control, everything afterwards."""

    before: Run
    broken: dict[str, Run]
    after: Run


@pytest.fixture(scope="module")
def province() -> Province:
    return load(ROOT / "inventory/provinces/lab")


@pytest.fixture(scope="module")
def machines(lab_data: Path) -> Machines:
    return Machines(data_dir=lab_data)


@pytest.fixture(scope="module")
def seen(lab_data: Path, lab_state: dict[str, Any], province: Province, machines: Machines) -> Seen:
    def look(slugs: Iterable[str]) -> Run:
        chosen = set(slugs)
        return audit(province, lab_data, [c for c in controls() if c.slug in chosen], print)

    def answers(device: str, since: float) -> bool:
        last = Store(lab_data).aggregate("canh.device", "event.dataset:snmp.*")
        return any(g.value == device and g.last_received.timestamp() > since for g in last)

    everything = {c.slug for c in controls()}
    broken: dict[str, Run] = {}
    with ExitStack() as prepared:
        for mutation in MUTATIONS:
            if mutation.prepare:
                as_root(machines, mutation.device, mutation.prepare)
                prepared.callback(as_root, machines, mutation.device, mutation.tidy)
        until(lambda: is_satisfied(look(["time-synchronised", "devices-polled"])), UNTIL_READY_S)
        before = look(everything)
        with frozen(machines, lab_state, FROZEN[:1]):  # detection: told by its silence, so it comes first
            with frozen(machines, lab_state, AT_ONCE, SILENT):
                broken |= dict.fromkeys((m.control for m in AT_ONCE), look(everything))
            with frozen(machines, lab_state, FROZEN[1:]):
                broken |= dict.fromkeys((m.control for m in FROZEN), look(m.control for m in FROZEN))
        with frozen(machines, lab_state, RESTARTED):
            since = restarted(machines)
            until(lambda: answers(RESTARTED[0].device, since), 30)
            broken |= dict.fromkeys((m.control for m in RESTARTED), look(m.control for m in RESTARTED))
        since = restarted(machines)
        until(lambda: answers(RESTARTED[0].device, since), 30)
        until(lambda: is_satisfied(look(["log-forwarding-durable"])), UNTIL_READY_S)  # senders try again after a while
        after = look(everything)
    return Seen(before=before, broken=broken, after=after)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: m.control)
def test_what_is_broken_is_found_and_named_and_holds_again_afterwards(seen: Seen, mutation: Mutation) -> None:
    broken = seen.broken[mutation.control]
    found = finding(broken, mutation.control, mutation.named)
    assert found.result is Result.NOT_SATISFIED
    assert mutation.says in "; ".join(found.details)
    earlier, later = (finding(run, mutation.control, mutation.named) for run in (seen.before, seen.after))
    assert mutation.says not in "; ".join((*earlier.details, *later.details))
    assert later.result is earlier.result


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: m.control)
def test_no_other_asset_is_blamed(seen: Seen, mutation: Mutation) -> None:
    broken = seen.broken[mutation.control]
    blamed = {
        f.asset
        for f in broken.findings
        if f.control == mutation.control and f.details != finding(seen.before, f.control, f.asset).details
    }
    neighbour = {"dc-r1"} if mutation.control == "topology-as-designed" else set()  # a link has two ends
    assert blamed - set(SILENT) - neighbour == {mutation.named}


def test_every_control_has_its_mutation() -> None:
    assert {m.control for m in MUTATIONS} == {c.slug for c in controls()}


@pytest.mark.parametrize("device", SILENT)
def test_a_machine_that_does_not_answer_satisfies_nothing(seen: Seen, device: str) -> None:
    of_device = [f for f in seen.broken[AT_ONCE[0].control].findings if f.asset == device]
    assert len(of_device) >= 15
    for one in of_device:
        assert one.result is Result.NOT_SATISFIED, one.control
        assert "no answer" in "; ".join(one.details), one.control
    assert any(f.result is Result.SATISFIED for f in seen.after.findings if f.asset == device)


def test_every_run_verifies_also_as_a_copy_elsewhere(
    seen: Seen, lab_data: Path, tmp_path: Path, canh: Callable[..., Any]
) -> None:
    canh("audit", "verify")
    copy = tmp_path / "usb" / seen.after.run_id
    shutil.copytree(lab_data / "evidence" / seen.after.run_id, copy)
    assert verify(copy).run_id == seen.after.run_id
    said = json.loads(canh("--json", "audit", "verify", str(copy)).stdout)
    assert said["intact"] is True


def test_a_finding_made_good_in_a_copy_is_found_out(
    seen: Seen, lab_data: Path, tmp_path: Path, canh: Callable[..., Any]
) -> None:
    copy = tmp_path / seen.after.run_id
    shutil.copytree(lab_data / "evidence" / seen.after.run_id, copy)
    path = copy / "findings.json"
    path.write_text(path.read_text("utf-8").replace("not-satisfied", "satisfied"))
    with pytest.raises(EvidenceError, match="altered"):
        verify(copy)
    assert "NOT INTACT" in canh("audit", "verify", str(copy), code=1).stdout


def test_no_secret_is_in_the_evidence(seen: Seen, lab_data: Path, machines: Machines, province: Province) -> None:
    secrets = set(texts(json.loads((lab_data / "secrets.json").read_text())))
    for key in (lab_data / "lab/ssh/id_ed25519", *(lab_data / "pki").glob("*.key")):
        secrets |= {line for line in key.read_text().splitlines() if not line.startswith("-----")}
    for device in province.devices:
        shadow = machines.run(device, "sudo", "getent", "shadow").stdout
        secrets |= {row.split(":")[1] for row in shadow.splitlines()}
    secrets = {s for s in secrets if len(s) >= 8} - set(province.devices)
    assert len(secrets) > 5
    spellings = {s.encode() for s in secrets} | {base64.b64encode(s.encode()) for s in secrets}
    for run in runs(lab_data / "evidence"):
        for path in (p for p in run.rglob("*") if p.is_file()):
            content = path.read_bytes()
            assert not [s for s in spellings if s in content], path


def test_the_console_may_read_the_evidence_and_not_write_it(seen: Seen, lab_data: Path, machines: Machines) -> None:
    path = f"/var/lib/canh/evidence/{seen.after.run_id}"
    for name in (CHAIN, "results.json", "report.html", "raw/platform/balance.txt"):
        machines.run("dc-soc1", "sudo", "-u", "canh", "test", "-r", f"{path}/{name}")
        tried = machines.run("dc-soc1", "sudo", "-u", "canh", "test", "-w", f"{path}/{name}", check=False)
        assert tried.returncode == 1


# Breaking and mending ------------------------------------------------------------------------------------------------


@contextmanager
def frozen(
    machines: Machines, lab: dict[str, Any], mutations: Sequence[Mutation], silent: Iterable[str] = ()
) -> Iterator[None]:
    """Everything broken, each machine in its own thread; undone whatever happens."""
    by_device: dict[str, list[Mutation]] = {}
    for mutation in mutations:
        by_device.setdefault(mutation.device, []).append(mutation)

    def all_at_once(script: Callable[[list[Mutation]], str]) -> None:
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(lambda item: as_root(machines, item[0], script(item[1])), by_device.items()))

    silenced = list(silent)
    try:
        all_at_once(lambda rows: "\n".join(f"{{ {row.do}\n}} || exit 1" for row in rows))
        for device in silenced:
            silence(lab, device, machines)
        yield
    finally:
        for device in silenced:
            hear(lab, device)
        all_at_once(lambda rows: "\n".join(f"{{ {row.undo}\n}} || exit 1" for row in reversed(rows)))


def as_root(machines: Machines, device: str, script: str) -> None:
    machines.run(device, "sudo", "sh", "-c", script)


def silence(lab: dict[str, Any], device: str, machines: Machines) -> None:
    if "sshd" in SILENT[device]:
        later = ["--on-active=1", "--timer-property=AccuracySec=100ms", "pkill", "-STOP", "-x", "sshd"]
        machines.run(device, "sudo", "systemd-run", "--quiet", *later)
        time.sleep(2)
    else:
        on_link(lab, device, "down")


def hear(lab: dict[str, Any], device: str) -> None:
    """Found from outside: nothing inside can be reached."""
    if "sshd" in SILENT[device]:
        for stopped in Path("/proc").glob("[0-9]*/comm"):
            is_ours = stopped.read_text() == "sshd\n" and in_namespace(stopped.parent, lab["machines"][device]["netns"])
            if is_ours:
                subprocess.run(["kill", "-CONT", stopped.parent.name], check=True)
    else:
        on_link(lab, device, "up")


def in_namespace(process: Path, netns: str) -> bool:
    return (process / "ns/net").stat().st_ino == (Path("/run/netns") / netns).stat().st_ino


def on_link(lab: dict[str, Any], device: str, state: str) -> None:
    netns = lab["machines"][device]["netns"]
    subprocess.run(["ip", "-n", netns, "link", "set", "mgmt0", state], check=True)


def restarted(machines: Machines) -> float:
    """Restart the platform, so that it polls everything anew. When that was."""
    since = time.time()
    machines.run("dc-soc1", "sudo", "systemctl", "restart", "canh", timeout_s=60)
    return since


def until(holds: Callable[[], bool], within_s: float) -> None:
    end = time.monotonic() + within_s
    while not holds() and time.monotonic() < end:
        time.sleep(1)


# Looking -------------------------------------------------------------------------------------------------------------


def finding(run: Run, control: str, asset: str) -> Finding:
    return next(f for f in run.findings if (f.control, f.asset) == (control, asset))


def is_satisfied(run: Run) -> bool:
    return all(f.result is Result.SATISFIED for f in run.findings)


def texts(document: object) -> Iterator[str]:
    if isinstance(document, dict):
        for value in document.values():
            yield from texts(value)
    elif isinstance(document, str):
        yield document
