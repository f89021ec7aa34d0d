"""Keywords are looked for in every value of an event only where a word they need stands in one: whether that ever
hides a match. Held against every rule tried by itself, which knows no such thing."""

from __future__ import annotations

import json
from typing import Any

import canh_native
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from soc.sigma import tables

KELVIN = "\N{KELVIN SIGN}"  # the small letter of which is k
LETTERS = st.sampled_from(["a", "A", "b", "k", "K", KELVIN, "-", "=", "`", "@", " ", "ß", "Đ", "đ"])
WORD = st.text(LETTERS, min_size=1, max_size=6)
LONG = st.text(LETTERS, min_size=3, max_size=9)
WORDS = st.lists(st.one_of(LONG, LONG, WORD), min_size=1, max_size=3)
KEYWORDS = st.one_of(
    WORDS,
    WORDS.filter(lambda words: len(words) > 1).map(lambda words: {"|all": words}),
    WORDS.map(lambda words: [f"{word}*" for word in words]),
    LONG.map(lambda word: [f"{word[:2]}*{word[2:]}"]),
)
FIELD = st.fixed_dictionaries({"a": WORD})
SELECTION = st.one_of(KEYWORDS, KEYWORDS, FIELD)
CONDITION = st.sampled_from(
    [
        "one",
        "one and two",
        "one or two",
        "one and not two",
        "not one",
        "not one and two",
        "1 of them",
        "all of them",
        "one and (two or not one)",
    ]
)
RULE = st.fixed_dictionaries({"one": SELECTION, "two": SELECTION, "condition": CONDITION})
TEXT = st.text(LETTERS, max_size=9)


@st.composite
def events(draw: st.DrawFn, wanted: list[str]) -> dict[str, Any]:
    """An event as a parser makes it: a line, its end as the message, fields; the words asked for here and there."""
    some = st.one_of(TEXT, st.builds("{}{}{}".format, TEXT, st.sampled_from(wanted), TEXT)) if wanted else TEXT
    line = draw(some) + draw(st.sampled_from(["", " " * 70])) + draw(some)
    cut = draw(st.integers(0, len(line)))
    event: dict[str, Any] = {"event.original": line, "message": draw(st.one_of(st.just(line[cut:]), some))}
    event |= draw(st.fixed_dictionaries({}, optional={"a": some, "b": st.lists(some, max_size=2)}))
    return event | draw(st.fixed_dictionaries({}, optional={"c": st.fixed_dictionaries({"d": some})}))


def _compiled(detections: list[dict[str, Any]]) -> canh_native.RuleSet:
    """Each of its own log source: the words of one say nothing about the others."""
    documents = [
        json.dumps({"title": f"rule {at}", "logsource": {"category": f"test{at}"}, "detection": detection})
        for at, detection in enumerate(detections)
    ]
    compiled = canh_native.RuleSet(documents, "[]", [], tables.fields())
    assert not compiled.refused, compiled.refused
    return compiled


def _words(node: Any) -> list[str]:
    if isinstance(node, dict):
        return [word for key, value in node.items() if key != "condition" for word in _words(value)]
    if isinstance(node, list):
        return [word for value in node for word in _words(value)]
    return [str(node).replace("*", "")]


@given(st.lists(RULE, min_size=1, max_size=4), st.data())
@settings(max_examples=250, deadline=None)
@example([{"one": ["kak"], "two": ["b"], "condition": "one and not two"}], None)
def test_no_match_is_hidden(rules: list[dict[str, Any]], draw: st.DataObject | None) -> None:
    wanted = sorted(set(_words(rules)))
    upper = [word.upper() for word in wanted]
    given_events = (
        [{"event.original": f"x {KELVIN}aK"}]
        if draw is None
        else draw.draw(st.lists(events(wanted + upper), max_size=6))
    )
    compiled = _compiled(rules)
    lines = [json.dumps(event).encode() for event in given_events]
    found = [(at, number) for at, number, _ in compiled.match_batch(lines)[0]]
    assert found == [(at, number) for at, line in enumerate(lines) for number in compiled.match_plainly(line)]
    if draw is None:
        assert found == [(0, 0)]


@pytest.mark.parametrize(
    ("detection", "met", "missed"),
    [
        ({"k": ["mimikatz"], "condition": "k"}, {"x": "a MimiKatz b"}, {"x": "a mimikat b"}),
        ({"k": ["={{"], "condition": "k"}, {"x": "q={{7*7}}"}, {"x": "q={7}"}),
        ({"k": ["kat"], "condition": "k"}, {"x": "the end: kat"}, {"x": "ka"}),
        ({"k": ["kat"], "condition": "k"}, {"x": ["one", "kat"]}, {"x": ["ka", "t"]}),
        ({"k": ["kat"], "condition": "k"}, {"x": {"y": [{"z": "kat"}]}}, {"kat": "x"}),
        ({"k": ["a"], "condition": "k"}, {"x": "a"}, {"x": "b"}),
        ({"k": ["đăng nhập"], "condition": "k"}, {"x": "ĐĂNG NHẬP sai"}, {"x": "dang nhap"}),
        ({"k": {"|all": ["POST", "$", "200"]}, "condition": "k"}, {"x": "POST /a$ 200"}, {"x": "POST /a 200"}),
        ({"k": ["drop"], "f": ["drop it"], "condition": "k and not f"}, {"x": "drop all"}, {"x": "drop it"}),
        ({"s": {"a": "1"}, "f": ["noise"], "condition": "s and not f"}, {"a": "1"}, {"a": "1", "b": "noise"}),
        ({"s": {"a": "1"}, "k": ["noise"], "condition": "s or k"}, {"b": "noise"}, {"b": "nois"}),
        ({"k": {"|re": "n[o0]ise"}, "condition": "k"}, {"b": "n0ise"}, {"b": "nise"}),
        ({"k": ["kat"], "condition": "k"}, {"event.original": "x", "m": "-" * 80 + "kat"}, {"m": "ka"}),
        ({"k": ["one*two"], "condition": "k"}, {"b": "one, then two"}, {"b": "two, one"}),
        ({"k": [4688], "condition": "k"}, {"b": "id 4688 came"}, {"b": "id 4689 came"}),
    ],
)  # fmt: skip
def test_keywords(detection: dict[str, Any], met: dict[str, Any], missed: dict[str, Any]) -> None:
    compiled = _compiled([detection, {"k": ["another rule's word"], "condition": "k"}])
    found, invalid = compiled.match_batch([json.dumps(event).encode() for event in (met, missed)])
    assert (([(at, rule) for at, rule, _ in found]), invalid) == ([(0, 0)], [])
