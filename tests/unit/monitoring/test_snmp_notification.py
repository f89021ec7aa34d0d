"""Traps and informs as Debian's net-snmp sends them: what is believed, what is answered, what is refused."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.errors import SecretsError, SpoolFull
from monitoring.receivers import Counters, Intake, Listen
from monitoring.snmp import ber
from monitoring.snmp.accounts import Accounts, accounts_of
from monitoring.snmp.notification import Notifications
from monitoring.snmp.traps import TrapReceiver
from monitoring.snmp.usm import DIGESTS, PRIVACY, Account, Clocks, Engine, digest_of, encrypt, engine_of
from monitoring.spool import Received, Spool, SpoolReader
from tests.unit.pace import eventually, is_within

pytestmark = pytest.mark.skipif(shutil.which("snmptrap") is None, reason="needs net-snmp's snmptrap (package snmp)")

USER = Account(user="canh", auth_password="authentic-9", priv_password="secretive-9")
COMMUNITY = Account(community="vung-kin")
SENDER = "8000000001020304"
LINK_DOWN = ["1.3.6.1.6.3.1.1.5.3", "1.3.6.1.2.1.2.2.1.1.3", "i", "3", "1.3.6.1.2.1.2.2.1.8.3", "i", "2"]
TRAP_V2C = bytes.fromhex(  # authenticationFailure, community vung-kin, as snmptrap wrote it
    "3057020101040876756e672d6b696ea74802045cbb5cca020100020100303a300e06082b0601020101030043021267301706"
    "0a2b06010603010104010006092b0601060301010505300f060a2b060102010202010103020103"
)
EXAMPLE = Path(__file__).resolve().parents[3] / "monitoring/snmp/example-trap.json"


def v3(auth: str = USER.auth_password, priv: str = USER.priv_password, user: str = "canh") -> list[str]:
    return ["-v3", "-u", user, "-l", "authPriv", "-a", "SHA-256", "-A", auth, "-x", "AES", "-X", priv, "-e", SENDER]


def captured(*arguments: str) -> bytes:
    """The datagram that snmptrap sends for these arguments; "HERE" among them stands for us."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(60)
        here = f"127.0.0.1:{sock.getsockname()[1]}"
        subprocess.run(["snmptrap", *(here if a == "HERE" else a for a in arguments)], check=True)
        return sock.recv(65536)


def notifications(*accounts: Account) -> Notifications:
    engine = Engine(id=bytes.fromhex("80007ed90511223344"), boots=3, started=0.0)
    return Notifications(accounts or (USER, COMMUNITY), engine)


def told(datagram: bytes, by: Notifications | None = None, now: float = 100.0) -> dict[str, Any]:
    raw = (by or notifications()).take(datagram, now).raw
    document = json.loads(raw)
    assert isinstance(document, dict)
    return document


def test_a_v2c_trap_becomes_the_documented_document() -> None:
    document = told(captured("-v2c", "-c", "vung-kin", "HERE", "4711", *LINK_DOWN))
    assert document == {
        "version": "2c",
        "kind": "trap",
        "oid": "1.3.6.1.6.3.1.1.5.3",
        "name": "linkDown",
        "uptime_ms": 47110,
        "security": {"level": "noAuthNoPriv", "user": "", "engine_id": ""},
        "varbinds": [
            {"oid": "1.3.6.1.2.1.2.2.1.1.3", "name": "ifIndex", "index": "3", "type": "Integer32", "value": 3},
            {
                "oid": "1.3.6.1.2.1.2.2.1.8.3",
                "name": "ifOperStatus",
                "index": "3",
                "type": "Integer32",
                "value": 2,
                "label": "down",
            },
        ],
    }
    assert set(document) == set(json.loads(EXAMPLE.read_text()))


def test_a_v3_trap_of_any_engine_is_authenticated_and_decrypted() -> None:
    document = told(captured(*v3(), "HERE", "4711", *LINK_DOWN))
    assert (document["kind"], document["name"], len(document["varbinds"])) == ("trap", "linkDown", 2)
    assert document["security"] == {"level": "authPriv", "user": "canh", "engine_id": SENDER}


