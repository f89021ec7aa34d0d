"""A real rsyslogd ships over TLS, RELP and `_bulk`, while the collector is killed: what it was told is kept, is.

Everything stays on loopback; the lab's machines are not needed. rsyslogd runs in the foreground with a
configuration of its own, its queue on disk.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitoring.durable import read_json
from pki import Authority, Purpose
from tests.lab.test_collector_faults import ROOT, Collecting, eventually, free_port

MESSAGES = 20_000
KILLS = 5
MODULES = Path("/usr/lib/x86_64-linux-gnu/rsyslog")
RFC5424 = 'template="RSYSLOG_SyslogProtocol23Format"'
PATIENT = (
    'action.resumeRetryCount="-1" action.resumeInterval="1" action.resumeIntervalMax="1" queue.type="LinkedList"'
    ' queue.filename="q" queue.size="100000" queue.saveOnShutdown="on" queue.timeoutEnqueue="-1"'
)


def needs(*modules: str) -> None:
    missing = [f"rsyslog-{m}" for m in modules if not Path(f"/usr/share/doc/rsyslog-{m}").exists()]
    if shutil.which("rsyslogd") is None or missing:
        pytest.skip(f"Debian packages are missing: rsyslog {' '.join(missing)}")


class Streaming(Collecting):
    """A collector with one receiver of streams, besides plain TCP."""

    def __init__(self, data: Path, receiver: str, *options: str) -> None:
        self.port = free_port(socket.SOCK_STREAM)
        super().__init__(data, f"--{receiver}", f"127.0.0.1:{self.port}", "--no-store", *options)

    def canh(self, *words: str) -> str:
        done = subprocess.run(self.command(*words), cwd=ROOT, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def refused(self) -> dict[str, dict[str, int]]:
        counters = read_json(self.data / "stats/collect.json").get("refused", {})
        assert isinstance(counters, dict)
        return counters

    def numbers(self) -> Counter[int]:
        """How often each of the messages came."""
        said = (raw.rpartition(b"number:")[2] for _, raw in self.spooled() if b"number:" in raw)
        return Counter(int(number.split(b'"')[0]) for number in said)


@contextmanager
def rsyslogd(folder: Path, settings: str) -> Iterator[int]:
    """Runs it; gives the port on which it takes lines."""
    folder.mkdir()
    port, file = free_port(socket.SOCK_STREAM), folder / "rsyslog.conf"
    file.write_text(
        f'global(workDirectory="{folder}" shutdown.queue.doublesize="on")\nmodule(load="imptcp")\n'
        f'input(type="imptcp" address="127.0.0.1" port="{port}")\n{settings}\n'
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(["rsyslogd", "-n", "-i", "NONE", "-f", str(file)], stdout=log, stderr=log)
    try:
        eventually(lambda: listens(port))
        yield port
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def send(port: int, first: int, count: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as sock:
        for n in range(first, first + count):
            sock.sendall(b"<13>1 2026-03-01T00:00:00Z host app - - - number:%d\n" % n)


def ship_while_killing(collecting: Streaming, port: int) -> Counter[int]:
    """Send all in portions and kill the collector between them; how often each came in the end."""
    portion = MESSAGES // (KILLS + 1)
    for kill in range(KILLS + 1):
        send(port, kill * portion, portion)
        if kill < KILLS:
            time.sleep(0.3)
            collecting.kill()
            collecting.start()
    wanted = set(range(portion * (KILLS + 1)))
    eventually(lambda: set(collecting.numbers()) >= wanted, within_s=60)
    assert set(collecting.numbers()) == wanted
    return collecting.numbers()


@pytest.mark.parametrize("receiver", ["relp-tcp", "relp-tls"])
def test_relp_loses_nothing_when_the_collector_is_killed(tmp_path: Path, receiver: str) -> None:
    needs("relp")
    collecting = Streaming(tmp_path / "data", receiver, "--tls-clients", "required")
    made = json.loads(collecting.canh("--json", "pki", "issue", "sender"))
    collecting.start()
    tls = (
        f'tls="on" tls.cacert="{collecting.data}/pki/ca.crt" tls.mycert="{made["certificate"]}"'
        f' tls.myprivkey="{made["key"]}" tls.authmode="name" tls.permittedpeer="localhost"'
    )
    action = f'action(type="omrelp" target="localhost" port="{collecting.port}" {RFC5424} {PATIENT}'
    try:
        with rsyslogd(
            tmp_path / "rsyslog", f'module(load="omrelp")\n{action} {tls if "tls" in receiver else ""})'
        ) as port:
            came = ship_while_killing(collecting, port)
    finally:
        assert collecting.stop() == 0
    twice = sum(came.values()) - len(came)
    assert twice == 0, "what was in the window of a killed connection comes again and is known"
    assert collecting.stats()["balances"]


def test_bulk_loses_nothing_when_the_collector_is_killed(tmp_path: Path) -> None:
    needs("elasticsearch")
    collecting = Streaming(tmp_path / "data", "bulk")
    token = collecting.canh("pki", "token", "add", "rsyslog")
    collecting.start()
    settings = (
        'module(load="omelasticsearch")\n'
        'template(name="doc" type="list" option.jsonf="on") {\n'
        ' property(outname="@timestamp" name="timereported" dateFormat="rfc3339" format="jsonf")\n'
        ' property(outname="host" name="hostname" format="jsonf")\n'
        ' property(outname="message" name="msg" format="jsonf") }\n'
        f'action(type="omelasticsearch" server="localhost" serverport="{collecting.port}" usehttps="on"'
        f' tls.cacert="{collecting.data}/pki/ca.crt" uid="rsyslog" pwd="{token}" template="doc" searchIndex="logs"'
        f' searchType="" bulkmode="on" errorfile="{tmp_path}/refused" {PATIENT})'
    )
    try:
        with rsyslogd(tmp_path / "rsyslog", settings) as port:
            came = ship_while_killing(collecting, port)
    finally:
        assert collecting.stop() == 0
    twice = sum(came.values()) - len(came)
    assert twice == 0, "a batch that comes again is known"
    assert not (tmp_path / "refused").exists(), "rsyslog gave up on a document"
    raw = next(raw for _, raw in collecting.spooled() if b"number:" in raw)
    document = json.loads(raw)
    assert document["_index"] == "logs" and document["host"] == "host"


def test_syslog_over_tls_comes_from_a_sender_with_a_certificate_only(tmp_path: Path) -> None:
    needs("openssl")
    collecting = Streaming(tmp_path / "data", "syslog-tls", "--tls-clients", "required")
    made = json.loads(collecting.canh("--json", "pki", "issue", "sender"))
    collecting.start()

    def settings(certificate: str) -> str:
        return (
            f'global(DefaultNetstreamDriverCAFile="{collecting.data}/pki/ca.crt" {certificate})\n'
            f'action(type="omfwd" target="localhost" port="{collecting.port}" protocol="tcp" StreamDriver="ossl"'
            ' StreamDriverMode="1" StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="localhost"'
            f' TCP_Framing="octet-counted" {RFC5424} {PATIENT})'
        )

    own = f'DefaultNetstreamDriverCertFile="{made["certificate"]}" DefaultNetstreamDriverKeyFile="{made["key"]}"'
    try:
        with rsyslogd(tmp_path / "rsyslog", settings(own)) as port:
            send(port, 0, 5000)
            eventually(lambda: len(collecting.numbers()) == 5000)
            collecting.canh("pki", "revoke", "sender", "--reason", "test")
            eventually(lambda: "certificate-revoked" in collecting.refused())
            time.sleep(1.5)
            send(port, 5000, 100)
            time.sleep(1)
            assert len(collecting.numbers()) == 5000, "a revoked sender is not heard any more"
    finally:
        assert collecting.stop() == 0
    assert collecting.numbers() == Counter(range(5000))


def test_a_sender_over_tls_that_was_quiet_loses_nothing_when_the_collector_went(tmp_path: Path) -> None:
    """rsyslog notices before it sends only if nothing of TLS lies unread before the end of the connection."""
    needs("openssl")
    collecting = Streaming(tmp_path / "data", "syslog-tls")
    collecting.start()
    settings = (
        f'global(DefaultNetstreamDriverCAFile="{collecting.data}/pki/ca.crt")\n'
        f'action(type="omfwd" target="localhost" port="{collecting.port}" protocol="tcp" StreamDriver="ossl"'
        ' StreamDriverMode="1" StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="localhost"'
        f' TCP_Framing="octet-counted" {RFC5424} {PATIENT})'
    )
    try:
        with rsyslogd(tmp_path / "rsyslog", settings) as port:
            send(port, 0, 1)
            for n, end in enumerate((collecting.stop, collecting.kill, collecting.stop, collecting.kill), 1):
                eventually(lambda n=n: set(collecting.numbers()) == set(range(n)))  # type: ignore[misc]
                time.sleep(0.5)
                end()
                collecting.start()
                send(port, n, 1)
            eventually(lambda: set(collecting.numbers()) == set(range(5)))
    finally:
        assert collecting.stop() == 0


def test_clients_that_say_nothing_keep_nobody_out(tmp_path: Path) -> None:
    """5,000 connections, half of them in the middle of a handshake or a request, one endless line."""
    collecting = Streaming(tmp_path / "data", "syslog-tls")
    collecting.start()
    held: list[socket.socket] = []
    endless = socket.create_connection(("127.0.0.1", collecting.tcp))
    endless.setblocking(False)
    try:
        for n in range(5000):
            sock = socket.socket()
            sock.setblocking(False)
            # Loopback has many addresses: as many clients.
            sock.bind((f"127.0.{n % 50}.{2 + n // 100 % 100}", 0))
            sock.connect_ex(("127.0.0.1", collecting.port if n % 2 else collecting.tcp))
            held.append(sock)
        began = time.monotonic()
        for n in range(20):
            with suppress(BlockingIOError):
                endless.send(b"x" * 1_000_000)
            with socket.create_connection(("127.0.0.1", collecting.tcp), timeout=5) as sock:
                sock.sendall(b"<13>number:%d\n" % n)
            tls = ["openssl", "s_client", "-quiet", "-no_ign_eof", "-CAfile", f"{collecting.data}/pki/ca.crt"]
            said = b"<13>number:%d\n" % (100 + n)
            if n % 5 == 0:
                address = f"127.0.0.1:{collecting.port}"
                subprocess.run([*tls, "-connect", address], input=said, capture_output=True, timeout=10, check=False)
        eventually(lambda: len(collecting.spooled()) >= 24, within_s=10)
        assert time.monotonic() - began < 15, "others are served meanwhile"
    finally:
        for sock in (endless, *held):
            sock.close()
        assert collecting.stop() == 0
    found = {raw for _, raw in collecting.spooled() if raw.startswith(b"<13>number")}
    assert found == {b"<13>number:%d" % n for n in (*range(20), *range(100, 120, 5))}


GUIDE = (ROOT / "docs/guides/send-logs.md").read_text("utf-8")


@pytest.mark.parametrize("settings", re.findall(r"```rsyslog\n(.*?)```", GUIDE, re.DOTALL), ids=["tls", "relp", "bulk"])
def test_what_the_guide_shows_of_rsyslog_is_understood_by_it(tmp_path: Path, settings: str) -> None:
    needs("openssl", "relp", "elasticsearch")
    authority = Authority(tmp_path)
    authority.ensure(datetime.now(UTC))
    authority.issue("web1", purpose=Purpose.CLIENT, life=timedelta(days=1), now=datetime.now(UTC))
    for ending in ("crt", "key"):
        settings = settings.replace(f"/etc/canh/web1.{ending}", str(tmp_path / f"issued/web1.{ending}"))
    file = tmp_path / "rsyslog.conf"
    file.write_text(settings.replace("/etc/canh", str(tmp_path)).replace("/var/spool/rsyslog", str(tmp_path)))
    checked = subprocess.run(["rsyslogd", "-N1", "-f", str(file)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0 and "error" not in checked.stderr.lower(), checked.stderr


def test_the_collectors_key_is_for_its_owner_only(tmp_path: Path) -> None:
    collecting = Streaming(tmp_path / "data", "syslog-tls")
    collecting.start()
    assert collecting.stop() == 0
    modes = {path.name: path.stat().st_mode & 0o777 for path in (collecting.data / "pki").glob("*.key")}
    assert modes == {"ca.key": 0o600, "collector.key": 0o600}
