"""Keys and secrets of a lab: generated once a data directory, readable by root alone, never shown.

Also the two files derived from them by which everything reaches the machines: `ssh_config` and `known_hosts`.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from infra.errors import LabError
from infra.layout import Keys
from infra.names import LabNames, netns_path
from pki import Authority

PLATFORM_UID = 777  # the user `canh` on the SOC host, which reads secrets.json through its bind mount
CLIENT_KEY = "id_ed25519"


def ensure_keys(data_dir: Path, devices: Iterable[str]) -> Keys:
    """Keys of the lab, made where they are missing. A device keeps its host key for as long as the lab is there."""
    folder = data_dir / "lab/ssh"
    (folder / "hosts").mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    for file in (folder / CLIENT_KEY, *(folder / "hosts" / device for device in devices)):
        if not file.with_suffix(".pub").exists():
            private, public = _new_key(file.name)
            write_private(file, private)
            _write(file.with_suffix(".pub"), public, 0o644)
    return read_keys(data_dir)


def read_keys(data_dir: Path) -> Keys:
    """Keys made earlier. Raises LabError when there are none."""
    folder = data_dir / "lab/ssh"
    try:
        return Keys(
            authorized_key=(folder / f"{CLIENT_KEY}.pub").read_text().strip(),
            host_keys={
                file.stem: (file.with_suffix("").read_text(), file.read_text().strip())
                for file in sorted((folder / "hosts").glob("*.pub"))
            },
        )
    except OSError as error:
        raise LabError("the lab has no ssh keys yet", where=folder, fix="run `canh lab up`") from error


def ensure_secrets(data_dir: Path) -> Path:
    """secrets.json with the device account and the SNMP user, generated once, for root and the platform's user."""
    file = data_dir / "secrets.json"
    if not file.exists():
        document = {
            "device": {"username": "netops", "password": secrets.token_urlsafe(18)},
            "snmp": {
                "user": "canh",
                "auth_password": secrets.token_urlsafe(18),
                "priv_password": secrets.token_urlsafe(18),
            },
        }
        write_private(file, json.dumps(document, indent=1) + "\n")
    if os.geteuid() == 0:
        shutil.chown(file, PLATFORM_UID, PLATFORM_UID)
    return file


def ensure_authority(data_dir: Path) -> Path:
    """The internal CA, which the platform uses and machines trust; made once, the platform's user owns it."""
    folder = data_dir / "pki"
    folder.mkdir(exist_ok=True)
    if os.geteuid() == 0:
        shutil.chown(folder, PLATFORM_UID, PLATFORM_UID)
    authority = Authority(folder)
    authority.ensure(datetime.now(UTC))
    return authority.certificate


def ensure_passphrase(data_dir: Path) -> Path:
    """File with the passphrase Pulumi's state is encrypted with."""
    file = data_dir / "lab/pulumi/passphrase"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        write_private(file, secrets.token_urlsafe(32) + "\n")
    return file


def write_ssh_files(data_dir: Path, lab: str, addresses: Mapping[str, IPv4Address], keys: Keys) -> None:
    """`ssh_config` and `known_hosts` of the lab: by name, through the station, only keys we made are believed."""
    folder = data_dir / "lab"
    _write(folder / "ssh_config", ssh_config_of(folder, lab, addresses), 0o644)
    known = [f"{name},{address} {keys.host_keys[name][1]}" for name, address in addresses.items()]
    _write(folder / "known_hosts", "\n".join(known) + "\n", 0o644)


def ssh_config_of(folder: Path, lab: str, addresses: Mapping[str, IPv4Address]) -> str:
    """Text of `ssh_config`; `folder` is where keys and known_hosts are."""
    station = netns_path(LabNames(lab=lab).station)
    lines = [f"Host {name}\n  HostName {address}" for name, address in addresses.items()]
    lines += [
        "Host *",
        "  User ansible",
        f'  IdentityFile "{folder}/ssh/{CLIENT_KEY}"',
        "  IdentitiesOnly yes",
        f'  UserKnownHostsFile "{folder}/known_hosts"',
        "  GlobalKnownHostsFile /dev/null",
        "  StrictHostKeyChecking yes",
        f"  ProxyCommand nsenter --net={station} nc %h %p",
        "  LogLevel ERROR",
    ]
    return "\n".join(lines) + "\n"


def write_private(file: Path, text: str) -> None:
    _write(file, text, 0o600)


def _write(file: Path, text: str, mode: int) -> None:
    """Replace the file in one step; it never exists half-written or more readable than `mode`."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)  # never through a link laid there
    with os.fdopen(descriptor, "w") as out:
        out.write(text)
    draft.chmod(mode)
    draft.replace(file)


def _new_key(comment: str) -> tuple[str, str]:
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return private.decode(), f"{public.decode()} {comment}"
