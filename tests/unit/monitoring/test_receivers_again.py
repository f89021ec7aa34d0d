"""What comes again after we were killed, or after a connection broke, is kept once; what is only alike is kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.receivers import again
from monitoring.receivers.again import Again
from monitoring.receivers.relp import RelpConnection
from monitoring.spool import Received, Spool, SpoolReader
from tests.unit.monitoring.streams import Stream, connected, eventually, listening
from tests.unit.monitoring.test_receivers import run
from tests.unit.monitoring.test_receivers_relp import OPEN, OPENED, frame

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


def received(text: str, *, port: int = 1000, ago_s: float = 0.0, receiver: str = "relp-tcp") -> Received:
    us = int((NOW - timedelta(seconds=ago_s)).timestamp() * 1e6)
    return Received(text.encode(), us, receiver, "10.0.0.1", port)


def remembered(folder: Path, *kept: Received) -> Again:
    """What a new process knows of a spool that holds these."""
    spool = Spool(folder)
    spool.append(kept)
    spool.close()
    made = Again()
    made.remember(SpoolReader(folder), NOW, time.monotonic())
    return made


def new(known: Again, *texts: str, receiver: str = "relp-tcp", peer: str = "10.0.0.1") -> list[str]:
    """Of these, over one connection that ends in good order, what is not kept already."""
    messages = [Received(t.encode(), 0, receiver, peer, 2000) for t in texts]
    follower = known.follower(receiver, peer)
    found = [m.raw.decode() for m in follower.new(messages)]
    follower.end(is_clean=True)
    return found


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 6), st.integers(0, 6), st.integers(0, 6))
def test_whatever_part_was_answered_each_message_is_kept_once(
    tmp_path_factory: pytest.TempPathFactory, answered: int, unanswered: int, not_kept: int
) -> None:
    """A sender sends again, in order, all that was not answered; of that we kept the first part."""
    texts = [str(n) for n in range(answered + unanswered + not_kept)]
    kept = texts[: answered + unanswered]
    known = remembered(tmp_path_factory.mktemp("spool"), *map(received, kept))
    assert kept + new(known, *texts[answered:], "later") == [*texts, "later"]


def test_what_is_alike_but_not_sent_again_is_kept(tmp_path: Path) -> None:
    known = remembered(tmp_path, *map(received, "abc"))
    assert new(known, "x", "a", "b") == ["x", "a", "b"], "what is sent again comes first"
    assert new(known, "a", "c", "b") == ["c", "b"], "and in its order"
    assert new(known, "b", "c") == [], "the second of them was not sent again yet"
    assert new(known, "a", "b", "c") == ["a", "b", "c"], "once"


def test_another_sender_or_way_is_another_matter(tmp_path: Path) -> None:
    known = remembered(tmp_path, received("a"), received("udp", receiver="syslog-udp"))
    assert new(known, "a", peer="10.0.0.2") == ["a"]
    assert new(known, "a", receiver="relp-tls") == ["a"]
    assert new(known, "udp", receiver="syslog-udp") == ["udp"], "nobody sends a datagram again"
    assert new(known, "a") == []


def test_several_connections_of_a_sender_are_told_apart(tmp_path: Path) -> None:
    mixed = [received("a1", port=1), received("b1", port=2), received("a2", port=1), received("b2", port=2)]
    known = remembered(tmp_path, *mixed)
    assert new(known, "b1", "b2", "b3") == ["b3"]
    assert new(known, "a2", "a3") == ["a3"]


def test_a_window_that_was_kept_in_two_lives_is_known_as_a_whole(tmp_path: Path) -> None:
    known = remembered(tmp_path, *(received(t, port=1) for t in "ab"), *(received(t, port=2) for t in "cd"))
    assert new(known, "a", "b", "c", "d", "e") == ["e"]


def test_a_batch_that_comes_again_cut_into_requests_is_known_for_a_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As rsyslog's omelasticsearch does it: a batch that was not answered is tried message by message."""
    kept = [*(received(t, port=1) for t in "abcd"), *(received(t, port=2) for t in "xy")]
    follower = remembered(tmp_path, *kept).follower("relp-tcp", "10.0.0.1")

    def request(*texts: str) -> list[str]:
        messages = [Received(t.encode(), 0, "relp-tcp", "10.0.0.1", 3) for t in texts]
        return [m.raw.decode() for m in follower.new(messages, begins=True)]

    assert (request("b"), request("c"), request("n"), request("d", "e")) == ([], [], ["n"], ["e"])
    assert request("d") == ["d"], "once"
    assert request("x") == []
    monkeypatch.setattr(again, "EXPECTED_S", -1.0)
    assert request("y") == ["y"], "too late"


def test_a_connection_that_breaks_leaves_what_it_took_up_to_the_next(tmp_path: Path) -> None:
    known = remembered(tmp_path, *map(received, "abcd"))
    for answered in range(4):
        follower = known.follower("relp-tcp", "10.0.0.1")
        messages = [Received(t.encode(), 0, "relp-tcp", "10.0.0.1", 7) for t in "abcd"[answered:]]
        assert follower.new(messages[:2]) == []
        follower.end(is_clean=False)
    follower = known.follower("relp-tcp", "10.0.0.1")
    assert follower.new(messages[-1:]) == []
    follower.end(is_clean=True)
    assert new(known, "d") == ["d"], "it was answered"


