"""Devices polled for real: net-snmp's agent in three versions, dead ones, refusing ones, and many at once."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from monitoring.receivers import Counters, Intake
from monitoring.snmp import ber
from monitoring.snmp import poller as poller_module
from monitoring.snmp import session as session_module
from monitoring.snmp.accounts import Accounts
from monitoring.snmp.poller import Poller, Target, targets_of
from monitoring.snmp.session import Address, Session, Unanswered
from monitoring.snmp.usm import Account
from monitoring.spool import Spool, SpoolReader
from tests.bench.snmp_agents import v2c
from tests.unit.monitoring.lab import ROOT, province

USER = Account(user="canh", auth_password="authentic-9", priv_password="secretive-9")
OLD = Account(
    user="old", auth_protocol="sha1", auth_password="authentic-7", priv_protocol="aes256c", priv_password="secretive-7"
)
COMMUNITY = Account(community="vung-kin")


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[int]:
    """The port of a real snmpd that knows USER, OLD and COMMUNITY."""
    if shutil.which("snmpd", path=os.environ["PATH"] + ":/usr/sbin") is None:
        pytest.skip("needs net-snmp's snmpd (package snmpd)")
    port = free_port()
    with Snmpd(tmp_path, port, "one"):
        yield port


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Snmpd:
    """An agent, started and answering; `name` makes its engine."""

    def __init__(self, folder: Path, port: int, name: str) -> None:
        own = folder / name
        own.mkdir()
        users = f"createUser canh SHA-256 {USER.auth_password} AES {USER.priv_password}\nrouser canh authpriv\n"
        users += f"createUser old SHA {OLD.auth_password} AES-256-C {OLD.priv_password}\nrouser old authpriv\n"
        text = f"agentaddress udp:127.0.0.1:{port}\nengineID {name}\n{users}rocommunity vung-kin\nsysLocation here\n"
        (own / "snmpd.conf").write_text(text)
        self.command = ["/usr/sbin/snmpd", "-f", "-C", "-c", str(own / "snmpd.conf"), "-LF", "3", str(own / "log")]
        self.command += ["-p", str(own / "pid")]
        self.environment = os.environ | {"SNMP_PERSISTENT_DIR": str(own / "persistent"), "MIBS": ""}
        self.port = port

    def __enter__(self) -> None:
        self.process = subprocess.Popen(self.command, env=self.environment)
        asyncio.run(self._until_it_answers())

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()

    async def _until_it_answers(self) -> None:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                await Session(Address("127.0.0.1", self.port, COMMUNITY)).get(["1.3.6.1.2.1.1.3.0"])
                return
            except Unanswered:
                await asyncio.sleep(0.05)


def polled(
    folder: Path, targets: tuple[Target, ...], accounts: Accounts, work: Callable[[Poller], Awaitable[Any]]
) -> list[dict[str, Any]]:
    """Do `work` with a poller; the documents it kept."""

    async def run() -> None:
        spool = Spool(folder / "spool/test")
        intake = Intake(spool, Counters(folder / "collect.json"))
        intake.start()
        await work(Poller(targets, accounts, intake, period_s=0.5, remember=folder / "devices.json"))
        await intake.stop()
        spool.close()

    asyncio.run(run())
    return [json.loads(r.raw) for r in SpoolReader(folder / "spool/test").read(0)[0]]


async def each_once(poller: Poller) -> None:
    for device in poller._polled:
        await poller.poll(device)
    poller.save()


@pytest.mark.parametrize(
    "account", [USER, OLD, COMMUNITY, replace(COMMUNITY, version="1")], ids=["v3", "v3-aes256c", "v2c", "v1"]
)
def test_a_real_agent_tells_what_it_has(agent: int, tmp_path: Path, account: Account) -> None:
    target = Target(device="alive", address="127.0.0.1", port=agent)
    documents = polled(tmp_path, (target,), Accounts(known=(account,)), each_once)
    by_kind = {d["kind"]: d for d in documents}
    assert by_kind["system"]["system"]["location"] == "here"
    assert next(d for d in documents if d.get("name") == "lo")["oper_status"] == "up"
    measured = {d["name"]: d["value"] for d in documents if d["kind"] == "metric"}
    assert 0 < measured["memory_pct"] < 100
    assert by_kind["identity"]["now"] == os.uname().release


def test_wrong_credentials_and_silence_are_told_apart(
    agent: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "TIMEOUT_S", 0.3)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        targets = tuple(
            Target(device=name, address="127.0.0.1", port=port)
            for name, port in (("wrong", agent), ("silent", silent.getsockname()[1]))
        )
        stranger = replace(USER, auth_password="authentic-8")
        documents = polled(tmp_path, targets, Accounts(known=(stranger,)), each_once)
    reasons = {d["device"]: d["reason"] for d in documents}
    assert reasons == {"wrong": "authentication", "silent": "timeout"}


def test_a_swapped_device_is_told_by_its_engine(agent: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "TIMEOUT_S", 0.5)
    target, other = Target(device="x", address="127.0.0.1", port=agent), free_port()

    async def work(poller: Poller) -> None:
        await each_once(poller)
        poller._polled[0].address.port = other
        await each_once(poller)

    with Snmpd(tmp_path, other, "two"):
        documents = polled(tmp_path, (target,), Accounts(known=(USER,)), work)
    swapped = [d for d in documents if d["kind"] == "identity" and d["what"] == "engine"]
    assert len(swapped) == 1
    assert swapped[0]["was"] != swapped[0]["now"]


def test_polling_goes_on_and_gives_rates(agent: int, tmp_path: Path) -> None:
    alive, dead = (
        Target(device="alive", address="127.0.0.1", port=agent),
        Target(device="dead", address="127.0.0.1", port=9),
    )

    async def work(poller: Poller) -> None:
        polling, until = asyncio.create_task(poller.run()), time.monotonic() + 60
        polls = poller._intake.counters.polls
        while (polls["up"] < 3 or not polls["down"]) and time.monotonic() < until:
            await asyncio.sleep(0.05)
        polling.cancel()

    documents = polled(tmp_path, (alive, dead), Accounts(known=(USER,)), work)
    loopback = [d for d in documents if d["kind"] == "interface" and d["name"] == "lo"]
    assert len(loopback) == 2, "two samples at once, the next in five minutes"
    assert loopback[0]["in_bps"] is None
    assert loopback[1]["in_bps"] >= 0
    assert len([d for d in documents if d["kind"] == "system"]) >= 3
    assert next(d["device"] for d in documents if d["kind"] == "failure") == "dead"


def test_the_dead_do_not_hold_up_the_living(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """60 silent devices, two seconds each, eight at once; and 40 living ones, each twice a second.

    Whatever the machine takes for it: the living have had several turns before the dead have had one.
    """
    monkeypatch.setattr(poller_module, "AT_ONCE", 16)
    monkeypatch.setattr(poller_module, "DOUBTFUL_AT_ONCE", 8)
    command = [sys.executable, "-m", "tests.bench.snmp_agents", "0"]
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as agents,
    ):
        assert agents.stdout is not None
        port = int(agents.stdout.readline())
        silent.bind(("127.0.0.1", 0))
        dead = [Target(device=f"dead{n}", address="127.0.0.1", port=silent.getsockname()[1]) for n in range(60)]
        living = [Target(device=f"alive{n}", address=f"127.0.1.{n + 1}", port=port) for n in range(40)]
        counts: list[int] = []

        async def work(poller: Poller) -> None:
            for device in poller._polled:
                device.failures = device.target.device.startswith("dead")
            polling = asyncio.create_task(poller.run())
            polls = poller._intake.counters.polls
            while polls["up"] < 40 * 4:
                await asyncio.sleep(0.05)
            counts.append(polls["down"])
            polling.cancel()

        polled(tmp_path, (*dead, *living), Accounts(known=(COMMUNITY,)), work)
        agents.kill()
    assert counts[0] < 60, "in the 15 s that the dead take once, the living have their turn 30 times"


@contextmanager
def liar(answer: Callable[[bytes], bytes]) -> Iterator[int]:
    """The port of an agent that answers what it is told to."""

    def serve() -> None:
        while (got := sock.recvfrom(65535))[0]:
            sock.sendto(answer(got[0]), got[1])

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=serve)
        thread.start()
        yield sock.getsockname()[1]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.sendto(b"", sock.getsockname())
        thread.join()


def test_no_answer_stops_the_poller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers with a few octets wrong. gufo-snmp panics on some: that must end nothing but the conversation."""
    monkeypatch.setattr(session_module, "TIMEOUT_S", 0.03)
    chance = random.Random(7)

    def mutated(question: bytes) -> bytes:
        octets = bytearray(v2c(question))
        for _ in range(chance.randint(0, 3)):
            octets[chance.randrange(len(octets))] = chance.randrange(256)
        return bytes(octets[: chance.choice([len(octets), len(octets), chance.randrange(len(octets))])])

    async def work(poller: Poller) -> None:
        for _ in range(60):
            await each_once(poller)

    with liar(mutated) as port:
        target = Target(device="liar", address="127.0.0.1", port=port)
        documents = polled(tmp_path, (target,), Accounts(known=(COMMUNITY,)), work)
    ends = [d for d in documents if d["kind"] in ("system", "failure")]
    assert len(ends) == 60
    assert any(d.get("reason") == "error" for d in ends)


