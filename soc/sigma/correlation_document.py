"""A correlation rule as written in YAML, and its `Correlation`.

Everything of Sigma 2.1 but the boolean expressions over rule names (`condition: a and not b`),
which are refused with that reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from soc.alert import Level
from soc.sigma.rule import NEEDS_FIELD, Correlation, Kind, Origin

OPERATORS = ("gt", "gte", "lt", "lte", "eq", "neq")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class CorrelationError(ValueError):
    """Why a correlation is refused; the caller adds where."""


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    type: Kind
    rules: list[str] | str
    group_by: list[str] | str = Field(default=[], alias="group-by")
    timespan: str
    condition: dict[str, Any] | str | None = None
    aliases: dict[str, dict[str, str]] = {}
    generate: bool = False
    field: str | None = None
    percentile: float | None = None


class _Document(BaseModel):
    """What detection needs of the whole document; Sigma allows more keys, which are for people."""

    model_config = ConfigDict(extra="ignore")

    title: str
    id: str
    name: str = ""
    level: Level = Level.MEDIUM
    tags: list[str] = []
    generate: bool = False  # older place of the key
    correlation: _Body


def span(text: str) -> timedelta:
    """`30s`, `5m`, `1h`, `2d`, `1w`. Raises CorrelationError."""
    found = re.fullmatch(r"(\d+)([smhdw])", text.strip())
    if found is None or int(found[1]) == 0:
        raise CorrelationError(f"timespan {text!r} is not a number and one of s, m, h, d, w")
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]])


def correlation_of(document: Mapping[str, Any], origin: Origin, digest: str, title_vi: str = "") -> Correlation:
    """The correlation, its rules still as written (ids or names). Raises CorrelationError."""
    try:
        parsed = _Document.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise CorrelationError(f"{where}: {first['msg']}") from error
    body = parsed.correlation
    if body.type in NEEDS_FIELD and not (body.field or _field(body)):
        raise CorrelationError(f"{body.type} needs the field whose values count (condition: {{field: ...}})")
    rules = _listed(body.rules)
    return Correlation(
        id=parsed.id,
        name=parsed.name,
        title=parsed.title,
        title_vi=title_vi,
        level=parsed.level,
        tags=tuple(parsed.tags),
        origin=origin,
        digest=digest,
        kind=body.type,
        rules=rules,
        group_by=_listed(body.group_by),
        aliases=tuple((alias, tuple(fields.items())) for alias, fields in body.aliases.items()),
        timespan=span(body.timespan),
        conditions=_conditions(body, len(set(rules))),
        field=body.field or _field(body),
        percentile=_percentile(body),
        generate=body.generate or parsed.generate,
    )


def resolved(correlation: Correlation, known: Mapping[str, str]) -> Correlation:
    """With the ids of the rules it names. `known`: id or name -> id. Raises CorrelationError."""
    missing = [name for name in correlation.rules if name not in known]
    if missing:
        raise CorrelationError(f"it refers to {', '.join(missing)}, which no loaded rule is called")
    aliases = tuple(
        (alias, tuple((known.get(rule, rule), field) for rule, field in fields))
        for alias, fields in correlation.aliases
    )
    return replace(correlation, rules=tuple(known[name] for name in correlation.rules), aliases=aliases)


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


def _field(body: _Body) -> str:
    field = body.condition.get("field", "") if isinstance(body.condition, dict) else ""
    if not isinstance(field, str):
        raise CorrelationError("condition.field: one field name is expected")
    return field


def _percentile(body: _Body) -> float:
    value = body.condition.get("percentile", body.percentile) if isinstance(body.condition, dict) else body.percentile
    if value is None:
        return 50.0
    if not isinstance(value, int | float) or not 0 <= value <= 100:
        raise CorrelationError("percentile: a number from 0 to 100 is expected")
    return float(value)


def _conditions(body: _Body, rules: int) -> tuple[tuple[str, float], ...]:
    temporal = body.type in (Kind.TEMPORAL, Kind.TEMPORAL_ORDERED)
    if isinstance(body.condition, str):
        raise CorrelationError("a condition that is an expression over rule names is not supported")
    found: list[tuple[str, float]] = []
    for key, value in (body.condition or {}).items():
        if key in ("field", "percentile"):
            continue
        if key not in OPERATORS:
            raise CorrelationError(f"condition.{key}: one of {', '.join(OPERATORS)} is expected")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise CorrelationError(f"condition.{key}: a number is expected, not {value!r}")
        found.append((key, float(value)))
    if not found and not temporal:
        raise CorrelationError(f"condition: {body.type} needs a threshold (gte: 5)")
    return tuple(found) or (("gte", float(rules)),)
