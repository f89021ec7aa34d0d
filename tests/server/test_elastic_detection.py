"""What asks a store for detection asks Elasticsearch as it asks the embedded one: scheduled rules, replay."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from monitoring.elastic import ElasticSettings, ElasticStore, ElasticWriter
from monitoring.query import All, Not, Term
from monitoring.store import EventStore, Store, StoreWriter
from soc.cases import CaseStore
from soc.rulesets import Pair, retold
from soc.scheduled import Counts, Runner, Scheduled
from soc.scheduled.condition import node_of
from soc.sigma.hunt import Hunt
from tests.server.conftest import Node
from tests.unit.soc.engine_support import FAILED, correlation, rules_of
from tests.unit.soc.test_scheduled import NOW, history, login, rule

LOGIN = FAILED.replace(", event.outcome: failure", "")
EVENTS = [
    *history(20),
    *history(20, "lan", "r3"),  # and silent since
    *(login(NOW - timedelta(days=7 * week, minutes=30), f"u{n}", "r2") for week in range(5) for n in range(9)),
    login(NOW - timedelta(minutes=20), "minh"),
    login(NOW - timedelta(days=1, minutes=40), "binh"),
    *(  # the store was at work
        login(NOW - timedelta(hours=2 * n, minutes=33), "x", "elsewhere", more={"event.action": "other"})
        for n in range(50)
    ),
    login(NOW - timedelta(minutes=5), "x", "elsewhere", more={"event.action": "other"}),
]


def told(store: EventStore, place: Path, which: Scheduled) -> set[tuple[object, ...]]:
    """What a rule raises over a store."""
    cases = CaseStore(place)
    with closing(Counts.below(place)) as counts:
        ran = Runner(store, counts, cases, clock=lambda: NOW).run(which)
    cases.database.close()
    return {(a.id, a.group, a.count, a.first_seen, a.last_seen, tuple(e.id for e in a.events)) for a in ran.alerts}


def both(tmp_path: Path, server: Node) -> tuple[EventStore, EventStore]:
    settings = ElasticSettings(hosts=(server.url,), prefix=tmp_path.name.replace("_", "-"), replicas=0)
    for writer in (StoreWriter(tmp_path / "here"), ElasticWriter(tmp_path / "there", settings)):
        with closing(writer):
            assert writer.write(EVENTS) == ()
            writer.commit({})
    return Store(tmp_path / "here"), ElasticStore(settings)


def test_scheduled_rules_find_the_same_in_either_store(tmp_path: Path, server: Node) -> None:
    here, there = both(tmp_path, server)
    for number, which in enumerate(
        (rule(), rule("rare"), rule("absent"), rule("fell", over="35d", learn="7d", at_least=5), rule(most=1))
    ):
        found = told(here, tmp_path / f"a{number}", which)
        assert told(there, tmp_path / f"b{number}", which) == found
        assert found or which.kind == "fell", which.kind


def test_scheduled_rules_are_replayed_the_same_from_either_store(tmp_path: Path, server: Node) -> None:
    here, there = both(tmp_path, server)
    for which in (rule(every="4h"), rule("rare", every="12h"), rule("absent", every="6h"), rule("fell", over="35d")):
        pair = Pair(before=which, after=replace(which, node=All((which.node, Not(Term("user.name", "binh"))))))
        found = [
            [
                (effect.alerts, effect.events, effect.silenced, effect.silenced_samples, effect.asked)
                for effect in retold(
                    [pair], store, NOW - timedelta(days=3), NOW, passed=lambda *_: None, is_late=lambda _: False
                )
            ]
            for store in (here, there)
        ]
        assert found[0] == found[1]
        assert found[0][0][4] is not None and found[0][0][4].by_day
        assert found[0][0][0] == [1, 0] or which.kind != "first_seen"


def test_what_is_replayed_is_the_same_from_either_store(tmp_path: Path, server: Node) -> None:
    here, there = both(tmp_path, server)
    rules = rules_of(tmp_path / "rules", LOGIN, correlation("event_count", "{gte: 5}", group="[host.name]", span="1h"))
    assert not rules.refused
    chosen = node_of({"selection": {"event.action": "login"}, "condition": "selection"}, {})
    found = [
        [(f.rule.id, f.event_id, f.at) for f in Hunt(rules).take(store.scan(chosen, oldest_first=True))]
        for store in (here, there)
    ]
    assert found[0] == found[1]
    assert len(found[0]) >= 5  # nine logins in each of five weeks
