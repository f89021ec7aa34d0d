"""Laws of parsing: any bytes give exactly one event, it never raises, and it takes no unbounded time."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.parsers import document_in, load
from tests.unit.monitoring.lab import RECEIVED, ROOT, pipeline, record
from tests.unit.pace import is_within

PIPELINE = pipeline()
RECEIVERS = ("syslog-udp", "syslog-tcp", "snmp-trap", "snmp-poll")
LINES = [
    line
    for file in sorted((ROOT / "monitoring/parsers").glob("*/tests/*.log"))
    for line in file.read_bytes().rstrip(b"\n").split(b"\n")
]
LONGEST = {  # one line of each parser's cases
    file.parent.parent.name: max(file.read_bytes().split(b"\n"), key=len)
    for file in sorted((ROOT / "monitoring/parsers").glob("*/tests/*.log"))
}
APPS = sorted({app for parser in load().parsers.values() for app in parser.app_names})
CASES = sorted((ROOT / "monitoring/parsers").glob("*/tests/*.log"))
MOST_LINES, DAMAGES = 25, 8  # of a parser, of a line
LONG = 60_000  # octets: the longest datagram and more than a parser is shown
LIMIT_S = 0.5  # of CPU for one line; a pattern that backtracks takes minutes

DOCUMENTS = [
    found for line in LINES if line.startswith(b"{") and (found := document_in(line.decode("utf-8", "replace")))
]

any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
odd_json = any_json | st.sampled_from(
    ["", "\ud83d", "\0", [], {}, [None], [""], {"": ""}, 10**30, 1e308, -1, True, "1.2.3.4:99999", "2026-02-30", "NaN"]
)
trap_like = st.fixed_dictionaries(
    {},
    optional={
        name: any_json | st.sampled_from(["trap", "rejected", "system", "interface", "failure"])
        for name in (
            "kind",
            "oid",
            "name",
            "version",
            "security",
            "varbinds",
            "system",
            "counters",
            "uptime_ms",
            "device",
        )
    },
)


@settings(max_examples=150)
@given(raw=st.binary(max_size=400), receiver=st.sampled_from(RECEIVERS))
def test_any_bytes_give_one_event(raw: bytes, receiver: str) -> None:
    _check(raw, receiver)


@settings(max_examples=150)
@given(line=st.sampled_from(LINES), noise=st.binary(max_size=12), data=st.data())
def test_damaged_lines_give_one_event(line: bytes, noise: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(line)))
    end = data.draw(st.integers(start, len(line)))
    _check(line[:start] + noise + line[end:], "syslog-tcp")


@pytest.mark.parametrize("parser", LONGEST)
def test_a_line_damaged_anywhere_is_still_an_event(parser: str) -> None:
    """Lines of the cases cut, with a piece gone, doubled, or of other characters. Seeded."""
    chance = random.Random(parser)
    hint = parser if load().parsers[parser].receivers else ""
    lines = [line for file in CASES if file.parent.parent.name == parser for line in file.read_bytes().splitlines()]
    for line in chance.sample(lines, min(MOST_LINES, len(lines))):
        for _ in range(DAMAGES):
            start, end = sorted(chance.choices(range(len(line) + 1), k=2))
            other = chance.choice(
                (b"", line[start:end] * 2, chance.randbytes(4), b" " * 9, b"=", b'"', b"]", b"9" * 40)
            )
            damaged = line[:start] if chance.random() < 0.3 else line[:start] + other + line[end:]
            event = PIPELINE.document_of(damaged.replace(b"\n", b" "), received=RECEIVED, hint=hint)
            assert "parser failed" not in event.text("error.message"), (event.text("error.message"), damaged)
            json.loads(event.as_json())


@settings(max_examples=150)
@given(document=st.sampled_from(DOCUMENTS), odd=st.lists(odd_json, min_size=1, max_size=4), data=st.data())
def test_documents_with_odd_values_give_one_event(document: Any, odd: list[Any], data: st.DataObject) -> None:
    for value in odd:
        key = data.draw(st.sampled_from(sorted(document)))
        document = {**document, key: _altered(document[key], value, data)}
    _check(json.dumps(document).encode(), "syslog-tcp")


@settings(max_examples=150)
@given(app=st.sampled_from(APPS), text=st.text(max_size=200))
def test_any_text_of_a_known_program_gives_one_event(app: str, text: str) -> None:
    _check(f"<38>1 2026-11-22T10:15:04Z h {app} 1 - - {text}".encode("utf-8", "surrogatepass"), "syslog-tcp")


@settings(max_examples=150)
@given(document=trap_like, receiver=st.sampled_from(("snmp-trap", "snmp-poll")))
def test_any_json_gives_one_event(document: object, receiver: str) -> None:
    _check(json.dumps(document).encode(), receiver)


@pytest.mark.parametrize("app", [parser.app_names[0] for parser in load().parsers.values() if parser.app_names])
def test_a_long_line_takes_little_time(app: str) -> None:
    """Shapes that make a careless pattern go back and forth: repeats of what its parts look for."""
    for unit in ("a", " ", "a ", "=", "[", "(", "1", "for ", " from ", " : ", "' ", "user ", '\\"', ", client: "):
        _timed(f"<38>1 2026-11-22T10:15:04Z h {app} 1 - - {unit * (LONG // len(unit))}".encode())


@pytest.mark.parametrize("line", LONGEST.values(), ids=LONGEST)
def test_a_known_line_with_a_long_middle_takes_little_time(line: bytes) -> None:
    middle = len(line) * 2 // 3
    for filler in (b" ", b"a", b"1.", b"a b "):
        _timed(line[:middle] + filler * (LONG // len(filler)) + line[middle:])


@pytest.mark.parametrize(
    "text",
    [
        '<1>1 - - - - - [a b="' + "\\" * LONG,
        "<1>1 - - - - - " + "[a]" * (LONG // 3),
        "<1>Nov 22 10:15:04 " + "a" * LONG,
    ],
)
def test_a_strange_header_takes_little_time(text: str) -> None:
    _timed(text.encode())


def test_an_event_keeps_every_octet() -> None:
    """Bytes that are no UTF-8 are kept as \\xNN; what is UTF-8 stays as it is."""
    event = PIPELINE.event_of(record(b"<13>Nov 22 10:15:04 h a: x\xff\xfe \xc4\x91\x00\x1d\xe2\x80\xa8y\r\n"))
    assert event.original == "<13>Nov 22 10:15:04 h a: x\\xff\\xfe đ\x00\x1d\u2028y\r\n"
    assert event.text("message") == "x\\xff\\xfe đ \x1d\u2028y"
    assert "UTF-8" in event.text("error.message")


def _altered(document: Any, value: Any, data: st.DataObject) -> Any:
    """The document with this value somewhere in it."""
    if not document or not isinstance(document, dict | list) or data.draw(st.booleans()):
        return value
    if isinstance(document, list):
        return [_altered(document[0], value, data), *document[1:]]
    key = data.draw(st.sampled_from(sorted(document)))
    return {**document, key: _altered(document[key], value, data)}


def _check(raw: bytes, receiver: str) -> None:
    event = PIPELINE.event_of(record(raw, receiver=receiver))
    assert "parser failed" not in event.text("error.message"), event.text("error.message")
    assert event.original == raw.decode("utf-8", "backslashreplace")
    assert event.timestamp <= RECEIVED.replace(year=2027)
    assert event.id and event.received == RECEIVED
    assert all(value is not None and value != "" for name, value in event.fields.items() if name not in MAY_BE_EMPTY)
    json.loads(event.as_json())
    assert not isinstance(event.get("event.category"), str)


MAY_BE_EMPTY = ("event.original", "message")


def _timed(raw: bytes) -> None:
    assert is_within(LIMIT_S, lambda: PIPELINE.event_of(record(raw)))


WITHOUT_PARSER = {  # cases of what is left alone
    b"[1]",
    b"not json",
    b'{"kind": "strange"}',
    b"<134>Mar  1 10:00:00 box1 a=1 b=2",
    b"<134>Mar  1 10:00:00 box1 mydaemon[12]: version 1.2.3.4.5 started",
    b"<134>Mar  1 10:00:00 box1 mydaemon[12]: nothing here",
}


def test_every_line_of_the_cases_is_understood() -> None:
    unknown = []
    for line in LINES:
        hint = "snmp_trap" if line.startswith(b'{"version') else "snmp_poll" if line.startswith(b'{"kind') else ""
        event = PIPELINE.document_of(line, received=RECEIVED, hint=hint)
        if event.get("canh.parser") is None:
            unknown.append(line)
    assert sorted(line for line in unknown if line not in WITHOUT_PARSER) == []
