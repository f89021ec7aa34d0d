"""Conditions as expressions over rule names: every way to hold, and nothing else."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc.pending import MOST_OF_A_GROUP, Pending
from soc.sigma.correlation_document import CorrelationError, correlation_of
from soc.sigma.correlator import Correlator
from soc.sigma.expression import ExpressionError, named_in, terms_of
from soc.sigma.rule import Origin, Term
from tests.unit.soc.correlation_support import Seen, correlations_of, ours

RULES = ("a", "b", "c", "recon_x", "recon_y")


def expressions() -> st.SearchStrategy[str]:
    leaves = st.sampled_from([*RULES, "1 of recon_*", "all of recon_*", "2 of them", "any of *"])
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.builds("not {}".format, inner.map(lambda text: f"({text})")),
            st.builds("({} and {})".format, inner, inner),
            st.builds("({} or {})".format, inner, inner),
        ),
        max_leaves=6,
    )


def truth(text: str, there: frozenset[str]) -> bool:
    """By Python's own and, or and not."""

    def counted(found: re.Match[str]) -> str:
        pattern = "" if found[2] in ("*", "them") else found[2].rstrip("*")
        names = [rule for rule in RULES if rule.startswith(pattern)]
        least = {"all": len(names), "any": 1}.get(found[1]) or int(found[1])
        return str(sum(name in there for name in names) >= least)

    plain = re.sub(r"(\d|all|any) of (\S+?)(?=[\s)]|$)", counted, text)
    return bool(eval(re.sub(r"\b(recon_[xy]|[abc])\b", lambda f: str(f[0] in there), plain)))


@given(expressions())
def test_the_terms_hold_exactly_when_the_expression_does(text: str) -> None:
    whole = f"({text}) and 1 of *"  # speaks of every rule, and needs one
    subsets = [frozenset(some) for n in range(6) for some in itertools.combinations(RULES, n)]
    expected = {there for there in subsets if truth(whole, there)}
    try:
        terms = terms_of(whole, RULES, ordered=False)
    except ExpressionError as error:
        assert "more than" in str(error) or not expected
        return
    assert {t for t in subsets if any(t >= set(term.has) and t.isdisjoint(term.lacks) for term in terms)} == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a and", "ends too early"),
        ("(a and b", "ends too early"),
        ("(a b", "is not closed"),
        ("a and b c", "'c' is not expected"),
        ("a and other", "'other' is none of rules"),
        ("a", "does not speak of b, c"),
        ("not a and not b and not c", "would hold without any match"),
        ("a and b and c and not a", "can never hold"),
        ("4 of them", "there are 3"),
        ("x of them", "a number, any or all"),
        ("1 of z* or a or b or c", "fits none of rules"),
    ],
)
def test_a_condition_that_means_nothing_is_refused_with_its_reason(text: str, said: str) -> None:
    with pytest.raises(ExpressionError, match=re.escape(said)):
        terms_of(text, ("a", "b", "c"), ordered=False)


def test_the_place_in_rules_says_where_a_match_must_not_be() -> None:
    (term,) = terms_of("a and c and not x and not b and not z", ("x", "a", "b", "c", "z"), ordered=True)
    assert term == Term(has=("a", "c"), before=("x",), between=("b",), after=("z",))


def test_rules_may_stand_in_the_expression_alone() -> None:
    assert named_in("(Logins and not 1 of admin_*) or scan") == ("Logins", "scan")
    document = _document("temporal", None, "a and not b")
    (correlation,) = correlations_of([document])
    assert correlation.rules == ("a", "b")


def _document(kind: str, rules: list[str] | None, condition: Any, span: str = "10s", **more: Any) -> dict[str, Any]:
    listed = {} if rules is None else {"rules": rules}
    body = {"type": kind, **listed, "group-by": [], "timespan": span, "condition": condition, **more}
    return {"title": "t", "id": "u", "correlation": body}


def _at(*moments: tuple[float, str]) -> list[Seen]:
    return [Seen(id=f"{n}", at_us=round(at * 1e6), rule=rule, fields={}) for n, (at, rule) in enumerate(moments)]


@pytest.mark.parametrize(
    ("kind", "rules", "moments", "fires"),
    [
        ("temporal", ["a", "b"], [(0, "a")], True),
        ("temporal", ["a", "b"], [(0, "a"), (10, "b")], False),  # follows within the timespan
        ("temporal", ["a", "b"], [(0, "a"), (10.001, "b")], True),
        ("temporal", ["a", "b"], [(0, "b"), (10, "a")], False),  # went before
        ("temporal", ["a", "b"], [(0, "b"), (10.001, "a")], True),
        ("temporal_ordered", ["a", "b"], [(0, "b"), (1, "a")], True),  # b must not follow: it went before
        ("temporal_ordered", ["a", "b"], [(0, "a"), (10, "b")], False),
        ("temporal_ordered", ["b", "a"], [(0, "b"), (1, "a")], False),  # b must not go before
        ("temporal_ordered", ["b", "a"], [(0, "a"), (1, "b")], True),
        ("temporal_ordered", ["b", "a"], [(0, "a"), (0, "b")], False),  # at the same moment: who knows
    ],
)
def test_not_looks_where_the_type_and_the_order_say(
    kind: str, rules: list[str], moments: list[tuple[float, str]], fires: bool
) -> None:
    correlations = correlations_of([_document(kind, rules, "a and not b")])
    assert bool(ours(correlations, _at(*moments))) == fires


