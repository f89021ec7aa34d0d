"""SNMP accounts, from the member "snmp" of `<data>/secrets.json`: who may report to us and as whom we poll."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, ValidationError

from monitoring.errors import SecretsError
from monitoring.snmp.usm import DIGESTS, PRIVACY, Account

FIX = 'write {"snmp": {"user": ..., "auth_password": ..., "priv_password": ...}}, readable by the user canh'


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """`known` may send us notifications, the first of them polls; a device of `of_device` is asked as another."""

    known: tuple[Account, ...] = ()
    of_device: Mapping[str, Account] = field(default_factory=dict)

    def polling(self, device: str) -> Account | None:
        """As whom to ask a device; None when there is no account at all."""
        return self.of_device.get(device) or next(iter(self.known), None)


class _User(BaseModel, extra="forbid"):
    user: str = Field(min_length=1, max_length=32)
    auth_password: str = Field(min_length=8)  # RFC 3414 section 11.2
    auth_protocol: str = "sha256"
    priv_password: str = ""
    priv_protocol: str = "aes128"

    def to_domain(self) -> Account:
        return Account(**self.model_dump(include=set(_User.model_fields)))


class _Device(BaseModel, extra="forbid"):
    user: str = ""  # one of the users above
    community: str = ""
    version: Literal["1", "2c"] = "2c"


class _Snmp(_User):
    users: list[_User] = []
    communities: list[str] = []
    devices: dict[str, _Device] = {}


def accounts_of(data_dir: Path) -> Accounts:
    """The accounts; none when there is no such file or no such member. Raises SecretsError, without any secret."""
    path = data_dir / "secrets.json"
    try:
        written = json.loads(path.read_bytes()).get("snmp")
        if written is None:
            return Accounts()
        document = _Snmp.model_validate(written)
    except FileNotFoundError:
        return Accounts()
    except ValidationError as error:
        said = error.errors(include_input=False, include_url=False)[0]
        where = f"{path} /snmp/{'/'.join(map(str, said['loc']))}"
        raise SecretsError(f"the SNMP account cannot be read: {said['msg']}", where=where, fix=FIX) from None
    except (OSError, ValueError, AttributeError) as error:
        raise SecretsError(f"the SNMP account cannot be read: {type(error).__name__}", where=path, fix=FIX) from error
    users = {u.user: _user(u, path) for u in (document, *document.users)}
    communities = tuple(Account(community=text) for text in document.communities)
    devices = {name: _of_device(name, d, users, path) for name, d in document.devices.items()}
    return Accounts(known=(*users.values(), *communities), of_device=devices)


def _user(written: _User, path: Path) -> Account:
    for name, value, known in (
        ("auth_protocol", written.auth_protocol, DIGESTS),
        ("priv_protocol", written.priv_protocol, PRIVACY),
    ):
        if value not in known:
            raise SecretsError(f"unknown {name} {value!r}", where=f"{path} /snmp", fix=f"one of {', '.join(known)}")
    return written.to_domain()


def _of_device(name: str, written: _Device, users: Mapping[str, Account], path: Path) -> Account:
    if bool(written.user) == bool(written.community) or (written.user and written.user not in users):
        raise SecretsError(
            f"device {name} is to be asked as nobody known",
            where=f"{path} /snmp/devices/{name}",
            fix=f"a community, or one of the users {', '.join(users)}",
        )
    return users[written.user] if written.user else Account(community=written.community, version=written.version)
