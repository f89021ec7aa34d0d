"""Filters: Sigma documents that take events away from rules, for a reason, in somebody's name, until a day.

    title: The scanner of the operations centre
    id: 5f0c0b1e-7a52-4c86-9d5e-0d9f0b6e7a11
    logsource: {category: firewall}
    filter:
        rules: [port-scan's id]
        selection: {source.ip: 10.250.0.20}
        condition: not selection
    canh: {reason: our own scanner, author: thanh, expires: 2027-03-01}

A rule is switched off by a condition that nothing meets (`NEVER`). What a correlation counts are rules,
not fields: it can be switched off, and is tuned by a filter on the rules it counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from soc.sigma.condition import strangers
from soc.sigma.rule import Correlation, Origin, Refusal, Rule

LONGEST = timedelta(days=366)  # a filter that outlives a year outlives its reason
NEVER: Mapping[str, Any] = {"nothing": {"event.id|re": r"[^\s\S]"}, "condition": "nothing"}
_OURS = ("reason", "author", "expires")


class FilterError(ValueError):
    """Why a filter is refused; the caller adds where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """One filter of the province's own. `rules` are ids, names or titles; () is every rule."""

    id: str
    title: str
    rules: tuple[str, ...]
    reason: str
    author: str
    expires: date  # the last day it applies, UTC
    disables: bool  # nothing passes: the rules are switched off
    origin: Origin

    def is_expired(self, today: date) -> bool:
        return today > self.expires


class Filters:
    """Those of one rule set: in force, and expired."""

    def __init__(self, today: date, bare: bool) -> None:
        self.today, self.bare = today, bare
        self.filters: list[Filter] = []
        self.expired: list[Filter] = []
        self.elsewhere: set[str] = set()  # names of rules that are not for the stream: their filters are put elsewhere

    def applies(self, document: Mapping[str, Any], origin: Origin) -> bool:
        """Whether the engine is to have it. Raises FilterError."""
        if self.bare and "canh" not in document:
            return True
        one = filter_of(document, origin, self.today)
        (self.expired if one.is_expired(self.today) else self.filters).append(one)
        return not one.is_expired(self.today)


def filter_of(document: Mapping[str, Any], origin: Origin, today: date) -> Filter:
    """What a filter says besides its condition. Raises FilterError."""
    section = document.get("filter")
    if not isinstance(section, dict) or "condition" not in section or len(set(section) - {"rules", "condition"}) < 1:
        raise FilterError("filter: rules, a selection and a condition are expected")
    unknown = strangers(str(section["condition"]), set(section) - {"rules", "condition"})
    if unknown:
        raise FilterError(f"filter.condition: {', '.join(unknown)} is no selection of this filter")
    for key in ("title", "id"):
        if not isinstance(document.get(key), str) or not document[key].strip():
            raise FilterError(f"{key}: a filter needs one")
    ours = document.get("canh")
    if not isinstance(ours, dict) or set(ours) != set(_OURS):
        raise FilterError("canh: a filter says reason, author and expires, all three and no more")
    for key in ("reason", "author"):
        if not isinstance(ours[key], str) or not ours[key].strip():
            raise FilterError(f"canh.{key}: words are expected")
    return Filter(
        id=document["id"],
        title=document["title"],
        rules=_rules(section.get("rules")),
        reason=" ".join(ours["reason"].split()),
        author=" ".join(ours["author"].split()),
        expires=_day(ours["expires"], today),
        disables={key: value for key, value in section.items() if key != "rules"} == NEVER,
        origin=origin,
    )


def unmet(
    filters: Iterable[Filter], rules: Iterable[Rule], correlations: Iterable[Correlation], elsewhere: Iterable[str] = ()
) -> list[Refusal]:
    """What filters name and cannot take anything from. elsewhere: names of rules that others filter."""
    there = {name for rule in rules for name in (rule.id, rule.name, rule.title) if name} | set(elsewhere)
    counted = {name: c for c in correlations for name in (c.id, c.name, c.title) if name}
    found = []
    for one in filters:
        for name in one.rules:
            if name in counted and not one.disables:
                fed = ", ".join(counted[name].rules)
                reason = f"rules: {name} counts other rules and sees no fields: filter those ({fed}), or switch it off"
            elif name not in counted and name not in there:
                reason = f"rules: {name} is the id, name or title of no rule that is loaded"
            else:
                continue
            found.append(Refusal(origin=one.origin, reason=reason))
    return found


def switched_off(filters: Iterable[Filter], correlations: Iterable[Correlation]) -> frozenset[str]:
    """Ids of the correlations that filters switch off; they still count for those that build on them."""
    names = {name for one in filters if one.disables for name in one.rules}
    return frozenset(c.id for c in correlations if names & {c.id, c.name, c.title})


def _rules(written: object) -> tuple[str, ...]:
    if isinstance(written, str):
        return () if written.lower() == "any" else (written,)
    if isinstance(written, list) and written and all(isinstance(name, str) for name in written):
        return tuple(written)
    raise FilterError("filter.rules: a list of ids, names or titles of rules is expected, or 'any'")


def _day(written: object, today: date) -> date:
    try:
        day = date.fromisoformat(str(written))
    except ValueError as error:
        raise FilterError(f"canh.expires: a day like 2027-03-01 is expected, not {written}") from error
    if day - today > LONGEST:
        raise FilterError(f"canh.expires: {day} is more than a year ahead; choose a day at which somebody looks again")
    return day
