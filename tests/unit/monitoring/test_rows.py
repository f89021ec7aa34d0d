"""Events as columns: each value in its place and as it was, whatever it is; by stream and received hour."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitoring.event import Event, Value
from monitoring.retention import Retention, RetentionRule
from monitoring.rows import NO_HOUR, columns_of, rows_of
from monitoring.store import _columns
from tests.unit.monitoring.stored import NOON, event


def row(**fields: Value) -> dict[str, Any]:
    """The row of one event between two others."""
    table = _columns.table_of([event(1), Event(fields), event(2)])
    table.validate(full=True)
    return {name: value for name, value in table.to_pylist()[1].items() if value is not None}


addresses = st.ip_addresses().map(str) | st.from_regex(r"[0-9a-f:.%]{0,12}", fullmatch=True) | st.text(max_size=9)


@settings(max_examples=300, deadline=None)
@given(text=addresses)
@example("fe80::1%eth0")
@example("fe80::1%")
@example("::ffff:192.0.2.1")
@example("192.0.2.01")
@example("192.0.2.1%1")
@example("1:2:3:4:5:6:7::")
@example("\N{ARABIC-INDIC DIGIT ONE}.2.3.4")
def test_an_address_stands_beside_as_the_octets_a_query_asks_for(text: str) -> None:
    got = row(**{"source.ip": text})
    assert got["source.ip"] == text
    assert got.get("source.ip#n") == _columns.octets_of(text)


@settings(max_examples=200, deadline=None)
@given(moment=st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)))
@example(datetime(2000, 2, 29, 23, 59, 59, 999999))
@example(datetime(1969, 12, 31, 23, 59, 59, 999999))
def test_moments_are_microseconds_as_the_pipeline_writes_them_and_otherwise(moment: datetime) -> None:
    text = moment.isoformat(timespec="microseconds")
    assert row(**{"@timestamp": f"{text}Z"})["@timestamp"] == moment
    assert row(**{"@timestamp": f"{text}+00:00"})["@timestamp"] == moment


@pytest.mark.parametrize("text", ["", "soon", "2026-02-30T00:00:00.000000Z", "2026-13-01T00:00:00.000000Z"])
def test_no_moment_is_1970_and_no_reason_to_lose_the_event(text: str) -> None:
    assert row(**{"@timestamp": text})["@timestamp"] == datetime(1970, 1, 1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("source.port", "http"),
        ("source.port", True),
        ("source.port", 2**63),
        ("source.port", -(2**63)),
        ("source.port", 1.5),
        ("user.name", 5),
        ("user.name", ("a", "b")),
        ("event.category", "a"),
        ("event.category", (1, 2)),
        ("canh.source.known", 1),
        ("canh.float", 1e300),
        ("canh.large", 2**70),
        ("canh.list", ("a", 'b\n"\\\x01\u2028é')),
        ("message", 5),
        ("event.original", ("x",)),
    ],
)
def test_what_a_column_does_not_take_is_in_the_json_as_it_is(name: str, value: Value) -> None:
    got = row(**{name: value, "canh.more": "x"})
    assert set(got) == {"id", "rest"}
    kept = json.loads(got["rest"])[name]
    assert (tuple(kept) if isinstance(kept, list) else kept) == value


def test_a_message_at_the_end_of_its_original_is_its_length_in_characters() -> None:
    got = row(**{"event.original": "<13>h: đăng nhập", "message": "đăng nhập"})
    assert (got["message_length"], "message" in got) == (9, False)
    other = row(**{"event.original": "<13>h: x", "message": "y"})
    assert (other["message"], "message_length" in other) == ("y", False)
    assert row(message="alone")["message"] == "alone"


def test_half_a_surrogate_pair_is_written_out() -> None:
    got = row(**{"event.original": "a\ud800b", "message": "b", "canh.x": "\udfff", "event.category": ("\ud800",)})
    assert (got["event.original"], got["message_length"]) == ("a\\ud800b", 1)
    assert (json.loads(got["rest"])["canh.x"], got["event.category"]) == ("\\udfff", ["\\ud800"])


def test_no_event_gives_no_column_and_every_event_its_id() -> None:
    assert columns_of([]) == {"id": (None, b"")}
    ids = columns_of([{"event.id": "no uuid"}, {"event.id": "no uuid"}, {}, {"event.id": 5}])["id"][1] or b""
    assert ids[:16] == ids[16:32] and len({ids[n : n + 16] for n in range(0, 64, 16)}) == 3


def test_rows_are_by_stream_and_received_hour_in_their_order_and_can_be_sent() -> None:
    rule = RetentionRule(name="polls", data_set="snmp", keep=timedelta(days=1))
    events = [
        event(1),
        event(2, **{"event.dataset": "snmp.if"}),
        event(3, NOON + timedelta(hours=1)),
        event(4),
        Event({"message": "never received"}),
    ]
    parts = rows_of([e.fields for e in events], Retention(rules=(rule,)))
    assert [(p.stream, p.hour, p.size) for p in parts] == [
        ("log", "2026112212", 2),
        ("polls", "2026112212", 1),
        ("log", "2026112213", 1),
        ("log", NO_HOUR, 1),
    ]
    first = _columns.table(parts[0].size, pickle.loads(pickle.dumps(parts[0])).columns)
    assert [Event(_columns.event_of(row).fields).id for row in first.to_pylist()] == [event(1).id, event(4).id]
    assert first["event.ingested"].to_pylist()[0].replace(tzinfo=UTC) == NOON


def test_what_is_no_event_is_refused() -> None:
    with pytest.raises(TypeError):
        columns_of([{1: "x"}])  # type: ignore[dict-item]
    with pytest.raises(TypeError):
        columns_of(["x"])  # type: ignore[list-item]
