"""Sockets to listen on, and a clear word when one cannot be had."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from monitoring.errors import ReceiverError

SO_MEMINFO = 55  # asm-generic/socket.h; not in Python's socket module
_MEMINFO = struct.Struct("=9I")
_SK_MEMINFO_DROPS = 8  # linux/sock_diag.h


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """An address and port to receive on."""

    address: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Listen:
        """ "10.1.2.3:514", "[::]:514" or "514" (every IPv4 address). Raises ReceiverError."""
        address, colon, port = text.rpartition(":")
        address = address.strip("[]") if colon else "0.0.0.0"  # noqa: S104  a receiver listens everywhere unless told
        try:
            number = int(port)
            ip_address(address)
        except ValueError:
            number = -1
        if not 0 <= number <= 65535:
            raise ReceiverError(
                f"{text!r} is no address to listen on", fix="write ADDRESS:PORT, for example 0.0.0.0:514 or [::]:514"
            )
        return cls(address=address, port=number)

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


class Ports:
    """Sockets bound before the processes that receive on them exist: several on one port (SO_REUSEPORT).

    The kernel spreads senders over the sockets of a port. A process that takes a dead one's place
    takes its sockets too, with all that waits in them.
    """

    def __init__(self) -> None:
        self._held: dict[tuple[str, Listen, int], socket.socket] = {}

    def hold_udp(self, listen: Listen, *, processes: int, receive_buffer: int) -> None:
        """Bind one socket a process. Raises ReceiverError."""

        def made(where: Listen) -> socket.socket:
            return udp_socket(where, receive_buffer, shared=processes > 1)

        self._hold("udp", listen, processes, made)

    def hold_tcp(self, listen: Listen, *, processes: int) -> None:
        """Bind one socket a process. Raises ReceiverError."""
        self._hold("tcp", listen, processes, lambda where: tcp_listener(where, shared=processes > 1))

    def take(self, protocol: str, listen: Listen, number: int) -> socket.socket | None:
        """What process `number` (from 1) receives on; None when nothing was bound for it here."""
        held = self._held.get((protocol, listen, number))
        return None if held is None else held.dup()

    def close(self) -> None:
        """Our own handles; a socket lives on while a process has it."""
        for sock in self._held.values():
            sock.close()
        self._held.clear()

    def _hold(self, protocol: str, listen: Listen, processes: int, made: Callable[[Listen], socket.socket]) -> None:
        if processes > 1 and listen.port:
            # Bound alone first: sockets that share a port do not notice another program of this user there.
            (udp_socket(listen, 0) if protocol == "udp" else tcp_listener(listen)).close()
        where = listen
        for number in range(1, processes + 1):
            sock = self._held[protocol, listen, number] = made(where)
            where = Listen(address=listen.address, port=sock.getsockname()[1])


def udp_socket(listen: Listen, receive_buffer: int, *, shared: bool = False) -> socket.socket:
    """A bound, non-blocking UDP socket with as large a buffer as we may have. Raises ReceiverError.

    shared: other sockets of ours receive on the same port.
    """
    sock = socket.socket(_family(listen), socket.SOCK_DGRAM)
    _share(sock, shared)
    if receive_buffer:
        _enlarge(sock, receive_buffer)
    return _bound(sock, listen, "udp")


def tcp_listener(listen: Listen, *, shared: bool = False) -> socket.socket:
    """A bound TCP socket, not yet listening. Raises ReceiverError."""
    sock = socket.socket(_family(listen), socket.SOCK_STREAM)
    _share(sock, shared)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a restart must not wait for old connections
    return _bound(sock, listen, "tcp")


def kernel_drops(sock: socket.socket) -> int:
    """Datagrams the kernel dropped because this socket's buffer was full, since it was made (32 bit).

    The number SO_RXQ_OVFL reports with messages; asked here, so that it costs nothing a
    message and is seen also when no further message comes.
    """
    octets = sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, _MEMINFO.size)
    return int(_MEMINFO.unpack(octets)[_SK_MEMINFO_DROPS]) if len(octets) == _MEMINFO.size else 0


def cookie(sock: socket.socket) -> str:
    """The kernel's name of a socket: no other has it until the machine starts anew."""
    so_cookie = 57  # asm-generic/socket.h
    return sock.getsockopt(socket.SOL_SOCKET, so_cookie, 8).hex()


def _share(sock: socket.socket, shared: bool) -> None:
    if shared:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)


def _family(listen: Listen) -> int:
    return socket.AF_INET6 if ":" in listen.address else socket.AF_INET


def _enlarge(sock: socket.socket, octets: int) -> None:
    """SO_RCVBUFFORCE goes past net.core.rmem_max but needs CAP_NET_ADMIN."""
    so_rcvbufforce = 33
    try:
        sock.setsockopt(socket.SOL_SOCKET, so_rcvbufforce, octets)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, octets)


def _bound(sock: socket.socket, listen: Listen, protocol: str) -> socket.socket:
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.setblocking(False)
    try:
        sock.bind((listen.address, listen.port))
    except OSError as error:
        sock.close()
        raise _refused(error, listen, protocol) from error
    return sock


def _refused(error: OSError, listen: Listen, protocol: str) -> ReceiverError:
    where = f"{protocol} {listen}"
    if error.errno == errno.EADDRINUSE:
        holder = _holder(protocol, listen.port)
        return ReceiverError(
            f"{protocol} port {listen.port} is already in use by {holder}",
            where=where,
            fix="stop that program, or let canh receive on another address or port",
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return ReceiverError(
            f"no right to receive on {protocol} port {listen.port}",
            where=where,
            fix="ports below 1024 need root or CAP_NET_BIND_SERVICE (canh.service gives it), or take a higher port",
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return ReceiverError(
            f"this machine has no address {listen.address}",
            where=where,
            fix="use one of its own addresses, or 0.0.0.0 for all",
        )
    return ReceiverError(
        f"cannot receive: {os.strerror(error.errno or 0)}",
        where=where,
        fix="`journalctl -k` may say what the system lacks",
    )


def _holder(protocol: str, port: int) -> str:
    """The program that has the port: "rsyslogd (process 812)", as far as we may look."""
    inodes = set()
    for table in (f"/proc/net/{protocol}", f"/proc/net/{protocol}6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        fields = (line.split() for line in lines)
        inodes |= {f"socket:[{f[9]}]" for f in fields if int(f[1].rpartition(":")[2], 16) == port}
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            if any(str(handle.readlink()) in inodes for handle in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()} (process {process.name})"
        except OSError:
            continue  # not ours to look into, or gone
    return "another program"