def test_a_connection_that_ends_with_all_answered_leaves_what_it_was_not_sent(tmp_path: Path) -> None:
    known = remembered(tmp_path, *map(received, "abcd"))
    follower = known.follower("relp-tcp", "10.0.0.1")
    assert follower.new([Received(b"a", 0, "relp-tcp", "10.0.0.1", 7)]) == []
    follower.end(is_clean=True)
    assert new(known, "a") == ["a"]
    assert new(known, "b", "c", "d", "e") == ["e"]


def test_what_came_long_before_the_end_was_answered(tmp_path: Path) -> None:
    known = remembered(tmp_path, received("old", ago_s=61), received("young", ago_s=59))
    assert new(known, "old") == ["old"]
    assert new(known, "young") == []


def test_the_memory_ends_and_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Again()
    made.left([received("a")])
    monkeypatch.setattr(again, "REMEMBERED_S", -1.0)
    assert new(made, "a") == ["a"]
    monkeypatch.setattr(again, "MOST", 10)
    for n in range(100):
        made.left([received(f"{n}-{m}")._replace(peer=f"10.0.0.{n}") for m in range(5)])
        made.kept_inform("10.0.0.1", b"%d" % n)
    assert sum(len(memory.run) for held in made._runs.values() for memory in held) <= 10
    assert len(made._informs) == 10 and made.has_inform("10.0.0.1", b"99")


@asynccontextmanager
async def relp(folder: Path) -> AsyncIterator[tuple[Stream, asyncio.StreamReader, asyncio.StreamWriter]]:
    async with listening(folder, "relp-tcp", RelpConnection) as it:
        reader, writer = await connected(it, None)
        writer.write(OPEN)
        assert await reader.readexactly(len(OPENED)) == OPENED
        yield it, reader, writer
        writer.close()


def test_a_window_of_relp_that_comes_again_after_a_restart_is_answered_and_kept_once(tmp_path: Path) -> None:
    async def work() -> None:
        sent = [b"<13>%d" % n for n in range(20)]
        async with relp(tmp_path) as (it, _, writer):  # its answers are never read
            writer.write(b"".join(frame(n, b"syslog", text) for n, text in enumerate(sent[:15], 2)))
            await it.until(15)
        async with relp(tmp_path) as (it, reader, writer):
            writer.write(b"".join(frame(n, b"syslog", text) for n, text in enumerate(sent[5:], 2)))
            for n in range(2, 17):
                assert await reader.readline() == b"%d rsp 6 200 OK\n" % n
            assert it.raws() == sent
            assert it.refused(again.REASON) == 10

    run(work)


def test_what_a_broken_connection_left_unanswered_is_known_when_it_comes_again(tmp_path: Path) -> None:
    async def work() -> None:
        async with relp(tmp_path) as (it, _, writer):
            it.spool.is_full = True
            writer.write(frame(2, b"syslog", b"<13>one") + frame(3, b"syslog", b"<13>two"))
            await eventually(lambda: it.intake.trouble is not None)
            writer.transport.abort()
            await eventually(lambda: not it.receiver.by_peer)
            it.spool.is_full = False
            await it.until(2)
            reader, writer = await connected(it, None)
            writer.write(OPEN + b"".join(frame(n, b"syslog", t) for n, t in ((2, b"<13>one"), (3, b"<13>two"))))
            writer.write(frame(4, b"syslog", b"<13>one"))
            await reader.readexactly(len(OPENED))
            for n in (2, 3, 4):
                assert await reader.readline() == b"%d rsp 6 200 OK\n" % n
            assert it.raws() == [b"<13>one", b"<13>two", b"<13>one"]
            writer.close()

    run(work)


def test_on_a_whole_connection_equal_messages_are_all_kept(tmp_path: Path) -> None:
    async def work() -> None:
        async with relp(tmp_path) as (it, reader, writer):
            writer.write(b"".join(frame(n, b"syslog", b"<13>same") for n in range(2, 7)))
            for n in range(2, 7):
                assert await reader.readline() == b"%d rsp 6 200 OK\n" % n
            assert it.raws() == [b"<13>same"] * 5

    run(work)


def test_of_a_sender_with_windows_only_the_last_one_can_be_without_answer(tmp_path: Path) -> None:
    alike = ["the same"] * (again.WINDOW + 500)
    known = remembered(tmp_path, *map(received, alike))
    assert len(new(known, *alike)) == 500


def test_those_who_hang_up_after_each_message_fill_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(again, "MOST", 1000)
    known = Again()
    for number in range(5000):
        known.left([Received(b"%d" % number, 0, "relp-tcp", f"10.0.{number % 50}.1", 1000)])
        assert sum(len(m.run) for held in known._runs.values() for m in held) <= 1000
    assert new(known, "4999", peer="10.0.49.1") == [], "the youngest is known"
