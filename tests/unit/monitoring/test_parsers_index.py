"""A parser is a folder: found by itself, chosen by what it says it answers to, refused when it is broken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from monitoring.errors import ParserError
from monitoring.parsers import Index, Line, any_pairs, cef_of, ip_text, load, mac_text
from monitoring.parsers._rules import RuleSet
from monitoring.parsers._structured import Structured
from tests.unit.monitoring.lab import RECEIVED


def _index(folder: Path, **parsers: str) -> Index:
    for name, text in parsers.items():
        (folder / name).mkdir()
        (folder / name / "parser.yaml").write_text(text, "utf-8")
    return load(folder)


def _chosen(index: Index, text: str, app: str = "", platform: str = "", receiver: str = "", hint: str = "") -> str:
    found = index.parse(Line(text, app, RECEIVED, platform), receiver=receiver, hint=hint)
    return "" if found is None else found[0].name


def test_each_way_of_choosing(tmp_path: Path) -> None:
    index = _index(
        tmp_path,
        by_app="match: {app_name: [appd]}\ntakes_unknown: true",
        by_text="match: {contains: ['%X-']}\ntakes_unknown: true",
        by_platform="match: {platform: [ios]}\ntakes_unknown: true",
        by_receiver="match: {receiver: [trap]}\ntakes_unknown: true",
        by_hint="takes_unknown: true",
    )
    assert _chosen(index, "x", app="appd") == "by_app"
    assert _chosen(index, "x", app="/usr/sbin/APPD") == "by_app"
    assert _chosen(index, "a %X- b") == "by_text"
    assert _chosen(index, "x", platform="ios") == "by_platform"
    assert _chosen(index, "x", app="appd", receiver="trap") == "by_receiver"
    assert _chosen(index, "x", app="appd", hint="by_hint") == "by_hint"
    assert _chosen(index, "x", app="other") == ""
    assert index.takes_whole("trap") and not index.takes_whole("syslog-udp")


def test_the_enterprise_of_structured_data_says_more_than_the_name_of_a_program(tmp_path: Path) -> None:
    index = _index(
        tmp_path,
        anyone="match: {app_name: [sshd]}\ntakes_unknown: true",
        vendor="match: {enterprise: [2636]}\ntakes_unknown: true",
    )
    for structured, name in (
        ('[junos@2636.1.1.1.2.129 username="a"]', "vendor"),
        ('[vendor@26360 username="a"]', "anyone"),
        ('[timeQuality tzKnown="0"]', "anyone"),
        ("", "anyone"),
    ):
        found = index.parse(Line("x", "sshd", RECEIVED, "", structured=structured))
        assert found is not None and found[0].name == name


def test_a_parser_that_does_not_know_a_line_leaves_it_to_the_next(tmp_path: Path) -> None:
    rule = "rules: [{pattern: 'known'}]"
    index = _index(
        tmp_path,
        first=f"match: {{app_name: [appd]}}\n{rule}",
        second="match: {app_name: [appd]}\ntakes_unknown: true",
    )
    assert _chosen(index, "known", app="appd") == "first"
    assert _chosen(index, "other", app="appd") == "second"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("rules: [{pattern: '('}]", "missing \\), unterminated subpattern"),
        ("rules: [{pattern: '<source.ip:adress>'}]", "unknown kind adress"),
        ("rules: [{set: {a: b}}]", "pattern"),
        ("match: {app: [x]}", "unknown key 'app'"),
        ("match: [", "while parsing"),
        ("- a", "cannot be used"),
    ],
)
def test_a_broken_parser_is_refused_with_its_file(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ParserError, match=reason) as caught:
        _index(tmp_path, broken=text).compile()
    assert "broken/parser.yaml" in str(caught.value)


def _parsed(pattern: str, text: str) -> dict[str, object] | None:
    found = RuleSet.of({"rules": [{"pattern": pattern, "set": {"event.action": "a"}}]}).parse(Line(text, "", RECEIVED))
    return None if found is None else dict(found)


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("a <x.y> b", "a 1 b", {"x.y": "1"}),
        ("a <x:int>", "a 12", {"x": 12}),
        ("a <x.ip:ip>", "a ::ffff:10.0.0.1", {"x.ip": "10.0.0.1"}),
        ("a <x.ip:ip>", "a fe80::1%eth0", {"x.ip": "fe80::1"}),
        ("a <x.ip:ip>", "a 999.1", {}),  # looks like one and is none: left out
        ("a <x.mac:mac>", "a 02aa.bb00.0001", {"x.mac": "02-AA-BB-00-00-01"}),
        ("a <x:seconds>", "a -1.5", {"x": -1500.0}),
        ("a <x>", "a -", {}),
        ("a(?: <x>)? b", "a b", {}),
        ("a\\<b> <x>", "a<b> 1", {"x": "1"}),
        ("(?:a|b) <x>", "b 1", {"x": "1"}),
        ("ab? <x>", "a 1", {"x": "1"}),
        ("a <x:rest>", "a 1\n2", {"x": "1\n2"}),
    ],
)
def test_what_a_pattern_takes_out(pattern: str, text: str, expected: dict[str, object]) -> None:
    assert _parsed(pattern, text) == {"event.action": "a", **expected}


def test_a_pattern_begins_at_the_first_character() -> None:
    assert _parsed("b <x>", "a b 1") is None


def test_what_stands_before_every_message_is_taken_off() -> None:
    rules = RuleSet.of({"before": "\\[<id:digits>\\] ", "rules": [{"pattern": "hello <who>"}], "takes_unknown": True})
    assert rules.parse(Line("[7] hello lan", "", RECEIVED)) == {"id": "7", "who": "lan"}
    assert rules.parse(Line("hello lan", "", RECEIVED)) == {"who": "lan"}
    assert rules.parse(Line("[7] bye", "", RECEIVED)) == {"id": "7"}


def test_addresses_in_their_usual_form() -> None:
    assert ip_text("2001:DB8:0:0::1") == "2001:db8::1"
    assert ip_text("10.0.0.256") is None
    assert mac_text("02:aa:BB:00:00:01") == "02-AA-BB-00-00-01"


def test_a_rule_may_take_what_its_sentence_names() -> None:
    rules = RuleSet.of(
        {"takes_unknown": True, "words": True, "rules": [{"pattern": "hello", "words": True}, {"pattern": "bye"}]}
    )

    def source(text: str) -> object:
        return (rules.parse(Line(text, "", RECEIVED)) or {}).get("source.ip")

    assert source("hello from 192.0.2.1") == "192.0.2.1"
    assert source("bye from 192.0.2.1") is None
    assert source("what from 192.0.2.1") == "192.0.2.1"


def test_a_group_by_a_key_takes_the_named_case_else_the_first_that_fits() -> None:
    group = {
        "by": "id",
        "last": 2,
        "of": [{"is": [1, "07"], "set": {"event.action": "login"}}, {"set": {"event.action": "other"}}],
    }
    made = Structured.of({"format": "pairs", "cases": {"meaning": group}, "common": False})
    assert [made.fields_of({"id": written})["event.action"] for written in ("100107", 1, "08")] == [
        "login",
        "login",
        "other",
    ]


@pytest.mark.parametrize(
    "text", ['{"user": "an"}', "CEF:0|V|P|1|7|n|3|user=an", "LEEF:1.0|V|P|1|7|user=an", "user=an", 'x user="an" y']
)
def test_a_product_with_several_formats_is_read_in_any(text: str) -> None:
    document = json.loads(text) if text.startswith("{") else None
    pairs = any_pairs(Line(text, "", RECEIVED, document=document))
    assert pairs is not None and pairs["user"] == "an"


def test_time_and_duration_out_of_several_keys() -> None:
    made = Structured.of(
        {"format": "pairs", "time": ["date time tz", "date time", "epoch"], "durations": {"took": "ms"}}
    )
    fields = made.fields_of({"date": "2026-11-22", "time": "10:00:00", "epoch": "1", "took": "1.5"})
    assert (fields["@timestamp"], fields["event.duration"]) == ("2026-11-22 10:00:00", 1_500_000)


def test_keys_of_a_standard_come_after_those_of_the_product() -> None:
    made = Structured.of(
        {"format": "cef", "like": ["generic_cef"], "keys": {"spt": "canh.own"}, "infer": ["cef.name"], "common": False}
    )
    fields = made.fields_of({"src": "192.0.2.1", "spt": "7", "cef.name": "User login failed", "suser": "an"})
    assert fields["source.ip"] == "192.0.2.1" and fields["canh.own"] == "7" and fields["event.outcome"] == "failure"


def test_one_broken_parser_does_not_stop_the_others(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    index = _index(
        tmp_path,
        unreadable="match: [",
        unusable="match: {app_name: [appd]}\nrules: [{pattern: '('}]",
        whole="match: {app_name: [appd]}\ntakes_unknown: true",
    )
    assert [str(error).count("unreadable/parser.yaml") for error in index.refused] == [1]
    assert [_chosen(index, "x", app="appd") for _ in range(3)] == ["whole"] * 3
    assert len(caplog.records) == 1 and "unusable/parser.yaml" in caplog.text


def test_every_parser_of_ours_can_be_used() -> None:
    load().compile()


def test_backslashes_of_windows_names_stay_in_cef() -> None:
    pairs = cef_of(r"CEF:0|V|P|1|2|n|3|suser=CORP\nam filePath=C:\temp\a.exe duser=CORP\\an cs1=a\=b msg=one\ntwo")
    assert pairs is not None
    assert (pairs["suser"], pairs["filePath"], pairs["duser"]) == (r"CORP\nam", r"C:\temp\a.exe", r"CORP\an")
    assert (pairs["cs1"], pairs["msg"]) == ("a=b", "one\ntwo")