@pytest.mark.parametrize(("protocol", "name"), [("sha1", "SHA"), ("sha512", "SHA-512"), ("md5", "MD5")])
def test_other_digests_are_understood(protocol: str, name: str) -> None:
    arguments = [name if a == "SHA-256" else a for a in v3()]
    user = replace(USER, auth_protocol=protocol)
    assert told(captured(*arguments, "HERE", "1", *LINK_DOWN), notifications(user))["kind"] == "trap"


@pytest.mark.parametrize(
    ("auth", "priv", "name"),
    [
        ("sha1", "aes192", "AES-192"),
        ("sha1", "aes256", "AES-256"),
        ("md5", "aes256", "AES-256"),
        ("sha1", "aes256c", "AES-256-C"),
        ("sha256", "aes256", "AES-256"),
        ("sha512", "aes192c", "AES-192-C"),
        ("md5", "des", "DES"),
        ("sha256", "des", "DES"),
    ],
)
def test_other_ciphers_are_understood_where_an_account_declares_them(
    tmp_path: Path, auth: str, priv: str, name: str
) -> None:
    words = {"sha1": "SHA", "sha256": "SHA-256", "sha512": "SHA-512", "md5": "MD5"}
    arguments = [{"SHA-256": words[auth], "AES": name}.get(a, a) for a in v3()]
    user = replace(USER, auth_protocol=auth, priv_protocol=priv)
    datagram = captured(*arguments, "HERE", "1", *LINK_DOWN)
    assert told(datagram, notifications(user))["name"] == "linkDown"
    assert told(datagram, notifications(replace(user, priv_protocol="aes128")))["kind"] == "rejected"

    def work(_: SlowSpool, here: str) -> None:
        assert inform(here, *arguments[:-2])[0] == 0, "our answer is understood too"

    receiving(tmp_path, work, user)


def test_a_v1_trap_is_told_in_terms_of_v2() -> None:
    command = ["-v1", "-c", "vung-kin", "HERE", "1.3.6.1.4.1.318", "10.1.2.3"]
    enterprise = told(captured(*command, "6", "5", "99", "1.3.6.1.4.1.318.2.3.3.0", "s", "on battery"))
    assert (enterprise["oid"], enterprise["name"]) == ("1.3.6.1.4.1.318.0.5", "upsOnBattery")
    assert enterprise["varbinds"][0]["value"] == "on battery"
    assert (enterprise["varbinds"][1]["name"], enterprise["varbinds"][1]["value"]) == ("snmpTrapAddress", "10.1.2.3")
    generic = told(captured(*command, "2", "0", "99"))
    assert (generic["version"], generic["name"], generic["uptime_ms"]) == ("1", "linkDown", 990)
    assert generic["varbinds"][-1]["value"] == "1.3.6.1.4.1.318", "the enterprise is kept (RFC 3584 section 3.1)"


def test_where_it_came_from_stands_beside_what_it_says_of_itself() -> None:
    datagram = captured("-v1", "-c", "vung-kin", "HERE", "1.3.6.1.4.1.318", "10.1.2.3", "2", "0", "99")
    document = json.loads(notifications().take(datagram, 1.0, "198.51.100.7").raw)
    assert (document["peer"], document["varbinds"][0]["value"]) == ("198.51.100.7", "10.1.2.3")
    assert json.loads(notifications().take(b"rubbish", 1.0, "198.51.100.7").raw)["peer"] == "198.51.100.7"


