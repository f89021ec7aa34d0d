"""The console at https://127.0.0.1:<port> of this machine: a listener here, its connections opened in the station.

`systemd-socket-activate` listens in the host's namespace and becomes `systemd-socket-proxyd` inside
the station's at the first connection; the listening socket stays where it was opened.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from ipaddress import IPv4Address

from infra import cgroup, detached
from infra.errors import HostUnfit, LabError
from infra.names import LabNames, netns_path

GROUP = ".console"  # no device can have this name
PROXY = "/lib/systemd/systemd-socket-proxyd"
CONSOLE_PORT = 8443  # of the console on the SOC host


def console_port() -> int:
    """Port of the console on this machine: env CANH_CONSOLE_PORT, else 8443. Raises HostUnfit when it is no port."""
    text = os.environ.get("CANH_CONSOLE_PORT", str(CONSOLE_PORT))
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise HostUnfit(f"{text!r} is not a port", where="CANH_CONSOLE_PORT", fix="choose 1 to 65535")
    return int(text)


def require_free(lab: str, port: int) -> None:
    """Raise HostUnfit when something that is not this lab's own forwarder holds the port."""
    if cgroup.processes(lab, GROUP) and _on_file(lab).startswith(f"{port} "):
        return
    if _is_taken(port):
        raise HostUnfit(
            f"port {port} of 127.0.0.1, where the console is to be, is in use by another program",
            where=f"127.0.0.1:{port}",
            fix="end that program, or set CANH_CONSOLE_PORT to a free port",
        )


def ensure(lab: str, port: int, target: IPv4Address) -> str:
    """Forward `port` to the console on `target`; gives the console's address. A forwarder that does so is kept."""
    names = LabNames(lab=lab)
    wanted = f"{port} {target}"
    if not (cgroup.processes(lab, GROUP) and _on_file(lab) == wanted):
        remove(lab)
        names.directory.mkdir(parents=True, exist_ok=True)
        (names.directory / "console").write_text(wanted)
        detached.start(
            lab,
            GROUP,
            [
                *("systemd-socket-activate", "--listen", f"127.0.0.1:{port}"),
                *("nsenter", f"--net={netns_path(names.station)}", PROXY, f"{target}:{CONSOLE_PORT}"),
            ],
            log=names.directory / "console.log",
        )
        _wait_until_listening(lab, port)
    return f"https://127.0.0.1:{port}"


def remove(lab: str) -> None:
    """End the forwarder; nothing happens when there is none."""
    cgroup.kill(lab, GROUP)
    cgroup.remove(lab, GROUP)
    (LabNames(lab=lab).directory / "console").unlink(missing_ok=True)


def _wait_until_listening(lab: str, port: int) -> None:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and cgroup.processes(lab, GROUP):
        if _is_taken(port):
            return
        time.sleep(0.02)
    raise LabError(
        f"nothing listens on 127.0.0.1:{port}",
        where=LabNames(lab=lab).directory / "console.log",
        fix="run `canh lab up` again",
    )


def _is_taken(port: int) -> bool:
    """Whether the port cannot be bound; asking this way opens no connection."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _on_file(lab: str) -> str:
    with contextlib.suppress(OSError):
        return (LabNames(lab=lab).directory / "console").read_text()
    return ""
