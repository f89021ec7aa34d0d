"""A query string as a tree. The grammar is luqum's; what it means here is decided below."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Any as Whatever

from luqum import exceptions as faults
from luqum import tree as lucene
from luqum.thread import parse as luqum_parse

from monitoring import ecs
from monitoring.errors import QueryError
from monitoring.query import _regex, _tree
from monitoring.query._time import moment
from monitoring.query._tree import Node

LONGEST = 8192  # characters; a longer query is a mistake
DEEPEST = 28  # groups within groups; Elasticsearch refuses 30
_PLACE = re.compile(r"position (\d+)")
_ESCAPED = re.compile(r"\\(.)|([*?])", re.DOTALL)
_DAY = re.compile(r"\d{4}-\d\d-\d\d\Z")
_OCTETS = re.compile(r"(\d{1,3}(?:\.\d{1,3}){0,2})\.\*\Z")


def parse(query: str) -> Node:
    """The tree of a query; "" and "*" are everything. Raises QueryError naming the offending character."""
    text = query.strip()
    if not text or text in ("*", "*:*"):
        return _tree.Everything()
    if len(query) > LONGEST:
        raise QueryError(
            f"the query has {len(query)} characters, at most {LONGEST} are read", fix="search for less at once"
        )
    try:
        tree = luqum_parse(query)
    except (faults.ParseError, faults.InconsistentQueryException) as error:
        raise _syntax_error(query, str(error)) from error
    except (ArithmeticError, ValueError, TypeError, AttributeError) as error:  # luqum on "a~." and the like
        at = max(query.find("~"), query.find("^"), 0)
        raise _at(query, at, "this part cannot be read", "put special characters in quotes") from error
    except RecursionError as error:
        raise _at(query, 0, "the query is nested too deeply", "use fewer parentheses") from error
    return _Reader(query).node(tree, "", 0)


class _Reader:
    """Turns luqum's tree into ours; holds the query for error messages."""

    def __init__(self, query: str) -> None:
        self._query = query

    def node(self, item: Whatever, field: str, depth: int) -> Node:
        """field: the name before the colon, "" for free text."""
        if depth > DEEPEST:
            raise self._error(item, "the query is nested too deeply", "use fewer parentheses")
        for kind, read in _READERS:
            if isinstance(item, kind):
                return read(self, item, field, depth + 1)
        raise self._error(item, f"{type(item).__name__.lower()} is not part of the query language", "leave it out")

    def _field(self, item: Whatever, field: str, depth: int) -> Node:
        if field:
            raise self._error(item, f"a field inside the value of {field}", "close the parenthesis before it")
        name = _unescaped(item.name)
        if name == "_exists_":
            return _tree.Exists(_unescaped(str(item.expr).strip().strip('"')))
        return self.node(item.expr, name, depth)

    def _group(self, item: Whatever, field: str, depth: int) -> Node:
        return self.node(item.expr, field, depth)

    def _all(self, item: Whatever, field: str, depth: int) -> Node:
        return _tree.All(self._nodes(item.children, field, depth))

    def _any(self, item: Whatever, field: str, depth: int) -> Node:
        return _tree.Any(self._nodes(item.children, field, depth))

    def _not(self, item: Whatever, field: str, depth: int) -> Node:
        return _tree.Not(self.node(item.a, field, depth))

    def _plus(self, item: Whatever, field: str, depth: int) -> Node:
        return self.node(item.a, field, depth)

    def _phrase(self, item: Whatever, field: str, depth: int) -> Node:
        return self._term(item, field, _unescaped(item.value[1:-1]))

    def _word(self, item: Whatever, field: str, depth: int) -> Node:
        parts = _parts(item.value)
        if any(part in ("\0*", "\0?") for part in parts):
            if field and parts == ("\0*",):
                return _tree.Exists(field)
            return self._wildcard(item, field, parts)
        return self._term(item, field, "".join(parts))

    def _wildcard(self, item: Whatever, field: str, parts: tuple[str, ...]) -> Node:
        network = _OCTETS.match(item.value) if field and ecs.field_type(field).kind == "ip" else None
        if network is not None:  # 10.250.* is how many write a prefix
            octets = network[1].split(".")
            prefix = ".".join([*octets, *["0"] * (4 - len(octets))])
            return self._address(item, field, f"{prefix}/{8 * len(octets)}")
        self._refuse_pattern(item, field)
        return _tree.Wildcard(field, parts)

    def _term(self, item: Whatever, field: str, value: str) -> Node:
        if not field:
            return _tree.Text(value) if value else _tree.Everything()
        kind = ecs.field_type(field).kind
        if kind == "ip":
            return self._address(item, field, value)
        self._check(item, field, kind, value)
        if kind == "date" and _DAY.match(value):
            return self._between(item, field, value, value, True, True)
        return _tree.Term(field, value)

    def _address(self, item: Whatever, field: str, value: str) -> Node:
        try:
            return _tree.Network(field, ip_network(value, strict=False))
        except ValueError as error:
            raise self._error(item, f"{value!r} is no address and no prefix", "write 10.0.0.1 or 10.0.0.0/8") from error

    def _regex(self, item: Whatever, field: str, depth: int) -> Node:
        self._refuse_pattern(item, field)
        is_text = not field or ecs.field_type(field).kind == "text"
        try:
            read = _regex.rendered(item.value[1:-1], folded=is_text)
        except _regex.Unreadable as error:
            raise _at(self._query, (item.pos or 0) + 1 + error.at, error.what, error.fix) from error
        return _tree.Regex(field, read.pattern, read.from_start or not is_text, read.to_end or not is_text)

    def _range(self, item: Whatever, field: str, depth: int) -> Node:
        low, high = self._bound(item.low, field), self._bound(item.high, field)
        return self._between(item, field, low, high, item.include_low, item.include_high)

    def _from(self, item: Whatever, field: str, depth: int) -> Node:
        return self._between(item, field, self._bound(item.a, field), None, item.include, False)

    def _to(self, item: Whatever, field: str, depth: int) -> Node:
        return self._between(item, field, None, self._bound(item.a, field), False, item.include)

    def _between(
        self, item: Whatever, field: str, low: str | None, high: str | None, has_low: bool, has_high: bool
    ) -> Node:
        if not field:
            raise self._error(item, "a range needs a field", "write field:[a TO b]")
        if low is None and high is None:
            return _tree.Exists(field)
        kind = ecs.field_type(field).kind
        if kind == "text":
            raise self._error(item, f"{field} is running text: it has no range", "look for words of it")
        if kind == "date":  # a day without a time is all of it
            if high is not None and has_high and _DAY.match(high):
                high, has_high = _next_day(high), False
            if low is not None and not has_low and _DAY.match(low):
                low, has_low = _next_day(low), True
        return _tree.Between(field, low, high, has_low, has_high)

    def _bound(self, item: Whatever, field: str) -> str | None:
        text = str(item).strip()
        value = _unescaped(text[1:-1] if text.startswith('"') else text)
        if value == "*":
            return None
        self._check(item, field, ecs.field_type(field).kind, value)
        return value

    def _boost(self, item: Whatever, field: str, depth: int) -> Node:
        return self.node(item.expr, field, depth)  # how much a match counts is not ours: results are by time

    def _nodes(self, items: Iterable[Whatever], field: str, depth: int) -> tuple[Node, ...]:
        return tuple(self.node(item, field, depth) for item in items)

    def _check(self, item: Whatever, field: str, kind: str, value: str) -> None:
        """Raises QueryError when a value cannot be of the field's type."""
        if why := unfit(field, value):
            raise self._error(item, why, _KINDS[kind][2])

    def _refuse_pattern(self, item: Whatever, field: str) -> None:
        kind = ecs.field_type(field).kind if field else "text"
        if kind == "ip":
            raise self._error(item, f"{field} is an address: it has no pattern", "write a prefix: 10.0.0.0/8")
        if kind in ("long", "float", "boolean", "date"):
            raise self._error(item, f"{field} is no text: it has no pattern", "use a value or a range [a TO b]")

    def _error(self, item: Whatever, what: str, fix: str) -> QueryError:
        return _at(self._query, item.pos or 0, what, fix)