def test_every_type_of_value_is_told() -> None:
    typed = "1.3.6.1.4.1.9999.1 {} {}"
    values = [
        "i -5",
        "u 4000000000",
        "c 4294967295",
        "C 1",
        "t 12",
        "a 10.0.0.1",
        "o 1.3.6.1.2",
        "s Thanh",
        "x c3a9ff00",
    ]
    values = [v for v in values if not v.startswith("C")]  # net-snmp's tools cannot send Counter64 in a trap
    arguments = [part for value in values for part in typed.format(*value.split()).split()]
    document = told(captured("-v2c", "-c", "vung-kin", "HERE", "1", "1.3.6.1.4.1.9999", *arguments))
    assert [(v["type"], v["value"]) for v in document["varbinds"]] == [
        ("Integer32", -5),
        ("Gauge32", 4000000000),
        ("Counter32", 4294967295),
        ("TimeTicks", 12),
        ("IpAddress", "10.0.0.1"),
        ("ObjectIdentifier", "1.3.6.1.2"),
        ("OctetString", "Thanh"),
        ("Hex", "c3a9ff00"),
    ]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["-v2c", "-c", "wrong"], "unknown-community"),
        (v3(auth="authentic-8"), "wrong-digest"),
        (v3(priv="secretive-8"), "decryption-error"),
        (v3(user="nobody"), "unknown-user"),
        (["-v3", "-u", "canh", "-l", "noAuthNoPriv", "-e", SENDER], "unsupported-level"),
        (
            ["-v3", "-u", "canh", "-l", "authNoPriv", "-a", "SHA-256", "-A", "authentic-9", "-e", SENDER],
            "unsupported-level",
        ),
    ],
)
def test_who_proves_no_right_is_rejected_with_the_reason_and_without_an_answer(
    arguments: list[str], reason: str
) -> None:
    taken = notifications().take(captured(*arguments, "HERE", "1", *LINK_DOWN), 100.0)
    assert taken.reason == reason
    document = json.loads(taken.raw)
    assert (document["kind"], document["reason"]) == ("rejected", reason)
    assert taken.answer == b""
    assert not any(secret in taken.raw.decode() for secret in ("authentic", "secretive", 'wrong"', "vung-kin"))


def test_an_altered_message_is_rejected_wherever_it_was_altered() -> None:
    datagram = captured(*v3(), "HERE", "1", *LINK_DOWN)
    for at in range(len(datagram)):
        altered = datagram[:at] + bytes((datagram[at] ^ 0x01,)) + datagram[at + 1 :]
        document = notifications().take(altered, 100.0)
        assert document.reason or not document.raw, f"octet {at} may be changed"


@given(octets=st.binary(max_size=200))
@settings(max_examples=150)
def test_no_datagram_stops_the_receiver(octets: bytes) -> None:
    taken = notifications().take(octets, 100.0)
    assert taken.reason == "malformed"


@given(data=st.data())
@settings(max_examples=150)
def test_no_mutation_of_a_trap_stops_the_receiver(data: st.DataObject) -> None:
    octets = bytearray(TRAP_V2C)
    assert told(TRAP_V2C)["name"] == "authenticationFailure"
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(octets)))
    taken = notifications().take(bytes(octets[:cut]), 100.0)
    assert json.loads(taken.raw)["kind"] in ("trap", "inform", "rejected")


def secured(
    account: Account, data: bytes, *, engine: bytes = bytes.fromhex(SENDER), salt: bytes = b"12345678"
) -> bytes:
    """A v3 message of `account` around any octets, properly encrypted and authenticated."""
    hidden = ber.tlv(ber.OCTETS, encrypt(account, engine, 1, 1, salt, data))
    size = DIGESTS[account.auth_protocol]
    security = ber.tlv(
        ber.SEQUENCE,
        ber.tlv(ber.OCTETS, engine)
        + ber.integer_of(1) * 2
        + ber.tlv(ber.OCTETS, account.user.encode())
        + ber.tlv(ber.OCTETS, bytes(size))
        + ber.tlv(ber.OCTETS, salt),
    )
    header = ber.integer_of(7) + ber.integer_of(65507) + ber.tlv(ber.OCTETS, b"\3") + ber.integer_of(3)
    front = ber.integer_of(3) + ber.tlv(ber.SEQUENCE, header) + ber.tlv(ber.OCTETS, security)
    message = ber.tlv(ber.SEQUENCE, front + hidden)
    at = len(message) - len(hidden) - len(ber.tlv(ber.OCTETS, salt)) - size
    return message[:at] + digest_of(account, engine, message) + message[at + size :]


def scoped(pdu: bytes) -> bytes:
    return ber.tlv(ber.SEQUENCE, ber.tlv(ber.OCTETS, b"") * 2 + pdu)


PDU = TRAP_V2C[TRAP_V2C.index(b"\xa7") :]


def test_what_is_behind_the_lock_is_read() -> None:
    assert told(secured(USER, scoped(PDU)))["name"] == "authenticationFailure"


@given(data=st.binary(max_size=80) | st.binary(max_size=60).map(scoped), protocol=st.sampled_from(sorted(PRIVACY)))
@settings(max_examples=200)
def test_nothing_behind_the_lock_stops_the_receiver(data: bytes, protocol: str) -> None:
    """Whoever has the keys can make the octets inside anything."""
    account = replace(USER, priv_protocol=protocol)
    taken = notifications(account).take(secured(account, data), 100.0)
    assert json.loads(taken.raw)["kind"] in ("trap", "inform", "rejected")


