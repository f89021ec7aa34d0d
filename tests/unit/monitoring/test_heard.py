"""What is counted in batches is what is counted one by one."""

from __future__ import annotations

import pickle

from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.heard import GRAIN_S, Heard
from monitoring.heartbeat import Heartbeat
from tests.unit.monitoring.lab import province

T0 = 1_795_000_000.0
KNOWN = {"canh.source.known": True, "canh.source.kind": "declared"}


def test_events_count_by_how_they_came_from_where_and_under_which_name() -> None:
    heard = Heard()
    for n in range(5):
        heard.add("syslog-udp", "10.0.0.1", T0 + n, {**KNOWN, "host.name": "dc-r1"})
    heard.add("syslog-tcp", "10.0.0.1", T0, {**KNOWN, "host.name": "dc-r1"})
    heard.add("syslog-udp", "10.9.9.9", T0, {"canh.source.kind": "undeclared", "canh.source.claimed": "x"})
    heard = pickle.loads(pickle.dumps(heard))
    assert {tuple(sender): n for sender, n in heard.counts()} == {
        ("syslog-udp", "10.0.0.1", "declared", "", "dc-r1"): 5,
        ("syslog-tcp", "10.0.0.1", "declared", "", "dc-r1"): 1,
        ("syslog-udp", "10.9.9.9", "undeclared", "x", ""): 1,
    }
    assert {device for _, device, _ in heard.moments()} == {"dc-r1"}


def test_thousands_of_events_of_a_minute_are_as_many_moments_as_it_has_seconds() -> None:
    heard = Heard()
    for n in range(6000):
        heard.add("syslog-udp", "10.0.0.1", T0 + n / 100, {**KNOWN, "host.name": "dc-r1"})
    assert len(heard.moments()) <= 62
    assert heard.moments()[0][0] == T0 and heard.moments()[-1][0] == T0 + 59.99


events = st.lists(
    st.tuples(st.floats(0.01, 3000.0), st.sampled_from(["dc-r1", "dc-r2"]), st.sampled_from(["udp", "tcp"])),
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(events=events)
def test_the_heartbeat_learns_the_same_pauses_of_both(events: list[tuple[float, str, str]]) -> None:
    one, several = (Heartbeat(dict.fromkeys(province().devices), learned={}, silent={}, now_s=T0) for _ in range(2))
    heard, at_s = Heard(), T0
    for pause_s, device, receiver in events:
        at_s += pause_s
        one.saw(device, at_s)
        heard.add(receiver, "10.0.0.1", at_s, {**KNOWN, "host.name": device})
    for at, device, _ in heard.moments():
        several.saw(device, at)
    exact, learned = one.learned()["sources"], several.learned()["sources"]
    assert exact.keys() == learned.keys()
    for device, (first_s, last_s, pauses) in exact.items():
        assert learned[device][:2] == [first_s, last_s]
        for day, pause_s in pauses.items():
            assert pause_s - 0.1 <= learned[device][2][day] <= pause_s + GRAIN_S + 0.1
