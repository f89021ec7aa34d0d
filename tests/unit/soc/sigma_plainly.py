"""Sigma read as its specification says, slowly and without any index: what the engine is held against.

A rule is the document as Python reads it; an event a flat mapping. Fields are looked up by their own names only.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from itertools import product
from typing import Any

Event = Mapping[str, Any]

_DASHES = "-/\u2013\u2014\u2015"
_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "lt": lambda a, b: a < b,
    "lte": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "gte": lambda a, b: a >= b,
}
_PARTS: dict[str, Callable[[datetime], int]] = {
    "minute": lambda at: at.minute,
    "hour": lambda at: at.hour,
    "day": lambda at: at.day,
    "week": lambda at: at.isocalendar().week,
    "month": lambda at: at.month,
    "year": lambda at: at.year,
}


def matches(rule: Mapping[str, Any], event: Event) -> bool:
    """Whether the event meets the rule's condition (one of them, where there are several)."""
    detection = rule["detection"]
    selections = {name: value for name, value in detection.items() if name != "condition"}
    conditions = detection["condition"]
    return any(
        _Condition(text, selections, event).holds()
        for text in (conditions if isinstance(conditions, list) else [conditions])
    )


class _Condition:
    def __init__(self, text: str, selections: Mapping[str, Any], event: Event) -> None:
        self.words = re.findall(r"[()]|[^\s()]+", text)
        self.selections, self.event = selections, event

    def holds(self) -> bool:
        value = self.either()
        assert not self.words, f"left over: {self.words}"
        return value

    def either(self) -> bool:
        value = self.both()
        while self.words and self.words[0] == "or":
            self.words.pop(0)
            value = self.both() or value
        return value

    def both(self) -> bool:
        value = self.one()
        while self.words and self.words[0] == "and":
            self.words.pop(0)
            value = self.one() and value
        return value

    def one(self) -> bool:
        word = self.words.pop(0)
        if word == "not":
            return not self.one()
        if word == "(":
            value = self.either()
            assert self.words.pop(0) == ")"
            return value
        if self.words and self.words[0] == "of":
            self.words.pop(0)
            pattern = self.words.pop(0)
            named = [
                _selection(selection, self.event)
                for name, selection in self.selections.items()
                if (pattern == "them" and not name.startswith("_")) or fnmatchcase(name, pattern)
            ]
            return all(named) if word == "all" else sum(named) >= int(word)
        return _selection(self.selections[word], self.event)


def _selection(selection: Any, event: Event) -> bool:
    if isinstance(selection, list):
        if all(isinstance(part, dict) for part in selection):
            return any(_selection(part, event) for part in selection)
        return any(_keyword(word, event) for word in selection)
    if isinstance(selection, dict):
        return all(_item(key, values, event) for key, values in selection.items())
    return _keyword(selection, event)


def _keyword(word: Any, event: Event) -> bool:
    pattern = _wild(str(word), "*", "*", cased=False)
    return any(pattern.fullmatch(text) for text in _texts(list(event.values())))


def _item(key: str, written: Any, event: Event) -> bool:
    field, *modifiers = key.split("|")
    values = written if isinstance(written, list) else [written]
    if not field:
        return all(_keyword(word, event) for word in values)
    if "exists" in modifiers:
        return (event.get(field) is not None) == bool(values[0])
    there = event.get(field)
    met = [_meets(there, field in event, value, modifiers, event) for value in values]
    if "neq" in modifiers:
        return there is not None and not any(met)
    return all(met) if "all" in modifiers else any(met)


