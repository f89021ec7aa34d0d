"""What of a match counts in a correlation, and in which groups: its fields as texts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from itertools import islice, product
from typing import NamedTuple

import orjson

from monitoring.event import Value
from soc.sigma.aggregates import number_of
from soc.sigma.rule import Correlation, Kind

MOST_TEXT = 512  # characters of a value; a longer one is its beginning and a hash, so that it stays another one
MOST_AT_ONCE = 16  # groups, or values, one match with many values counts in


class Group(NamedTuple):
    """What names a group of a correlation."""

    key: str
    values: tuple[str, ...]


class Feed(NamedTuple):
    """A correlation as one of its rules sees it."""

    correlation: Correlation
    group_fields: tuple[str, ...]
    value_fields: tuple[str, ...]


def feed_of(correlation: Correlation, rule: str) -> Feed:
    names = (correlation.group_by, correlation.fields)
    return Feed(correlation, *(tuple(correlation.group_field(name, rule) for name in some) for some in names))


def fields_needed(correlations: Iterable[Correlation]) -> dict[str, frozenset[str]]:
    """By rule. `correlations`: each after those it builds on."""
    needed: dict[str, frozenset[str]] = {}
    for correlation in reversed(list(correlations)):
        handed_on = needed.get(correlation.id, frozenset())
        for rule in correlation.rules:
            feed = feed_of(correlation, rule)
            needed[rule] = needed.get(rule, frozenset()).union(feed.group_fields, feed.value_fields, handed_on)
    return needed


def groups_of(names: tuple[str, ...], fields: Mapping[str, Value]) -> list[Group]:
    """The groups an event is in by the values of these fields; each value of a field that has several has its own.

    A field the event lacks is the empty text; an event that lacks all of them is in no group. One more than
    MOST_AT_ONCE says that there were more.
    """
    if not names:
        return [Group("[]", ())]
    found = [_texts(fields.get(name)) for name in names]
    if not any(found):
        return []
    if all(len(texts) <= 1 for texts in found):
        return [_group(tuple(texts[0] if texts else "" for texts in found))]
    return [_group(values) for values in islice(product(*(texts or ("",) for texts in found)), MOST_AT_ONCE + 1)]


def values_of(feed: Feed, fields: Mapping[str, Value]) -> tuple[str, ...] | None:
    """What counts of the correlation's field; None when there is nothing to count.

    One more than MOST_AT_ONCE says that there were more.
    """
    found = [_texts(fields.get(name)) for name in feed.value_fields]
    if feed.correlation.kind is not Kind.VALUE_COUNT:
        return tuple(text for text in found[0] if number_of(text) is not None) or None
    if len(found) == 1:
        return found[0] or None
    return tuple("\x1f".join(parts) for parts in islice(product(*found), MOST_AT_ONCE + 1)) or None


def _group(values: tuple[str, ...]) -> Group:
    return Group(orjson.dumps(values).decode(), values)


def _texts(value: Value | None) -> tuple[str, ...]:
    """The values of a field as texts; the empty text is none."""
    if value is None or value == "":
        return ()
    if isinstance(value, str):
        text = value if value.isascii() else value.encode("utf-8", "replace").decode()
        return (text if len(text) <= MOST_TEXT else _shortened(text),)
    if isinstance(value, tuple):
        return tuple(dict.fromkeys(text for item in value for text in _texts(item)))
    return (str(value).lower() if isinstance(value, bool) else str(value),)


def _shortened(text: str) -> str:
    return f"{text[: MOST_TEXT - 33]}…{blake2b(text.encode(), digest_size=16).hexdigest()}"
