"""From one CA to the next: who holds a certificate of either is let in, and nobody is once a CA is let go."""

from __future__ import annotations

import ssl
import stat
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from monitoring.receivers.tls import Clients, TlsKeys
from pki import Authority, PkiError, Purpose, files
from pki.authority import CA_LIFE, CRL_AGE, RENEW_BEFORE
from pki.rollover import distrust, switch, take_in
from pki.trust import id_of
from pki.x509 import fingerprint_of, pem_of, revocations, signing_key
from tests.unit.pki.test_authority import NOW, YEAR, own_ca


@pytest.fixture
def ca(tmp_path: Path) -> Authority:
    made = Authority(tmp_path / "pki")
    made.ensure(NOW)
    made.ensure_server("collector", ["soc"], NOW)
    return made


def let_in(ca: Authority, client: str, *, trusting: Path | None = None) -> bool:
    """Whether the collector's receivers, as they are now, take the certificate of a client, and the client theirs."""
    certificate, key = ca.files_of(client)
    return shaken(ca, certificate, key, trusting or ca.trust.bundle)


def shaken(ca: Authority, certificate: Path, key: Path, trusting: Path) -> bool:
    asking = ssl.create_default_context(cafile=str(trusting))
    asking.load_cert_chain(certificate, key)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = (
        asking.wrap_bio(to_client, to_server, server_hostname="soc"),
        TlsKeys(ca, Clients.REQUIRED).context().wrap_bio(to_server, to_client, server_side=True),
    )
    try:
        for _ in range(5):
            for side in sides:
                try:
                    side.do_handshake()
                except ssl.SSLWantReadError:
                    continue
    except ssl.SSLError:
        return False
    return sides[1].version() == "TLSv1.3"


def given(ca: Authority, name: str) -> None:
    ca.issue(name, purpose=Purpose.CLIENT, life=YEAR, now=NOW)


def test_our_own_ca_is_followed_by_the_next_with_both_trusted(ca: Authority, tmp_path: Path) -> None:
    given(ca, "old")
    before, first = tmp_path / "before.crt", ca.load()
    before.write_bytes(ca.certificate.read_bytes())
    following = take_in(ca, NOW)
    assert ca.load() == first, "it only issues after the switch"
    assert let_in(ca, "old", trusting=before), "nobody notices yet"
    switch(ca, following.id[:6], NOW)
    assert ca.load() == following.ca
    given(ca, "new")
    assert let_in(ca, "old", trusting=before) and let_in(ca, "new"), "our certificate is still of the one before"
    assert ca.ensure_server("collector", ["soc"], NOW) is True
    assert let_in(ca, "old") and let_in(ca, "new")
    assert not let_in(ca, "old", trusting=before), "why senders get the bundle before the switch"
    assert [e.name for e in ca.entries() if e.is_current] == ["old", "new", "collector"]
    distrust(ca, id_of(first), NOW)
    assert not let_in(ca, "old") and let_in(ca, "new")
    assert [e.name for e in ca.entries() if e.is_current] == ["new", "collector"]
    assert ca.trust.all() == () and ca.trust.bundle.read_bytes() == ca.certificate.read_bytes()


def test_whoever_issued_it_a_revoked_one_is_refused(ca: Authority) -> None:
    for name in ("old", "stolen-old"):
        given(ca, name)
    switch(ca, take_in(ca, NOW).id, NOW)
    for name in ("new", "stolen-new"):
        given(ca, name)
    for name in ("stolen-old", "stolen-new"):
        ca.revoke(name, reason="stolen", now=NOW)
    assert [let_in(ca, n) for n in ("old", "stolen-old", "new", "stolen-new")] == [True, False, True, False]
    assert TlsKeys(ca, Clients.OPTIONAL).revoked >= {
        (x509.load_pem_x509_certificate(ca.files_of(n)[0].read_bytes()).issuer.public_bytes(), int(e.serial, 16))
        for n in ("stolen-old", "stolen-new")
        for e in ca.entries()
        if e.name == n
    }


def test_the_lists_of_all_that_issue_here_are_signed_every_day(ca: Authority) -> None:
    given(ca, "old")
    switch(ca, take_in(ca, NOW).id, NOW)
    (old,) = ca.trust.all()
    first = old.listed_until
    ca.ensure(NOW + CRL_AGE)
    assert first is not None and old.listed_until == first + CRL_AGE


def test_near_its_end_our_ca_is_followed_by_the_one_that_was_prepared(ca: Authority) -> None:
    given(ca, "old")
    first, prepared = ca.load(), take_in(ca, NOW + YEAR)
    near = NOW + CA_LIFE - RENEW_BEFORE
    ca.ensure(near)
    assert ca.load() == prepared.ca
    assert [one.ca for one in ca.trust.all()] == [first], "trusted to its end"
    ca.ensure(near + RENEW_BEFORE)
    assert ca.trust.all() == ()


