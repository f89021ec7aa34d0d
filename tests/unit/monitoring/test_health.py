"""What the platform tells of itself: detection that stands still, rules that went, counters that grew, changes."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from monitoring.change_watch import ChangeWatch
from monitoring.health import AGAIN_S, BALANCE_S, BEHIND_LOOKS, BEHIND_OCTETS, LOOK_S, STOPPED_S, Health
from monitoring.receivers import Counters, Intake
from monitoring.spool import Received, Spool, SpoolReader
from monitoring.usage import message
from tests.unit.monitoring.lab import pipeline, record

NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)


def write(path: Path, document: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document), "utf-8")


def detect(data: Path, at: datetime, **facts: Any) -> None:
    write(data / "stats" / "detect.json", {"at": at.isoformat(), "rules": 10, "correlations": 2, **facts})


def heard(health: Health, now: datetime) -> list[dict[str, Any]]:
    """What is told now, and noted as told."""
    said = [json.loads(one.raw) for one in health.look(now)]
    health.note()
    return said


def test_detection_that_stands_still_is_told_once_and_when_it_is_back(tmp_path: Path) -> None:
    health = Health(tmp_path)
    assert heard(health, NOW) == []  # it never ran here
    detect(tmp_path, NOW)
    assert heard(health, NOW + timedelta(seconds=STOPPED_S - 1)) == []
    late = NOW + timedelta(seconds=STOPPED_S + 5)
    told = heard(health, late)
    assert [(t["kind"], t["state"], t["silent_s"]) for t in told] == [("detection-lag", "stopped", STOPPED_S + 5)]
    assert heard(Health(tmp_path), late + timedelta(minutes=5)) == []  # a restart tells nothing twice
    detect(tmp_path, late + timedelta(minutes=6))
    assert [t["state"] for t in heard(Health(tmp_path), late + timedelta(minutes=6))] == ["keeps-up"]


def test_a_burst_is_no_lag_but_two_minutes_behind_are(tmp_path: Path) -> None:
    health, states = Health(tmp_path), []
    backlog = [BEHIND_OCTETS] * (BEHIND_LOOKS - 1) + [0] + [BEHIND_OCTETS] * BEHIND_LOOKS + [BEHIND_OCTETS // 2, 0]
    for number, octets in enumerate(backlog):
        now = NOW + timedelta(seconds=number * LOOK_S)
        detect(tmp_path, now, octets_behind=octets)
        states += [(number, t["state"]) for t in heard(health, now)]
    assert states == [(2 * BEHIND_LOOKS - 1, "behind"), (len(backlog) - 1, "keeps-up")]


def test_another_rule_set_is_told_with_how_many_rules_went_and_are_refused(tmp_path: Path) -> None:
    health = Health(tmp_path)
    detect(tmp_path, NOW, rules_digest="a")
    assert heard(health, NOW) == []
    detect(tmp_path, NOW, rules_digest="b")
    assert [(t["fewer"], t["refused"]) for t in heard(health, NOW)] == [(0, 0)]
    detect(tmp_path, NOW, rules=9, rules_digest="c", refused_rules=["soc_rules/x/rule.yml: no"])
    told = heard(health, NOW)
    assert told == [{"kind": "rules-loaded", "rules": 11, "fewer": 1, "refused": 1, "more_refused": 1}]
    assert heard(health, NOW) == []


def test_counters_are_told_when_they_grow_and_not_more_often_than_every_ten_minutes(tmp_path: Path) -> None:
    health, collect = Health(tmp_path), tmp_path / "stats" / "collect.json"
    write(collect, {"dropped": {"kernel-buffer-full": {"syslog-udp 10.0.0.1": 5}}})
    assert heard(health, NOW) == []  # of before our time
    write(collect, {"dropped": {"kernel-buffer-full": {"syslog-udp 10.0.0.1": 6, "syslog-udp 10.0.0.2": 2}}})
    (told,) = heard(health, NOW)
    assert told == {"kind": "messages-dropped", "reason": "kernel-buffer-full", "count": 3, "in_all": 8}
    write(collect, {"dropped": {"kernel-buffer-full": {"syslog-udp 10.0.0.1": 9}, "spool-full": {"syslog-udp a": 1}}})
    assert [t["reason"] for t in heard(health, NOW + timedelta(seconds=AGAIN_S - 1))] == ["spool-full"]
    later = NOW + timedelta(seconds=AGAIN_S + 1)
    assert [(t["reason"], t["count"]) for t in heard(Health(tmp_path), later)] == [("kernel-buffer-full", 1)]


def test_what_detection_let_go_and_what_is_buried_is_told_by_reason(tmp_path: Path) -> None:
    health = Health(tmp_path)
    detect(tmp_path, NOW, groups_evicted=0, values_cut=0)
    write(tmp_path / "stats" / "store.json", {"spools": {}})
    heard(health, NOW)
    detect(tmp_path, NOW, groups_evicted=40, values_cut=0)
    write(tmp_path / "stats" / "store.json", {"spools": {"x": {"dead": {"no-event": {"syslog-udp a": 3}}}}})
    told = {(t["kind"], t["reason"]): t["count"] for t in heard(health, NOW)}
    assert told == {("correlation-evicted", "groups_evicted"): 40, ("letters-dead", "no-event"): 3}


def test_books_that_do_not_balance_are_told_after_a_second_look_and_when_they_balance_again(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool" / "collector")
    spool.append([Received(b"<38>x", 1, "syslog-udp", "10.0.0.1", 514)] * 3)
    spool_id = json.loads((tmp_path / "spool" / "collector" / "spool.json").read_text())["id"]
    stored = {"position": spool.counts()["position"], "stored": {"syslog-udp 10.0.0.1": 3}}
    spool.close()

    def store(count: int) -> None:
        stored["stored"] = {"syslog-udp 10.0.0.1": count}
        write(tmp_path / "stats" / "store.json", {"spools": {spool_id: stored}})

    health, hour = Health(tmp_path), timedelta(seconds=BALANCE_S + 1)
    store(3)
    assert heard(health, NOW) == []
    store(2)
    assert heard(health, NOW + hour) == []  # seen once is a doubt
    (told,) = heard(health, NOW + hour + timedelta(seconds=LOOK_S))
    assert (told["kind"], told["balances"], told["missing"]) == ("stats-checked", 0, 1)
    store(3)
    assert [t["balances"] for t in heard(health, NOW + 2 * hour + timedelta(minutes=1))] == [1]


def journal(data: Path, name: str, *lines: dict[str, Any]) -> None:
    path = data / "changes" / f"{name}.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")


def opened(at: datetime) -> dict[str, Any]:
    return {"event": "opened", "change_id": "c1", "at": at.isoformat(), "operator": "quantri", "devices": ["hh-ce1"]}


def changes(watch: ChangeWatch, now: datetime) -> list[tuple[str, str]]:
    said = [json.loads(one.raw) for one in watch.look(now)]
    return [(one["kind"], one.get("result", "")) for one in said]


def test_a_change_is_told_when_it_begins_and_ends_and_when_nobody_ends_it(tmp_path: Path) -> None:
    journal(tmp_path, "old", opened(NOW), {"event": "closed", "at": NOW.isoformat(), "result": "confirmed"})
    watch = ChangeWatch(tmp_path / "changes", None)
    assert changes(watch, NOW) == []  # of before our time
    journal(tmp_path, "one", opened(NOW))
    assert changes(watch, NOW) == [("change-opened", "")]
    watch = ChangeWatch(tmp_path / "changes", watch.document())
    assert changes(watch, NOW) == []
    assert changes(watch, NOW + timedelta(hours=2, minutes=1)) == [("change-overrun", "")]
    assert changes(watch, NOW + timedelta(hours=3)) == []
    journal(tmp_path, "one", opened(NOW), {"event": "closed", "at": NOW.isoformat(), "result": "reverted"})
    assert changes(watch, NOW + timedelta(hours=3)) == [("change-closed", "reverted")]
    assert changes(ChangeWatch(tmp_path / "changes", watch.document()), NOW + timedelta(hours=3)) == []


def test_a_change_that_began_and_ended_between_two_looks_is_told_whole(tmp_path: Path) -> None:
    watch = ChangeWatch(tmp_path / "changes", None)
    assert changes(watch, NOW) == []
    journal(tmp_path, "two", opened(NOW), {"event": "closed", "at": NOW.isoformat(), "result": "confirmed"})
    (tmp_path / "changes" / "torn.jsonl").write_text('{"event": "opened", "cha', "utf-8")
    assert changes(watch, NOW) == [("change-opened", ""), ("change-closed", "confirmed")]
    assert changes(watch, NOW) == []


def test_changes_and_counters_are_told_when_our_clock_was_ahead_and_is_put_back(tmp_path: Path) -> None:
    year, closed = timedelta(days=300), {"event": "closed", "at": NOW.isoformat(), "result": "confirmed"}
    begun = ["change-opened", "change-closed"]

    def kinds(now: datetime) -> list[str]:
        return [one["kind"] for one in heard(Health(tmp_path), now)]

    def made(name: str, at: datetime) -> None:
        journal(tmp_path, name, opened(NOW), closed)
        os.utime(tmp_path / "changes" / f"{name}.jsonl", ns=(0, round(at.timestamp() * 1e9)))

    detect(tmp_path, NOW + year, groups_evicted=0)
    assert kinds(NOW + year) == []
    made("ahead", NOW + year)
    detect(tmp_path, NOW + year, groups_evicted=5)
    assert kinds(NOW + year) == ["correlation-evicted", *begun]
    detect(tmp_path, NOW + year, groups_evicted=9)  # its last word is of next year
    assert kinds(NOW) == ["detection-lag", "correlation-evicted"]
    made("now", NOW + timedelta(seconds=1))
    assert kinds(NOW + timedelta(seconds=30)) == begun
    assert kinds(NOW + timedelta(seconds=60)) == []


def test_it_arrives_in_the_spool_and_a_rule_can_match_the_state(tmp_path: Path) -> None:
    detect(tmp_path, datetime.now(UTC) - timedelta(hours=1), octets_behind=77)

    async def work() -> None:
        spool = Spool(tmp_path / "spool" / "test")
        hold = Intake(spool, Counters(tmp_path / "stats" / "collect.json"))
        hold.start()
        watching = asyncio.create_task(Health(tmp_path).watch(hold))
        while not (tmp_path / "stats" / "health.json").exists():
            await asyncio.sleep(0.01)
        watching.cancel()
        await hold.stop()
        spool.close()

    asyncio.run(work())
    (kept,) = SpoolReader(tmp_path / "spool" / "test").read(0)[0]
    event = pipeline(tmp_path).event_of(record(kept.raw, receiver=kept.receiver, peer=kept.peer))
    assert event.get("event.action") == "detection-lag" and event.get("canh.detection.state") == "stopped"
    assert event.get("canh.detection.octets_behind") == 77 and event.get("event.dataset") == "canh.platform"


def test_counters_that_are_damaged_cost_no_receiving(tmp_path: Path) -> None:
    """A part that fails ends its process, so what others wrote may not make this one fail."""
    write(tmp_path / "stats" / "detect.json", {"at": "yesterday", "rules": "many"})

    async def work() -> None:
        spool = Spool(tmp_path / "spool" / "test")
        hold = Intake(spool, Counters(tmp_path / "stats" / "collect.json"))
        hold.start()
        watching = asyncio.create_task(Health(tmp_path).watch(hold))
        await asyncio.wait([watching], timeout=0.3)
        assert not watching.done()
        watching.cancel()
        await hold.stop()
        spool.close()

    asyncio.run(work())


def test_what_is_told_is_understood(tmp_path: Path) -> None:
    """Every kind written here has a meaning in the parser of our own messages."""
    from monitoring.parsers.canh_self.parser import _KINDS

    kinds = {"detection-lag", "rules-loaded", "correlation-evicted", "messages-dropped", "letters-dead"}
    assert kinds | {"stats-checked", "change-opened", "change-closed", "change-overrun"} <= set(_KINDS)
    assert json.loads(message("stats-checked", {"balances": 1}).raw)["kind"] in _KINDS
