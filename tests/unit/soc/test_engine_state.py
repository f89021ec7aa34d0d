"""Whatever the order of arrival, wherever it is killed, however little fits memory: the same alerts, counts, events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.event import Event
from soc.detection import Detection
from soc.outbox import Outbox
from soc.sigma import RuleSet
from soc.sigma.correlator import Correlator
from tests.unit.soc.engine_support import START, Remembered, event, rules_of

LATENESS = 2.0
FEEDER = """
    title: Rule {name}
    id: 00000000-0000-4000-8000-00000000000{number}
    name: {name}
    logsource: {{category: authentication}}
    detection:
        selection: {{event.action: "{name}"}}
        condition: selection
    level: informational
"""
COUNTED = """
    title: {name}
    id: 00000000-0000-4000-8000-0000000000{number}
    name: {name}
    correlation:
        type: {kind}
        rules: {rules}
        group-by: {group}
        timespan: {span}
        condition: {condition}
    level: high
"""


def _counted(number: int, kind: str, condition: str, rules: str, group: str = "[source.ip]", span: str = "10s") -> str:
    name = f"c{number}"
    return COUNTED.format(name=name, number=number, kind=kind, condition=condition, rules=rules, group=group, span=span)


FEEDERS = tuple(FEEDER.format(name=name, number=number) for number, name in enumerate("abc", 1))
TEXTS = (
    *FEEDERS,
    _counted(10, "event_count", "{gte: 3}", "[a, b]"),
    _counted(11, "value_count", "{field: user.name, gte: 2}", "[a]", span="1m"),
    _counted(12, "temporal", "{gte: 2}", "[a, b, c]", group="[user.name]"),
    _counted(13, "temporal_ordered", "{gte: 3}", "[a, b, c]", group="[]", span="30s"),
    _counted(14, "value_sum", "{field: n, gt: 9}", "[b, c]"),
    _counted(15, "value_percentile", "{field: n, percentile: 75, gte: 6}", "[a, c]", group="[]"),
    _counted(16, "temporal", "a and not b", "[a, b]", span="5s"),
    _counted(17, "temporal_ordered", "a and b and not c", "[a, b, c]", span="8s"),
    _counted(20, "value_count", "{field: source.ip, gte: 2}", "[c10]", group="[]", span="2m"),
    _counted(21, "temporal_ordered", "{gte: 2}", "[c20, a]", group="[]", span="1m"),
    _counted(22, "event_count", "{gte: 2}", "[c16]", group="[]", span="1m"),
)
_RULES: dict[str, RuleSet] = {}


def rules(factory: pytest.TempPathFactory, *, more: bool = False) -> RuleSet:
    """All kinds, expressions and chains of three. more: and one that nothing feeds."""
    if str(more) not in _RULES:
        texts = (*TEXTS, FEEDER.format(name="d", number=4)) if more else TEXTS
        _RULES[str(more)] = rules_of(factory.mktemp("rules"), *texts)
        assert not _RULES[str(more)].refused
    return _RULES[str(more)]


def streams() -> st.SearchStrategy[list[Event]]:
    """In order of receiving, each within the lateness of its time; equal times and bursts are common."""
    times = st.one_of(
        st.integers(0, 20), st.integers(0, 400).map(lambda t: t * 1.0), st.integers(0, 9000).map(lambda t: t / 1000)
    )
    one = st.tuples(
        times,
        st.sampled_from("abc"),
        st.sampled_from("12"),
        st.sampled_from("xy"),
        st.integers(0, 9),
        st.integers(0, 2000),
    )
    return st.lists(one, min_size=1, max_size=40).map(
        lambda drawn: sorted((_event(n, *one) for n, one in enumerate(drawn)), key=lambda e: (e.received, e.id))
    )


def _event(number: int, at: float, action: str, ip: str, user: str, n: int, delay_ms: int) -> Event:
    return event(
        number, at, received=at + delay_ms / 1000, event__action=action, event__category=("authentication",),
        source__ip=f"10.0.0.{ip}", user__name=user, n=n,
    )  # fmt: skip


class Process:
    """Detection on a disk, that can be killed: what was not committed is gone."""

    def __init__(self, folder: Path, rules: RuleSet, cases: Remembered, most_groups: int) -> None:
        self.folder, self.rules, self.cases, self.most_groups = folder, rules, cases, most_groups
        self.start()

    def start(self) -> None:
        self.outbox = Outbox(self.folder / "detect.db")
        self.outbox._db.execute("PRAGMA synchronous=OFF")
        self.detection = Detection(self.rules, timedelta(seconds=LATENESS))
        self.detection.correlator._most_groups = self.most_groups
        self.outbox.restore(self.detection)
        self.position = self.outbox.positions().get("s", 0)

    def kill(self) -> None:
        self.outbox.close()
        self.start()

    def take(self, events: Sequence[Event], n: int) -> None:
        batch = events[self.position : self.position + n]
        self.detection.take(batch, START)
        self.position += len(batch)
        if batch:
            self.detection.advance(round(batch[-1].received.timestamp() * 1_000_000), START)

    def commit(self) -> None:
        self.outbox.commit(self.detection, {"s": self.position}, {}, self.detection.counters())

    def deliver(self) -> None:
        while alerts := self.outbox.undelivered():
            self.cases.deliver(alerts)
            self.outbox.delivered(alert.id for alert in alerts)

    def deliver_and_die(self) -> None:
        """Handed over, and killed before that is written down."""
        self.cases.deliver(self.outbox.undelivered())
        self.kill()

    def reload(self, rules: RuleSet) -> None:
        self.commit()
        assert len(self.detection.replace_rules(rules)) <= 1  # the one that nothing feeds
        self.rules = rules
        self.commit()

    def finish(self, events: Sequence[Event]) -> None:
        self.take(events, len(events))
        self.detection.flush(START)
        self.commit()
        self.deliver()
        self.outbox.close()


def alerts_of(folder: Path, rules: RuleSet, events: Sequence[Event]) -> set[tuple[object, ...]]:
    cases = Remembered()
    Process(folder, rules, cases, Correlator([], lambda _: "")._most_groups).finish(events)
    return cases.facts()


@settings(max_examples=40, deadline=None)
@given(streams())
def test_any_order_of_arrival_within_the_lateness_raises_the_same(
    tmp_path_factory: pytest.TempPathFactory, stream: list[Event]
) -> None:
    at_once = [Event({**e.fields, "event.ingested": e.fields["@timestamp"]}) for e in stream]
    in_time = sorted(at_once, key=lambda e: (e.received, e.id))
    known = rules(tmp_path_factory)
    expected = alerts_of(tmp_path_factory.mktemp("in-time"), known, in_time)
    assert alerts_of(tmp_path_factory.mktemp("delayed"), known, stream) == expected


OPERATIONS = st.one_of(
    st.tuples(st.just("take"), st.integers(1, 9)),
    st.tuples(st.sampled_from(["commit", "commit", "deliver", "kill", "deliver_and_die", "reload"]), st.none()),
)


@settings(max_examples=40, deadline=None)
@given(streams(), st.lists(OPERATIONS, max_size=25), st.sampled_from([1, 3, 1000]))
def test_killed_reloaded_and_short_of_memory_it_raises_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    stream: list[Event],
    operations: list[tuple[str, int | None]],
    most_groups: int,
) -> None:
    cases = Remembered()
    torn = Process(tmp_path_factory.mktemp("torn"), rules(tmp_path_factory), cases, most_groups)
    for name, n in operations:
        if name == "take":
            torn.take(stream, n or 0)
        elif name == "reload":
            torn.reload(rules(tmp_path_factory, more=len(torn.rules.rules) == 3))
        else:
            getattr(torn, name)()
    torn.finish(stream)
    assert cases.facts() == alerts_of(tmp_path_factory.mktemp("whole"), rules(tmp_path_factory), stream)
