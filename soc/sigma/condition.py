"""Which selections a Sigma condition asks the absence of.

An empty placeholder never matches; under a `not` that would be "always", so `expand` has to know.
Only the shape of the condition is read here; the engine compiles it for itself.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from fnmatch import fnmatchcase

_TOKEN = re.compile(r"\(|\)|[^\s()]+")


def negated(condition: str, selections: Collection[str]) -> frozenset[str]:
    """The names among `selections` that stand under an odd number of `not` somewhere in `condition`."""
    reader = _Reader(_TOKEN.findall(condition.split("|", 1)[0]), selections)
    reader.expression(under_not=False)
    return frozenset(reader.found)


def strangers(condition: str, selections: Collection[str]) -> tuple[str, ...]:
    """The words of `condition` that name no selection; the engine would take them for one that never matches."""
    grammar = {"and", "or", "not", "of", "(", ")", "them", "all", "any"}
    words = [w for w in _TOKEN.findall(condition) if w.lower() not in grammar and not w.isdigit()]
    known = {name.lower() for name in selections}
    return tuple(w for w in words if not any(fnmatchcase(name, w.lower()) for name in known))


class _Reader:
    """Recursive descent over or < and < not < ( ... ), `1 of x*`, `all of them`, name."""

    def __init__(self, tokens: list[str], selections: Collection[str]) -> None:
        self.tokens, self.at, self.selections = tokens, 0, selections
        self.found: set[str] = set()

    def expression(self, *, under_not: bool) -> None:
        self.term(under_not=under_not)
        while self.word() in ("or", "and"):
            self.at += 1
            self.term(under_not=under_not)

    def term(self, *, under_not: bool) -> None:
        word = self.word()
        self.at += 1
        if word == "not":
            self.term(under_not=not under_not)
        elif word == "(":
            self.expression(under_not=under_not)
            self.at += 1
        elif self.word() == "of":
            self.at += 2
            if under_not:
                self.add(self.tokens[self.at - 1] if self.at <= len(self.tokens) else "")
        elif under_not:
            self.add(word)

    def word(self) -> str:
        return self.tokens[self.at].lower() if self.at < len(self.tokens) else ""

    def add(self, pattern: str) -> None:
        if pattern.lower() == "them":
            pattern = "*"
        self.found |= {name for name in self.selections if fnmatchcase(name.lower(), pattern.lower())}