def unfit(field: str, value: str) -> str:
    """Why a value cannot be of the field's type; "" when it can."""
    reads = _KINDS.get(ecs.field_type(field).kind)
    if reads is None:
        return ""
    try:
        reads[0](value)
    except (ValueError, QueryError):
        return f"{value!r} is no {reads[1]}, which {field} is"
    return ""


def _next_day(day: str) -> str:
    after = date.fromisoformat(day)
    return (after + timedelta(days=after < date.max)).isoformat()


def _whole(text: str) -> int:
    if not -(2**63) <= int(text) < 2**63:
        raise ValueError(text)
    return int(text)


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(text)
    return text == "true"


def _moment(text: str) -> object:
    return moment(text, now=datetime(2000, 1, 1, tzinfo=UTC))


def _address(text: str) -> object:
    return ip_address(text)


_KINDS: dict[str, tuple[Callable[[str], object], str, str]] = {
    "long": (_whole, "whole number", "write digits only"),
    "float": (float, "number", "write a number"),
    "boolean": (_boolean, "truth value", "write true or false"),
    "date": (_moment, "time", "write now-15m, 2026-03-01 or a quoted time"),
    "ip": (_address, "address", "write 10.0.0.1"),
}

_READERS: tuple[tuple[Whatever, Callable[..., Node]], ...] = (
    (lucene.SearchField, _Reader._field),
    ((lucene.Group, lucene.FieldGroup), _Reader._group),
    ((lucene.AndOperation, lucene.UnknownOperation), _Reader._all),
    (lucene.OrOperation, _Reader._any),
    ((lucene.Not, lucene.Prohibit), _Reader._not),
    (lucene.Plus, _Reader._plus),
    (lucene.Phrase, _Reader._phrase),
    (lucene.Regex, _Reader._regex),
    (lucene.Word, _Reader._word),
    (lucene.Range, _Reader._range),
    (lucene.From, _Reader._from),
    (lucene.To, _Reader._to),
    (lucene.Boost, _Reader._boost),
)


