"""From a silence to an event in the store: once, whatever is killed between."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from inventory.model import Province, Role
from monitoring import watch
from monitoring.pipeline import Pipeline
from monitoring.senders import MOST_NAMES, MOST_PEERS, OTHER, Senders, suspicion_of
from monitoring.spool import Received, Spool, SpoolReader
from monitoring.stats import balance_of
from monitoring.store import Store, writer
from monitoring.storing import Storer
from monitoring.watch import Watch
from tests.unit.monitoring.lab import ROUTER, SERVER, province

T0 = 1_795_000_000.0


@pytest.fixture
def hasty() -> Province:
    """Whose routers must speak every minute; nobody else is declared."""
    policy = replace(province().policy, silent_after={Role.DISTRIBUTION: timedelta(seconds=60)})
    return replace(province(), policy=policy)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    now = [T0]
    monkeypatch.setattr(watch.time, "time", lambda: now[0])
    monkeypatch.setattr(watch.time, "monotonic", lambda: now[0])
    yield now


def said(data_dir: Path) -> list[tuple[str, str]]:
    records, _ = SpoolReader(data_dir / "spool" / watch.SPOOL).read(0, 1000)
    return [(json.loads(r.raw)["kind"], json.loads(r.raw)["device"]) for r in records]


def silenced(made: Watch, clock: list[float]) -> None:
    """dc-r1 speaks, then a minute and more passes."""
    made.look(clock[0])
    made.saw("dc-r1", "syslog-udp", clock[0])
    made.saw("dc-r2", "syslog-udp", clock[0] + 70)
    for _ in range(14):
        clock[0] += 5
        made.look(clock[0])


@pytest.mark.parametrize("killed", ["before the commit", "before it is said", "while it is said", "after"])
def test_a_silence_is_said_once_wherever_it_is_killed(
    killed: str, hasty: Province, tmp_path: Path, clock: list[float]
) -> None:
    made = Watch(hasty, tmp_path, {})
    silenced(made, clock)
    checkpoint: dict[str, object] = {}
    if killed != "before the commit":
        checkpoint = json.loads(json.dumps(made.document()))
    if killed in ("while it is said", "after"):
        made.committed()
    made._spool.close()
    again = Watch(hasty, tmp_path, checkpoint)
    if killed == "before the commit":
        assert not said(tmp_path)
        again.saw("dc-r1", "syslog-udp", clock[0])
        silenced(again, clock)
        again.committed()
    assert said(tmp_path).count(("source-silent", "dc-r1")) == 1
    for _ in range(20):
        clock[0] += 5
        again.look(clock[0])
    again.committed()
    assert said(tmp_path).count(("source-silent", "dc-r1")) == 1
    again.saw("dc-r1", "syslog-udp", clock[0])
    again.look(clock[0])
    again.committed()
    assert said(tmp_path)[-1] == ("source-returned", "dc-r1")
    again.close()


def test_it_is_an_event_of_the_device_in_the_store_and_balances(
    hasty: Province, tmp_path: Path, clock: list[float]
) -> None:
    spool = Spool(tmp_path / "spool/collector")
    line = b"<38>1 2026-11-22T03:19:58Z dc-r1 sshd 1 - -  Server listening on 0.0.0.0 port 22."
    sink = writer(tmp_path)
    storer = Storer(tmp_path, Pipeline(hasty, tmp_path).event_of, sink, province=hasty)
    storer.step()
    spool.append([Received(line, int(clock[0] * 1e6), "syslog-udp", ROUTER, 514)])
    for _ in range(20):
        storer.step()
        clock[0] += 5
    storer.step()
    storer.commit()
    storer.close()
    sink.close()
    spool.close()
    found = list(Store(tmp_path).search('event.action:"source-silent" AND host.name:dc-r1', limit=10))
    assert len(found) == 1
    assert found[0].text("canh.site") == "dc"
    assert found[0].text("message") == "dc-r1 has sent no log for 65 s (usual: 60 s at most)"
    assert balance_of(tmp_path).balances


def test_polls_and_our_own_words_are_no_sign_of_life(hasty: Province, tmp_path: Path, clock: list[float]) -> None:
    made = Watch(hasty, tmp_path, {})
    for receiver in ("snmp-poll", "canh"):
        made.saw("dc-r1", receiver, clock[0])
    assert not made.heartbeat.learned()["sources"]
    made.close()


def test_suspicions_tell_nat_forged_and_undeclared_apart() -> None:
    senders = Senders()
    senders.add("syslog-udp", "10.9.9.1", "undeclared", "")
    for name in ("a", "b"):
        senders.add("syslog-tcp", "10.9.9.2", "undeclared", name)
    senders.add("syslog-udp", SERVER, "claims-other", "core1")
    senders.add("syslog-tcp", ROUTER, "claims-other", "core1")
    senders.add("syslog-tcp", "10.9.9.3", "relayed-undeclared", "c")
    found = {peer: suspicion_of(known) for peer, known in senders.document().items()}
    assert found == {
        "10.9.9.1": "undeclared",
        "10.9.9.2": "nat-or-relay",
        SERVER: "forged",
        ROUTER: "other-name",
        "10.9.9.3": "",
    }


def test_a_flood_of_senders_and_names_is_bounded_and_counted() -> None:
    senders = Senders()
    for n in range(MOST_PEERS + 50):
        senders.add("syslog-udp", f"peer {n}", "undeclared", "")
    for n in range(MOST_NAMES + 5):
        senders.add("syslog-udp", "peer 0", "undeclared", f"name {n}")
    again = Senders(json.loads(json.dumps(senders.document()))).document()
    assert len(again) == MOST_PEERS + 1
    assert again[OTHER]["kinds"] == {"undeclared": 50}
    assert (len(again["peer 0"]["names"]), again["peer 0"]["unnamed"]) == (MOST_NAMES, 5)


def test_a_clock_that_is_set_back_stops_no_look(
    hasty: Province, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Watch(hasty, tmp_path, {})
    passed = watch.time.monotonic() + watch.LOOK_S
    monkeypatch.setattr(watch.time, "time", lambda: T0 - 86_400)
    monkeypatch.setattr(watch.time, "monotonic", lambda: passed)
    assert made.is_due
    made.close()
