"""RELP: answered after fsync and in order, whatever the pieces the stream comes in."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.receivers.relp import BrokenStream, Frame, Frames, RelpConnection
from tests.unit.monitoring.streams import client_context, connected, eventually, listening, made_keys
from tests.unit.monitoring.test_receivers import run


def frame(number: int, command: bytes, data: bytes = b"") -> bytes:
    return b"%d %b %d%b\n" % (number, command, len(data), b" " + data if data else b"")


OPEN = frame(1, b"open", b"relp_version=0\nrelp_software=test\ncommands=syslog")
OPENED = frame(1, b"rsp", b"200 OK\nrelp_version=0\nrelp_software=canh\ncommands=syslog")


@given(st.lists(st.binary(max_size=40), max_size=8), st.lists(st.integers(1, 30), max_size=40))
def test_frames_are_the_same_whatever_the_pieces(texts: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(frame(n, b"syslog", text) for n, text in enumerate(texts, 1))
    frames, found, at = Frames(1000), [], 0
    for cut in [*cuts, len(stream)]:
        found += frames.feed(stream[at : at + cut])
        at += cut
    assert found == [Frame(b"%d" % n, b"syslog", text, 0) for n, text in enumerate(texts, 1)]


def test_what_is_longer_than_allowed_is_cut_and_the_next_frame_found() -> None:
    frames = Frames(10)
    found = frames.feed(frame(1, b"syslog", b"x" * 5000) + frame(2, b"syslog", b"next"))
    assert found == [Frame(b"1", b"syslog", b"x" * 10, 4990), Frame(b"2", b"syslog", b"next", 0)]


@pytest.mark.parametrize(
    "stream",
    [
        b"GET / HTTP/1.1",
        b"1 syslog 3 abcd\n",
        b"1  syslog 1 a\n",
        b"1234567890 ",
        b"1 syslog x",
        b"\n",
        b"1 " + b"c" * 33,
    ],
)
def test_what_is_no_frame_ends_it(stream: bytes) -> None:
    with pytest.raises(BrokenStream):
        Frames(10).feed(stream)


@given(st.binary(max_size=300))
def test_any_stream_gives_frames_or_ends(stream: bytes) -> None:
    frames = Frames(50)
    try:
        for octet in range(len(stream)):
            frames.feed(stream[octet : octet + 1])
    except BrokenStream:
        pass


@pytest.mark.parametrize("secure", [False, True])
def test_messages_are_answered_in_order_once_they_are_fsynced(tmp_path: Path, secure: bool) -> None:
    async def work() -> None:
        keys = made_keys(tmp_path) if secure else None
        async with listening(tmp_path, "relp-tls" if secure else "relp-tcp", RelpConnection, keys=keys) as it:
            it.spool.is_full = True
            reader, writer = await connected(it, client_context(tmp_path) if secure else None)
            writer.write(OPEN)
            assert await reader.readexactly(len(OPENED)) == OPENED
            writer.write(frame(2, b"syslog", b"<13>two\nlines") + frame(3, b"syslog", b"<13>three"))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(1), 0.2)
            it.spool.is_full = False
            writer.write(frame(4, b"syslog", b"<13>four") + frame(5, b"close"))
            answers = await asyncio.wait_for(reader.read(-1), 60)
            assert answers == b"2 rsp 6 200 OK\n3 rsp 6 200 OK\n4 rsp 6 200 OK\n5 rsp 0\n0 serverclose 0\n"
            assert it.raws() == [b"<13>two\nlines", b"<13>three", b"<13>four"]
            writer.close()
            await eventually(lambda: not it.receiver.by_peer)

    run(work)


def test_nothing_is_taken_before_it_is_open_and_unknown_commands_are_refused(tmp_path: Path) -> None:
    async def work() -> None:
        async with listening(tmp_path, "relp-tcp", RelpConnection) as it:
            reader, writer = await connected(it, None)
            writer.write(frame(1, b"syslog", b"<13>too early"))
            assert await reader.read(-1) == b""
            reader, writer = await connected(it, None)
            writer.write(OPEN + frame(2, b"starttls") + frame(3, b"syslog", b"<13>kept"))
            assert await reader.readexactly(len(OPENED)) == OPENED
            assert await reader.readline() == b"2 rsp 19 500 unknown command\n"
            assert await reader.readline() == b"3 rsp 6 200 OK\n"
            assert it.refused("relp-frame") == 1 and it.raws() == [b"<13>kept"]
            writer.close()

    run(work)


def test_stopping_leaves_to_the_sender_what_was_not_answered(tmp_path: Path) -> None:
    async def work() -> None:
        async with listening(tmp_path, "relp-tcp", RelpConnection) as it:
            reader, writer = await connected(it, None)
            writer.write(OPEN)
            await reader.readexactly(len(OPENED))
            it.spool.is_full = True
            writer.write(frame(2, b"syslog", b"<13>held"))
            await eventually(lambda: it.intake.trouble is not None)
        assert await reader.read(-1) == b"0 serverclose 0\n", "no answer for what is not kept"
        assert it.raws() == []
        assert it.refused("not-kept") == 1 and it.intake.counters.dropped_total() == 0, "nothing is lost"
        writer.close()

    run(work)


def test_who_does_not_read_the_answers_is_not_read_either(tmp_path: Path) -> None:
    """Each `open` of 14 octets is answered with 63: a client that never reads would fill the memory."""

    async def work() -> None:
        async with listening(tmp_path, "relp-tcp", RelpConnection) as it:
            reader, writer = await connected(it, None)
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            asked = frame(1, b"open", b"commands=syslog")
            for _ in range(20):
                writer.write(asked * 5000)
                with suppress(TimeoutError):
                    await asyncio.wait_for(writer.drain(), 0.01)
            (one,) = it.receiver.open
            assert isinstance(one, RelpConnection)
            assert one.transport.get_write_buffer_size() < 1_000_000
            writer.transport.resume_reading()  # type: ignore[attr-defined]
            answered = 0
            while answered < 20 * 5000 * len(OPENED):
                answered += len(await asyncio.wait_for(reader.read(1_000_000), 60))
            writer.write(frame(2, b"syslog", b"<13>still heard"))
            assert await reader.readline() == b"2 rsp 6 200 OK\n"
            writer.close()

    run(work)
