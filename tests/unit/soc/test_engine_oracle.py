"""The engine against three others on generated rules and events: Sigma read plainly (`sigma_plainly`), every rule
tried without the index, and pySigma's SQLite backend.

What is not asked of SQLite, and why:
- keywords: a table has no unbound values, the backend refuses them;
- cidr: it becomes a list of text patterns there, which is right only for addresses in one spelling;
- lists as values: a column holds one value;
- numbers against texts: SQLite tells 5 from "5", Sigma's events do not;
- neq on a field that is absent: NULL is neither equal nor different;
- letters beyond ASCII: LIKE folds only those of ASCII;
- `2 of them`: pySigma of this version knows `1 of` and `all of` only;
- weeks: strftime counts them from the first Sunday, ISO (and Sigma's reference) from the first Thursday.
Python's `$` before a last line break is asked of nobody: the engine's stands at the very end only.
fieldref over a list is asked of nobody: the standard does not say what it means.
"""

from __future__ import annotations

import base64
import json
import re
import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

import canh_native
from hypothesis import given, settings
from hypothesis import strategies as st
from sigma.backends.sqlite import sqlite
from sigma.collection import SigmaCollection
from sigma.exceptions import SigmaError

from soc.sigma import tables
from tests.unit.soc import sigma_plainly

SQL_FIELDS = ("a", "b", "c")
LETTERS = st.sampled_from("aAbBxX-/ \\._%'\n")
TEXT = st.text(LETTERS, max_size=6)
WILD = st.text(st.one_of(LETTERS, st.sampled_from("*?")), max_size=6)
NUMBER = st.integers(-3, 12)
REGEX = st.sampled_from(["a", "^a", "b$", "a.b", "(?:a|X)b?", "[ab]{2}", "^$", "x\\b", "\\\\", "^[^a]"])
TIME = st.sampled_from(
    ["2026-03-01T05:07:00Z", "2026-12-31T23:59:59Z", "2024-02-29T00:00:00Z", "2026-03-01T05:07:00+07:00"]
)
ADDRESS = st.sampled_from(["10.0.0.1", "10.1.2.3", "192.168.0.255", "2001:db8::1", "2001:db8:1::5", "none"])
NETWORK = st.sampled_from(["10.0.0.0/8", "10.0.0.0/31", "192.168.0.0/24", "2001:db8::/48", "2001:db8::/32"])
EVENT = st.fixed_dictionaries(
    {}, optional={name: st.one_of(TEXT, st.none()) for name in "abcd"} | {"n": NUMBER, "t": TIME}
)
MORE = st.fixed_dictionaries(
    {},
    optional={name: st.one_of(TEXT, st.none(), st.lists(TEXT, max_size=3), NUMBER) for name in "ab"}
    | {name: st.one_of(TEXT, st.none(), NUMBER) for name in "cd"}
    | {"n": st.one_of(NUMBER, st.sampled_from(["5", "x", "7.5"])), "t": TIME, "ip": ADDRESS},
)


def _item(key: str, values: st.SearchStrategy[Any], fewest: int = 1) -> st.SearchStrategy[tuple[str, Any]]:
    several = st.lists(values, min_size=max(fewest, 1), max_size=3)
    written = several if fewest > 1 else st.one_of(values, several)
    return st.tuples(st.sampled_from(SQL_FIELDS).map(lambda field: f"{field}|{key}" if key else field), written)


def _named(name: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[str, Any]]:
    return st.tuples(st.just(name), values)


