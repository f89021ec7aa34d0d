"""Sockets that wait for others, TCP and UDP, on addresses beyond loopback."""

from __future__ import annotations

import re

from compliance.model import Facts

COMMAND = "ss -Hlntup"
_LOOPBACK = re.compile(r"^(127\.|\[::1\]|\[::ffff:127\.)")
_PROCESS = re.compile(r'users:\(\("([^"]+)"')


def facts(output: str) -> Facts:
    """`listeners`: ["tcp/22", ...] without doubles; `listeners.processes`: ["tcp/22 sshd", ...]."""
    sockets: dict[str, str] = {}
    for line in output.splitlines():
        columns = line.split()
        if len(columns) < 5 or columns[0] not in ("tcp", "udp"):
            raise ValueError(f"this is not what ss prints: {line!r}")
        address, _, port = columns[4].rpartition(":")
        # An unconnected UDP socket on a port of the ephemeral range is a client that waits for its answer.
        if not _LOOPBACK.match(address) and not (columns[0] == "udp" and int(port) >= 32768):
            process = _PROCESS.search(line)
            sockets[f"{columns[0]}/{port}"] = process.group(1) if process else "?"
    if not sockets:  # we asked over ssh, so at least that listens
        raise ValueError("ss named no listener")
    names = sorted(sockets, key=lambda s: (s[:3], int(s[4:])))
    return {"listeners": names, "listeners.processes": [f"{name} {sockets[name]}" for name in names]}