@given(data=st.data())
@settings(max_examples=200)
def test_no_mutation_behind_the_lock_stops_the_receiver(data: st.DataObject) -> None:
    octets = bytearray(scoped(PDU))
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    taken = notifications().take(secured(USER, bytes(octets)), 100.0)
    assert json.loads(taken.raw)["kind"] in ("trap", "inform", "rejected")


@given(octets=st.binary(max_size=120), salt=st.binary(max_size=12), engine=st.binary(max_size=40))
@settings(max_examples=150)
def test_no_security_parameters_stop_the_receiver(octets: bytes, salt: bytes, engine: bytes) -> None:
    whole = secured(USER, scoped(PDU))
    for altered in (whole.replace(b"12345678", salt), whole.replace(bytes.fromhex(SENDER), engine), whole + octets):
        notifications().take(altered, 100.0)


def test_the_worst_a_datagram_can_hold_takes_bounded_time() -> None:
    """65,507 octets of the smallest varbinds, of one endless OID, and of nesting."""
    binding = ber.tlv(ber.SEQUENCE, ber.tlv(ber.OID, b"\x2b") + ber.tlv(5, b""))
    long = ber.tlv(ber.SEQUENCE, ber.tlv(ber.OID, b"\xff" * 64_000 + b"\1") + ber.tlv(5, b""))
    nested = b"\x30\x84\0\0\xff\x00" * 10_000
    for bindings in (binding * 9_000, long, nested):
        body = ber.integer_of(1) * 3 + ber.tlv(ber.SEQUENCE, bindings)
        whole = ber.integer_of(1) + ber.tlv(ber.OCTETS, b"vung-kin") + ber.tlv(0xA7, body)
        datagram = ber.tlv(ber.SEQUENCE, whole)
        # 50 ms of CPU are usual; what goes by the square takes seconds.
        assert is_within(0.5, lambda whole=datagram: notifications().take(whole, 100.0))


def test_of_who_has_no_right_no_more_is_read_than_a_packet() -> None:
    """A datagram of 49 kB under any community took 26 ms and became a record of 170 kB."""
    binding = ber.tlv(ber.SEQUENCE, ber.oid_of("1.3.6.1.2.1.2.2.1.1.1") + ber.integer_of(5))

    def trap(community: bytes, values: int) -> bytes:
        pdu = ber.tlv(0xA7, ber.integer_of(1) * 3 + ber.tlv(ber.SEQUENCE, binding * values))
        return ber.tlv(ber.SEQUENCE, ber.integer_of(1) + ber.tlv(ber.OCTETS, community) + pdu)

    taken = notifications().take(trap(b"guessed", 900), 100.0)
    assert taken.reason == "unknown-community" and len(taken.raw) < 500
    assert "octets" in json.loads(taken.raw)["detail"]
    assert len(json.loads(notifications().take(trap(b"guessed", 40), 100.0).raw)["varbinds"]) == 40
    assert len(json.loads(notifications().take(trap(b"vung-kin", 900), 100.0).raw)["varbinds"]) == 900


def test_many_notifications_leave_the_others_their_turn(tmp_path: Path) -> None:
    batches: list[int] = []

    def work(_: SlowSpool, here: str) -> None:
        address, port = here.split(":")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for _ in range(200):
                sock.sendto(TRAP_V2C, (address, int(port)))
        eventually(lambda: sum(batches) == 200)

    receiving(tmp_path, work, batches=batches)
    assert sum(batches) == 200 and max(batches) <= 16


def discovery(message_id: bytes) -> bytes:
    """An empty SNMPv3 request, reportable, whose message id has these octets."""
    security = ber.tlv(ber.OCTETS, b"") + ber.integer_of(0) * 2 + ber.tlv(ber.OCTETS, b"") * 3
    header = ber.tlv(ber.INTEGER, message_id) + ber.integer_of(1500) + ber.tlv(ber.OCTETS, b"\4") + ber.integer_of(3)
    secured = ber.tlv(ber.OCTETS, ber.tlv(ber.SEQUENCE, security))
    return ber.tlv(
        ber.SEQUENCE, ber.integer_of(3) + ber.tlv(ber.SEQUENCE, header) + secured + ber.tlv(ber.SEQUENCE, b"")
    )