_PLAIN = [_item(key, WILD) for key in ("", "contains", "startswith", "endswith", "cased", "contains|cased")]
_ALL = [_item(key, WILD, 2) for key in ("contains|all", "startswith|all")]
_DASH = [_item(key, WILD) for key in ("contains|windash", "windash", "endswith|windash")]
_CODED = [
    _item(key, st.text(st.sampled_from("aB x"), min_size=3, max_size=5))
    for key in ("base64|contains", "base64offset|contains", "wide|base64offset|contains", "utf16be|base64|contains")
]
_OTHER = [
    _item("re", REGEX),
    _item("re|i", REGEX),
    _item("exists", st.booleans()).map(lambda item: (item[0], item[1][0] if isinstance(item[1], list) else item[1])),
    _item("", st.none()).map(lambda item: (item[0], None)),
    *(_named(f"c|fieldref{how}", st.sampled_from("cd")) for how in ("", "|startswith", "|endswith", "|contains")),
    _named("n", NUMBER),
    *(_named(f"n|{operator}", NUMBER) for operator in ("lt", "lte", "gt", "gte")),
    *(_named(f"t|{part}", st.integers(0, 31)) for part in ("minute", "hour", "day", "month")),
    _named("t|hour|gte", st.integers(0, 23)),
    _named("t|year", st.sampled_from([2024, 2026])),
]
SQL_ITEM = st.one_of(*_PLAIN, *_ALL, *_DASH, *_CODED, *_OTHER)
ITEM = st.one_of(
    SQL_ITEM,
    _item("neq", TEXT),
    _item("re|m|s", REGEX),
    _named("n", st.one_of(NUMBER, NUMBER.map(str))),
    _named("t|week", st.integers(1, 53)),
    _named("ip|cidr", st.one_of(NETWORK, st.lists(NETWORK, min_size=1, max_size=3))),
)
KEYWORDS = st.one_of(
    st.lists(WILD.filter(bool), min_size=1, max_size=3),
    st.lists(WILD.filter(bool), min_size=2, max_size=3).map(lambda words: {"|all": words}),
)
WHOLE = ["one", "two", "two_more", "1 of two*", "all of two*", "1 of them", "all of them"]


def _conditions(names: list[str]) -> st.SearchStrategy[str]:
    return st.recursive(
        st.sampled_from(names),
        lambda inner: st.one_of(
            inner.map(lambda one: f"not {one}"),
            st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda parts: f"({' '.join(parts)})"),
        ),
        max_leaves=4,
    )


def _rules(
    item: st.SearchStrategy[tuple[str, Any]], names: list[str], *more: st.SearchStrategy[Any]
) -> st.SearchStrategy[Any]:
    mapping = st.lists(item, min_size=1, max_size=3).map(dict)
    selection = st.one_of(mapping, st.lists(mapping, min_size=1, max_size=3), *more)
    return st.fixed_dictionaries(
        {"one": selection, "two": selection, "two_more": selection, "condition": _conditions(names)}
    ).map(lambda detection: {"title": "generated", "logsource": {"category": "test"}, "detection": detection})


def _texts_of(node: Any) -> Iterator[str]:
    """What the rules look for, so that events hold it more often than by chance."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key != "condition":
                modifiers = key.split("|")[1:]
                for text in _texts_of(value):
                    yield from sigma_plainly.spelled(text, modifiers)[:4]
    elif isinstance(node, list):
        for value in node:
            yield from _texts_of(value)
    elif isinstance(node, str):
        yield node.replace("*", "a\n").replace("?", "X")


def _holding(draw: st.DataObject, rules: list[dict[str, Any]], events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The events, some of their texts replaced by what the rules look for."""
    wanted = sorted(set(_texts_of([rule["detection"] for rule in rules])))
    if not wanted:
        return events
    text = st.builds("{}{}{}".format, st.sampled_from(["", "", "a", "-"]), st.sampled_from(wanted), TEXT)
    other = st.fixed_dictionaries({}, optional=dict.fromkeys("abcd", st.one_of(text, text.map(str.upper))))
    return [event | draw.draw(other) for event in events]


def _numbered(rules: list[dict[str, Any]]) -> canh_native.RuleSet:
    documents = [json.dumps(rule | {"title": f"rule {at}"}) for at, rule in enumerate(rules)]
    compiled = canh_native.RuleSet(documents, "[]", [], tables.fields())
    assert not compiled.refused, compiled.refused
    return compiled


def _searched(pattern: str, text: str | None) -> bool:
    return text is not None and re.search(sigma_plainly.at_the_end(pattern), text) is not None


@given(
    st.lists(_rules(ITEM, [*WHOLE, "2 of them"], KEYWORDS), min_size=1, max_size=4),
    st.lists(MORE, min_size=1, max_size=4),
    st.data(),
)
@settings(max_examples=150, deadline=None)
def test_the_engine_finds_what_reading_the_rules_plainly_finds(
    rules: list[dict[str, Any]], events: list[dict[str, Any]], draw: st.DataObject
) -> None:
    events = _holding(draw, rules, events)
    compiled = _numbered(rules)
    lines = [json.dumps(event).encode() for event in events]
    found = {(at, number) for at, number, _ in compiled.match_batch(lines)[0]}
    plainly = {
        (at, number)
        for at, event in enumerate(events)
        for number, rule in enumerate(rules)
        if sigma_plainly.matches(rule, event)
    }
    assert found == plainly


