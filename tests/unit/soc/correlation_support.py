"""What the oracles share: generated correlations and events, ours through the correlator, and a slow full scan."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from hypothesis import strategies as st

from monitoring.event import Value
from soc.sigma.aggregates import number_of
from soc.sigma.correlation_document import correlation_of, in_order, resolved
from soc.sigma.correlator import Correlator, Firing, Sighting
from soc.sigma.rule import Correlation, Kind, Origin, Term
from soc.sigma.window import COMPARE

FEEDERS = ("a", "b", "c")
US = 1_000_000
Fired = tuple[str, tuple[str, ...], str]  # correlation, values of the group, id of the event at which it holds


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An event that rule `rule` matches."""

    id: str
    at_us: int
    rule: str
    fields: Mapping[str, Value]

    @property
    def sighting(self) -> Sighting:
        return Sighting(at_us=self.at_us, id=self.id, rule=self.rule, received_us=self.at_us, fields=self.fields)


def correlation_documents(*, expressions: bool = True, several: bool = True) -> st.SearchStrategy[dict[str, Any]]:
    """One correlation over a, b and c, as the YAML of a rule says it."""

    def conditions(kind: str) -> st.SearchStrategy[Any]:
        numbers = st.integers(0, 4) if kind in ("event_count", "value_count", "temporal") else st.integers(-3, 9)
        one = st.tuples(st.sampled_from(["gt", "gte", "lt", "lte", "eq", "neq"]), numbers)
        found = st.lists(one, min_size=1, max_size=2 if several else 1, unique_by=lambda pair: pair[0]).map(dict)
        if kind.startswith("value"):
            found = found.map(lambda condition: {"field": "user" if kind == "value_count" else "n", **condition})
        if kind == "value_percentile":
            found = st.builds(lambda c, p: {**c, "percentile": p}, found, st.sampled_from([0, 25, 50, 75, 100]))
        return found

    def documents(kind: str) -> st.SearchStrategy[dict[str, Any]]:
        rules = st.lists(st.sampled_from(FEEDERS), min_size=1, max_size=3, unique=True)
        return st.builds(
            lambda rules, group, span, condition: {
                "title": "t",
                "id": "00000000-0000-4000-8000-0000000000ff",
                "name": "upper",
                "correlation": {
                    "type": kind,
                    "rules": rules,
                    "group-by": group,
                    "timespan": f"{span}s",
                    **({} if kind == "temporal_ordered" else {"condition": condition}),
                },
            },
            rules,
            st.sampled_from([[], ["ip"], ["ip", "user"]]),
            st.integers(1, 20),
            conditions(kind),
        )

    kinds = [str(kind) for kind in Kind]
    plain = st.sampled_from(kinds).flatmap(documents)
    return st.one_of(plain, _expressions()) if expressions else plain


def _expressions() -> st.SearchStrategy[dict[str, Any]]:
    """Conditions with and, or, not and parentheses."""
    texts = ["a and b", "a and not b", "(a or b) and not c", "a and b and not c", "a or (b and not c)", "2 of *"]
    texts += ["not b and a and c", "all of them", "c and not (a or b)", "a and (b or not c)"]
    return st.builds(
        lambda kind, text, order, group, span: {
            "title": "t",
            "id": "00000000-0000-4000-8000-0000000000ff",
            "name": "upper",
            "correlation": {
                "type": kind,
                "rules": [rule for rule in order if rule in text or "of" in text],
                "group-by": group,
                "timespan": f"{span}s",
                "condition": text,
            },
        },
        st.sampled_from(["temporal", "temporal_ordered"]),
        st.sampled_from(texts),
        st.permutations(FEEDERS),
        st.sampled_from([[], ["ip"], ["ip", "user"]]),
        st.integers(1, 20),
    )


def events(*, unique_times: bool = False, gaps: bool = True) -> st.SearchStrategy[list[Seen]]:
    """In the order of time. gaps: fields may be missing, have several values or be no numbers."""
    absent: list[Any] = [None] if gaps else []
    ips = st.sampled_from(["1", "2", *absent, *([("1", "2")] if gaps else [])])
    users = st.sampled_from(["x", "y", "z", *absent, *([("x", "z")] if gaps else [])])
    values = st.sampled_from([0, 1, 2, 7, -3, *absent, *(["7", "many", "inf", ("1", "2")] if gaps else [])])
    one = st.tuples(st.integers(0, 60), st.sampled_from(FEEDERS), ips, users, values)
    several = st.lists(one, max_size=30, **({"unique_by": lambda e: e[0]} if unique_times else {}))
    return several.map(
        lambda drawn: [
            Seen(
                id=f"{n:03}",
                at_us=1_800_000_000 * US + at * US,
                rule=rule,
                fields={k: v for k, v in (("ip", ip), ("user", user), ("n", n_)) if v is not None},
            )
            for n, (at, rule, ip, user, n_) in enumerate(sorted(drawn, key=lambda e: e[0]))
        ]
    )


def correlations_of(documents: Sequence[Mapping[str, Any]]) -> tuple[Correlation, ...]:
    """Parsed and linked; feeders are known by their names."""
    read = [correlation_of(document, Origin(path=Path("rule.yml")), json.dumps(document)) for document in documents]
    known = {name: name for name in FEEDERS} | {name: c.id for c in read for name in (c.name, c.id) if name}
    ordered, circle = in_order(resolved(c, known) for c in read)
    assert not circle
    return ordered