@pytest.mark.parametrize("message_id", [b"\xff", b"\x80\0\0\0", b"\0\x80\0\0\0", b"\x7f" * 8])
def test_a_message_id_out_of_range_is_malformed(message_id: bytes) -> None:
    assert notifications().take(discovery(b"\1"), 1.0).answer
    taken = notifications().take(discovery(message_id), 1.0)
    assert (taken.reason, taken.answer) == ("malformed", b"")


def test_a_datagram_that_finds_a_defect_loses_none_of_its_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever raises: the others are kept, and so is the datagram itself, counted as rejected."""
    take = Notifications.take

    def broken(self: Notifications, datagram: bytes, now: float, peer: str) -> Any:
        return take(self, datagram, 1 // (datagram != b"hurts") * now, peer)

    monkeypatch.setattr(Notifications, "take", broken)

    def work(spool: SlowSpool, here: str) -> None:
        address, port = here.split(":")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for datagram in (TRAP_V2C, b"hurts", TRAP_V2C):
                sock.sendto(datagram, (address, int(port)))
        eventually(lambda: len(SpoolReader(spool.directory).read(0)[0]) == 3)

    receiving(tmp_path, work)
    records, _ = SpoolReader(tmp_path / "spool/test").read(0)
    documents = [json.loads(r.raw) for r in records]
    assert sorted(d["kind"] for d in documents) == ["rejected", "trap", "trap"]
    assert [d["datagram"] for d in documents if d["kind"] == "rejected"] == [b"hurts".hex()]


def test_a_replayed_message_is_refused_when_its_window_is_over() -> None:
    clocks = Clocks()
    assert clocks.is_timely(b"engine", 5, 1000, now=0.0)
    assert clocks.is_timely(b"engine", 5, 1000, now=100.0), "late within the window"
    assert not clocks.is_timely(b"engine", 5, 1000, now=200.0)
    assert clocks.is_timely(b"engine", 5, 1300, now=300.0)
    assert not clocks.is_timely(b"engine", 4, 9999, now=301.0), "from before the sender's last boot"
    assert clocks.is_timely(b"engine", 6, 1, now=302.0), "after its next boot"
    assert clocks.is_timely(b"other", 1, 1, now=302.0)


def test_a_whole_replayed_trap_is_rejected() -> None:
    receiver, datagram = notifications(), captured(*v3(), "HERE", "1", *LINK_DOWN)
    assert told(datagram, receiver, now=0.0)["kind"] == "trap"
    late = told(datagram, receiver, now=1000.0)
    assert (late["kind"], late["reason"]) == ("rejected", "not-in-time-window")


def test_an_address_that_speaks_with_another_engine_is_told_once() -> None:
    receiver = notifications()
    first, second = (secured(USER, scoped(PDU), engine=bytes.fromhex(f"80000000010203{n:02x}")) for n in (4, 5))
    assert receiver.take(first, 1.0, "10.0.0.1").also == b""
    assert receiver.take(second, 1.0, "10.0.0.2").also == b"", "another address"
    told_of = json.loads(receiver.take(second, 1.0, "10.0.0.1").also)
    assert (told_of["kind"], told_of["peer"]) == ("engine-changed", "10.0.0.1")
    assert told_of["security"]["engine_id"] == "8000000001020305"
    assert receiver.take(first, 1.0, "10.0.0.1").also == receiver.take(second, 1.0, "10.0.0.1").also == b""
    stranger = secured(replace(USER, auth_password="authentic-8"), scoped(PDU), engine=b"\x80\0\0\0\1\2\3\6")
    assert receiver.take(stranger, 1.0, "10.0.0.1").also == b"", "who proves nothing changes nothing"


class SlowSpool(Spool):
    """A real spool whose fsync the test holds back, and that it can fill."""

    is_full = False
    delay_s = 0.0
    done_at = 0.0

    def append(self, batch: list[Received]) -> int:  # type: ignore[override]
        if self.is_full:
            raise SpoolFull("no space left for the spool")
        time.sleep(self.delay_s)
        end = super().append(batch)
        self.done_at = time.monotonic()
        return end


def receiving(
    tmp_path: Path, work: Callable[[SlowSpool, str], Any], *accounts: Account, batches: list[int] | None = None
) -> None:
    """Run `work(spool, "127.0.0.1:port")` beside a receiver. batches: gets how many it took at once."""

    class Watched(TrapReceiver):
        def take(self, datagrams: list[tuple[bytes, Any]]) -> None:
            if batches is not None:
                batches.append(len(datagrams))
            super().take(datagrams)

    async def run() -> None:
        spool = SlowSpool(tmp_path / "spool/test")
        intake = Intake(spool, Counters(tmp_path / "collect.json"))
        heard = Notifications(accounts or (USER, COMMUNITY), engine_of(tmp_path, time.monotonic()))
        receiver = Watched(Listen(address="127.0.0.1", port=0), intake, heard, receive_buffer=1 << 20)
        intake.start()
        receiver.start()
        await asyncio.to_thread(work, spool, f"127.0.0.1:{receiver.port}")
        receiver.stop()
        await intake.stop()
        receiver.close()
        spool.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def inform(here: str, *arguments: str, tries: str = "0", wait_s: str = "1") -> tuple[int, float]:
    command = ["snmpinform", "-t", wait_s, "-r", tries, *arguments, here, "4711", *LINK_DOWN]
    done = subprocess.run(command, check=False, stderr=subprocess.DEVNULL)
    return done.returncode, time.monotonic()


INFORM_V3 = v3()[:-2]  # the receiver's engine is found out by discovery


@pytest.mark.parametrize("arguments", [["-v2c", "-c", "vung-kin"], INFORM_V3], ids=["v2c", "v3"])
def test_an_inform_is_answered_after_it_is_fsynced(tmp_path: Path, arguments: list[str]) -> None:
    def work(spool: SlowSpool, here: str) -> None:
        spool.delay_s = 0.4
        code, answered_at = inform(here, *arguments, wait_s="60")
        assert code == 0
        assert answered_at > spool.done_at > 0

    receiving(tmp_path, work)
    records, _ = SpoolReader(tmp_path / "spool/test").read(0)
    assert [json.loads(r.raw)["kind"] for r in records] == ["inform"]


@pytest.mark.parametrize("arguments", [["-v2c", "-c", "vung-kin"], INFORM_V3], ids=["v2c", "v3"])
def test_an_inform_that_cannot_be_kept_is_not_answered_until_it_can(tmp_path: Path, arguments: list[str]) -> None:
    def work(spool: SlowSpool, here: str) -> None:
        spool.is_full = True
        assert inform(here, *arguments)[0] == 1
        spool.is_full = False
        assert inform(here, *arguments, tries="60")[0] == 0

    receiving(tmp_path, work)
    assert SpoolReader(tmp_path / "spool/test").read(0)[0]


@pytest.mark.parametrize("arguments", [["-v2c", "-c", "vung-kin"], INFORM_V3], ids=["v2c", "v3"])
def test_an_inform_that_is_sent_again_before_its_answer_is_kept_once(tmp_path: Path, arguments: list[str]) -> None:
    def work(spool: SlowSpool, here: str) -> None:
        spool.delay_s = 1.4
        assert inform(here, *arguments, tries="60")[0] == 0

    receiving(tmp_path, work)
    records, _ = SpoolReader(tmp_path / "spool/test").read(0)
    assert [json.loads(r.raw)["kind"] for r in records] == ["inform"]


def test_an_inform_that_is_sent_again_after_a_restart_is_answered_and_kept_once(tmp_path: Path) -> None:
    def work(spool: SlowSpool, here: str) -> None:
        for _ in range(2):  # the second time its answer was lost on the way
            asked(here, datagram)

    def other(spool: SlowSpool, here: str) -> None:
        asked(here, datagram)
        asked(here, datagram.replace(bytes.fromhex("5cbb5cca"), bytes.fromhex("5cbb5ccb")))

    datagram = TRAP_V2C.replace(b"\xa7H", b"\xa6H")  # the same as an inform
    receiving(tmp_path, work)
    receiving(tmp_path, other)
    records, _ = SpoolReader(tmp_path / "spool/test").read(0)
    assert [json.loads(r.raw)["request_id"] for r in records] == [0x5CBB5CCA, 0x5CBB5CCB]


def asked(here: str, datagram: bytes) -> None:
    """Send it and wait for the answer, which is the same message with another tag."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(60)
        sock.sendto(datagram, ("127.0.0.1", int(here.rpartition(":")[2])))
        assert sock.recv(65536) == datagram.replace(b"\xa6H", b"\xa2H")