def _parts(word: str) -> tuple[str, ...]:
    """The literal pieces and wildcards of a word."""
    parts: list[str] = []
    literal, end = "", 0
    for match in _ESCAPED.finditer(word):
        literal += word[end : match.start()]
        end = match.end()
        if match[1] is not None:
            literal += match[1]
            continue
        if literal:
            parts.append(literal)
        parts.append("\0" + match[2])
        literal = ""
    literal += word[end:]
    return (*parts, literal) if literal or not parts else tuple(parts)


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def _syntax_error(query: str, message: str) -> QueryError:
    place = _PLACE.search(message)
    if place is None:
        return _at(query, len(query), "the query ends too early", "finish the last part, close quotes and parentheses")
    at = int(place[1])
    fix = "put a value with special characters in quotes, or write \\ before the character"
    if query[at : at + 1] == '"':
        return _at(query, at, "a quote is never closed", 'close it, or write \\" for the character itself')
    return _at(query, at, f"{query[at : at + 1]!r} is not expected here", fix)


def _at(query: str, position: int, what: str, fix: str) -> QueryError:
    """An error that shows the query and points at a character of it."""
    start = max(0, position - 60)
    shown = query[start : position + 40].replace("\n", " ")
    return QueryError(what, where=f"character {position + 1}\n    {shown}\n    {' ' * (position - start)}^", fix=fix)