def test_a_device_whose_answer_finds_a_defect_keeps_no_other_from_being_polled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever raises: it is that device's failure, and its next poll begins anew."""
    made = poller_module.documents_of

    def broken(device: str, *about: Any) -> Any:
        return made(device, *about) if device == "other" else 1 // 0

    monkeypatch.setattr(poller_module, "documents_of", broken)

    async def work(poller: Poller) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(poller.run(), 1.2)

    with liar(v2c) as port:
        targets = tuple(Target(device=name, address="127.0.0.1", port=port) for name in ("odd", "other"))
        documents = polled(tmp_path, targets, Accounts(known=(COMMUNITY,)), work)
    odd = [d for d in documents if d["device"] == "odd"]
    assert odd and {d["reason"] for d in odd} == {"error"} and "ZeroDivisionError" in odd[0]["detail"]
    assert sum(d["device"] == "other" and d["kind"] == "system" for d in documents) >= 2


@pytest.mark.parametrize("step", [0, 1], ids=["in-circles", "without-end"])
def test_a_walk_that_does_not_end_is_ended(step: int) -> None:
    column, number = "1.3.6.1.2.1.2.2.1.8", itertools.count()

    def endless(question: bytes) -> bytes:
        whole = ber.element(question, 0, len(question))
        version = ber.element(question, whole.start, whole.end)
        community = ber.element(question, version.end, whole.end)
        pdu = ber.element(question, community.end, whole.end)
        request = ber.element(question, pdu.start, pdu.end)
        indexes = [next(number) * step for _ in range(8)]
        rows = [ber.tlv(ber.SEQUENCE, ber.oid_of(f"{column}.{i}") + ber.integer_of(1)) for i in indexes]
        head = question[request.at : request.end] + ber.integer_of(0) * 2
        answer = ber.tlv(0xA2, head + ber.tlv(ber.SEQUENCE, b"".join(rows)))
        return ber.tlv(ber.SEQUENCE, question[version.at : community.end] + answer)

    with liar(endless) as port:
        found = asyncio.run(Session(Address("127.0.0.1", port, COMMUNITY)).walk(column, 8))
    assert len(found) == (session_module.MOST_ROWS if step else 1)


