"""A query's tree as an SQL condition over the columns of a segment. Every value is a bound parameter.

SQL's own logic has a third value: a condition over an empty column is neither true nor false. A
negation therefore first turns "unknown" into false, so `NOT user.name:root` finds events without a user.
"""

from __future__ import annotations

from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Any as Whatever

from monitoring import ecs
from monitoring.query import (
    All,
    Any,
    Between,
    Everything,
    Exists,
    Network,
    Node,
    Not,
    Regex,
    Term,
    Text,
    Wildcard,
    moment,
)
from monitoring.store import _columns
from monitoring.store._duck import quoted

Condition = tuple[str, list[Whatever]]
ORIGINAL = '"event.original"'
OWN = '"message"'  # filled only where the message is not the end of the original, so most is found in ORIGINAL
MESSAGE = f'coalesce("message", right({ORIGINAL}, {_columns.LENGTH}))'
_TYPES = {"long": "BIGINT", "float": "DOUBLE", "boolean": "BOOLEAN", "date": "TIMESTAMP"}


def condition(node: Node, *, now: datetime) -> Condition:
    """The SQL of a tree and its parameters, in order. now: what relative times count from."""
    match node:
        case Everything():
            return "TRUE", []
        case Not(inner):
            sql, values = condition(inner, now=now)
            return f"NOT coalesce({sql}, FALSE)", values
        case All(nodes):
            return _joined(" AND ", nodes, now)
        case Any(nodes):
            return _joined(" OR ", nodes, now)
        case Text(words):
            return f"(contains(lower({ORIGINAL}), ?) OR contains(lower({OWN}), ?))", [words.lower()] * 2
        case Wildcard("", parts):
            pattern = f"%{_like(parts).strip('%')}%"
            return f"({ORIGINAL} ILIKE ? ESCAPE '\\' OR {OWN} ILIKE ? ESCAPE '\\')", [pattern, pattern]
        case Regex("", pattern):
            return f"(regexp_matches({ORIGINAL}, ?) OR regexp_matches({OWN}, ?))", [pattern, pattern]
        case _:
            return _of_field(node, now)


def column(field: str) -> str:
    """The SQL that gives a field's value, NULL when the event has none."""
    listed = ecs.field_type(field)
    if field == "message":
        return MESSAGE
    if field == "event.id":
        return f"CAST({_columns.ID} AS UUID)::VARCHAR"
    if listed.is_column:
        return quoted(field)
    text = f"json_extract_string({_columns.REST}, {_path(field)})"
    cast = _TYPES.get(listed.kind)
    return f"TRY_CAST({text} AS {cast})" if cast else text


def _joined(word: str, nodes: tuple[Node, ...], now: datetime) -> Condition:
    parts = [condition(node, now=now) for node in nodes]
    return "(" + word.join(sql for sql, _ in parts) + ")", [value for _, values in parts for value in values]


def _of_field(node: Node, now: datetime) -> Condition:
    match node:
        case Exists(field):
            return f"{column(field)} IS NOT NULL", []
        case Term(field, value):
            return _equal(field, value, now)
        case Wildcard(field, parts):
            return _each(field, "{} LIKE ? ESCAPE '\\'", [_like(parts)])
        case Regex(field, pattern):
            whole = "regexp_matches" if ecs.field_type(field).kind == "text" else "regexp_full_match"
            return _each(field, whole + "({}, ?)", [pattern])
        case Network(field, network):
            return _in_network(field, network)
        case Between(field, low, high, has_low, has_high):
            return _between(field, low, high, has_low, has_high, now)
    raise TypeError(f"no SQL for {node!r}")


def _equal(field: str, value: str, now: datetime) -> Condition:
    kind = ecs.field_type(field).kind
    if field == "message":  # asked of the whole line first: cutting the message out of each is slow
        first = f"(contains(lower({ORIGINAL}), ?) OR {OWN} IS NOT NULL)"
        return f"({first} AND contains(lower({MESSAGE}), ?))", [value.lower()] * 2
    if kind == "text":
        return f"contains(lower({column(field)}), ?)", [value.lower()]
    if field == "event.id":
        return f"{_columns.ID} = ?::BLOB", [_columns.id_octets(value)]
    if kind in _TYPES:
        return f"{column(field)} = ?", [_typed(field, value, now)]
    return _each(field, "{} = ?", [value])


def _each(field: str, test: str, values: list[Whatever]) -> Condition:
    """A test on a field's value, or on any of its values."""
    listed = ecs.field_type(field)
    if listed.is_list and listed.is_column:
        return f"len(list_filter({column(field)}, lambda one: {test.format('one')})) > 0", values
    if listed.is_column or field == "event.id":
        return test.format(column(field)), values
    several = f"json_extract_string({_columns.REST}, {_path(field, '[*]')})"  # an unlisted field may hold several
    anyone = f"len(list_filter({several}, lambda one: {test.format('one')})) > 0"
    return f"({test.format(column(field))} OR {anyone})", values * 2


def _in_network(field: str, network: IPv4Network | IPv6Network) -> Condition:
    low, high = (_columns.octets_of(str(network[at])) for at in (0, -1))
    number = quoted(_columns.number_of(field))
    if low == high:
        return f"{number} = ?::BLOB", [low]
    return f"({number} >= ?::BLOB AND {number} <= ?::BLOB)", [low, high]


def _between(field: str, low: str | None, high: str | None, has_low: bool, has_high: bool, now: datetime) -> Condition:
    of = quoted(_columns.number_of(field)) if ecs.field_type(field).kind == "ip" else column(field)
    parts: list[str] = []
    values: list[Whatever] = []
    for bound, sign in ((low, ">=" if has_low else ">"), (high, "<=" if has_high else "<")):
        if bound is not None:
            parts.append(f"{of} {sign} ?")
            values.append(_typed(field, bound, now))
    return "(" + " AND ".join(parts) + ")", values


def _typed(field: str, value: str, now: datetime) -> Whatever:
    """A value as the field's type wants it; `query.parse` has checked that it can be."""
    kind = ecs.field_type(field).kind
    if kind == "long":
        return int(value)
    if kind == "float":
        return float(value)
    if kind == "boolean":
        return value == "true"
    if kind == "date":
        return moment(value, now=now).replace(tzinfo=None)
    if kind == "ip":
        return _columns.octets_of(value)
    return value


def _path(field: str, suffix: str = "") -> str:
    """The JSON path of a field of `rest`, as an SQL literal. The name is quoted for both languages."""
    name = field.replace("\\", "\\\\").replace('"', '\\"')
    path = f'$."{name}"{suffix}'
    return "'" + path.replace("'", "''") + "'"


def _like(parts: tuple[str, ...]) -> str:
    signs = {"\0*": "%", "\0?": "_"}
    return "".join(signs[p] if p in signs else _escaped(p) for p in parts)


def _escaped(literal: str) -> str:
    return literal.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