@given(
    st.lists(_rules(ITEM, [*WHOLE, "2 of them"], KEYWORDS), min_size=8, max_size=40),
    st.lists(MORE, min_size=4, max_size=8),
    st.data(),
)
@settings(max_examples=25, deadline=None)
def test_the_index_hides_no_match(
    rules: list[dict[str, Any]], events: list[dict[str, Any]], draw: st.DataObject
) -> None:
    """Under the fields' own names, under others (ECS), and on several cores."""
    events = _holding(draw, rules, events)
    renamed = {"a": "Image", "b": "CommandLine", "c": "ParentImage", "d": "ParentCommandLine", "n": "ProcessId"}
    named = [json.loads(re.sub(r'"([abcdn])([|"])', lambda m: f'"{renamed[m[1]]}{m[2]}', json.dumps(r))) for r in rules]
    for rule in named:
        rule["logsource"] = {"product": "windows", "category": "process_creation"}
    compiled = _numbered(named)
    ecs = {"a": "process.executable", "b": "process.command_line", "n": "process.pid"}
    ecs |= {"c": "process.parent.executable", "d": "process.parent.command_line"}
    raw, flat = ([{names.get(k, k): v for k, v in event.items()} for event in events] for names in (renamed, ecs))
    nested = [_nested(event) for event in flat]
    winlog = [{"winlog": {"event_data": event}} for event in raw]
    shapes = [[json.dumps(event).encode() for event in shape] for shape in (raw, flat, nested, winlog)]
    found = [sorted((at, number) for at, number, _ in compiled.match_batch(lines)[0]) for lines in shapes]
    for lines, quick in zip(shapes, found, strict=True):
        assert quick == [(at, number) for at, line in enumerate(lines) for number in compiled.match_plainly(line)]
    assert found[1] == found[2]
    lines = [line for shape in shapes for line in shape] * 40
    assert compiled.match_batch(lines, 4) == compiled.match_batch(lines, 1)


def _nested(event: Mapping[str, Any]) -> dict[str, Any]:
    done: dict[str, Any] = {}
    for name, value in event.items():
        *path, last = name.split(".")
        inner = done
        for part in path:
            inner = inner.setdefault(part, {})
        inner[last] = value
    return done


@given(
    st.text(st.characters(codec="ascii", categories=["L", "N", "P", "Zs"]), min_size=2, max_size=20),
    st.sampled_from([("", "utf-8"), ("wide|", "utf-16-le"), ("utf16be|", "utf-16-be")]),
    st.binary(max_size=4),
    st.binary(max_size=4),
)
@settings(max_examples=100, deadline=None)
def test_a_text_is_found_in_the_base64_of_anything_that_holds_it(
    text: str, coded: tuple[str, str], before: bytes, after: bytes
) -> None:
    if "\\" in text or "*" in text or "?" in text:
        return
    key = f"a|{coded[0]}base64offset|contains"
    rule = {"title": "x", "logsource": {"category": "test"}, "detection": {"s": {key: text}, "condition": "s"}}
    whole = base64.b64encode(before + text.encode(coded[1]) + after).decode()
    line = json.dumps({"a": whole}).encode()
    assert _numbered([rule]).match_batch([line])[0]


@given(_rules(SQL_ITEM, WHOLE), st.lists(EVENT, min_size=1, max_size=6), st.data())
@settings(max_examples=120, deadline=None)
def test_the_engine_finds_what_sqlite_finds(
    rule: dict[str, Any], events: list[dict[str, Any]], draw: st.DataObject
) -> None:
    events = _holding(draw, [rule], events)
    compiled = _numbered([rule])
    try:
        query = sqlite.sqliteBackend(collate_nocase=True).convert(SigmaCollection.from_dicts([rule]))[0]
    except SigmaError as error:
        raise AssertionError(f"pySigma refuses what we take: {error}: {rule}") from error
    found = sorted({at for at, _, _ in compiled.match_batch([json.dumps(event).encode() for event in events])[0]})
    assert found == _selected(query, events)


def _selected(query: str, events: list[dict[str, Any]]) -> list[int]:
    base = sqlite3.connect(":memory:")
    base.create_function("REGEXP", 2, _searched)
    base.execute("create table logs (at integer, a, b, c, d, n, t)")
    for at, event in enumerate(events):
        base.execute("insert into logs values (?, ?, ?, ?, ?, ?, ?)", (at, *(event.get(name) for name in "abcdnt")))
    return sorted(row[0] for row in base.execute(query.replace("SELECT *", "SELECT at", 1)))
