"""Regular expressions as both stores read them.

DuckDB has RE2, Elasticsearch has Lucene's: the same letters mean different things in them. What is
written is therefore read here and rendered in the syntax they share; the rest is refused where it stands.
    a . [a-z] [^a] ( ) | * + ? {2} {2,} {2,5} \\d \\D \\w \\W \\s \\S, \\ before a sign, ^ first, $ last
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from monitoring.query._fold import fold

LONGEST = 900  # characters; Lucene reads 1,000
MOST_TIMES = 255  # in {n,m}
_TIMES = re.compile(r"\{(\d{1,4})(,(\d{0,4}))?\}")
_CLASSES = {"d": "0-9", "w": "A-Za-z0-9_", "s": " \\t\\n\\r\\f"}
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


class Unreadable(ValueError):
    """What is wrong, at which character of the pattern."""

    def __init__(self, at: int, what: str, fix: str) -> None:
        super().__init__(what)
        self.at, self.what, self.fix = at, what, fix


@dataclass(frozen=True, slots=True)
class Rendered:
    """A pattern both engines read alike; `.` is any character."""

    pattern: str
    from_start: bool
    to_end: bool


def rendered(written: str, *, folded: bool) -> Rendered:
    """The shared form of a pattern. folded: it is held against folded text. Raises Unreadable."""
    if len(written) > LONGEST:
        raise Unreadable(LONGEST, f"a pattern of {len(written)} characters", f"use at most {LONGEST}")
    to_end = written.endswith("$") and not re.search(r"(?<!\\)(\\\\)*\\\$\Z", written)
    reader = _Pattern(written[:-1] if to_end else written, folded)
    from_start = written.startswith("^")
    reader.at = int(from_start)
    pattern = reader.alternatives()
    if reader.at < len(reader.text):
        raise Unreadable(reader.at, "a parenthesis that was never opened", "write \\) for the character itself")
    if reader.has_top_choice and (from_start or to_end):
        raise Unreadable(0, "^ or $ beside |", "put the alternatives in parentheses")
    return Rendered(pattern, from_start, to_end)


class _Pattern:
    """A place in a pattern; each method reads one kind of thing and gives its shared form."""

    def __init__(self, text: str, folded: bool) -> None:
        self.text, self.folded, self.at, self.depth = text, folded, 0, 0
        self.has_top_choice = False

    def alternatives(self) -> str:
        parts = [self._sequence()]
        while self._next() == "|":
            self.has_top_choice = self.has_top_choice or self.depth == 0
            self.at += 1
            parts.append(self._sequence())
        return "|".join(parts)

    def _sequence(self) -> str:
        parts = []
        while self._next() not in ("", "|", ")"):
            parts.append(self._piece() + self._times())
        return "".join(parts) or "()"

    def _piece(self) -> str:
        sign = self._next()
        if sign == "(":
            return self._group()
        if sign == "[":
            return self._class()
        if sign == "\\":
            return self._escaped()
        if sign in "*+?{":
            raise Unreadable(self.at, f"{sign} repeats nothing", f"write \\{sign} for the character itself")
        if sign in "^$":
            raise Unreadable(self.at, f"{sign} in the middle", "^ stands first and $ last, or write \\ before it")
        self.at += 1
        return "." if sign == "." else self._literal(sign)

    def _times(self) -> str:
        sign = self._next()
        if sign not in ("*", "+", "?", "{"):
            return ""
        found = _TIMES.match(self.text, self.at) if sign == "{" else None
        if sign == "{" and found is None:
            raise Unreadable(self.at, "{ without a number", "write {2} or {2,5}, or \\{ for the character itself")
        if found is not None:
            least, most = int(found[1]), int(found[3] or found[1])
            if max(least, most) > MOST_TIMES or most < least:
                raise Unreadable(self.at, f"{found[0]} is no number of times", f"use 0 to {MOST_TIMES}")
        self.at += len(found[0]) if found else 1
        if self._next() in ("*", "+", "?", "{") and self._next() != "":
            raise Unreadable(self.at, "one repetition after another", "use one, or parentheses")
        return found[0] if found else sign

    def _group(self) -> str:
        begin = self.at
        self.at += 3 if self.text.startswith("(?:", self.at) else 1
        if self._next() == "?":
            raise Unreadable(begin, "this kind of group is not read", "use plain parentheses")
        self.depth += 1
        if self.depth > 20:
            raise Unreadable(begin, "parentheses within parentheses", "use fewer")
        inner = self.alternatives()
        self.depth -= 1
        if self._next() != ")":
            raise Unreadable(begin, "a parenthesis is never closed", "close it, or write \\(")
        self.at += 1
        return f"({inner})"

    def _class(self) -> str:
        begin = self.at
        self.at += 1
        negated = self._next() == "^"
        self.at += negated
        items = []
        while self._next() not in ("]", ""):
            items.append(self._member(begin))
        if self._next() == "" or not items:
            raise Unreadable(begin, "a [ without its ]", "close it, or write \\[ for the character itself")
        self.at += 1
        return f"[{'^' if negated else ''}{''.join(items)}]"

    def _member(self, begin: int) -> str:
        low = self._one(begin)
        if len(low) > 1:  # \d and the like
            return low
        if self._next() == "-" and self.text[self.at + 1 : self.at + 2] not in ("]", ""):
            self.at += 1
            high = self._one(begin)
            if len(high) > 1 or high < low:
                raise Unreadable(begin, "a range that goes backwards", "write [a-z]")
            return f"{self._literal(low)}-{self._literal(high)}"
        return self._literal(low)

    def _one(self, begin: int) -> str:
        """A character of a class, or the whole of what a class escape means."""
        sign = self._next()
        self.at += 1
        if sign != "\\":
            return sign
        after = self._next()
        self.at += 1
        if after in _CLASSES:
            return self._known(after)
        return self._plain(after, self.at - 1)

    def _escaped(self) -> str:
        after = self.text[self.at + 1 : self.at + 2]
        self.at += 2
        if after.lower() in _CLASSES and after:
            return f"[{'^' if after.isupper() else ''}{self._known(after.lower())}]"
        return self._literal(self._plain(after, self.at - 1))

    def _known(self, name: str) -> str:
        known = _CLASSES[name]
        for letter, control in _CONTROLS.items():
            known = known.replace(f"\\{letter}", control)
        return known.replace("A-Z", "") if self.folded else known

    def _plain(self, after: str, at: int) -> str:
        """The character an escape stands for."""
        if after in _CONTROLS:
            return _CONTROLS[after]
        if not after or after.isalnum():
            raise Unreadable(at, f"\\{after} is not read", "\\d \\w \\s, or \\ before a sign")
        return after

    def _literal(self, sign: str) -> str:
        sign = fold(sign) if self.folded else sign
        return (
            f"\\{sign}" if sign.isascii() and sign.isprintable() and not sign.isalnum() and sign not in " _" else sign
        )

    def _next(self) -> str:
        return self.text[self.at : self.at + 1]
