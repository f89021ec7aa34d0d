"""Messages out of a stream: the same ones however the network cuts it, in bounded memory."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.receivers.framing import Framer, Message

LIMIT = 200

lines = st.lists(st.binary(max_size=60).filter(lambda b: b"\n" not in b), max_size=8)
counted = st.lists(st.binary(max_size=60).map(lambda b: b"<13>" + b), min_size=1, max_size=8)


def framed(stream: bytes, cuts: list[int], limit: int = LIMIT) -> list[Message]:
    """What a framer makes of the stream when it arrives cut at these places."""
    framer, messages, at = Framer(limit), [], 0
    for cut in sorted({c % (len(stream) + 1) for c in cuts}):
        messages += framer.feed(stream[at:cut])
        at = cut
    return messages + framer.feed(stream[at:]) + framer.close()


@given(messages=lines, cuts=st.lists(st.integers(0, 10_000), max_size=20))
def test_lines_come_out_however_the_stream_is_cut(messages: list[bytes], cuts: list[int]) -> None:
    stream = b"<13>first\n" + b"".join(m + b"\n" for m in messages)
    assert framed(stream, cuts) == [Message(m, 0) for m in [b"<13>first", *messages]]


@given(messages=counted, cuts=st.lists(st.integers(0, 10_000), max_size=20), line_feeds=st.booleans())
def test_counted_messages_come_out_however_the_stream_is_cut(
    messages: list[bytes], cuts: list[int], line_feeds: bool
) -> None:
    end = b"\n" if line_feeds else b""
    stream = b"".join(b"%d %s%s" % (len(m), m, end) for m in messages)
    assert framed(stream, cuts) == [Message(m, 0) for m in messages]


@given(stream=st.binary(max_size=400), cuts=st.lists(st.integers(0, 10_000), max_size=20))
@settings(max_examples=300)
def test_no_stream_stops_a_framer_and_cutting_changes_nothing(stream: bytes, cuts: list[int]) -> None:
    assert framed(stream, cuts) == framed(stream, [])


@given(stream=st.binary(max_size=400))
def test_no_octet_of_a_line_disappears_uncounted(stream: bytes) -> None:
    framer = Framer(10)
    framer.feed(b"<13>x\n")
    messages = framer.feed(stream) + framer.close()
    assert sum(len(m.raw) + m.cut for m in messages) == len(stream) - stream.count(b"\n")


def test_empty_lines_are_messages_too() -> None:
    assert framed(b"<13>a\n\n<13>b\n", []) == [Message(b"<13>a", 0), Message(b"", 0), Message(b"<13>b", 0)]


def test_an_endless_line_takes_bounded_memory_and_is_cut_once() -> None:
    framer = Framer(LIMIT)
    for _ in range(1000):
        assert framer.feed(b"x" * 1000) == []
    assert len(framer._rest) == LIMIT
    assert framer.feed(b"y\n<13>next\n") == [Message(b"x" * LIMIT, 1_000_001 - LIMIT), Message(b"<13>next", 0)]


def test_a_counted_message_longer_than_allowed_is_cut_and_the_next_is_whole() -> None:
    stream = b"1000 <13>" + b"x" * 996 + b"7 <13>abc"
    assert framed(stream, [3, 5, 400]) == [Message(b"<13>" + b"x" * 196, 800), Message(b"<13>abc", 0)]


def test_a_connection_lost_within_a_message_keeps_what_came() -> None:
    assert framed(b"20 <13>half", []) == [Message(b"<13>half", 12)]
    assert framed(b"<13>half", []) == [Message(b"<13>half", 0)]


@pytest.mark.parametrize("stream", [b"2026-11-22 line", b"12 apples", b"42", b" <13>x", b"0 <13>x"])
def test_a_line_that_begins_with_digits_is_no_count(stream: bytes) -> None:
    assert framed(stream + b"\n", [1, 2]) == [Message(stream, 0)]


def test_a_wrong_count_is_counted_and_the_rest_is_kept_as_lines() -> None:
    framer = Framer(LIMIT)
    messages = framer.feed(b"5 <13>abcdef\n<14>more\n") + framer.close()
    assert framer.faults == 1
    assert messages == [Message(b"<13>a", 0), Message(b"bcdef", 0), Message(b"<14>more", 0)]
