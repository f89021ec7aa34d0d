"""Keys and secrets: made once, private, and believed by the derived ssh files alone."""

from __future__ import annotations

import json
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_ssh_private_key

from infra import keys
from infra.errors import LabError


def mode_of(file: Path) -> int:
    return file.stat().st_mode & 0o777


def test_keys_are_made_once_and_are_private(tmp_path: Path) -> None:
    first = keys.ensure_keys(tmp_path, ["core1", "core2"])
    again = keys.ensure_keys(tmp_path, ["core1", "core2"])
    assert again == first
    assert set(first.host_keys) == {"core1", "core2"}
    assert first.host_keys["core1"] != first.host_keys["core2"]
    assert mode_of(tmp_path / "lab/ssh") == 0o700
    assert mode_of(tmp_path / "lab/ssh/id_ed25519") == mode_of(tmp_path / "lab/ssh/hosts/core1") == 0o600


def test_a_host_key_is_one_openssh_reads(tmp_path: Path) -> None:
    private, public = keys.ensure_keys(tmp_path, ["core1"]).host_keys["core1"]
    assert load_ssh_private_key(private.encode(), None)
    assert public.startswith("ssh-ed25519 ")


def test_a_new_device_gets_a_key_and_the_others_keep_theirs(tmp_path: Path) -> None:
    before = keys.ensure_keys(tmp_path, ["core1"])
    after = keys.ensure_keys(tmp_path, ["core1", "core2"])
    assert after.host_keys["core1"] == before.host_keys["core1"]
    assert after.authorized_key == before.authorized_key


def test_without_keys_one_is_told_to_bring_the_lab_up(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no ssh keys"):
        keys.read_keys(tmp_path)


def test_secrets_are_generated_once_and_private(tmp_path: Path) -> None:
    file = keys.ensure_secrets(tmp_path)
    first = file.read_text()
    keys.ensure_secrets(tmp_path)
    assert file.read_text() == first
    assert mode_of(file) == 0o600
    document = json.loads(first)
    assert set(document["device"]) == {"username", "password"}
    assert set(document["snmp"]) == {"user", "auth_password", "priv_password"}
    passwords = [document["device"]["password"], *list(document["snmp"].values())[1:]]
    assert len(set(passwords)) == 3 and min(map(len, passwords)) >= 16


def test_the_passphrase_of_the_state_is_private(tmp_path: Path) -> None:
    file = keys.ensure_passphrase(tmp_path)
    first = file.read_text()
    assert mode_of(keys.ensure_passphrase(tmp_path)) == 0o600
    assert file.read_text() == first


def test_ssh_goes_through_the_station_and_believes_our_keys_only(tmp_path: Path) -> None:
    made = keys.ensure_keys(tmp_path, ["core1"])
    keys.write_ssh_files(tmp_path, "unit", {"core1": IPv4Address("10.250.255.11")}, made)
    config = (tmp_path / "lab/ssh_config").read_text()
    assert "ProxyCommand nsenter --net=/run/netns/canh-unit-station nc %h %p" in config
    assert "Host core1\n  HostName 10.250.255.11\n" in config
    assert "StrictHostKeyChecking yes" in config
    known = (tmp_path / "lab/known_hosts").read_text().split()
    assert known[:3] == ["core1,10.250.255.11", *made.host_keys["core1"][1].split()[:2]]
