"""What asks a store for detection asks Elasticsearch as it asks the embedded one: scheduled rules, replay."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from pathlib import Path

from monitoring.elastic import ElasticSettings, ElasticStore, ElasticWriter
from monitoring.store import EventStore, Store, StoreWriter
from soc.cases import CaseStore
from soc.scheduled import Runner, Scheduled
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
    login(NOW - timedelta(minutes=5), "x", "elsewhere", more={"event.action": "other"}),
]


def told(store: EventStore, place: Path, which: Scheduled) -> set[tuple[object, ...]]:
    """What a rule raises over a store."""
    cases = CaseStore(place)
    runner = Runner(store, place, cases, clock=lambda: NOW)
    ran = runner.run(which)
    runner.close()
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
