"""A query's tree as an SQL condition over the columns of a segment. Every value is a bound parameter.

SQL's own logic has a third value: a condition over an empty column is neither true nor false. A
negation therefore first turns "unknown" into false, so `NOT user.name:root` finds events without a user.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from monitoring import ecs, query
from monitoring.query import Node, fold, forms, forms_of, moment
from monitoring.rows import id_octets
from monitoring.store import _columns
from monitoring.store._duck import literal, quoted

Condition = tuple[str, list[Any]]
ORIGINAL = '"event.original"'
OWN = '"message"'  # filled only where the message is not the end of the original, so most is found in ORIGINAL
MESSAGE = f'coalesce("message", right({ORIGINAL}, {_columns.LENGTH}))'
_TYPES = {"long": "BIGINT", "float": "DOUBLE", "boolean": "BOOLEAN", "date": "TIMESTAMP"}
_JSON_TYPES = {
    "long": "'BIGINT', 'UBIGINT'",
    "float": "'DOUBLE'",
    "boolean": "'BOOLEAN'",
    "date": "'VARCHAR'",
    "keyword": "'VARCHAR'",
    "text": "'VARCHAR'",
}


def condition(node: Node, *, now: datetime) -> Condition:
    """The SQL of a tree and its parameters, in order. now: what relative times count from."""
    match node:
        case query.Everything():
            return "TRUE", []
        case query.Not(inner):
            sql, values = condition(inner, now=now)
            return f"NOT coalesce({sql}, FALSE)", values
        case query.All(nodes):
            return _joined(" AND ", [condition(node, now=now) for node in nodes])
        case query.Any(nodes):
            return _any_of(nodes, now)
        case query.Text(words):
            return _either(lambda text: _contains(text, words))
        case query.Wildcard("", parts):
            pattern = f"%{_like(tuple(map(fold, parts))).strip('%')}%"
            return _either(lambda text: (f"{_folded(text)} LIKE ? ESCAPE '\\'", [pattern]))
        case query.Regex("", pattern, from_start, to_end):
            return _either(lambda text: _matches(_folded(text), pattern, from_start, to_end))
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
    text = f"({_values(field)})[1]"
    cast = _TYPES.get(listed.kind)
    return f"TRY_CAST({text} AS {cast})" if cast else text


def _either(test: Callable[[str], Condition]) -> Condition:
    """A test on the original line or on a message that is not part of it."""
    (one, values), (other, more) = test(ORIGINAL), test(OWN)
    return f"({one} OR {other})", [*values, *more]


def _folded(text: str) -> str:
    """As `query.fold` does."""
    return f"lower(nfc_normalize({text}))"


def _contains(text: str, words: str) -> Condition:
    """Composing every line takes most of the time, so it is done only where the plain letters are."""
    folded = fold(words)
    plain = max(re.split(r"[^\x00-\x7f]+", folded), key=len)
    if not plain:
        return f"contains({_folded(text)}, ?)", [folded]
    return f"(contains(lower({text}), ?) AND contains({_folded(text)}, ?))", [plain, folded]


def _matches(text: str, pattern: str, from_start: bool, to_end: bool) -> Condition:
    if from_start and to_end:
        return f"regexp_full_match({text}, ?, 's')", [pattern]
    return f"regexp_matches({text}, ?, 's')", [f"{'^' * from_start}({pattern}){'$' * to_end}"]


def _joined(word: str, parts: list[Condition]) -> Condition:
    return "(" + word.join(sql for sql, _ in parts) + ")", [value for _, values in parts for value in values]


def _any_of(nodes: tuple[Node, ...], now: datetime) -> Condition:
    """Values of one field are asked for together: it is looked up once, and not once a value."""
    words: dict[str, list[str]] = {}
    parts = []
    for node in nodes:
        if isinstance(node, query.Term) and _is_word(node.field):
            words.setdefault(node.field, []).append(node.value)
        else:
            parts.append(condition(node, now=now))
    return _joined(" OR ", parts + [_one_of(field, values) for field, values in words.items()])


def _is_word(field: str) -> bool:
    """Whether its values are compared as they are written."""
    return field not in ("message", "event.id") and ecs.field_type(field).kind not in ("text", *_TYPES)


def _of_field(node: Node, now: datetime) -> Condition:
    match node:
        case query.Exists(field):
            return _exists(field), []
        case query.Term(field, value):
            return _equal(field, value, now)
        case query.Wildcard(field, parts) if ecs.field_type(field).kind == "text":
            return f"{_folded(column(field))} LIKE ? ESCAPE '\\'", [_like(tuple(map(fold, parts)))]
        case query.Wildcard(field, parts):
            likes = [_like(form) for form in forms_of(parts)]
            return _each(field, " OR ".join(["{} LIKE ? ESCAPE '\\'"] * len(likes)), likes)
        case query.Regex(field, pattern, from_start, to_end) if ecs.field_type(field).kind == "text":
            return _matches(_folded(column(field)), pattern, from_start, to_end)
        case query.Regex(field, pattern, _, _):
            return _each(field, *_matches("{}", pattern, True, True))
        case query.Network(field, network):
            return _in_network(field, network)
        case query.Between(field, low, high, has_low, has_high):
            return _between(field, low, high, has_low, has_high, now)
    raise TypeError(f"no SQL for {node!r}")


def _exists(field: str) -> str:
    listed = ecs.field_type(field)
    if not listed.is_column and field != "event.id":
        return f"len({_values(field)}) > 0"
    if listed.kind == "ip":
        number = quoted(_columns.number_of(field))
        return (
            f"len(list_filter({number}, lambda one: one IS NOT NULL)) > 0"
            if listed.is_list
            else f"{number} IS NOT NULL"
        )
    return f"len({column(field)}) > 0" if listed.is_list else f"{column(field)} IS NOT NULL"


def _equal(field: str, value: str, now: datetime) -> Condition:
    kind = ecs.field_type(field).kind
    if field == "message":  # asked of the whole line first: cutting the message out of each is slow
        sure, values = _contains(MESSAGE, value)
        first, more = _contains(ORIGINAL, value)
        return f"(({first} OR {OWN} IS NOT NULL) AND {sure})", [*more, *values]
    if kind == "text":
        return _contains(column(field), value)
    if field == "event.id":
        return f"{_columns.ID} = ?::BLOB", [id_octets(value)]
    if kind in _TYPES:
        return f"{column(field)} = ?", [_typed(field, value, now)]
    return _one_of(field, [value])


def _one_of(field: str, values: list[str]) -> Condition:
    found = list(dict.fromkeys(form for value in values for form in forms(value)))
    return _each(field, "{} = ?" if len(found) == 1 else f"{{}} IN ({', '.join('?' * len(found))})", found)


def _each(field: str, test: str, values: list[Any]) -> Condition:
    """A test on a field's value, or on any of its values."""
    listed = ecs.field_type(field)
    if listed.is_column and listed.is_list:
        return f"len(list_filter({column(field)}, lambda one: {test.replace('{}', 'one')})) > 0", values
    if listed.is_column or field == "event.id":
        return f"({test.replace('{}', column(field))})", values
    return f"len(list_filter({_values(field)}, lambda one: {test.replace('{}', 'one')})) > 0", values