def ours(correlations: Sequence[Correlation], seen: Sequence[Seen]) -> set[Fired]:
    """What the correlator fires when matches come in the order of time."""
    fired: set[Fired] = set()

    def identify(firing: Firing) -> str:
        fired.add((firing.correlation.id, tuple(value for _, value in firing.group), firing.last.id))
        return f"{firing.correlation.id} {firing.key}"

    correlator = Correlator(correlations, identify)
    waiting: list[Sighting] = sorted((s.sighting for s in seen), key=lambda s: (s.at_us, s.id))
    while waiting:
        correlator.take(waiting.pop(0))
        waiting = sorted([*waiting, *correlator.later()], key=lambda s: (s.at_us, s.id))
    return fired


def scan(correlations: Sequence[Correlation], seen: Sequence[Seen]) -> set[Fired]:
    """The same from the definition, looking at everything again for every match. No chains."""
    fired: set[Fired] = set()
    for correlation in correlations:
        matches = [(s, v) for s in seen if s.rule in correlation.rules and (v := _values(correlation, s)) is not None]
        groups = sorted({group for s, _ in matches for group in _groups(correlation, s)})
        for group in groups:
            mine = [(s, v) for s, v in matches if group in _groups(correlation, s)]
            for place, (last, _) in enumerate(mine):
                span_us = round(correlation.timespan.total_seconds() * US)
                before = [(s, v) for s, v in mine[: place + 1] if last.at_us - s.at_us <= span_us]
                around = [s for s, _ in mine if abs(last.at_us - s.at_us) <= span_us]
                if _holds(correlation, last, before, around):
                    fired.add((correlation.id, group, last.id))
    return fired


def _groups(correlation: Correlation, seen: Seen) -> list[tuple[str, ...]]:
    lists = [_listed(seen.fields.get(correlation.group_field(name, seen.rule))) for name in correlation.group_by]
    if lists and not any(lists):
        return []
    return list(itertools.product(*(texts or [""] for texts in lists)))


def _values(correlation: Correlation, seen: Seen) -> list[str] | None:
    if not correlation.fields:
        return []
    lists = [_listed(seen.fields.get(name)) for name in correlation.fields]
    if correlation.kind is Kind.VALUE_COUNT:
        return ["|".join(parts) for parts in itertools.product(*lists)] or None
    return [text for text in lists[0] if number_of(text) is not None] or None


def _listed(value: Value | None) -> list[str]:
    return [] if value is None else [str(item) for item in value] if isinstance(value, tuple) else [str(value)]


def _holds(c: Correlation, last: Seen, before: list[tuple[Seen, list[str]]], around: list[Seen]) -> bool:
    seen = [s for s, _ in before]
    if c.terms:
        ordered = c.kind is Kind.TEMPORAL_ORDERED
        return any(_term_holds(term, last, seen, around, ordered=ordered) for term in c.terms)
    numbers = sorted(float(value) for _, values in before for value in values) if c.kind in _NUMERIC else []
    match c.kind:
        case Kind.EVENT_COUNT:
            value: float = len(seen)
        case Kind.VALUE_COUNT:
            value = len({value for _, values in before for value in values})
        case Kind.TEMPORAL:
            value = len({s.rule for s in seen})
        case Kind.TEMPORAL_ORDERED:
            value = max((n for n in range(len(c.rules) + 1) if _in_order(c.rules[:n], seen)), default=0)
        case Kind.VALUE_SUM:
            value = sum(numbers)
        case Kind.VALUE_AVG:
            value = sum(numbers) / len(numbers)
        case Kind.VALUE_MEDIAN:
            value = median(numbers)
        case Kind.VALUE_PERCENTILE:
            rank = c.percentile / 100 * (len(numbers) - 1)
            high = numbers[min(int(rank) + 1, len(numbers) - 1)]
            value = numbers[int(rank)] + (rank - int(rank)) * (high - numbers[int(rank)])
    return all(COMPARE[op](value, limit) for op, limit in c.conditions)


_NUMERIC = (Kind.VALUE_SUM, Kind.VALUE_AVG, Kind.VALUE_MEDIAN, Kind.VALUE_PERCENTILE)


def _in_order(rules: Sequence[str], seen: Sequence[Seen]) -> bool:
    """Whether some choice of one match a rule goes on in time."""
    choices = itertools.product(*([s.at_us for s in seen if s.rule == rule] for rule in rules))
    return any(all(x <= y for x, y in itertools.pairwise(times)) for times in choices)


def _term_holds(term: Term, last: Seen, seen: list[Seen], around: list[Seen], *, ordered: bool) -> bool:
    """By the definition in docs/decisions/0005-correlation.md."""
    if term.lacks and last.rule not in (term.has[-1:] if ordered and term.after else term.has):
        return False
    # Equal times count as in order: what has the moment of the last match belongs to it, once that can be known.
    now = [s for s in around if s.at_us <= last.at_us] if term.lacks else seen
    if not ordered:
        rules = {s.rule for s in now}
        return (
            rules >= set(term.has) and rules.isdisjoint(term.before) and not any(s.rule in term.after for s in around)
        )
    chains = [
        times
        for times in itertools.product(*([s.at_us for s in now if s.rule == rule] for rule in term.has))
        if all(x <= y for x, y in itertools.pairwise(times)) and (not term.lacks or times[-1] == last.at_us)
    ]
    if not chains:
        return False
    first_us = max(times[0] for times in chains)
    return not (
        any(s.rule in term.before and s.at_us <= first_us for s in now)
        or any(s.rule in term.between and s.at_us >= first_us for s in now)
        or any(s.rule in term.after and s.at_us >= last.at_us for s in around)
    )
