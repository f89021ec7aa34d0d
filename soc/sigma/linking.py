"""What names in correlations mean, and which of two rules with one id is used. Pure.

Rules come from several folders (shipped, the province's, imported sets), the first of which counts.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from soc.sigma.correlation_document import CorrelationError, in_order, resolved
from soc.sigma.rule import AnyRule, Correlation, Refusal, Rule


@dataclass(frozen=True, slots=True)
class Places:
    """The folders rules come from, and in which order their files were read."""

    folders: tuple[str, ...]
    order: Mapping[str, int]

    def order_of(self, rule: AnyRule) -> int:
        return self.order.get(str(rule.origin.path), len(self.order))

    def of(self, rule: AnyRule) -> str:
        """The folder a rule stands in, "" for none."""
        path = str(rule.origin.path)
        return next((folder for folder in self.folders if path.startswith(folder)), "")


def distinct(rules: Iterable[AnyRule]) -> tuple[list[AnyRule], list[Refusal]]:
    """The first rule of each id; a second one would share its alerts."""
    first: dict[str, AnyRule] = {}
    twice: list[Refusal] = []
    for rule in rules:
        known = first.setdefault(rule.id, rule)
        if known is not rule:
            twice.append(Refusal(origin=rule.origin, reason=f"its id {rule.id} is taken by {known.origin}"))
    return list(first.values()), twice


def linked_of(
    rules: list[Rule], correlations: list[Correlation], places: Places
) -> tuple[tuple[Correlation, ...], list[Refusal]]:
    """Correlations with the ids of what they refer to; one that refers to a refused one is refused too."""
    waiting: list[Correlation] = list(correlations)
    refused: list[Refusal] = []
    good: list[tuple[Correlation, Correlation]] = []
    while waiting:
        known = _Names((*rules, *waiting), places)
        good, bad = [], []
        for correlation in waiting:
            try:
                good.append((correlation, resolved(correlation, known.as_meant_by(correlation))))
            except CorrelationError as error:
                bad.append(Refusal(origin=correlation.origin, reason=str(error)))
        refused += bad
        if not bad:
            break
        waiting = [written for written, _ in good]
    ordered, circle = in_order(done for _, done in good)
    refused += [Refusal(origin=c.origin, reason="it refers to itself through other correlations") for c in circle]
    return ordered, refused


class _Names:
    """What rules are called. A name means the rule of the same folder, else the first: an imported set must not put
    a rule of its own in the place of one of ours by calling it the same."""

    def __init__(self, rules: Iterable[AnyRule], places: Places) -> None:
        self._places = places
        ordered = sorted(rules, key=places.order_of)
        self._first: dict[str, str] = {}
        self._of: dict[str, dict[str, str]] = {}
        called = [(name, rule) for kind in ("id", "name", "title") for rule in ordered if (name := getattr(rule, kind))]
        for name, rule in called:
            self._of.setdefault(places.of(rule), {}).setdefault(name, rule.id)
            self._first.setdefault(name, rule.id)

    def as_meant_by(self, correlation: Correlation) -> Mapping[str, str]:
        return ChainMap(self._of.get(self._places.of(correlation), {}), self._first)