def test_near_its_end_an_unprepared_ca_is_followed_by_a_new_one_and_trusted_on(ca: Authority) -> None:
    first = ca.load()
    ca.ensure(NOW + CA_LIFE - RENEW_BEFORE)
    assert ca.load() != first and [one.ca for one in ca.trust.all()] == [first]


def test_the_provinces_own_ca_vouches_for_its_devices_beside_ours(ca: Authority, tmp_path: Path) -> None:
    given(ca, "ours")
    province = Authority(tmp_path / "province")
    province.ensure(NOW)
    for name in ("theirs", "lost"):
        province.issue(name, purpose=Purpose.CLIENT, life=YEAR, now=NOW)
    assert not shaken(ca, *province.files_of("theirs"), ca.certificate)
    taken = take_in(ca, NOW, certificate=province.certificate.read_bytes(), crl=province.crl.read_bytes())
    assert not taken.may_issue_here
    assert shaken(ca, *province.files_of("theirs"), ca.certificate) and let_in(ca, "ours")
    province.revoke("lost", reason="lost", now=NOW)
    assert shaken(ca, *province.files_of("lost"), ca.certificate), "nobody has told us yet"
    take_in(ca, NOW, certificate=province.certificate.read_bytes(), crl=province.crl.read_bytes())
    assert not shaken(ca, *province.files_of("lost"), ca.certificate)
    assert shaken(ca, *province.files_of("theirs"), ca.certificate)
    with pytest.raises(PkiError, match="key of this CA is not here"):
        switch(ca, taken.id, NOW)
    distrust(ca, fingerprint_of(taken.ca), NOW)
    assert not shaken(ca, *province.files_of("theirs"), ca.certificate) and let_in(ca, "ours")


def test_the_provinces_own_ca_takes_over_without_a_break(ca: Authority) -> None:
    given(ca, "old")
    chain, key, _ = own_ca(is_root=True, key=ec.generate_private_key(ec.SECP256R1()))
    switch(ca, take_in(ca, NOW, certificate=chain, key=key).id, NOW)
    given(ca, "new")
    ca.ensure_server("collector", ["soc"], NOW)
    assert let_in(ca, "old") and let_in(ca, "new")
    ca.ensure_server("console", ["soc"], NOW + timedelta(days=350))
    assert ca.certificate.read_bytes() == chain, "it is the province's: never replaced by one of ours"


def test_a_switch_that_was_killed_in_the_middle_is_done_by_doing_it_again(
    ca: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    given(ca, "old")
    following, whole = take_in(ca, NOW), files.replace
    for kill_at in range(1, 9):

        def killed(path: Path, content: bytes, mode: int, left: list[int] = [kill_at]) -> None:  # noqa: B006
            left[0] -= 1
            if not left[0]:
                raise KeyboardInterrupt
            whole(path, content, mode)

        monkeypatch.setattr(files, "replace", killed)
        with suppress(KeyboardInterrupt, PkiError):
            switch(ca, following.id, NOW)
        monkeypatch.setattr(files, "replace", whole)
        if ca.load() != following.ca:
            continue
        ca.ensure(NOW, sign=True)
        ca.ensure_server("collector", ["soc"], NOW)
        assert let_in(ca, "old"), f"killed at file {kill_at}"
    assert ca.load() == following.ca


def test_what_cannot_be_trusted_is_refused(ca: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other")
    other.ensure(NOW)
    other.issue("leaf", purpose=Purpose.CLIENT, life=YEAR, now=NOW)
    certificate, crl = other.certificate.read_bytes(), other.crl.read_bytes()
    signer = signing_key((tmp_path / "other/ca.key").read_bytes())
    stale = pem_of(revocations((other.load(), signer), (), 1, (NOW - YEAR, timedelta(days=1))))
    leaf = other.files_of("leaf")[0].read_bytes()
    for how, why in (
        ({"certificate": certificate}, "without its revocation list"),
        ({"certificate": certificate, "crl": ca.crl.read_bytes()}, "not this CA's"),
        ({"certificate": certificate, "crl": stale}, "has run out"),
        ({"certificate": certificate, "crl": b"x"}, "cannot be read"),
        ({"certificate": leaf, "crl": crl}, "may not issue"),
        ({"certificate": ca.certificate.read_bytes(), "crl": ca.crl.read_bytes()}, "the one that issues"),
    ):
        with pytest.raises(PkiError, match=why):
            take_in(ca, NOW, **how)
    with pytest.raises(PkiError, match="there are 0 trusted CAs"):
        distrust(ca, "abc", NOW)
    assert ca.trust.all() == ()


def test_the_keys_of_trusted_cas_are_for_their_owner_only(ca: Authority) -> None:
    take_in(ca, datetime.now(UTC))
    keys = [*ca.trust.folder.glob("*.key")]
    assert [stat.S_IMODE(path.stat().st_mode) for path in keys] == [0o600]
    assert b"PRIVATE" not in ca.trust.bundle.read_bytes()
