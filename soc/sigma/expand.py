"""Placeholders: `source.ip|cidr|expand: '%mgmt_networks%'` becomes the networks themselves.

Done before a rule is compiled, because the engine refuses `cidr|expand`, turns `contains|expand`
into an exact match without a word, and lets unknown placeholders pass.
Unknown: the rule is refused. Empty: the item never matches; where its absence is asked for
(`not`) the rule would match everything, so it is refused, unless the province said that there is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from ipaddress import ip_network
from itertools import product
from typing import Any

from soc.placeholders import NOBODY, Placeholders
from soc.sigma.condition import negated

# An odd number of backslashes before it makes a percent sign stand for itself; two or four are of a path.
_NAME = re.compile(r"(?:(?<!\\)|(?<=(?<!\\)\\\\)|(?<=(?<!\\)\\\\\\\\))%(\w+)%")
_NEVER = r"[^\s\S]"  # a regular expression that no text matches


class ExpandError(ValueError):
    """Why a rule with placeholders is refused; the caller adds where."""


def expanded(document: dict[str, Any], placeholders: Placeholders) -> dict[str, Any]:
    """The rule (or filter) with placeholders replaced. Raises ExpandError."""
    section = "detection" if "detection" in document else "filter"
    detection = document.get(section)
    if not isinstance(detection, dict):
        return document
    plain = {"condition", "timeframe", "rules"}
    selections = {name: value for name, value in detection.items() if name not in plain}
    conditions = detection.get("condition", "")
    turned: set[str] = set()
    for condition in conditions if isinstance(conditions, list) else [conditions]:
        turned |= negated(str(condition), tuple(selections))
    done: dict[str, Any] = {}
    for name, selection in selections.items():
        done[name], empty = _selection(selection, placeholders)
        if empty and name in turned:
            raise ExpandError(
                f"placeholder %{empty}% has no value and {name} stands under 'not': the rule would match everything"
            )
    return {**document, section: {**detection, **done}}


def names(node: Any) -> Iterator[str]:
    """Placeholders a document uses."""
    if isinstance(node, dict):
        for key, value in node.items():
            if "expand" in str(key).split("|")[1:]:
                for text in value if isinstance(value, list) else [value]:
                    yield from _NAME.findall(str(text))
            else:
                yield from names(value)
    elif isinstance(node, list):
        for value in node:
            yield from names(value)


def _selection(node: Any, placeholders: Placeholders) -> tuple[Any, str]:
    """The selection, and the name of an empty placeholder in it ("" when none)."""
    if isinstance(node, list):
        items = [_selection(value, placeholders) for value in node]
        return [item for item, _ in items], next((empty for _, empty in items if empty), "")
    if not isinstance(node, dict):
        return node, ""
    done: dict[str, Any] = {}
    found = ""
    for key, value in node.items():
        field, *modifiers = str(key).split("|")
        if "expand" not in modifiers:
            done[key], empty = _selection(value, placeholders) if isinstance(value, dict | list) else (value, "")
            found = found or empty
            continue
        modifiers.remove("expand")
        values, empty = _values(value, placeholders)
        if not values or (empty and "all" in modifiers):
            if "neq" in modifiers:
                raise ExpandError(f"placeholder %{empty}% has no value and {key} asks for its absence")
            done[_free(f"{field}|re", done)] = _NEVER
            found = found or empty
        else:
            if "cidr" in modifiers:
                values = [_network(value) for value in values]
            done[_free("|".join([field, *modifiers]), done)] = values
    return done, found


def _values(written: Any, placeholders: Placeholders) -> tuple[list[Any], str]:
    """Every value the written ones stand for, and the name of an empty placeholder among them."""
    values: list[Any] = []
    found = ""
    for text in written if isinstance(written, list) else [written]:
        used = list(dict.fromkeys(_NAME.findall(str(text))))
        for name in used:
            if name not in placeholders:
                raise ExpandError(f"unknown placeholder %{name}%; {_known(name, placeholders)}")
            if not placeholders[name]:
                found = found or name
        if any(placeholders[name] == NOBODY for name in used):
            continue
        for combination in product(*(placeholders[name] for name in used)):
            filled = text
            for name, value in zip(used, combination, strict=True):
                filled = str(filled).replace(f"%{name}%", value)
            values.append(filled)
    return values, found


def _known(name: str, placeholders: Placeholders) -> str:
    """What the inventory gives instead: the names most like it, else all."""
    close = get_close_matches(name, placeholders, n=3, cutoff=0.7)
    if close:
        return f"did you mean {' or '.join(f'%{other}%' for other in close)}?"
    return f"the inventory gives: {', '.join(sorted(placeholders))}"


def _network(value: Any) -> Any:
    """A network as the engine reads it: of one address when there is no prefix length."""
    try:
        return str(ip_network(str(value)))
    except ValueError:
        return value  # the engine says what is wrong with it


def _free(key: str, taken: dict[str, Any]) -> str:
    if key in taken:
        raise ExpandError(f"{key} stands twice in one selection once placeholders are filled in")
    return key
