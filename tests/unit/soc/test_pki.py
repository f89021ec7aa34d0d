"""The internal CA: what it signs is believed by TLS itself, and is renewed in time."""

from __future__ import annotations

import os
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from soc.errors import PkiError
from soc.pki import CA_LIFE, RENEW_BEFORE, SERVER_LIFE, Pki

NAMES = ("dc-soc1", "10.250.64.74")


def shaken(pki: Pki, name: str) -> None:
    """A TLS handshake in memory: the client trusts only our CA and asks for `name`."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pki.certificate, pki.key)
    client = ssl.create_default_context(cafile=str(pki.ca_certificate))
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(to_client, to_server, server_hostname=name)
    answering = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (asking, answering):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert asking.version() == "TLSv1.3"


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", *NAMES])
def test_a_client_that_trusts_the_ca_believes_every_name(tmp_path: Path, name: str) -> None:
    pki = Pki(tmp_path / "pki")
    assert pki.ensure(NAMES, datetime.now(UTC)) is True
    shaken(pki, name)


def test_a_client_refuses_another_name(tmp_path: Path) -> None:
    pki = Pki(tmp_path / "pki")
    pki.ensure(NAMES, datetime.now(UTC))
    with pytest.raises(ssl.SSLCertVerificationError):
        shaken(pki, "evil.example")


def test_nothing_is_made_twice(tmp_path: Path) -> None:
    pki, now = Pki(tmp_path), datetime.now(UTC)
    pki.ensure(NAMES, now)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert pki.ensure(NAMES, now + SERVER_LIFE - RENEW_BEFORE - timedelta(days=1)) is False
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_near_its_end_the_certificate_is_renewed_under_the_same_ca(tmp_path: Path) -> None:
    pki, now = Pki(tmp_path), datetime.now(UTC)
    pki.ensure(NAMES, now)
    ca, old = pki.authority(), pki.server()
    assert pki.ensure(NAMES, now + SERVER_LIFE - RENEW_BEFORE + timedelta(days=1)) is True
    assert pki.authority() == ca
    assert pki.server().expires > old.expires


def test_a_new_address_or_a_new_ca_means_a_new_certificate(tmp_path: Path) -> None:
    pki, now = Pki(tmp_path), datetime.now(UTC)
    pki.ensure(NAMES, now)
    assert pki.ensure((*NAMES, "10.250.64.99"), now) is True
    assert "10.250.64.99" in pki.server().names
    assert pki.ensure(NAMES, now + CA_LIFE) is True
    assert pki.ensure(NAMES, now + CA_LIFE) is False


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_keys_are_for_the_owner_of_the_directory_only(tmp_path: Path) -> None:
    os.chown(tmp_path, 777, 777)
    pki = Pki(tmp_path / "pki")
    pki.ensure(NAMES, datetime.now(UTC))
    made = {path.name: path.stat() for path in (tmp_path / "pki").iterdir()}
    assert {(s.st_uid, s.st_gid) for s in made.values()} == {(777, 777)}
    assert [made[key].st_mode & 0o777 for key in ("ca.key", "console.key")] == [0o600, 0o600]


def test_a_damaged_certificate_is_named(tmp_path: Path) -> None:
    pki = Pki(tmp_path)
    pki.ensure(NAMES, datetime.now(UTC))
    pki.ca_certificate.write_text("not a certificate")
    with pytest.raises(PkiError, match="cannot be read") as caught:
        pki.ensure(NAMES, datetime.now(UTC))
    assert str(pki.ca_certificate) in str(caught.value)


def test_there_is_none_before_there_is_one(tmp_path: Path) -> None:
    with pytest.raises(PkiError):
        Pki(tmp_path).authority()