def test_a_wrong_inform_is_told_so(tmp_path: Path) -> None:
    wrong = [a.replace("authentic-9", "authentic-8") for a in INFORM_V3]
    receiving(tmp_path, lambda _, here: [inform(here, *wrong), inform(here, "-v2c", "-c", "wrong")])
    records, _ = SpoolReader(tmp_path / "spool/test").read(0)
    assert {json.loads(r.raw)["reason"] for r in records} == {"wrong-digest", "unknown-community"}


def test_an_inform_for_another_engine_is_refused_and_counted(tmp_path: Path) -> None:
    receiving(tmp_path, lambda _, here: inform(here, *INFORM_V3, "-e", SENDER))
    records, _ = SpoolReader(tmp_path / "spool/test").read(0)
    assert {json.loads(r.raw)["reason"] for r in records} == {"unknown-engine"}
    assert {json.loads(r.raw)["peer"] for r in records} == {"127.0.0.1"}


def test_our_engine_keeps_its_id_and_boots_one_more_time(tmp_path: Path) -> None:
    first, second = engine_of(tmp_path, 0.0), engine_of(tmp_path, 0.0)
    assert (first.boots, second.boots) == (1, 2)
    assert first.id == second.id


def test_accounts_come_from_the_secrets_and_never_show_them(tmp_path: Path) -> None:
    assert accounts_of(tmp_path) == Accounts()
    old = {"user": "old", "auth_password": "authentic-7", "auth_protocol": "md5", "priv_protocol": "des"}
    user = {"user": "canh", "auth_password": "authentic-9", "priv_password": "secretive-9", "communities": ["kin"]}
    secrets: dict[str, Any] = user | {
        "users": [old],
        "devices": {"ups1": {"community": "kin-ups", "version": "1"}, "sw1": {"user": "old"}},
    }
    (tmp_path / "secrets.json").write_text(json.dumps({"snmp": secrets}))
    accounts = accounts_of(tmp_path)
    other = Account(user="old", auth_password="authentic-7", auth_protocol="md5", priv_protocol="des")
    assert accounts.known == (USER, other, Account(community="kin"))
    assert accounts.polling("dc-r1") == USER
    assert accounts.polling("sw1") == other
    assert accounts.polling("ups1") == Account(community="kin-ups", version="1")
    assert not any(secret in repr(accounts) for secret in ("authentic", "secretive", "'kin"))


