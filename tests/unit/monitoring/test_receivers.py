"""Receivers on real loopback sockets into a real spool."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.errors import ReceiverError, SpoolFull
from monitoring.receivers import Counters, Intake, Listen, SyslogTcp, SyslogUdp, intake, sockets
from monitoring.spool import Received, Spool, SpoolReader, SpoolRecord
from tests.unit.pace import LONG_S

ERRORS = Path(__file__).resolve().parents[2] / "errors"
LOCAL = Listen(address="127.0.0.1", port=0)


class FillingSpool(Spool):
    """A real spool on a disk that fills up and is freed again, at the test's word."""

    is_full = False

    def append(self, batch: list[Received]) -> int:  # type: ignore[override]
        if self.is_full:
            raise SpoolFull("no space left for the spool", where=self.directory, fix="free space")
        return super().append(batch)


def records_of(spool: Spool) -> list[SpoolRecord]:
    """All it holds."""
    reader, position = SpoolReader(spool.directory), 0
    records: list[SpoolRecord] = []
    while True:
        found, position = reader.read(position, 100_000)
        if not found:
            return records
        records += found


@dataclass
class Bench:
    spool: FillingSpool
    intake: Intake
    udp: SyslogUdp
    tcp: SyslogTcp

    def records(self) -> list[SpoolRecord]:
        return records_of(self.spool)

    async def until(self, count: int) -> list[SpoolRecord]:
        await eventually(lambda: self.spool.received.total >= count)
        return self.records()


async def eventually(is_so: Callable[[], bool], within_s: float = LONG_S) -> None:
    until = asyncio.get_running_loop().time() + within_s
    while not is_so():
        assert asyncio.get_running_loop().time() < until, "it did not happen in time"
        await asyncio.sleep(0.01)


@asynccontextmanager
async def bench(tmp_path: Path, limit: int = 1000) -> AsyncIterator[Bench]:
    spool = FillingSpool(tmp_path / "spool" / "test")
    hold = Intake(spool, Counters(tmp_path / "stats" / "collect.json"))
    udp = SyslogUdp(LOCAL, hold, limit=limit, receive_buffer=1 << 20)
    stream = SyslogTcp(LOCAL, hold, limit=limit)
    hold.start()
    udp.start()
    await stream.start()
    try:
        yield Bench(spool, hold, udp, stream)
    finally:
        await stream.stop()
        udp.stop()
        await hold.stop()
        udp.close()
        spool.close()


def run(work: Callable[[], object]) -> None:
    made = work()
    assert asyncio.iscoroutine(made)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(made)


