"""A temporal condition written as an expression over rule names: `recon and not (scan or 1 of admin_*)`.

It becomes a list of terms, each one way in which it holds: matches of all of `has`, and none of what it lacks.
What `not` looks at depends on the type of the correlation (docs/decisions/0005-correlation.md):

- `temporal`: no match within the timespan before or after the one that completes `has`.
- `temporal_ordered`: where it stands in `rules`: listed before the first of `has`, none in the timespan before
  that one; listed between, none between the first and the last; listed after the last, none within the timespan after.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from itertools import combinations
from math import comb

from soc.sigma.rule import Term

MOST_TERMS = 64
_MOST_LOOKED_AT = 1024  # before those that say more than another one are left out, which costs the square of it
_TOKEN = re.compile(r"\(|\)|[^\s()]+")
_WORDS = frozenset({"and", "or", "not", "of", "(", ")"})

Product = tuple[frozenset[str], frozenset[str]]  # names that must be there, names that must not


class ExpressionError(ValueError):
    """Why a condition cannot be used."""


def named_in(text: str) -> tuple[str, ...]:
    """The rule names an expression speaks of, in order; patterns are left out."""
    tokens = _TOKEN.findall(text)
    names = []
    for at, token in enumerate(tokens):
        is_quantifier = tokens[at + 1 : at + 2] == ["of"] or tokens[at - 1 : at] == ["of"]
        if token.lower() not in _WORDS and not is_quantifier:
            names.append(token)
    return tuple(dict.fromkeys(names))


def terms_of(text: str, rules: Sequence[str], *, ordered: bool) -> tuple[Term, ...]:
    """The terms of an expression over `rules`, names as written. Raises ExpressionError."""
    reader = _Reader(_TOKEN.findall(text), rules)
    products = reader.expression(negated=False)
    if reader.word():
        raise ExpressionError(f"condition: {reader.word()!r} is not expected after a whole expression")
    unused = [rule for rule in rules if rule not in reader.used]
    if unused:
        raise ExpressionError(f"condition: it does not speak of {', '.join(unused)}, which rules lists")
    products = _least([product for product in products if not product[0] & product[1]])
    if not products:
        raise ExpressionError("condition: it can never hold")
    if any(not has for has, _ in products):
        raise ExpressionError("condition: it would hold without any match; say what must be there, too")
    return tuple(_term(has, lacks, rules, ordered=ordered) for has, lacks in products)


def _term(has: frozenset[str], lacks: frozenset[str], rules: Sequence[str], *, ordered: bool) -> Term:
    listed = tuple(rule for rule in rules if rule in has)
    absent = tuple(rule for rule in rules if rule in lacks)
    if not ordered:
        return Term(has=listed, before=absent, after=absent)
    first, last = rules.index(listed[0]), rules.index(listed[-1])
    return Term(
        has=listed,
        before=tuple(rule for rule in absent if rules.index(rule) < first),
        between=tuple(rule for rule in absent if first < rules.index(rule) < last),
        after=tuple(rule for rule in absent if rules.index(rule) > last),
    )


class _Reader:
    """Recursive descent over or < and < not < ( ... ), `2 of x*`, `any of x*`, `all of them`, name."""

    def __init__(self, tokens: list[str], rules: Sequence[str]) -> None:
        self.tokens, self.at, self.rules = tokens, 0, rules
        self.used: set[str] = set()

    def expression(self, *, negated: bool) -> list[Product]:
        found = [self.conjunction(negated=negated)]
        while self.word().lower() == "or":
            self.at += 1
            found.append(self.conjunction(negated=negated))
        return _all_of(found) if negated else _any_of(found)

    def conjunction(self, *, negated: bool) -> list[Product]:
        found = [self.operand(negated=negated)]
        while self.word().lower() == "and":
            self.at += 1
            found.append(self.operand(negated=negated))
        return _any_of(found) if negated else _all_of(found)

    def operand(self, *, negated: bool) -> list[Product]:
        word = self.taken()
        if word.lower() == "not":
            return self.operand(negated=not negated)
        if word == "(":
            inner = self.expression(negated=negated)
            if self.taken() != ")":
                raise ExpressionError("condition: a parenthesis is not closed")
            return inner
        if self.word().lower() == "of":
            self.at += 1
            return self.quantified(word.lower(), self.taken(), negated=negated)
        if word not in self.rules:
            raise ExpressionError(f"condition: {word!r} is none of rules ({', '.join(self.rules)})")
        return self.named(word, negated=negated)

    def named(self, rule: str, *, negated: bool) -> list[Product]:
        self.used.add(rule)
        return [(frozenset(), frozenset({rule}))] if negated else [(frozenset({rule}), frozenset())]

    def quantified(self, number: str, pattern: str, *, negated: bool) -> list[Product]:
        names = [rule for rule in self.rules if pattern == "them" or fnmatchcase(rule, pattern)]
        if not names:
            raise ExpressionError(f"condition: {pattern!r} fits none of rules")
        if number not in ("any", "all") and not number.isdecimal():
            raise ExpressionError(f"condition: a number, any or all is expected before 'of', not {number!r}")
        least = {"any": 1, "all": len(names)}.get(number) or int(number)
        if not 1 <= least <= len(names):
            raise ExpressionError(f"condition: {number} of {pattern}: there are {len(names)}")
        # Fewer than n of m are there exactly when some m - n + 1 of them are not.
        size = len(names) - least + 1 if negated else least
        if comb(len(names), size) > MOST_TERMS:  # none of them says more than another: found without making them
            raise _too_many()
        return _any_of([_all_of([self.named(n, negated=negated) for n in some]) for some in combinations(names, size)])

    def word(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def taken(self) -> str:
        if not self.word():
            raise ExpressionError("condition: the expression ends too early")
        self.at += 1
        return self.tokens[self.at - 1]


def _any_of(found: Sequence[list[Product]]) -> list[Product]:
    return _least([product for products in found for product in products])


def _all_of(found: Sequence[list[Product]]) -> list[Product]:
    whole: list[Product] = [(frozenset(), frozenset())]
    for products in found:
        whole = _least([(has | more, lacks | fewer) for has, lacks in whole for more, fewer in products])
    return whole


def _least(products: list[Product]) -> list[Product]:
    """Without those that say more than another one. Raises ExpressionError when there are too many."""
    unique = list(dict.fromkeys(products))
    if len(unique) > _MOST_LOOKED_AT:
        raise _too_many()
    kept = [p for p in unique if not any(q != p and q[0] <= p[0] and q[1] <= p[1] for q in unique)]
    if len(kept) > MOST_TERMS:
        raise _too_many()
    return kept


def _too_many() -> ExpressionError:
    return ExpressionError(f"condition: more than {MOST_TERMS} ways to hold; write several correlations")
