"""One machine: Debian under systemd-nspawn, booted into a network namespace of its own.

Every function can be repeated and finds what an earlier, perhaps killed, run has left.
The machine outlives whoever started it: its processes are held by their control group.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from infra import cgroup, detached, netns, overlay
from infra.errors import MachineFailed
from infra.names import MGMT_BRIDGE, LabNames, bridge_port_of, mac_of, netns_path
from infra.process import age_s, name_of
from infra.spec import Bind, MachineSpec
from infra.station import inside_netns

BOOT_TIMEOUT_S = 90.0
HALT_TIMEOUT_S = 10.0
SIGRTMIN_HALT = signal.SIGRTMIN + 3  # systemd(1): halt.target
DIGEST = "spec.sha256"
CONSOLE = "console.log"


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineState:
    """What can be seen of a machine from the host; `init_pid` is its PID 1 as the host counts.

    A machine whose nspawn was killed goes on without it, but nothing would end or reboot it any more.
    """

    device: str
    is_supervised: bool
    init_pid: int | None
    is_mounted: bool
    has_management: bool
    uptime_s: float | None
    memory_octets: int | None

    @property
    def is_whole(self) -> bool:
        return self.is_supervised and self.init_pid is not None and self.is_mounted and self.has_management


def ensure(spec: MachineSpec) -> None:
    """Make the machine as `spec` says and wait until it is ready; a running one that already is so is adopted."""
    names = LabNames(lab=spec.lab)
    folder = names.machine_dir(spec.device)
    overlay.require_layers(spec.layers)
    _ensure_network(spec, names)
    if not (state(spec.lab, spec.device).is_whole and _digest_on_file(folder) == spec.digest):
        _stop(spec.lab, spec.device)
        if _digest_on_file(folder) != spec.digest:
            _wipe(folder)
        root = overlay.mount(folder, spec.layers)
        overlay.write_files(root, spec.files)
        (folder / DIGEST).write_text(spec.digest)
        _boot(spec, names, root)
    wait_until_ready(spec)


def state(lab: str, device: str) -> MachineState:
    """What there is of the machine now."""
    names = LabNames(lab=lab)
    pid = init_pid(lab, device)
    station_ports = netns.interfaces(names.station)
    own = netns.interfaces(names.netns(device))
    return MachineState(
        device=device,
        is_supervised=any(name_of(p) == "systemd-nspawn" for p in cgroup.processes(lab, device)),
        init_pid=pid,
        is_mounted=overlay.is_mounted(names.machine_dir(device) / "root"),
        has_management="mgmt0" in own and bridge_port_of(device) in station_ports,
        uptime_s=None if pid is None else age_s(pid),
        memory_octets=None if pid is None else cgroup.memory_octets(lab, device),
    )


def init_pid(lab: str, device: str) -> int | None:
    """Process id, on the host, of the machine's systemd; None when it does not run."""
    for pid in sorted(cgroup.processes(lab, device)):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("NSpid:") and len(line.split()) > 2 and line.split()[-1] == "1":
                    return pid
    return None


def remove(lab: str, device: str) -> None:
    """Take the machine away with everything it wrote; nothing happens when it is not there."""
    names = LabNames(lab=lab)
    _stop(lab, device)
    netns.remove(names.netns(device))
    overlay.unmount(names.machine_dir(device) / "root")
    shutil.rmtree(names.machine_dir(device), ignore_errors=True)


def halt(lab: str, device: str) -> None:
    """Shut the machine down in order and keep its writable layer."""
    pid = init_pid(lab, device)
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, SIGRTMIN_HALT)
        deadline = time.monotonic() + HALT_TIMEOUT_S
        while init_pid(lab, device) is not None and time.monotonic() < deadline:
            time.sleep(0.05)
    _stop(lab, device)


