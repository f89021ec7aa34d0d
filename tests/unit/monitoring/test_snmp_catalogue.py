"""The catalogue of notifications and objects: each entry can be used, and each notification becomes its event."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.errors import ParserError
from monitoring.parsers import Line
from monitoring.parsers.snmp_trap.parser import parse
from monitoring.snmp.catalogue import catalogue, full, meanings, object_of, trap_name, trap_of

WHEN = datetime(2026, 11, 22, tzinfo=UTC)
TRAPS = sorted(catalogue().traps)


def event(oid: str, varbinds: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    document = {"version": "2c", "kind": "trap", "oid": oid, "name": trap_name(oid), "varbinds": varbinds or []}
    fields = parse(Line(json.dumps(document), "", WHEN))
    assert fields is not None
    return dict(fields)


def other_form(oid: str) -> str:
    """The same notification with the ".0." before its last arc that this form lacks, or without."""
    parent, _, last = oid.rpartition(".")
    return f"{parent[:-2]}.{last}" if parent.endswith(".0") else f"{parent}.0.{last}"


@pytest.mark.parametrize("oid", TRAPS)
def test_a_notification_says_the_same_with_and_without_the_zero(oid: str) -> None:
    if other_form(oid) in catalogue().traps:  # both are listed: two notifications
        pytest.skip("the other form is a notification of its own")
    there, back = event(oid), event(other_form(oid))
    assert there["event.code"] == back["event.code"] == catalogue().traps[oid].name
    assert there.get("event.action") == back.get("event.action")
    assert there["event.category"]


def test_every_action_has_a_meaning_and_every_condition_an_object() -> None:
    for oid, trap in catalogue().traps.items():
        actions = {trap.action, *(action for _, cases in trap.by for _, action in cases)}
        unknown = {a.removeprefix("cleared ") for a in actions} - set(meanings()) - {""}
        assert not unknown, f"{oid} {trap.name}"
        for name, cases in trap.by:
            known = catalogue().by_name[name]
            words = {word for word, _ in cases if not word.startswith("~")} - {"otherwise"}
            assert not known.labels or words <= set(known.labels.values()), f"{oid} {trap.name}"


def test_every_state_that_is_polled_has_words_and_a_meaning() -> None:
    for vendor in catalogue().vendors:
        for state in vendor.states:
            known = object_of(full(state.value))
            labels = catalogue().enumerations.get((vendor.name, state.enumeration)) or (
                known[0].labels if known else {}
            )
            assert set(state.bad) <= set(labels.values()), f"{vendor.name} {state.name}"
            assert {state.action, state.cleared} - {""} <= set(meanings())


def test_names_of_objects_are_unambiguous() -> None:
    assert len(catalogue().by_name) == len(catalogue().objects)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("title: X\ntrapz: {}", "trapz"),
        ("title: X\ntraps: {E.1.0.1: 'no = '}", "cannot be used"),
        ("title: X\nobjects: {E.1: name colours}", "no enumeration 'colours'"),
        ("title: X\nmetrics: [{name: CPU}]", "name"),
        ("title: [", "cannot be used"),
    ],
)
def test_a_wrong_file_is_refused_with_its_name(tmp_path: Path, text: str, fault: str) -> None:
    (tmp_path / "acme.yaml").write_text(text)
    with pytest.raises(ParserError, match="vendor acme cannot be used") as error:
        catalogue(tmp_path)
    assert fault in str(error.value)


def test_a_vendor_is_a_file(tmp_path: Path) -> None:
    text = "title: X\nsystem: [E.99999]\nobjects: {E.99999.1: colour > canh.colour}\n"
    (tmp_path / "acme.yaml").write_text(f"{text}traps: {{E.99999.0.1-5/2: painted = config-changed}}")
    found = catalogue(tmp_path)
    assert sorted(found.traps) == [f"1.3.6.1.4.1.99999.0.{n}" for n in (1, 3, 5)]
    assert found.vendors[0].is_of("1.3.6.1.4.1.99999.7")
    assert not found.vendors[0].is_of("1.3.6.1.4.1.999990.7")


def test_a_community_inside_a_trap_is_not_kept() -> None:
    assert (known := object_of("1.3.6.1.6.3.18.1.4.0")) is not None
    assert known[0].is_secret


def test_a_syslog_message_inside_a_notification_is_read_by_its_own_parser() -> None:
    """Cisco counts severities from 1; the text is a line of IOS without its header."""
    history = "1.3.6.1.4.1.9.9.41.1.2.3.1"
    said = {"Facility": "SYS", "Severity": 6, "MsgName": "CONFIG_I", "MsgText": "Configured from console by q on vty0"}
    varbinds: list[dict[str, Any]] = [
        {"oid": f"{history}.{column}.7", "name": f"clogHist{name}", "index": "7", "value": value}
        for column, (name, value) in enumerate(said.items(), 2)
    ]
    varbinds[1]["label"] = "5"
    fields = event("1.3.6.1.4.1.9.9.41.2.0.1", varbinds)
    assert (fields["event.action"], fields["user.name"]) == ("config-changed", "q")
    assert (fields["canh.content"], fields["event.severity"]) == ("cisco_ios", 5)
    assert fields["message"] == "%SYS-5-CONFIG_I: Configured from console by q on vty0"
    assert fields["canh.snmp.oid"] == "1.3.6.1.4.1.9.9.41.2.0.1"
    known = object_of(f"{history}.3.7")
    assert known is not None
    assert known[0].labels[6] == "5"


def test_an_engine_that_changed_is_an_event() -> None:
    document = {"kind": "engine-changed", "peer": "10.0.0.1", "security": {"engine_id": "8000"}, "varbinds": []}
    fields = parse(Line(json.dumps(document), "", WHEN))
    assert fields is not None
    assert (fields["event.action"], fields["canh.snmp.engine_id"]) == ("snmp-engine-changed", "8000")
    assert fields["message"] == "10.0.0.1 speaks with another SNMP engine than before"


Json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
Varbind = st.fixed_dictionaries(
    {"name": st.sampled_from(sorted(catalogue().by_name)) | Json},
    optional={k: Json | st.text("0123456789abcdef", max_size=32) for k in ("oid", "index", "type", "value", "label")},
)


@given(
    kind=st.sampled_from(["trap", "rejected", ""]) | Json,
    oid=st.sampled_from(TRAPS) | st.text(max_size=30),
    varbinds=st.lists(Varbind | Json, max_size=5) | Json,
    more=st.dictionaries(st.sampled_from(["peer", "security", "uptime_ms", "name", "reason"]), Json),
)
def test_no_document_stops_the_parser(kind: Any, oid: str, varbinds: Any, more: dict[str, Any]) -> None:
    fields = parse(Line(json.dumps({"kind": kind, "oid": oid, "varbinds": varbinds} | more), "", WHEN))
    if fields is not None:
        for name, value in fields.items():
            assert isinstance(value, str | int | float | bool | tuple), name


def test_an_unknown_notification_keeps_its_values() -> None:
    fields = event("1.3.6.1.4.1.99999.0.7", [{"oid": "1.3.6.1.4.1.99999.1", "name": "", "value": "nóng"}])
    assert trap_of("1.3.6.1.4.1.99999.0.7") is None
    assert "nóng" in fields["message"]
    assert "event.action" not in fields
