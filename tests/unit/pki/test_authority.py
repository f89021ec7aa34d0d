"""The CA: what it issues TLS itself believes, what it revokes TLS refuses, and nothing secret gets out."""

from __future__ import annotations

import os
import ssl
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from pki import Authority, PkiError, Purpose
from pki.authority import CRL_AGE, CRL_LIFE
from pki.x509 import key_bytes, names_of, pem_of

NOW = datetime.now(UTC)
YEAR = timedelta(days=365)


def shaken(server: Authority, name: str, client: Path | None, *, ca: Path | None = None, host: str = "soc") -> str:
    """A handshake in memory between the certificate `name` and a client; the server looks at revocations."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*server.files_of(name))
    if client is not None:
        context.load_verify_locations(server.certificate)
        context.load_verify_locations(server.crl)
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF | ssl.VERIFY_X509_PARTIAL_CHAIN
        context.verify_mode = ssl.CERT_REQUIRED
    asking = ssl.create_default_context(cafile=str(ca or server.certificate))
    if client is not None:
        asking.load_cert_chain(client, client.with_suffix(".key"))
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = (
        asking.wrap_bio(to_client, to_server, server_hostname=host),
        context.wrap_bio(to_server, to_client, server_side=True),
    )
    for _ in range(5):
        for side in sides:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return str(sides[1].version())


@pytest.fixture
def ca(tmp_path: Path) -> Authority:
    made = Authority(tmp_path / "pki")
    made.ensure(NOW)
    made.ensure_server("collector", ["soc"], NOW)
    return made


def request(key: object, *names: str) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "whatever it claims")])
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(serialization.Encoding.PEM)  # type: ignore[arg-type]


def test_a_device_is_believed_as_client_and_as_server(ca: Authority) -> None:
    ca.issue("ce-0001", names=["ce-0001.tinh.vn", "10.9.0.1"], purpose=Purpose.DEVICE, life=YEAR, now=NOW)
    assert shaken(ca, "collector", ca.files_of("ce-0001")[0]) == "TLSv1.3"
    assert shaken(ca, "ce-0001", None, host="10.9.0.1") == "TLSv1.3"


def test_a_client_certificate_serves_nobody(ca: Authority) -> None:
    ca.issue("agent", names=["agent"], purpose=Purpose.CLIENT, life=YEAR, now=NOW)
    with pytest.raises(ssl.SSLCertVerificationError, match="purpose"):
        shaken(ca, "agent", None, host="agent")


def test_a_revoked_one_is_refused_and_the_others_are_not(ca: Authority) -> None:
    for name in ("stolen", "kept"):
        ca.issue(name, purpose=Purpose.CLIENT, life=YEAR, now=NOW)
    gone = ca.revoke("stolen", reason="stolen", now=NOW)
    with pytest.raises(ssl.SSLCertVerificationError, match="revoked"):
        shaken(ca, "collector", ca.files_of("stolen")[0])
    assert shaken(ca, "collector", ca.files_of("kept")[0]) == "TLSv1.3"
    assert [(e.name, e.reason) for e in gone] == [("stolen", "stolen")]
    with pytest.raises(PkiError, match="nothing that is valid"):
        ca.revoke("stolen", reason="again", now=NOW)


def test_a_name_that_was_revoked_may_be_given_again(ca: Authority) -> None:
    ca.issue("router", purpose=Purpose.CLIENT, life=YEAR, now=NOW)
    ca.revoke("router", reason="replaced hardware", now=NOW)
    ca.issue("router", purpose=Purpose.CLIENT, life=YEAR, now=NOW)
    assert shaken(ca, "collector", ca.files_of("router")[0]) == "TLSv1.3"
    assert [e.is_current for e in ca.entries() if e.name == "router"] == [False, True]


def test_renewing_keeps_names_and_purpose_and_makes_a_new_key(ca: Authority) -> None:
    first = ca.issue("web", names=["web.tinh.vn"], purpose=Purpose.SERVER, life=timedelta(days=90), now=NOW)
    key = ca.files_of("web")[1].read_bytes()
    second = ca.renew("web", now=NOW + timedelta(days=60))
    assert (second.names, second.purpose) == (first.names, first.purpose)
    assert second.expires - first.expires == timedelta(days=60)
    assert ca.files_of("web")[1].read_bytes() != key
    assert [e.is_current for e in ca.entries() if e.name == "web"] == [False, True]
    assert len(ca.revoke("web", reason="key lost", now=NOW)) == 2, (
        "the replaced one is still valid, so it is revoked too"
    )


@pytest.mark.parametrize("key", [rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP384R1())])
def test_a_request_is_signed_for_its_own_key_and_only_the_names_it_was_given(ca: Authority, key: object) -> None:
    ca.issue(
        "fw", names=["fw.tinh.vn"], purpose=Purpose.DEVICE, life=YEAR, now=NOW, request=request(key, "soc.tinh.vn")
    )
    certificate, key_file = ca.files_of("fw")
    issued = x509.load_pem_x509_certificate(certificate.read_bytes())
    assert issued.public_key() == key.public_key()  # type: ignore[attr-defined]
    assert names_of(issued) == ("fw.tinh.vn",), "what a request claims beside does not count"
    assert issued.subject.rfc4514_string() == "CN=fw"
    assert not key_file.exists()
    renewed = ca.renew("fw", now=NOW)
    assert x509.load_pem_x509_certificate(certificate.read_bytes()).public_key() == key.public_key()  # type: ignore[attr-defined]
    assert renewed.names == ("fw.tinh.vn",)


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (b"rubbish", "no signing request"),
        (request(rsa.generate_private_key(65537, 1024)), "too weak"),
        (request(ed25519.Ed25519PrivateKey.generate()), "unknown kind"),
        (request(ec.generate_private_key(ec.SECP192R1())), "too weak"),
    ],
    ids=["rubbish", "rsa-1024", "ed25519", "p-192"],
)
def test_requests_that_are_refused(ca: Authority, asked: bytes, why: str) -> None:
    with pytest.raises(PkiError, match=why):
        ca.issue("fw", purpose=Purpose.CLIENT, life=YEAR, now=NOW, request=asked)


def test_a_request_with_anothers_signature_is_refused(ca: Authority) -> None:
    whole = x509.load_pem_x509_csr(request(ec.generate_private_key(ec.SECP256R1())))
    der = bytearray(whole.public_bytes(serialization.Encoding.DER))
    at = der.index(b"whatever")
    der[at : at + 8] = b"WHATEVER"
    pem = x509.load_der_x509_csr(bytes(der)).public_bytes(serialization.Encoding.PEM)
    with pytest.raises(PkiError, match="not signed by its own key"):
        ca.issue("fw", purpose=Purpose.CLIENT, life=YEAR, now=NOW, request=pem)


@pytest.mark.parametrize("name", ["../ca", "ca", "console", "", "a" * 64, "có dấu", "a/b", ".hidden"])
def test_names_that_would_leave_the_directory_are_refused(ca: Authority, name: str) -> None:
    with pytest.raises(PkiError, match="cannot name"):
        ca.issue(name, purpose=Purpose.CLIENT, life=YEAR, now=NOW)


def test_what_cannot_be_issued_says_why(ca: Authority) -> None:
    with pytest.raises(PkiError, match="needs the names"):
        ca.issue("web", purpose=Purpose.SERVER, life=YEAR, now=NOW)
    with pytest.raises(PkiError, match="ASCII"):
        ca.issue("web", names=["thành-phố.vn"], purpose=Purpose.SERVER, life=YEAR, now=NOW)
    with pytest.raises(PkiError, match="for a day"):
        ca.issue("web", purpose=Purpose.CLIENT, life=timedelta(0), now=NOW)
    ca.issue("web", purpose=Purpose.CLIENT, life=YEAR, now=NOW)
    with pytest.raises(PkiError, match="already"):
        ca.issue("web", purpose=Purpose.CLIENT, life=YEAR, now=NOW)
    with pytest.raises(PkiError, match="no valid certificate"):
        ca.renew("nobody", now=NOW)


def test_keys_are_for_their_owner_only(ca: Authority) -> None:
    ca.issue("router", purpose=Purpose.CLIENT, life=YEAR, now=NOW)
    keys = [*ca.folder.rglob("*.key")]
    assert len(keys) == 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in keys} == {0o600}
    for path in (*ca.folder.rglob("*.crt"), ca.crl, ca.folder / "register.json"):
        assert b"PRIVATE" not in path.read_bytes()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_issues_belongs_to_the_platform(tmp_path: Path) -> None:
    os.chown(tmp_path, 777, 777)
    made = Authority(tmp_path / "pki")
    made.ensure(NOW)
    made.issue("router", purpose=Purpose.CLIENT, life=YEAR, now=NOW)
    assert {path.stat().st_uid for path in made.folder.rglob("*")} == {777}


def test_no_link_of_the_platforms_user_is_followed(tmp_path: Path) -> None:
    """Root locks a folder another user owns: what a link there points at would be given to that user."""
    target = tmp_path / "shadow"
    target.write_text("root's own")
    folder = tmp_path / "pki"
    folder.mkdir()
    (folder / "lock").symlink_to(target)
    with pytest.raises(PkiError):
        Authority(folder).ensure(NOW)
    (folder / "lock").unlink()
    (folder / "ca.key.new").symlink_to(target)
    assert Authority(folder).ensure(NOW)
    assert target.read_text() == "root's own"


def test_the_list_is_signed_anew_every_day(ca: Authority) -> None:
    before = ca.crl.read_bytes()
    assert ca.ensure(NOW) is False
    assert ca.crl.read_bytes() == before
    assert ca.ensure(NOW + CRL_AGE) is True
    listed = x509.load_pem_x509_crl(ca.crl.read_bytes())
    assert listed.next_update_utc is not None and listed.next_update_utc - listed.last_update_utc > CRL_LIFE
    assert listed.is_signature_valid(ca.load().public_key())  # type: ignore[arg-type]
    assert listed.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 2


def test_console_and_collector_that_start_together_make_one_ca(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        services = ["console", "collector"] * 4
        list(pool.map(lambda s: Authority(tmp_path / "pki").ensure_server(s, ["soc"], NOW), services))
    made = Authority(tmp_path / "pki")
    assert sorted(e.name for e in made.entries()) == ["collector", "console"]
    assert shaken_both(made)


def shaken_both(made: Authority) -> bool:
    made.ensure(NOW)
    return all(shaken(made, service, None) == "TLSv1.3" for service in ("console", "collector"))


def own_ca(*, is_root: bool, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> tuple[bytes, bytes, bytes]:
    """The province's own CA, below a root unless it is one: its chain, its key, and the root."""

    def made(
        subject: str,
        issuer: str,
        signed: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
        signer: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
    ) -> x509.Certificate:
        name = {n: x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, n)]) for n in (subject, issuer)}
        return (
            x509.CertificateBuilder()
            .subject_name(name[subject])
            .issuer_name(name[issuer])
            .public_key(signed.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - YEAR)
            .not_valid_after(NOW + YEAR)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(signed.public_key()), critical=False)
            .sign(signer, hashes.SHA256())
        )

    if is_root:
        root = made("Tỉnh", "Tỉnh", key, key)
        return pem_of(root), key_bytes(key), pem_of(root)
    above = ec.generate_private_key(ec.SECP256R1())
    root, sub = made("Gốc", "Gốc", above, above), made("Tỉnh", "Gốc", key, above)
    return pem_of(sub) + pem_of(root), key_bytes(key), pem_of(root)