def _meets(there: Any, present: bool, value: Any, modifiers: list[str], event: Event) -> bool:
    if isinstance(there, list):
        return any(_meets(one, True, value, modifiers, event) for one in there)
    if value is None:
        return there is None
    if not present or there is None:
        return False
    for name, part in _PARTS.items():
        if name in modifiers:
            there = _part(there, part)
            if there is None:
                return False
    for name, compare in _OPERATORS.items():
        if name in modifiers:
            number = _number(there)
            return number is not None and compare(number, float(value))
    if "cidr" in modifiers:
        return _within(there, value)
    if "re" in modifiers:
        flags = sum(getattr(re, name.upper()) for name in "ims" if name in modifiers)
        return re.search(at_the_end(value, flags), _text(there), flags) is not None
    if "fieldref" in modifiers:
        return _referred(there, event.get(value), modifiers)
    if isinstance(value, bool):
        return _text(there).lower() == str(value).lower()
    if isinstance(value, int | float) and not {"contains", "startswith", "endswith"} & set(modifiers):
        return _number(there) == value
    return any(pattern.fullmatch(_text(there)) for pattern in _patterns(str(value), modifiers))


def _patterns(value: str, modifiers: list[str]) -> Iterator[re.Pattern[str]]:
    for text in spelled(value, modifiers):
        before = "*" if {"contains", "endswith"} & set(modifiers) else ""
        after = "*" if {"contains", "startswith"} & set(modifiers) else ""
        yield _wild(text, before, after, cased="cased" in modifiers)


def spelled(value: str, modifiers: list[str]) -> list[str]:
    """The texts a value stands for, by its encoding modifiers."""
    encodings = {"wide": "utf-16-le", "utf16le": "utf-16-le", "utf16be": "utf-16-be", "utf16": "utf-16"}
    encoding = next((encodings[name] for name in modifiers if name in encodings), "utf-8")
    if "base64" in modifiers:
        return [base64.b64encode(value.encode(encoding)).decode()]
    if "base64offset" in modifiers:
        octets, starts, ends = value.encode(encoding), (0, 2, 3), (None, -3, -2)
        return [
            base64.b64encode(b" " * offset + octets)[starts[offset] : ends[(len(octets) + offset) % 3]].decode()
            for offset in range(3)
        ]
    if "windash" in modifiers:
        pieces = re.split(r"(\B[-/]\b)", value)
        return ["".join(way) for way in product(*(_DASHES if at % 2 else [piece] for at, piece in enumerate(pieces)))]
    return [value]


def _wild(pattern: str, before: str, after: str, *, cased: bool) -> re.Pattern[str]:
    """`*` and `?` with `\\` before what is meant as it stands; a backslash before anything else is one."""
    done, at = ".*" if before else "", 0
    while at < len(pattern):
        letter = pattern[at]
        if letter == "\\" and pattern[at + 1 : at + 2] in ("*", "?", "\\") and pattern[at + 1 : at + 2]:
            at += 1
            done += re.escape(pattern[at])
        else:
            done += {"*": ".*", "?": "."}.get(letter, re.escape(letter))
        at += 1
    done += ".*" if after else ""
    return re.compile(done, re.DOTALL | (0 if cased else re.IGNORECASE))


def _referred(there: Any, other: Any, modifiers: list[str]) -> bool:
    if other is None:
        return False
    mine, others = _text(there), _text(other)
    if "cased" not in modifiers:
        mine, others = mine.lower(), others.lower()
    if "contains" in modifiers:
        return others in mine
    if "startswith" in modifiers:
        return mine.startswith(others)
    return mine.endswith(others) if "endswith" in modifiers else mine == others


def _within(there: Any, network: str) -> bool:
    try:
        return ipaddress.ip_address(_text(there)) in ipaddress.ip_network(network)
    except ValueError:
        return False


def _part(there: Any, part: Callable[[datetime], int]) -> int | None:
    try:
        when = datetime.fromisoformat(_text(there))
    except ValueError:
        return None
    return part(when.astimezone(UTC) if when.tzinfo else when)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def at_the_end(pattern: str, flags: int = 0) -> str:
    """Python's `$` also stands before a line break at the very end, the engine's does not (nor \\Z here)."""
    return pattern if flags & re.MULTILINE else re.sub(r"\$$", r"\\Z", pattern)
