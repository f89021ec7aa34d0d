"""Pure: what the facts of an asset say about a control.

A fact that is not there, a collector that gave nothing, an asset that did not answer: each is a
reason why the control is not satisfied, never a reason to pass.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from compliance.model import Control, Expectation, Facts, Finding, Result

_ABSENT = object()


@dataclass(frozen=True, slots=True)
class _Miss:
    """Why a comparison does not hold, for the message."""

    extra: Sequence[object] = ()
    missing: Sequence[object] = ()


class Reason(NamedTuple):
    """Why a control is not satisfied, in both languages."""

    en: str
    vi: str


def judge(control: Control, asset: str, facts: Facts, declared: Facts, errors: Sequence[Reason] = ()) -> Finding:
    """What `control` finds on `asset`.

    facts: what its collectors saw, by dotted name. declared: what the inventory says, named "$declared.x" in the
    control. errors: collectors that gave nothing, each with its reason.
    """
    reasons = list(errors) or [
        reason for e in control.expectations if (reason := _unmet(e, facts, declared)) is not None
    ]
    return Finding(
        control=control.slug,
        asset=asset,
        result=Result.NOT_SATISFIED if reasons else Result.SATISFIED,
        details=tuple(reason.en for reason in reasons),
        details_vi=tuple(reason.vi for reason in reasons),
    )


def _unmet(expectation: Expectation, facts: Facts, declared: Facts) -> Reason | None:
    actual = facts.get(expectation.fact, _ABSENT)
    if actual is _ABSENT:
        return Reason(f"no data for {expectation.fact}", f"không có dữ liệu về {expectation.fact}")
    wanted = _resolved(expectation.value, declared)
    if wanted is _ABSENT:
        return Reason(
            f"the inventory does not declare {expectation.value}", f"kiểm kê không khai báo {expectation.value}"
        )
    miss = OPERATORS[expectation.operator](actual, wanted)
    if miss is None:
        return None
    words = {"actual": _short(actual), "extra": _short(miss.extra), "missing": _short(miss.missing)}
    return Reason(expectation.otherwise.format(**words), expectation.otherwise_vi.format(**words))


def _resolved(value: object, declared: Facts) -> object:
    if isinstance(value, str) and value.startswith("$declared."):
        return declared.get(value.removeprefix("$declared."), _ABSENT)
    return value


def _short(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Collection) and not isinstance(value, Mapping):
        items = [str(v) for v in value]
        return ", ".join(items[:10]) + (f" and {len(items) - 10} more" if len(items) > 10 else "")
    return str(value)


# Operators: None when it holds, else what is too much or missing


def _holds(test: Callable[[object, object], bool]) -> Callable[[object, object], _Miss | None]:
    return lambda actual, wanted: None if test(actual, wanted) else _Miss()


def _number(value: object) -> float:
    """What is no number becomes nan, which compares false with everything: not satisfied."""
    try:
        return float(value) if isinstance(value, int | float | str) else float("nan")
    except ValueError:
        return float("nan")


def _list(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple | set | frozenset) else [value]


def _subset(actual: object, wanted: object) -> _Miss | None:
    allowed = _list(wanted)
    extra = [item for item in _list(actual) if item not in allowed]
    return _Miss(extra=extra) if extra else None


def _superset(actual: object, wanted: object) -> _Miss | None:
    have = _list(actual)
    missing = [item for item in _list(wanted) if item not in have]
    return _Miss(missing=missing) if missing else None


def _none_match(actual: object, wanted: object) -> _Miss | None:
    bad = [item for item in _list(actual) if re.search(str(wanted), str(item))]
    return _Miss(extra=bad) if bad else None


OPERATORS: Mapping[str, Callable[[object, object], _Miss | None]] = {
    "equals": _holds(lambda actual, wanted: actual == wanted),
    "in": _holds(lambda actual, wanted: actual in _list(wanted)),
    "at_least": _holds(lambda actual, wanted: _number(actual) >= _number(wanted)),
    "at_most": _holds(lambda actual, wanted: _number(actual) <= _number(wanted)),
    "matches": _holds(lambda actual, wanted: re.search(str(wanted), str(actual)) is not None),
    "subset_of": _subset,
    "contains": _superset,
    "none_match": _none_match,
}