@pytest.mark.parametrize("is_root", [True, False])
def test_the_provinces_own_ca_issues_once_it_is_imported(ca: Authority, tmp_path: Path, is_root: bool) -> None:
    ca.issue("before", purpose=Purpose.CLIENT, life=YEAR, now=NOW)
    chain, key, root = own_ca(is_root=is_root, key=rsa.generate_private_key(65537, 2048))
    (tmp_path / "root.crt").write_bytes(root)
    ca.adopt(chain, key, NOW)
    assert ca.ensure_server("collector", ["soc"], NOW) is True, "the old one is of the old CA"
    ca.issue("router", purpose=Purpose.CLIENT, life=YEAR, now=NOW)
    assert shaken(ca, "collector", ca.files_of("router")[0], ca=tmp_path / "root.crt") == "TLSv1.3"
    with pytest.raises(ssl.SSLCertVerificationError):
        shaken(ca, "collector", ca.files_of("before")[0], ca=tmp_path / "root.crt")
    ca.revoke("router", reason="test", now=NOW)
    with pytest.raises(ssl.SSLCertVerificationError, match="revoked"):
        shaken(ca, "collector", ca.files_of("router")[0], ca=tmp_path / "root.crt")


def test_an_imported_ca_is_never_replaced_by_one_of_ours(ca: Authority) -> None:
    chain, key, _ = own_ca(is_root=True, key=ec.generate_private_key(ec.SECP256R1()))
    ca.adopt(chain, key, NOW)
    late = NOW + timedelta(days=350)
    ca.ensure_server("console", ["soc"], late)
    assert ca.certificate.read_bytes() == chain
    assert ca.ensure_server("console", ["soc"], late + timedelta(days=1)) is False, "not anew at each start"
    with pytest.raises(PkiError, match="has expired"):
        ca.ensure(NOW + YEAR)


def test_what_is_no_ca_is_not_imported(ca: Authority) -> None:
    chain, key, _ = own_ca(is_root=True, key=ec.generate_private_key(ec.SECP256R1()))
    ca.issue("leaf", purpose=Purpose.CLIENT, life=YEAR, now=NOW)
    leaf = [path.read_bytes() for path in ca.files_of("leaf")]
    for given, why in (
        ((chain, leaf[1]), "not the CA's"),
        ((leaf[0], leaf[1]), "may not issue"),
        ((b"x", key), "cannot be read"),
        ((chain, b"x"), "cannot be read"),
    ):
        with pytest.raises(PkiError, match=why):
            ca.adopt(*given, NOW)
    with pytest.raises(PkiError, match="not valid now"):
        ca.adopt(chain, key, NOW + 2 * YEAR)
    assert ca.load().subject.rfc4514_string() == "CN=Canh internal CA"


def test_a_lost_register_is_not_taken_for_an_empty_one(ca: Authority) -> None:
    (ca.folder / "register.json").write_text("{")
    with pytest.raises(PkiError, match="register"):
        ca.issue("web", purpose=Purpose.CLIENT, life=YEAR, now=NOW)