def send_udp(port: int, *messages: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for message in messages:
            sock.sendto(message, ("127.0.0.1", port))


async def connect(port: int) -> socket.socket:
    sock = socket.socket()
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    return sock


def test_every_kind_of_datagram_is_kept(tmp_path: Path) -> None:
    async def work() -> None:
        async with bench(tmp_path) as it:
            sent = [b"<13>plain", b"", b"\xff\xfe not UTF-8 \x00", b"x" * 1500, "<13>Thanh Hoá".encode()]
            send_udp(it.udp.port, *sent)
            found = await it.until(5)
            assert [r.raw for r in found] == [*sent[:3], b"x" * 1000, sent[4]]
            assert [r.cut for r in found] == [0, 0, 0, 500, 0]
            assert {(r.receiver, r.peer) for r in found} == {("syslog-udp", "127.0.0.1")}

    run(work)


def test_both_framings_of_tcp_are_found_out(tmp_path: Path) -> None:
    async def work() -> None:
        async with bench(tmp_path) as it:
            for stream in (b"<13>one\n<13>two\n", b"8 <13>four9 <13>three"):
                with await connect(it.tcp.port) as sock:
                    sock.send(stream)
            found = await it.until(4)
            assert sorted(r.raw for r in found) == [b"<13>four", b"<13>one", b"<13>three", b"<13>two"]

    run(work)


def test_many_messages_of_many_senders_all_arrive(tmp_path: Path) -> None:
    async def work() -> None:
        async with bench(tmp_path) as it:

            async def sender(name: int) -> None:
                _, writer = await asyncio.open_connection("127.0.0.1", it.tcp.port)
                for n in range(500):
                    writer.write(b"<13>%d-%d\n" % (name, n))
                    await writer.drain()
                writer.close()

            await asyncio.gather(*map(sender, range(10)))
            found = await it.until(5000)
            assert len(found) == len({r.raw for r in found}) == 5000
            for name in range(10):  # order within a connection
                mine = [r.raw for r in found if r.raw.startswith(b"<13>%d-" % name)]
                assert mine == [b"<13>%d-%d" % (name, n) for n in range(500)]

    run(work)


def test_a_full_disk_drops_and_counts_udp_and_makes_tcp_wait(tmp_path: Path) -> None:
    async def work() -> None:
        async with bench(tmp_path) as it:
            it.spool.is_full = True
            with await connect(it.tcp.port) as sock:
                sock.send(b"<13>waits\n")
                send_udp(it.udp.port, b"<13>lost")
                dropped = it.intake.counters.dropped_total
                await eventually(lambda: dropped() == 1 and it.intake.trouble is not None)
                send_udp(it.udp.port, b"<13>lost too")
                await eventually(lambda: dropped() == 2)
                it.spool.is_full = False
                assert [r.raw for r in await it.until(1)] == [b"<13>waits"]
                await eventually(lambda: it.intake.trouble is None)
                send_udp(it.udp.port, b"<13>again")
                assert [r.raw for r in await it.until(2)] == [b"<13>waits", b"<13>again"]
            it.intake.counters.save()
        again = Counters(tmp_path / "stats" / "collect.json")
        assert again._dropped["spool-full"].counts == {"syslog-udp 127.0.0.1": 2}

    run(work)


def test_udp_alone_finds_the_way_back_from_a_full_disk(tmp_path: Path) -> None:
    async def work() -> None:
        async with bench(tmp_path) as it:
            it.spool.is_full = True
            send_udp(it.udp.port, b"<13>lost")
            await eventually(lambda: it.intake.trouble is not None)
            it.spool.is_full = False
            for _ in range(100):
                send_udp(it.udp.port, b"<13>more")
                await asyncio.sleep(0.02)
                if it.records():
                    break
            assert it.records()

    run(work)


def test_a_slow_disk_makes_tcp_wait_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "STOP_READING_OCTETS", 200_000)
    monkeypatch.setattr(intake, "GO_ON_OCTETS", 50_000)
    monkeypatch.setattr(intake, "BATCH_OCTETS", 20_000)

    async def work() -> None:
        async with bench(tmp_path) as it:
            most = 0

            async def watch() -> None:
                nonlocal most
                while True:
                    most = max(most, it.intake.held_octets)
                    await asyncio.sleep(0.001)

            watching = asyncio.create_task(watch())
            _, writer = await asyncio.open_connection("127.0.0.1", it.tcp.port)
            for n in range(20_000):
                writer.write(b"<13>%05d %s\n" % (n, b"x" * 100))
                if n % 100 == 0:
                    await writer.drain()
            writer.close()
            found = await it.until(20_000)
            watching.cancel()
            assert [r.raw[4:9] for r in found] == [b"%05d" % n for n in range(20_000)]
            assert 200_000 < most < 3_000_000, "reading stopped, at most one read buffer late"

    run(work)


def test_stopping_commits_what_is_held(tmp_path: Path) -> None:
    async def work() -> None:
        async with bench(tmp_path) as it:
            with await connect(it.tcp.port) as sock:
                sock.send(b"<13>whole\n<13>half")
                await asyncio.sleep(0.05)
                send_udp(it.udp.port, *[b"<13>%d" % n for n in range(200)])
        assert len(SpoolReader(tmp_path / "spool/test").read(0)[0]) == 202

    run(work)


def test_a_spool_that_never_takes_anything_again_does_not_stop_the_stop(tmp_path: Path) -> None:
    async def work() -> None:
        async with bench(tmp_path) as it:
            it.spool.is_full = True
            with await connect(it.tcp.port) as sock:
                sock.send(b"<13>never kept\n")
                await eventually(lambda: it.intake.trouble is not None)
        assert it.intake.counters._dropped["spool-full"].counts == {"syslog-tcp 127.0.0.1": 1}

    run(work)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 4)), max_size=8), st.integers(0, 3))
