"""An event that a rule must fire on, made from the rule itself.

What the selections ask for is put together field by field; `sigma_plainly` says whether the whole meets the condition.
Regular expressions are not solved: None for rules that hang on one.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from tests.unit.soc import sigma_plainly

Wants = defaultdict[str, list[tuple[str, Any]]]


def sample_of(rule: Mapping[str, Any]) -> dict[str, Any] | None:
    """Fields and values that meet the rule, when a simple try finds some."""
    selections = {name: one for name, one in rule["detection"].items() if name not in ("condition", "timeframe")}
    for pick in range(3):
        for names in _tries(list(selections)):
            wants: Wants = defaultdict(list)
            try:
                for name in names:
                    _ask(selections[name], wants, pick)
                event = _put_together(wants)
                if sigma_plainly.matches(rule, event):
                    return event
            except (ValueError, TypeError, KeyError, IndexError, AssertionError):
                continue
    return None


def _tries(names: list[str]) -> Iterator[list[str]]:
    asked = [name for name in names if not name.lower().startswith(("filter", "exclu"))]
    yield asked
    yield from ([other for other in asked if other != name] for name in asked)
    yield from ([name] for name in asked)


def _ask(selection: Any, wants: Wants, pick: int) -> None:
    if isinstance(selection, dict):
        for key, value in selection.items():
            _ask_field(key, value if isinstance(value, list) else [value], wants, pick)
    elif isinstance(selection, list) and isinstance(selection[0], dict):
        _ask(selection[pick % len(selection)], wants, pick)
    else:
        wants["Message"].append(("in", _plain(selection[0] if isinstance(selection, list) else selection)))


def _ask_field(key: str, values: list[Any], wants: Wants, pick: int) -> None:
    field, *modifiers = key.split("|")
    if not field:
        wants["Message"] += [("in", _plain(value)) for value in values]
        return
    for value in values if "all" in modifiers else [values[pick % len(values)]]:
        if "fieldref" in modifiers:
            wants[field].append(("is", "same"))
            wants[value].append(("is", "same"))
        else:
            wants[field].append(_wanted(value, modifiers))


def _wanted(value: Any, modifiers: list[str]) -> tuple[str, Any]:
    how = next((name for name in ("startswith", "endswith", "contains") if name in modifiers), "is")
    if value is None or (value is False and "exists" in modifiers):
        return "absent", None
    if "exists" in modifiers:
        return "in", "x"
    if "re" in modifiers:
        raise ValueError(value)
    if "cidr" in modifiers:
        return "is", str(next(iter(ipaddress.ip_network(value))))
    if {"gt", "gte", "lt", "lte"} & set(modifiers):
        return "is", int(value) + (1 if {"gt", "gte"} & set(modifiers) else -1)
    if not isinstance(value, str):
        return how, value if how == "is" else str(value)
    return how, _plain(sigma_plainly.spelled(value, modifiers)[0])


def _put_together(wants: Wants) -> dict[str, Any]:
    event: dict[str, Any] = {}
    for field, asked in wants.items():
        if any(how == "absent" for how, _ in asked):
            continue
        whole = [value for how, value in asked if how == "is"]
        begin, end = (
            max((value for how, value in asked if how == place), key=len, default="")
            for place in ("startswith", "endswith")
        )
        within = [value for how, value in asked if how in ("in", "contains") and value not in begin + end]
        event[field] = whole[0] if whole else " ".join(part for part in (begin, *within, end) if part)
        if not whole and begin and end and not within:
            event[field] = begin + end
    return event


def _plain(value: Any) -> str:
    """A text that a pattern fits."""
    text, done, at = str(value), "", 0
    while at < len(text):
        if text[at] == "\\" and text[at + 1 : at + 2] in ("*", "?", "\\") and text[at + 1 :]:
            at += 1
            done += text[at]
        else:
            done += "x" if text[at] in "*?" else text[at]
        at += 1
    return done