def test_a_conversation_has_an_end(agent: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "LONGEST_S", -1.0)
    with pytest.raises(Unanswered, match="not done within"):
        asyncio.run(Session(Address("127.0.0.1", agent, COMMUNITY)).walk("1.3.6.1.2.1.1", 8))


def test_polling_ends_though_a_task_does_not_hear_that_it_is_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Python 3.11's wait_for does when the answer comes in the same moment."""

    async def deaf(self: Poller, device: Any) -> Any:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise Unanswered("error", "came just then") from None

    async def work(poller: Poller) -> None:
        polling = asyncio.create_task(poller.run())
        await asyncio.sleep(0.1)
        polling.cancel()
        done, _ = await asyncio.wait([polling], timeout=60)
        assert done

    monkeypatch.setattr(Poller, "_converse", deaf)
    target = Target(device="x", address="127.0.0.1", port=9)
    assert [d["reason"] for d in polled(tmp_path, (target,), Accounts(known=(COMMUNITY,)), work)] == ["error"]


def test_every_device_of_the_inventory_is_polled_and_its_links_are_known() -> None:
    targets = {t.device: t for t in targets_of(province())}
    assert set(targets) == set(province().devices)
    uplink = targets["hh-ce1"].uplinks["eth1"]
    assert (uplink.link, uplink.is_wan) == ("core1--hh-ce1", True)
    assert uplink.bandwidth_bps == province().links["core1--hh-ce1"].bandwidth_bps
    assert not targets["hh-pc1"].uplinks
    assert not targets["dc-r1"].uplinks["eth2"].is_wan, "between two routers of the data centre"
