"""Who fell silent: one word at silence, one at return, learned or declared, through restarts."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.heartbeat import (
    DAY_S,
    LONGEST_S,
    NEVER_S,
    OUR_PAUSE_S,
    SHORTEST_S,
    UNKNOWN_S,
    Announcement,
    Heartbeat,
)

T0 = 1_795_000_000.0 // DAY_S * DAY_S
LOOK = 30.0


def watching(declared_s: float | None = None, *, now_s: float = T0) -> Heartbeat:
    return Heartbeat({"ce1": declared_s}, learned={}, silent={}, now_s=now_s)


def restarted(heartbeat: Heartbeat, now_s: float, declared_s: float | None = None) -> Heartbeat:
    learned = json.loads(json.dumps(heartbeat.learned()))
    return Heartbeat({"ce1": declared_s}, learned=learned, silent=dict(heartbeat.silent), now_s=now_s)


def run(heartbeat: Heartbeat, start_s: float, end_s: float, sends: set[float] | None = None) -> list[Announcement]:
    """Look every half minute from start to end; messages at the moments of `sends`."""
    told, at = [], start_s
    waiting = sorted(s for s in sends or () if start_s <= s < end_s)
    while at < end_s:
        while waiting and waiting[0] <= at:
            heartbeat.saw("ce1", waiting.pop(0))
        told += heartbeat.look(at)
        at += LOOK
    return told


def every(step_s: float, start_s: float, end_s: float) -> set[float]:
    return {start_s + n * step_s for n in range(int((end_s - start_s) / step_s))}


@given(pauses=st.lists(st.floats(1, 4000), min_size=1, max_size=60), limit=st.sampled_from([60.0, 600.0, 1800.0]))
@settings(max_examples=60, deadline=None)
def test_silences_and_returns_alternate_and_each_is_longer_than_the_limit(pauses: list[float], limit: float) -> None:
    heartbeat, at, sends = watching(limit), T0, []
    for pause in pauses:
        at += pause
        sends.append(at)
    told = run(heartbeat, T0, at + limit + 4 * LOOK, set(sends))
    kinds = [t.is_silent for t in told]
    assert kinds == [n % 2 == 0 for n in range(len(kinds))], "never two of a kind in a row, silence first"
    assert kinds[-1], "it ends silent"
    for silent in (t for t in told if t.is_silent):
        since = T0 if silent.last_s is None else silent.last_s
        assert limit < silent.at_s - since <= limit + 2 * LOOK
    longest = [b - a for a, b in zip([T0, *sends], sends, strict=False)]
    surely = sum(p > limit + 2 * LOOK for p in longest)
    possibly = sum(p > limit for p in longest)
    assert surely <= kinds.count(True) - 1 <= possibly


@given(cuts=st.sets(st.integers(1, 300), max_size=6), data=st.data())
@settings(max_examples=40, deadline=None)
def test_restarts_tell_nothing_twice(cuts: set[int], data: st.DataObject) -> None:
    silence = data.draw(st.integers(10, 200)) * LOOK
    sends = every(20, T0, T0 + 1000) | {T0 + 1000 + silence}
    heartbeat, told, at = watching(300.0), [], T0
    for cut in [*sorted(cuts), 400]:
        until = T0 + cut * LOOK
        if until <= at:
            continue
        told += run(heartbeat, at, until, {s for s in sends if at - LOOK < s <= until - LOOK})
        at = until
        heartbeat = restarted(heartbeat, at, 300.0)
    kinds = [t.is_silent for t in told]
    assert kinds == [n % 2 == 0 for n in range(len(kinds))]
    assert len(kinds) <= 3


def test_a_busy_source_is_missed_after_minutes_once_it_is_known() -> None:
    heartbeat = watching()
    assert not run(heartbeat, T0, T0 + 2 * DAY_S, every(20, T0, T0 + 2 * DAY_S))
    assert heartbeat.limit_s("ce1") == SHORTEST_S
    told = run(heartbeat, T0 + 2 * DAY_S, T0 + 2 * DAY_S + 3600)
    assert [t.is_silent for t in told] == [True]
    assert told[0].at_s - (told[0].last_s or 0) <= SHORTEST_S + 2 * LOOK


def test_a_new_source_is_given_an_hour() -> None:
    heartbeat = watching()
    run(heartbeat, T0, T0 + 600, every(20, T0, T0 + 600))
    assert heartbeat.limit_s("ce1") == UNKNOWN_S


def office_days(days: int) -> set[float]:
    """A machine that is on from 8 to 18 and says something every minute."""
    return {s for d in range(days) for s in every(60, T0 + d * DAY_S + 8 * 3600, T0 + d * DAY_S + 18 * 3600)}


def test_quiet_nights_become_usual_after_two_of_them() -> None:
    heartbeat = watching()
    told = run(heartbeat, T0, T0 + 7 * DAY_S, office_days(7))
    assert {int((t.at_s - T0) // DAY_S) for t in told} <= {0, 1, 2}, "the first nights only"
    assert heartbeat.limit_s("ce1") > 14 * 3600


def test_one_outage_does_not_become_usual() -> None:
    sends = every(20, T0, T0 + 2 * DAY_S) | every(20, T0 + 2.5 * DAY_S, T0 + 4 * DAY_S)
    heartbeat = watching()
    told = run(heartbeat, T0, T0 + 4 * DAY_S, sends)
    assert [t.is_silent for t in told] == [True, False]
    assert heartbeat.limit_s("ce1") == SHORTEST_S


def test_our_own_pause_counts_against_nobody() -> None:
    heartbeat = watching()
    run(heartbeat, T0, T0 + 2 * DAY_S, every(20, T0, T0 + 2 * DAY_S))
    back = restarted(heartbeat, T0 + 3 * DAY_S)
    assert not back.look(T0 + 3 * DAY_S), "we were away for a day"
    assert not run(back, T0 + 3 * DAY_S, T0 + 3 * DAY_S + 200)
    back.saw("ce1", T0 + 3 * DAY_S + 210)
    assert back.limit_s("ce1") == SHORTEST_S, "the day is not learned as a pause of its own"
    slept = OUR_PAUSE_S + SHORTEST_S + 1
    assert not back.look(T0 + 3 * DAY_S + 210 + slept), "a machine that was suspended"


def test_who_never_sent_anything_is_told_after_a_day() -> None:
    told = run(watching(), T0, T0 + NEVER_S + 3600)
    assert [(t.is_silent, t.last_s) for t in told] == [(True, None)]
    heartbeat = watching()
    run(heartbeat, T0, T0 + NEVER_S + 3600)
    heartbeat.saw("ce1", T0 + NEVER_S + 4000)
    (back,) = heartbeat.look(T0 + NEVER_S + 4000)
    assert (back.is_silent, back.last_s) == (False, None)


def test_the_limit_has_an_end() -> None:
    sends = {T0 + d * 10 * DAY_S for d in range(8)}
    heartbeat = watching()
    run(heartbeat, T0, T0 + 71 * DAY_S, sends)
    assert heartbeat.limit_s("ce1") <= LONGEST_S


def test_messages_out_of_order_and_strangers_change_nothing() -> None:
    heartbeat = watching(300.0)
    heartbeat.saw("ce1", T0 + 100)
    heartbeat.saw("ce1", T0 + 50)
    heartbeat.saw("nobody", T0 + 100)
    assert heartbeat.learned()["sources"].keys() == {"ce1"}
    assert heartbeat.learned()["sources"]["ce1"][1] == T0 + 100


@given(
    learned=st.dictionaries(
        st.sampled_from(["sources", "began_s", "looked_s"]),
        st.just({"ce1": 7}) | st.just({"ce1": [1, 2, {"x": 1}]}) | st.just({"ce1": None}),
    )
)
def test_a_damaged_memory_is_a_new_one(learned: dict[str, Any]) -> None:
    learned = {"sources": learned.get("sources", {})}
    heartbeat = Heartbeat({"ce1": None}, learned=learned, silent={}, now_s=T0)
    assert heartbeat.limit_s("ce1") == NEVER_S


def test_a_clock_that_was_a_month_ahead_and_is_set_right_hides_no_silence() -> None:
    ahead = T0 + 30 * DAY_S
    heartbeat = watching(600.0, now_s=ahead)
    assert not run(heartbeat, ahead, ahead + 900, every(20, ahead, ahead + 900))
    told = run(heartbeat, T0, T0 + 3000, every(20, T0, T0 + 300))
    assert [(t.is_silent, t.at_s - T0 < 1000) for t in told] == [(True, True)]
    told = run(restarted(heartbeat, T0 + 3000, 600.0), T0 + 3000, T0 + 6000, {T0 + 4000})
    assert [t.is_silent for t in told] == [False, True]
