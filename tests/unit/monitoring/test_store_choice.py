"""Which store a data directory has, and that nobody learns its secrets."""

from __future__ import annotations

import base64
import json
import logging
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from canh.cli import main
from inventory import load
from monitoring.elastic import ElasticSettings, ElasticStore, ElasticWriter, settings_of
from monitoring.errors import StoreError
from monitoring.retention import retention_of
from monitoring.store import Store, reader
from monitoring.store.choice import elastic_settings
from tests.unit.monitoring.lab import ROOT
from tests.unit.monitoring.stored import event

SECRET = "mot-mat-khau-rat-dai"


def test_without_a_word_it_is_the_embedded_store(tmp_path: Path) -> None:
    assert elastic_settings(tmp_path, {}) is None and isinstance(reader(tmp_path), Store)


def test_an_address_says_everything(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{SECRET}\n")
    url = (
        f"elasticsearch://canh:p%40ss@es1,es2:9201/tinh?ca=/etc/ca.pem&replicas=2&shards=3&api_key_file={tmp_path}/key"
    )
    assert elastic_settings(tmp_path, {"CANH_STORE": url}) == ElasticSettings(
        hosts=("https://es1:9200", "https://es2:9201"),
        user="canh",
        password="p@ss",
        api_key=SECRET,
        ca=Path("/etc/ca.pem"),
        prefix="tinh",
        shards=3,
        replicas=2,
    )


def test_a_file_says_it_for_everything_that_opens_the_directory(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(SECRET)
    document = {"hosts": ["https://es1:9200"], "user": "canh", "password_file": str(tmp_path / "password")}
    (tmp_path / "store.yaml").write_text(yaml.safe_dump({"elasticsearch": document}))
    found = elastic_settings(tmp_path, {})
    assert found == ElasticSettings(hosts=("https://es1:9200",), user="canh", password=SECRET)
    assert elastic_settings(tmp_path, {"CANH_STORE": "parquet"}) is None
    assert isinstance(reader(tmp_path), ElasticStore)


def test_the_command_line_goes_before_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CANH_STORE", "elasticsearch://127.0.0.1:9/?tls=off")
    assert main(["--data", str(tmp_path), "search", ""]) == 2
    assert main(["--data", str(tmp_path), "--store", "parquet", "search", ""]) == 0
    assert "Elasticsearch at http://127.0.0.1:9" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("mongodb://x", "names no store"),
        ("elasticsearch://", "hosts"),
        (f"elasticsearch://canh:{SECRET}@es1:9200?tls=off", "without TLS"),
        (f"elasticsearch://canh:{SECRET}@es1:9200?replicas=many", "replicas"),
        (f"elasticsearch://canh:{SECRET}@es1:9200?replica=1", "replica"),
        (f"elasticsearch://canh:{SECRET}@es1:9200/Big-Name", "prefix"),
        (f"elasticsearch://canh:{SECRET}@es1:9200?api_key_file=/no/such/file", "No such file"),
        (f"elasticsearch://canh:{SECRET}@es1:9200?ca=/no/such/file", "CA file"),
    ],
)
def test_a_wrong_address_is_told_without_its_secret(tmp_path: Path, url: str, what: str) -> None:
    with pytest.raises(StoreError) as caught:
        settings = elastic_settings(tmp_path, {"CANH_STORE": url})
        assert settings is not None
        ElasticStore(settings).count()
    assert what in str(caught.value) and SECRET not in str(caught.value) and "fix:" in str(caught.value)


@pytest.mark.parametrize(
    "text", ["elasticsearch: {}", "parquet", "a: b", "elasticsearch: [", "elasticsearch: {hosts: x}"]
)
def test_a_wrong_file_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "store.yaml").write_text(text)
    with pytest.raises(StoreError, match=r"store\.yaml"):
        elastic_settings(tmp_path, {})


# Over TLS, with a certificate of our own authority


class _Guarded(BaseHTTPRequestHandler):
    """Says who it is to whom knows the password, and refuses everyone."""

    asked: list[str]

    def do_PUT(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    do_HEAD = do_POST = do_GET

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        type(self).asked.append(self.headers.get("authorization", ""))
        body = json.dumps({"error": {"type": "security_exception", "reason": "action is unauthorized"}, "status": 403})
        self.send_response(403)
        self.send_header("x-elastic-product", "Elasticsearch")
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """Port of a server with a certificate, and the authority's certificate."""
    key, certificate = _certificate(tmp_path)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Guarded)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    _Guarded.asked = []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1], certificate
    server.shutdown()
    server.server_close()


def test_a_password_goes_over_tls_and_nowhere_else(
    tmp_path: Path, guarded: tuple[int, Path], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    port, ca = guarded
    settings = settings_of(f"elasticsearch://canh:{SECRET}@127.0.0.1:{port}?ca={ca}")
    with pytest.raises(StoreError) as caught:
        ElasticWriter(tmp_path, settings, patience_s=1.0).write([event(1)])
    written = base64.b64encode(f"canh:{SECRET}".encode()).decode()
    assert _Guarded.asked and set(_Guarded.asked) == {f"Basic {written}"}
    out = capfd.readouterr()
    said = f"{caught.value}{settings!r}{settings}{caplog.text}{out.out}{out.err}"
    assert "not allowed" in said and SECRET not in said and written not in said


def test_a_server_nobody_vouches_for_is_refused(guarded: tuple[int, Path]) -> None:
    with pytest.raises(StoreError, match="certificate"):
        ElasticStore(settings_of(f"elasticsearch://canh:{SECRET}@127.0.0.1:{guarded[0]}")).count()
    assert _Guarded.asked == []


def _certificate(folder: Path) -> tuple[Path, Path]:
    from ipaddress import ip_address

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (folder / "ca.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return folder / "key.pem", folder / "ca.pem"


# How long, as the inventory says


def test_the_inventory_says_what_is_kept_longer(tmp_path: Path) -> None:
    import shutil

    shutil.copytree(ROOT / "inventory/provinces/lab", tmp_path / "lab")
    file = tmp_path / "lab/province.yaml"
    more = (
        "log_retention_of:\n    - {name: polls, days: 92, data_set: snmp.}\n"
        "    - {name: portal, days: 730, devices: dc-app1}\n"
    )
    file.write_text(
        file.read_text("utf-8").replace("log_retention_days: 180", f"log_retention_days: 180\n  {more}"), "utf-8"
    )
    retention = retention_of(load(tmp_path / "lab").policy)
    assert retention.streams == ("log", "polls", "portal")
    assert [retention.of(s).days for s in retention.streams] == [180, 92, 730]
    told = [{"event.dataset": "snmp.interface"}, {"host.name": "dc-app1"}, {"host.name": "dc-r1"}]
    assert [retention.stream_of(event(n, **fields)) for n, fields in enumerate(told)] == ["polls", "portal", "log"]
