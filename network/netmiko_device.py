"""`Device` over ssh, by netmiko. The only module that knows of netmiko, paramiko and sockets.

How a device is reached is data: `lab/ssh_config` (address, proxy command) and `lab/known_hosts`
(keys, checked strictly) of the data directory, the account in `secrets.json`.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import paramiko
from netmiko import ConnectHandler
from netmiko.exceptions import NetmikoAuthenticationException, NetmikoBaseException, NetmikoTimeoutException

from inventory.model import Province
from network.device import Connect, Device
from network.errors import (
    DeviceError,
    DeviceUnreachable,
    HostKeyRefused,
    LineRejected,
    LoginRefused,
    NotOnFile,
    SaveFailed,
)
from network.platform import Platform, load_platform
from network.ssh_config import ssh_config_of

# paramiko reports a broken transport to its logger as well as to us; without a handler that is a traceback on stderr.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

CONNECT_S = 8.0  # a device on the management network answers in well under one
READ_S = 30.0  # a full configuration of a large router over a slow link


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How devices are logged in to."""

    ssh_config: Path
    known_hosts: Path
    username: str
    password: str = field(repr=False)
    timeout_s: float = CONNECT_S


def access_of(data_dir: Path) -> Access:
    """The access written by the lab. Raises NotOnFile when there is no lab in `data_dir`."""
    secrets = data_dir / "secrets.json"
    if not secrets.is_file():
        raise NotOnFile("nothing says how the devices are reached", where=secrets, fix="bring a lab up: canh lab up")
    ssh_config = ssh_config_of(data_dir)
    account = json.loads(secrets.read_text(encoding="utf-8"))["device"]
    return Access(
        ssh_config=ssh_config,
        known_hosts=data_dir / "lab" / "known_hosts",
        username=account["username"],
        password=account["password"],
    )


def connector(province: Province, access: Access) -> Connect:
    """Opens any device of `province`."""

    def connect(name: str) -> Device:
        return open_device(name, load_platform(province.devices[name].platform.value), access)

    return connect


def open_device(name: str, platform: Platform, access: Access) -> Device:
    """A session with the device called `name` in ssh_config.

    Raises DeviceUnreachable, LoginRefused or HostKeyRefused.
    """
    route = _Route.to(name, access)
    try:
        connection = ConnectHandler(
            device_type=platform.driver,
            host=route.key_name,
            port=route.port,
            username=access.username,
            password=access.password,
            sock=route.proxy() if route.proxy_command else None,
            use_keys=False,
            allow_agent=False,
            ssh_strict=True,
            alt_host_keys=True,
            alt_key_file=str(access.known_hosts),
            conn_timeout=access.timeout_s,
            banner_timeout=access.timeout_s,
            auth_timeout=access.timeout_s,
            read_timeout_override=READ_S,
        )
    except NetmikoAuthenticationException as error:
        raise LoginRefused(
            f"{name} refused the login of {access.username}",
            device=name,
            where=route.text,
            fix="compare the account in secrets.json with the one on the device",
        ) from error
    except (NetmikoTimeoutException, NetmikoBaseException, paramiko.SSHException, OSError, EOFError) as error:
        raise _unreachable(name, route, error) from error
    return NetmikoDevice(name, platform, connection)


class NetmikoDevice:
    """One session in privileged mode."""

    def __init__(self, name: str, platform: Platform, connection: ConnectHandler) -> None:
        self._name, self._platform, self._connection = name, platform, connection

    @property
    def name(self) -> str:
        return self._name

    def running(self) -> str:
        return self.show(self._platform.show_running)

    def show(self, command: str) -> str:
        return self._ask(command)

    def send(self, lines: Sequence[str]) -> None:
        if not lines:
            return
        try:
            for line in (self._platform.configure, *lines):
                reply = self._ask(line)
                if refusal := self._platform.failure(reply):
                    # A device may repeat a line in its refusal, and a line may hold a secret.
                    shown = self._platform.masked(line)
                    raise LineRejected(device=self._name, line=shown, reply=refusal.replace(line, shown))
        finally:
            with suppress(DeviceError):
                self._ask(self._platform.leave)

    def save(self) -> None:
        reply = self._ask(self._platform.save)
        if not self._platform.saved.search(reply):
            said = next((line for line in reversed(reply.splitlines()) if line.strip()), "nothing")
            raise SaveFailed(
                f"{self._name} did not store its configuration: {said.strip()}",
                device=self._name,
                fix="look at the device's storage, then run the change again",
            )

    def close(self) -> None:
        with suppress(Exception):  # the session is over either way
            self._connection.disconnect()

    def _ask(self, line: str) -> str:
        """What the device answers to `line`, without its echo and prompt."""
        try:
            answer = self._connection.send_command(
                line, expect_string=self._platform.prompt.pattern, strip_prompt=False, strip_command=True
            )
        except (NetmikoBaseException, paramiko.SSHException, OSError, EOFError, ValueError) as error:
            raise DeviceUnreachable(
                f"{self._name} stopped answering: {type(error).__name__}",
                device=self._name,
                fix="see whether it is up; an unfinished change is ended by the next command",
            ) from error
        return re.sub(rf"(^|\n){self._platform.prompt.pattern}\s*\Z", "", str(answer).replace("\r", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Route:
    """How one device is reached: address and port, or a command that carries the stream."""

    address: str
    port: int
    key_name: str  # what known_hosts calls it
    proxy_command: str | None

    @classmethod
    def to(cls, name: str, access: Access) -> _Route:
        found = paramiko.SSHConfig.from_path(str(access.ssh_config)).lookup(name)
        address, port, proxy = found.get("hostname", name), int(found.get("port", 22)), found.get("proxycommand")
        alias = found.get("hostkeyalias", name)
        known = paramiko.HostKeys(str(access.known_hosts)) if access.known_hosts.is_file() else paramiko.HostKeys()
        # paramiko looks a key up by what it connects to. Behind a proxy command that may be any name.
        named = next((n for n in (alias, name, address) if proxy and n in known), address)
        return cls(address=address, port=port, key_name=named, proxy_command=proxy)

    @property
    def text(self) -> str:
        return f"{self.address} port {self.port}"

    def proxy(self) -> paramiko.ProxyCommand:
        return paramiko.ProxyCommand(str(self.proxy_command))


def _unreachable(name: str, route: _Route, error: Exception) -> DeviceError:
    text = str(error)
    if (
        isinstance(error, paramiko.BadHostKeyException)
        or "not found in known_hosts" in text
        or "host key" in text.lower()
    ):
        return HostKeyRefused(
            f"{name} shows a host key that known_hosts does not have for it",
            device=name,
            where=route.text,
            fix="find out why it changed; after a rebuilt lab run canh lab up again",
        )
    return DeviceUnreachable(
        f"{name} cannot be reached",
        device=name,
        where=route.text,
        fix="see whether it is up (canh lab status) and its management port is connected",
    )
