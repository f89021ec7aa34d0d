"""Whether this machine can hold a lab, asked before anything is made: root, kernel, programs.

Each question is a small function of its evidence, so the answers can be tested without
another kernel; `check` asks them all of this machine and reports every lack at once.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from infra.command import run, succeeds
from infra.errors import CommandFailed, HostUnfit

# Program, and the Debian package that has it.
PROGRAMS = {
    "ip": "iproute2",
    "systemd-nspawn": "systemd-container",
    "systemd-socket-activate": "systemd",
    "mmdebstrap": "mmdebstrap",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "unshare": "util-linux",
    "setsid": "util-linux",
    "nc": "netcat-openbsd",
    "ssh": "openssh-client",
    "sysctl": "procps",
}
NAMESPACES = ("net", "mnt", "pid", "uts", "ipc", "cgroup")
PROBE_NETNS = "canh-probe-"  # with our pid: two checks at once do not meet


def check() -> None:
    """Raise HostUnfit with every reason why no lab can be made here; return when there is none."""
    lacks = [*root_lack(os.geteuid())]
    lacks += program_lacks(PROGRAMS, shutil.which)
    lacks += filesystem_lack(Path("/proc/filesystems").read_text())
    lacks += namespace_lacks(path.name for path in Path("/proc/self/ns").iterdir())
    if not lacks:
        lacks += veth_lack()
    if lacks:
        raise unfit(lacks, os.uname().release)


def unfit(lacks: Sequence[str], kernel: str) -> HostUnfit:
    """The error that names every lack."""
    return HostUnfit(
        "this machine cannot hold a lab:" + "".join(f"\n  - {lack}" for lack in lacks),
        where=f"kernel {kernel}",
        fix="`make doctor` shows it all with what installs it",
    )


def require_root() -> None:
    """Raise HostUnfit unless this is root; enough for taking things away."""
    if lack := root_lack(os.geteuid()):
        raise HostUnfit(lack[0], where=f"uid {os.geteuid()}", fix="run as root")


def root_lack(uid: int) -> list[str]:
    return [] if uid == 0 else [f"machines and links need root, and this is user id {uid}: run as root"]


def program_lacks(programs: Mapping[str, str], which: Callable[[str], str | None]) -> list[str]:
    """One line a program that is not on PATH, with the package that has it."""
    return [
        f"{name} is not installed: apt-get install {package}" for name, package in programs.items() if not which(name)
    ]


def filesystem_lack(filesystems: str) -> list[str]:
    """/proc/filesystems without overlay, after the module was given a chance."""
    if "overlay" in filesystems.split() or (shutil.which("modprobe") and succeeds("modprobe", "--quiet", "overlay")):
        return []
    return ["the kernel has no overlayfs (CONFIG_OVERLAY_FS), which machines' disks are made of"]


def namespace_lacks(present: Iterable[str]) -> list[str]:
    there = set(present)
    return [f"the kernel has no {name} namespaces" for name in NAMESPACES if name not in there]


def veth_lack() -> list[str]:
    """Try to make a veth pair and a bridge, in a namespace that is gone afterwards."""
    name = f"{PROBE_NETNS}{os.getpid()}"
    try:
        run("ip", "netns", "add", name)
        run("ip", "-n", name, "link", "add", "probe0", "type", "veth", "peer", "name", "probe1")
        run("ip", "-n", name, "link", "add", "probe2", "type", "bridge")
    except CommandFailed as error:
        return [f"the kernel cannot make virtual links (CONFIG_VETH, CONFIG_BRIDGE, CONFIG_NET_NS): {error.what}"]
    finally:
        succeeds("ip", "netns", "del", name)
    return []