@pytest.mark.parametrize(
    ("secrets", "fault"),
    [
        ({"user": "canh"}, "cannot be read: Field required"),
        ({"user": "canh", "auth_password": "secret"}, "at least 8"),
        ({"user": "canh", "auth_password": "authentic-9", "auth_protocol": "sha3"}, "auth_protocol 'sha3'"),
        ({"user": "canh", "auth_password": "authentic-9", "priv_protocol": "3des"}, "priv_protocol '3des'"),
        ({"user": "canh", "auth_password": "authentic-9", "devices": {"x": {"user": "me"}}}, "nobody known"),
    ],
)
def test_wrong_secrets_are_told_without_showing_them(tmp_path: Path, secrets: dict[str, Any], fault: str) -> None:
    (tmp_path / "secrets.json").write_text(json.dumps({"snmp": secrets}))
    with pytest.raises(SecretsError, match=fault) as error:
        accounts_of(tmp_path)
    assert "authentic-9" not in str(error.value)
    assert "'secret'" not in str(error.value)


@given(dotted=st.lists(st.integers(0, 2**32 - 1), max_size=20))
def test_object_identifiers_survive_the_wire(dotted: list[int]) -> None:
    text = ".".join(map(str, [1, 3, *dotted]))
    octets = ber.oid_of(text)
    assert ber.oid(octets, ber.element(octets, 0, len(octets))) == text


@given(value=st.integers(0, 2**63 - 1))
def test_integers_survive_the_wire(value: int) -> None:
    octets = ber.integer_of(value)
    assert ber.integer(octets, ber.element(octets, 0, len(octets))) == value