def test_between_means_between_the_first_and_the_last() -> None:
    correlations = correlations_of([_document("temporal_ordered", ["a", "b", "c"], "a and c and not b")])
    assert ours(correlations, _at((0, "a"), (1, "c")))
    assert not ours(correlations, _at((0, "a"), (1, "b"), (2, "c")))
    assert ours(correlations, _at((0, "b"), (1, "a"), (2, "c"), (3, "b")))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"condition": "a and b", "type": "event_count"}, "needs a threshold"),
        ({"rules": ["a", "a"]}, "listed twice"),
        ({"rules": []}, "the rules it counts are expected"),
        ({"timespan": "5x"}, "s, m, h, d, w, M, y"),
        ({"timespan": "11y"}, "longer than ten years"),
        ({"timespan": "0s"}, "s, m, h, d, w, M, y"),
        ({"condition": {"gte": 60_000}, "type": "event_count"}, "never holds"),
        ({"condition": {"gte": 1, "field": ["n", "m"]}, "type": "value_sum"}, "counts the values of one field"),
        ({"condition": {"gte": float("nan")}, "type": "event_count"}, "a number is expected"),
        ({"condition": {"gte": 1}, "type": "value_avg"}, "needs the field"),
        ({"condition": {"percentile": 101, "field": "n", "gte": 1}, "type": "value_percentile"}, "from 0 to 100"),
    ],
)
def test_a_correlation_that_cannot_count_is_refused_with_its_reason(change: Mapping[str, Any], said: str) -> None:
    document = _document("temporal", ["a", "b"], None)
    document["correlation"] |= change
    with pytest.raises(CorrelationError, match=re.escape(said)):
        correlation_of(document, Origin(path=Path("rule.yml")), "")


def test_a_flood_of_one_group_is_looked_at_in_part_and_counted() -> None:
    buffer = Pending(0)
    correlator = Correlator(correlations_of([_document("temporal", ["a", "b"], "a and not b")]), lambda _: "")
    for seen in _at(*((n / 1000, "a") for n in range(1500))):
        correlator.take(seen.sighting)
        for later in correlator.later():
            buffer.add(later)
    assert (buffer.judgements, buffer.unjudged) == (MOST_OF_A_GROUP, 500)
    assert len(list(buffer.everything())) == MOST_OF_A_GROUP
    assert not buffer._of_group


def test_an_alias_of_the_counted_field_is_looked_up_by_rule_and_one_of_a_stranger_refused() -> None:
    document = _document("value_count", ["a", "b"], {"field": "who", "gte": 2})
    document["correlation"]["aliases"] = {"who": {"a": "src", "b": "dst"}}
    correlations = correlations_of([document])
    pairs = [("a", {"src": "1", "dst": "2"}), ("b", {"src": "9", "dst": "1"}), ("b", {"dst": "3"})]
    seen = [Seen(id=str(n), at_us=n, rule=rule, fields=fields) for n, (rule, fields) in enumerate(pairs)]
    assert not ours(correlations, seen[:2])
    assert ours(correlations, seen)
    document["correlation"]["aliases"]["who"]["c"] = "x"
    with pytest.raises(CorrelationError, match="aliases: c is none of rules"):
        correlations_of([document])


@pytest.mark.parametrize(("span", "seconds"), [("2w", 1209600), ("1M", 2629746), ("1y", 31556952), ("90m", 5400)])
def test_every_unit_of_timespan_is_known(span: str, seconds: int) -> None:
    (correlation,) = correlations_of([_document("temporal", ["a", "b"], None, span)])
    assert correlation.timespan.total_seconds() == seconds


HUGE = {
    "half of many": "20 of them",
    "not half of many": "r0 and not 20 of r*",
    "a product": f"({' or '.join(f'r{n}' for n in range(20))}) and ({' or '.join(f'r{n}' for n in range(20, 40))})",
    "of products": " and ".join(f"(r{n} or r{n + 1} or r{n + 2})" for n in range(0, 39, 3)) + " and r39",
}


@pytest.mark.parametrize("which", HUGE)
def test_an_expression_with_too_many_ways_to_hold_is_refused_without_making_them(which: str) -> None:
    """137 thousand million of them for the first: this test ends, or does not."""
    with pytest.raises(ExpressionError, match="more than 64 ways"):
        terms_of(HUGE[which], [f"r{n}" for n in range(40)], ordered=False)
