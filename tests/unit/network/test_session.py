"""A session over ssh with a router of a few lines on a loopback socket: real netmiko, real paramiko."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import paramiko
import pytest

from network.errors import DeviceUnreachable, HostKeyRefused, LineRejected, LoginRefused, NotOnFile, SaveFailed
from network.netmiko_device import Access, access_of, open_device
from network.platform import Platform

REPLIES = {
    "show running-config": "Building configuration...\r\n\r\nCurrent configuration:\r\n!\r\nlog commands\r\n!\r\nend",
    "bogus": "% Unknown command: bogus",
    "neighbor 10.0.0.1 password sekrit": "% Unknown command: neighbor 10.0.0.1 password sekrit",
    "auto-cost reference-bandwidth 10000": "% OSPF: Reference bandwidth is changed.\r\n  Please ensure consistency",
    "write memory": "Building Configuration...\r\n[OK]",
}


class Router(paramiko.ServerInterface):
    """Takes one password; its shell answers from REPLIES and knows configuration mode."""

    def __init__(self, typed: list[str], replies: dict[str, str]) -> None:
        self.typed, self.replies = typed, replies

    def check_auth_password(self, username: str, password: str) -> int:
        return paramiko.AUTH_SUCCESSFUL if (username, password) == ("netops", "right") else paramiko.AUTH_FAILED

    def get_allowed_auths(self, username: str) -> str:
        return "password"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED

    def check_channel_pty_request(self, *_: object) -> bool:
        return True

    def check_channel_shell_request(self, channel: paramiko.Channel) -> bool:
        threading.Thread(target=self._shell, args=(channel,), daemon=True).start()
        return True

    def _shell(self, channel: paramiko.Channel) -> None:
        with suppress(OSError):  # the client may hang up first
            self._answer(channel)

    def _answer(self, channel: paramiko.Channel) -> None:
        mode, buffer = "", b""
        channel.sendall(b"r1# ")
        while data := channel.recv(1000):
            buffer += data
            while b"\n" in buffer:
                raw, _, buffer = buffer.partition(b"\n")
                line = raw.decode().strip()
                self.typed.append(line)
                mode = "(config)" if line == "configure terminal" else "" if line == "end" else mode
                reply = self.replies.get(line, "")
                channel.sendall(f"{line}\r\n{reply}{chr(13) + chr(10) if reply else ''}r1{mode}# ".encode())


Start = Callable[..., Access]


@pytest.fixture
def typed() -> list[str]:
    return []


@pytest.fixture
def start(tmp_path: Path, typed: list[str]) -> Iterator[Start]:
    """Starts a router on loopback and gives the access to it."""
    key = paramiko.RSAKey.generate(2048)
    listener = socket.create_server(("127.0.0.1", 0))
    transports: list[paramiko.Transport] = []

    def serve(replies: dict[str, str]) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(client)
            transport.add_server_key(key)
            transports.append(transport)
            with suppress(OSError, EOFError, paramiko.SSHException):  # a client that does not believe us hangs up
                transport.start_server(server=Router(typed, replies))

    def begin(*, password: str = "right", known: bool = True, replies: dict[str, str] = REPLIES) -> Access:
        threading.Thread(target=serve, args=(replies,), daemon=True).start()
        port = listener.getsockname()[1]
        (tmp_path / "ssh_config").write_text(f"Host r1\n  HostName 127.0.0.1\n  Port {port}\n", encoding="utf-8")
        shown = key if known else paramiko.RSAKey.generate(2048)
        (tmp_path / "known_hosts").write_text(
            f"[127.0.0.1]:{port} {shown.get_name()} {shown.get_base64()}\n", encoding="utf-8"
        )
        return Access(
            ssh_config=tmp_path / "ssh_config",
            known_hosts=tmp_path / "known_hosts",
            username="netops",
            password=password,
        )

    yield begin
    listener.close()
    for transport in transports:
        transport.close()


def test_a_session_reads_types_and_saves(start: Start, frr: Platform, typed: list[str]) -> None:
    device = open_device("r1", frr, start())
    assert device.running().splitlines()[-3:] == ["log commands", "!", "end"]
    device.send(["log commands", "auto-cost reference-bandwidth 10000"])
    device.save()
    device.close()
    start_ = typed.index("configure terminal")
    lines = ["configure terminal", "log commands", "auto-cost reference-bandwidth 10000", "end", "write memory"]
    assert typed[start_ : start_ + 5] == lines


def test_a_refused_line_is_named_and_nothing_is_typed_after_it(start: Start, frr: Platform, typed: list[str]) -> None:
    device = open_device("r1", frr, start())
    with pytest.raises(LineRejected, match="r1 refused the line 'bogus': % Unknown command: bogus") as refused:
        device.send(["log commands", "bogus", "router ospf"])
    device.close()
    assert refused.value.line == "bogus"
    assert "router ospf" not in typed
    assert typed[typed.index("bogus") + 1] == "end"  # configuration mode is left


def test_a_refused_line_with_a_secret_does_not_tell_it(start: Start, frr: Platform) -> None:
    device = open_device("r1", frr, start())
    with pytest.raises(LineRejected) as refused:
        device.send(["neighbor 10.0.0.1 password sekrit"])
    device.close()
    assert "sekrit" not in f"{refused.value}{refused.value!r}{refused.value.line}{refused.value.reply}"
    assert "<masked>" in str(refused.value)


def test_a_device_that_does_not_save_says_so(start: Start, frr: Platform) -> None:
    device = open_device("r1", frr, start(replies={**REPLIES, "write memory": "% Can't open configuration file"}))
    with pytest.raises(SaveFailed, match="Can't open"):
        device.save()
    device.close()


def test_a_wrong_password_is_a_refused_login(start: Start, frr: Platform) -> None:
    with pytest.raises(LoginRefused, match="r1 refused the login of netops") as refused:
        open_device("r1", frr, start(password="wrong-secret"))
    assert "wrong-secret" not in str(refused.value)


def test_an_unknown_host_key_is_not_believed(start: Start, frr: Platform) -> None:
    with pytest.raises(HostKeyRefused, match="host key"):
        open_device("r1", frr, start(known=False))


def test_a_closed_port_is_unreachable(start: Start, frr: Platform, tmp_path: Path) -> None:
    access = start()
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    (tmp_path / "ssh_config").write_text(f"Host r1\n  HostName 127.0.0.1\n  Port {port}\n", encoding="utf-8")
    with pytest.raises(DeviceUnreachable, match="r1 cannot be reached"):
        open_device("r1", frr, access)


def test_a_proxy_command_that_fails_is_unreachable(start: Start, frr: Platform, tmp_path: Path) -> None:
    access = replace(start(), timeout_s=0.5)
    (tmp_path / "ssh_config").write_text("Host r1\n  HostName 127.0.0.1\n  ProxyCommand false\n", encoding="utf-8")
    with pytest.raises(DeviceUnreachable, match="r1 cannot be reached"):
        open_device("r1", frr, access)


def test_without_a_lab_one_is_told_to_bring_it_up(tmp_path: Path) -> None:
    with pytest.raises(NotOnFile) as refused:
        access_of(tmp_path)
    assert "canh lab up" in refused.value.fix


def test_the_password_is_in_no_repr(start: Start) -> None:
    assert "right" not in repr(start())