def _values(field: str) -> str:
    """The values of a field of `rest` as a list of text; empty or NULL without any, which is asked first."""
    kept = f"json_extract({_columns.REST}, {_path(field)})"
    kind = f"json_type({kept})"
    listed = ecs.field_type(field)
    several = f"json_extract_string({_columns.REST}, {_path(field, '[*]')})"
    one = f"[json_extract_string({_columns.REST}, {_path(field)})]"
    if field not in ecs.fields():
        held = f"CASE {kind} WHEN 'ARRAY' THEN {several} WHEN 'NULL' THEN NULL ELSE {one} END"
    elif listed.is_list:
        held = f"CASE {kind} WHEN 'ARRAY' THEN {several} END"
    else:
        held = f"CASE WHEN {kind} IN ({_JSON_TYPES[listed.kind]}) THEN {one} END"
    return f"CASE WHEN contains({_columns.REST}, {_name(field)}) AND {kept} IS NOT NULL THEN {held} END"


def _in_network(field: str, network: IPv4Network | IPv6Network) -> Condition:
    low, high = (_columns.octets_of(str(network[at])) for at in (0, -1))
    if low == high:
        return _numbers(field, "{} = ?::BLOB", [low])
    return _numbers(field, "({} >= ?::BLOB AND {} <= ?::BLOB)", [low, high])


def _numbers(field: str, test: str, values: list[Any]) -> Condition:
    """A test on an address, or on any of several, as octets."""
    number = quoted(_columns.number_of(field))
    if ecs.field_type(field).is_list:
        return f"len(list_filter({number}, lambda one: {test.replace('{}', 'one')})) > 0", values
    return test.replace("{}", number), values


def _between(field: str, low: str | None, high: str | None, has_low: bool, has_high: bool, now: datetime) -> Condition:
    listed = ecs.field_type(field)
    parts: list[str] = []
    values: list[Any] = []
    for bound, sign in ((low, ">=" if has_low else ">"), (high, "<=" if has_high else "<")):
        if bound is not None:
            parts.append(f"{{}} {sign} ?")
            values.append(_typed(field, bound, now))
    test = "(" + " AND ".join(parts) + ")"
    if listed.kind == "ip":
        return _numbers(field, test, values)
    return _each(field, test, values) if listed.kind == "keyword" else (test.replace("{}", column(field)), values)


def _typed(field: str, value: str, now: datetime) -> Any:
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
    return literal(f'$."{name}"{suffix}')


def _name(field: str) -> str:
    """A field's name as it stands in the JSON of `rest`, as an SQL literal."""
    return literal(json.dumps(field, ensure_ascii=False))


def _like(parts: tuple[str, ...]) -> str:
    signs = {"\0*": "%", "\0?": "_"}
    return "".join(signs[p] if p in signs else _escaped(p) for p in parts)


def _escaped(literal: str) -> str:
    return literal.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
