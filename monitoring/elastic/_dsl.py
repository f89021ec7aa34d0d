"""A query's tree as Elasticsearch's query DSL, meaning what it means over the other store. Pure.

Not its `query_string`: that one splits words by an analyser, takes words side by side for OR, and counts
a value as any of its tokens. Here words are AND, text is any part of it folded, keywords are whole.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from monitoring import ecs, query
from monitoring.elastic._documents import BETWEEN, canonical
from monitoring.elastic._templates import FIND, find_field
from monitoring.query import Node, fold, forms, forms_of, moment

MORE_FIELD = f"{FIND}.more"
TEXTS = (find_field("event.original"), find_field("message"))
NOTHING: dict[str, Any] = {"match_none": {}}


def query_of(node: Node, *, now: datetime) -> dict[str, Any]:
    """The DSL of a tree. now: what relative times count from."""
    match node:
        case query.Everything():
            return {"match_all": {}}
        case query.Not(inner):
            return {"bool": {"must_not": [query_of(inner, now=now)]}}
        case query.All(nodes):
            return {"bool": {"filter": [query_of(one, now=now) for one in nodes]}}
        case query.Any(nodes):
            return _any([query_of(one, now=now) for one in nodes])
        case query.Text(words):
            return _any([_contains(field, words) for field in TEXTS])
        case query.Wildcard("", parts):
            return _any([_wildcard(field, ("\0*", *map(fold, parts), "\0*")) for field in TEXTS])
        case query.Regex("", pattern, from_start, to_end):
            return _any([_regexp(field, pattern, from_start, to_end) for field in TEXTS])
        case _:
            return _of_field(node, now)


def _of_field(node: Node, now: datetime) -> dict[str, Any]:
    match node:
        case query.Exists(field):
            return _exists(field)
        case query.Term(field, value):
            return _equal(field, value, now)
        case query.Wildcard(field, parts):
            return _like(field, parts)
        case query.Regex(field, pattern, from_start, to_end):
            if _kind(field) == "text":
                return _regexp(find_field(field), pattern, from_start, to_end)
            if _is_listed(field):
                return _regexp(field, pattern, True, True)
            return _regexp(MORE_FIELD, f"{_literal(field + BETWEEN)}({pattern})", True, True)
        case query.Network(field, network):
            return {"term": {field: str(network)}} if network.num_addresses > 1 else {"term": {field: str(network[0])}}
        case query.Between(field, low, high, has_low, has_high):
            return _between(field, low, high, has_low, has_high, now)
    raise TypeError(f"no query for {node!r}")


def _kind(field: str) -> str:
    return ecs.field_type(field).kind


def _is_listed(field: str) -> bool:
    return field in ecs.fields() or field == "event.id"


def _exists(field: str) -> dict[str, Any]:
    if _kind(field) == "text":
        return {"exists": {"field": find_field(field)}}
    if _is_listed(field):
        return {"exists": {"field": field}}
    return {"prefix": {MORE_FIELD: {"value": field + BETWEEN}}}


def _equal(field: str, value: str, now: datetime) -> dict[str, Any]:
    kind = _kind(field)
    if kind == "text":
        return _contains(find_field(field), value)
    if field == "event.id":
        return {"term": {field: canonical(value)}}
    if kind == "date":
        when = _iso(value, now)
        return {"range": {field: {"gte": when, "lte": when}}}
    if kind != "keyword":
        return {"term": {field: _typed(kind, value)}}
    if _is_listed(field):
        return {"terms": {field: list(forms(value))}}
    return {"terms": {MORE_FIELD: [f"{field}{BETWEEN}{form}" for form in forms(value)]}}


def _like(field: str, parts: tuple[str, ...]) -> dict[str, Any]:
    if _kind(field) == "text":
        return _wildcard(find_field(field), tuple(map(fold, parts)))
    if _is_listed(field):
        return _any([_wildcard(field, form) for form in forms_of(parts)])
    return _any([_wildcard(MORE_FIELD, (field + BETWEEN, *form)) for form in forms_of(parts)])


def _between(
    field: str, low: str | None, high: str | None, has_low: bool, has_high: bool, now: datetime
) -> dict[str, Any]:
    kind = _kind(field)
    bounds: dict[str, Any] = {}
    for bound, sign in ((low, "gte" if has_low else "gt"), (high, "lte" if has_high else "lt")):
        if bound is not None:
            bounds[sign] = _iso(bound, now) if kind == "date" else _typed(kind, bound)
    if _is_listed(field):
        return {"range": {field: bounds}}
    begin = field + BETWEEN
    bounds = {sign: begin + value for sign, value in bounds.items()}
    if low is None:
        bounds["gte"] = begin
    if high is None:
        bounds["lt"] = field + chr(ord(BETWEEN) + 1)
    return {"range": {MORE_FIELD: bounds}}


def _contains(field: str, words: str) -> dict[str, Any]:
    return _wildcard(field, ("\0*", fold(words), "\0*"))


def _wildcard(field: str, parts: tuple[str, ...]) -> dict[str, Any]:
    signs = {"\0*": "*", "\0?": "?"}
    value = "".join(signs[p] if p in signs else re.sub(r"([*?\\])", r"\\\1", p) for p in parts)
    return {"wildcard": {field: {"value": value}}}


def _regexp(field: str, pattern: str, from_start: bool, to_end: bool) -> dict[str, Any]:
    whole = f"{'' if from_start else '.*'}({pattern}){'' if to_end else '.*'}"
    return {"regexp": {field: {"value": whole, "flags": "NONE"}}}


def _literal(text: str) -> str:
    return re.sub(r"([^0-9A-Za-z_\x1f\x80-\U0010ffff])", r"\\\1", text)


def _any(queries: list[dict[str, Any]]) -> dict[str, Any]:
    return queries[0] if len(queries) == 1 else {"bool": {"should": queries, "minimum_should_match": 1}}


def _typed(kind: str, value: str) -> Any:
    """A value as the field's type wants it; `query.parse` has checked that it can be."""
    if kind == "boolean":
        return value == "true"
    return {"long": int, "float": float}.get(kind, str)(value)


def _iso(text: str, now: datetime) -> str:
    """A moment as date_nanos takes it, which begins in 1970 and ends in 2262."""
    when = moment(text, now=now).astimezone(UTC)
    when = min(max(when, datetime(1970, 1, 1, tzinfo=UTC)), datetime(2262, 1, 1, tzinfo=UTC))
    return when.isoformat(timespec="microseconds")[:26] + "Z"