def wait_until_ready(spec: MachineSpec, *, timeout_s: float = BOOT_TIMEOUT_S) -> None:
    """Wait until systemd has finished booting and sshd greets on mgmt0. Raises MachineFailed with the console's end."""
    deadline = time.monotonic() + timeout_s
    waiting_for = "systemd"
    while time.monotonic() < deadline:
        pid = init_pid(spec.lab, spec.device)
        if pid is None and not cgroup.processes(spec.lab, spec.device):
            raise MachineFailed(f"{spec.device} ended while booting", where=_console_end(spec), fix="run it again")
        if pid is not None:
            waiting_for = "sshd on mgmt0"
            if _ssh_greets(spec):
                waiting_for = "the end of the boot"
                if _has_booted(pid, deadline - time.monotonic()):
                    return
        time.sleep(0.1)
    raise MachineFailed(
        f"{spec.device} is not ready after {timeout_s:.0f} s: still waiting for {waiting_for}", where=_console_end(spec)
    )


def _ensure_network(spec: MachineSpec, names: LabNames) -> None:
    """The machine's namespace and its port on the management segment."""
    netns.ensure(names.netns(spec.device), forwarding=spec.forwards)
    port = bridge_port_of(spec.device)
    netns.ensure_pair(
        netns.VethEnd(netns=names.netns(spec.device), interface="mgmt0", mac=spec.mac),
        netns.VethEnd(netns=names.station, interface=port, mac=mac_of("station", port)),
    )
    netns.join_bridge(names.station, port, MGMT_BRIDGE)


def _boot(spec: MachineSpec, names: LabNames, root: Path) -> None:
    binds = [_option(bind) for bind in spec.binds]
    nspawn = [
        "systemd-nspawn",
        "--quiet",
        f"--directory={root}",
        f"--machine={names.machine(spec.device)}",
        "--boot",
        "--register=no",
        "--keep-unit",
        # A namespace we made is not "private network" to nspawn, so what follows from that is asked for by name.
        f"--network-namespace-path={netns_path(names.netns(spec.device))}",
        "--capability=CAP_NET_ADMIN,CAP_NET_RAW",
        "--link-journal=no",
        "--resolv-conf=off",
        "--timezone=off",
        "--console=read-only",
        *binds,
    ]
    log = names.machine_dir(spec.device) / CONSOLE
    detached.start(spec.lab, spec.device, nspawn, log=log, env={"SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network"})


def _option(bind: Bind) -> str:
    if not bind.source:
        return f"--tmpfs={bind.target}:mode=000,size=4k"  # --inaccessible wants a host that systemd started
    return f"--bind{'-ro' if bind.is_read_only else ''}={bind.source}:{bind.target}"


def _stop(lab: str, device: str) -> None:
    """End every process of the machine and free its control group."""
    if not cgroup.kill(lab, device):
        raise MachineFailed(f"processes of {device} do not end", where=sorted(cgroup.processes(lab, device)))
    cgroup.remove(lab, device)
    shutil.rmtree(f"/run/systemd/nspawn/propagate/{LabNames(lab=lab).machine(device)}", ignore_errors=True)


def _wipe(folder: Path) -> None:
    overlay.unmount(folder / "root")
    shutil.rmtree(folder, ignore_errors=True)


def _digest_on_file(folder: Path) -> str | None:
    try:
        return (folder / DIGEST).read_text()
    except OSError:
        return None


def _ssh_greets(spec: MachineSpec) -> bool:
    """Whether sshd sends its banner to the station."""
    try:
        with inside_netns(LabNames(lab=spec.lab).station):
            connection = socket.create_connection((str(spec.management.ip), 22), timeout=1)
        with connection:
            connection.settimeout(2)
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _has_booted(pid: int, timeout_s: float) -> bool:
    """Wait until the machine's systemd has run its start-up jobs; a failed unit (`degraded`) is its owner's affair."""
    inside = ["nsenter", "--target", str(pid), "--mount", "--uts", "--ipc", "--net", "--pid"]
    asking = [*inside, "systemctl", "is-system-running", "--wait"]
    try:
        asked = subprocess.run(asking, capture_output=True, text=True, check=False, timeout=max(timeout_s, 1))
    except subprocess.TimeoutExpired:
        return False
    return asked.stdout.strip() in ("running", "degraded")


def _console_end(spec: MachineSpec) -> str:
    """The console log and its last lines."""
    file = LabNames(lab=spec.lab).machine_dir(spec.device) / CONSOLE
    try:
        lines = file.read_text(errors="replace").splitlines()[-5:]
    except OSError:
        lines = []
    return "\n     ".join([str(file), *lines])