def test_at_a_stop_only_what_no_sender_keeps_is_lost(
    tmp_path_factory: pytest.TempPathFactory, puts: list[tuple[bool, int]], committed: int
) -> None:
    """Batches of senders that wait for an answer and of those that do not; the disk is full from one of them on."""

    async def work() -> None:
        folder = tmp_path_factory.mktemp("intake")
        spool = FillingSpool(folder / "spool" / "test")
        hold = Intake(spool, Counters(folder / "collect.json"))
        hold.start()
        asked = []
        kept = sum(size for _, size in puts[:committed])
        for n, (is_asked, size) in enumerate(puts):
            if n == committed:
                await eventually(lambda: spool.received.total == kept)
                spool.is_full = True
            batch = [Received(b"%d" % n, 0, "relp-tcp" if is_asked else "syslog-tcp", "10.0.0.1", 0)] * size
            if is_asked:
                asked.append(asyncio.create_task(hold.put_all_kept(batch)))
                await asyncio.sleep(0)
            else:
                hold.put(batch)
        await hold.stop()
        answered = sum(await asyncio.gather(*asked))
        rest = puts[committed:]
        assert hold.counters.dropped_total() == sum(n for is_asked, n in rest if not is_asked)
        refused = hold.counters._refused.get("not-kept")
        assert (refused.total if refused else 0) == sum(n for is_asked, n in rest if is_asked)
        assert answered == sum(is_asked for is_asked, _ in puts[:committed])
        spool.close()

    run(work)


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_a_port_in_use_says_by_whom(protocol: str) -> None:
    kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if protocol == "tcp":
            taken.listen()
        listen = Listen(address="127.0.0.1", port=taken.getsockname()[1])
        with pytest.raises(ReceiverError) as refused:
            sockets.udp_socket(listen, 4096) if protocol == "udp" else sockets.tcp_listener(listen)
    golden(f"port-in-use-{protocol}", refused.value, listen.port)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(ReceiverError) as refused:
        sockets.udp_socket(Listen(address="192.0.2.1", port=5514), 4096)
    golden("foreign-address", refused.value)


@pytest.mark.parametrize(("number", "case"), [(errno.EACCES, "no-right"), (errno.ENOBUFS, "no-room")])
def test_what_the_system_refuses_says_why(number: int, case: str) -> None:
    golden(case, sockets._refused(OSError(number, ""), Listen(address="127.0.0.1", port=514), "udp"))


def test_an_address_that_is_none_says_how_to_write_one() -> None:
    with pytest.raises(ReceiverError) as refused:
        Listen.parse("example.org:514")
    golden("no-address", refused.value)


@pytest.mark.parametrize("text", ["nowhere", "10.0.0.1:99999", "example.org:514", ":514", "10.0.0.1:"])
def test_an_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ReceiverError):
        Listen.parse(text)


def test_addresses_are_read_as_written() -> None:
    assert Listen.parse("514") == Listen(address="0.0.0.0", port=514)
    assert str(Listen.parse("[::1]:5514")) == "[::1]:5514"
    assert str(Listen.parse("10.1.2.3:514")) == "10.1.2.3:514"


def test_kernel_drops_are_counted(tmp_path: Path) -> None:
    async def work() -> None:
        async with bench(tmp_path) as it:
            sent = 5000
            send_udp(it.udp.port, *[b"<13>%05d" % n + b"x" * 900 for n in range(sent)])  # nobody drains meanwhile

            def all_are_known() -> bool:
                it.udp.count_kernel_drops(it.intake.counters)
                return len(it.records()) + it.intake.counters.dropped_total() == sent

            await eventually(all_are_known)
            assert it.intake.counters.dropped_total() > 0

    run(work)


def golden(case: str, error: Exception, port: int = 0) -> None:
    text = re.sub(r"in use by .* \(process \d+\)", "in use by PROGRAM (process PID)", str(error)) + "\n"
    text = text.replace(str(port), "PORT") if port else text
    path = ERRORS / f"receiver-{case}.txt"
    if os.environ.get("CANH_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
