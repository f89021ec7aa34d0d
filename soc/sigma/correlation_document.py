"""A correlation rule as written in YAML, and its `Correlation`.

Everything of Sigma 2.1, and the expressions over rule names of 2.2 (`condition: a and not b`). What the
specification leaves open is decided in docs/decisions/0005-correlation.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from math import isfinite
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from soc.alert import Level
from soc.sigma.expression import ExpressionError, named_in, terms_of
from soc.sigma.rule import NEEDS_FIELD, Correlation, Kind, Origin, Term

OPERATORS = ("gt", "gte", "lt", "lte", "eq", "neq")
MOST_ENTRIES = 50_000  # a group holds no more matches than this
# Months and years are those of the Gregorian calendar on average, as pySigma has them.
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "M": 2629746, "y": 31556952}
_LONGEST_S = 10 * _UNITS["y"]
_COUNTS = (Kind.EVENT_COUNT, Kind.VALUE_COUNT)
_TEMPORAL = (Kind.TEMPORAL, Kind.TEMPORAL_ORDERED)


class CorrelationError(ValueError):
    """Why a correlation is refused; the caller adds where."""


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    type: Kind
    rules: list[str] | str = []
    group_by: list[str] | str = Field(default=[], alias="group-by")
    timespan: str
    condition: dict[str, Any] | str | None = None
    aliases: dict[str, dict[str, str]] = {}
    generate: bool = False
    field: list[str] | str | None = None
    percentile: float | None = None


class _Document(BaseModel):
    """What detection needs of the whole document; Sigma allows more keys, which are for people."""

    model_config = ConfigDict(extra="ignore")

    title: str
    id: str = ""
    name: str = ""
    level: Level = Level.MEDIUM
    tags: list[str] = []
    generate: bool = False  # older place of the key
    correlation: _Body


def span(text: str) -> timedelta:
    """`30s`, `5m`, `1h`, `2d`, `1w`, `3M`, `1y`. Raises CorrelationError."""
    found = re.fullmatch(r"([0-9]{1,6})([smhdwMy])", text.strip())
    if found is None or int(found[1]) == 0:
        raise CorrelationError(f"timespan {text!r} is not a number and one of s, m, h, d, w, M, y")
    seconds = int(found[1]) * _UNITS[found[2]]
    if seconds > _LONGEST_S:
        raise CorrelationError(f"timespan {text!r} is longer than ten years")
    return timedelta(seconds=seconds)


def correlation_of(document: Mapping[str, Any], origin: Origin, digest: str, title_vi: str = "") -> Correlation:
    """The correlation, its rules still as written (ids or names). Raises CorrelationError."""
    try:
        parsed = _Document.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise CorrelationError(f"{where}: {first['msg']}") from error
    body = parsed.correlation
    rules, terms = _rules_and_terms(body)
    return Correlation(
        id=parsed.id or parsed.name or parsed.title,
        name=parsed.name,
        title=parsed.title,
        title_vi=title_vi,
        level=parsed.level,
        tags=tuple(parsed.tags),
        origin=origin,
        digest=digest,
        kind=body.type,
        rules=rules,
        group_by=tuple(dict.fromkeys(_listed(body.group_by))),
        aliases=tuple((alias, tuple(fields.items())) for alias, fields in body.aliases.items()),
        timespan=span(body.timespan),
        conditions=() if terms else _conditions(body, len(rules)),
        terms=terms,
        expression=body.condition if isinstance(body.condition, str) else "",
        fields=_fields(body),
        percentile=_percentile(body),
        generate=body.generate or parsed.generate,
    )


def resolved(correlation: Correlation, known: Mapping[str, str]) -> Correlation:
    """With the ids of the rules it names. `known`: id or name -> id. Raises CorrelationError."""
    missing = [name for name in correlation.rules if name not in known]
    if missing:
        raise CorrelationError(f"it refers to {', '.join(missing)}, which no loaded rule is called")
    rules = tuple(known[name] for name in correlation.rules)
    strangers = [name for _, fields in correlation.aliases for name, _ in fields if known.get(name) not in rules]
    if strangers:
        raise CorrelationError(f"aliases: {strangers[0]} is none of rules")
    aliases = tuple(
        (alias, tuple((known[rule], field) for rule, field in fields)) for alias, fields in correlation.aliases
    )
    terms = tuple(
        Term(
            **{
                part: tuple(known[name] for name in getattr(term, part))
                for part in ("has", "before", "between", "after")
            }
        )
        for term in correlation.terms
    )
    if len(set(rules)) < len(rules):
        raise CorrelationError("rules: one rule is listed twice")
    return replace(correlation, rules=rules, aliases=aliases, terms=terms)


def in_order(correlations: Iterable[Correlation]) -> tuple[tuple[Correlation, ...], tuple[Correlation, ...]]:
    """Correlations so that each stands after those it builds on, and those that go round in a circle."""
    waiting = {c.id: c for c in correlations}
    done: list[Correlation] = []
    while True:
        ready = [c for c in waiting.values() if not any(rule in waiting for rule in c.rules)]
        if not ready:
            return tuple(done), tuple(waiting.values())
        for correlation in ready:
            del waiting[correlation.id]
        done += ready


def _listed(written: list[str] | str) -> tuple[str, ...]:
    return tuple(written) if isinstance(written, list) else (written,)


def _rules_and_terms(body: _Body) -> tuple[tuple[str, ...], tuple[Term, ...]]:
    """The rules as listed, or as the expression names them where there is no list."""
    rules = _listed(body.rules)
    expression = body.condition if isinstance(body.condition, str) else ""
    if expression and body.type not in _TEMPORAL:
        raise CorrelationError(f"condition: {body.type} needs a threshold (gte: 5), not an expression")
    rules = rules or named_in(expression)
    if not rules:
        raise CorrelationError("rules: the rules it counts are expected")
    if len(set(rules)) < len(rules):
        raise CorrelationError("rules: one rule is listed twice")
    if not expression:
        return rules, ()
    try:
        return rules, terms_of(expression, rules, ordered=body.type is Kind.TEMPORAL_ORDERED)
    except ExpressionError as error:
        raise CorrelationError(str(error)) from error


def _fields(body: _Body) -> tuple[str, ...]:
    written = body.condition.get("field", body.field) if isinstance(body.condition, dict) else body.field
    fields = () if written is None else tuple(written) if isinstance(written, list) else (written,)
    if not all(isinstance(field, str) and field for field in fields):
        raise CorrelationError("condition.field: the name of a field is expected")
    if body.type in NEEDS_FIELD and not fields:
        raise CorrelationError(f"{body.type} needs the field whose values count (condition: {{field: ...}})")
    if len(fields) > 1 and body.type is not Kind.VALUE_COUNT:
        raise CorrelationError(f"condition.field: {body.type} counts the values of one field")
    return fields if body.type in NEEDS_FIELD else ()


def _percentile(body: _Body) -> float:
    value = body.condition.get("percentile", body.percentile) if isinstance(body.condition, dict) else body.percentile
    if value is None:
        return 50.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
        raise CorrelationError("percentile: a number from 0 to 100 is expected")
    return float(value)


def _conditions(body: _Body, rules: int) -> tuple[tuple[str, float], ...]:
    found: list[tuple[str, float]] = []
    for key, value in (body.condition if isinstance(body.condition, dict) else {}).items():
        if key in ("field", "percentile"):
            continue
        if key not in OPERATORS:
            raise CorrelationError(f"condition.{key}: one of {', '.join(OPERATORS)} is expected")
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            raise CorrelationError(f"condition.{key}: a number is expected, not {value!r}")
        if body.type in _COUNTS and key in ("gt", "gte", "eq") and value > MOST_ENTRIES:
            raise CorrelationError(f"condition.{key}: a group holds {MOST_ENTRIES} matches at most, so it never holds")
        found.append((key, float(value)))
    if not found and body.type not in _TEMPORAL:
        raise CorrelationError(f"condition: {body.type} needs a threshold (gte: 5)")
    return tuple(found) or (("gte", float(rules)),)
