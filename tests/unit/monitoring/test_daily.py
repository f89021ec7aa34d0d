"""The figures of the day: computed from stored events by a program of its own, each day told once."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import uvloop

from inventory import load
from monitoring import daily
from monitoring.capacity import SLOTS
from monitoring.daily import Daily
from monitoring.links import wan_links
from monitoring.pipeline import Pipeline
from monitoring.receivers import Counters, Intake
from monitoring.spool import Spool, SpoolReader
from tests.unit.monitoring.lab import ROOT, province
from tests.unit.monitoring.test_links import LINK, NEAR, readings, stored

LAB = ROOT / "inventory/provinces/lab"
MIDNIGHT = datetime(2026, 3, 7, 17, tzinfo=UTC)  # the end of 7 March in Viet Nam
DAY = date(2026, 3, 7)


def made(data: Path) -> Daily:
    return Daily(province(), LAB, data)


def told(data: Path, say: Daily, meanwhile: Callable[[], object] = lambda: None) -> list[dict[str, object]]:
    """What a receiving process that does nothing else puts into its spool. meanwhile: called until the day is told."""

    async def work() -> None:
        spool = Spool(data / "spool" / "test")
        hold = Intake(spool, Counters(data / "stats" / "collect.json"))
        hold.start()
        watching = asyncio.create_task(say.watch(hold))
        async with asyncio.timeout(60):
            while json.loads((data / "stats/daily.json").read_text())["told"] != f"{DAY}":
                meanwhile()
                await asyncio.sleep(0.05)
        watching.cancel()
        await hold.stop()
        spool.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work())
    records, _ = SpoolReader(data / "spool" / "test").read(0)
    pipeline = Pipeline(province(), data)
    return [dict(pipeline.event_of(record).fields) for record in records]


def test_each_link_and_direction_is_an_event_of_its_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contract = province().links[LINK].bandwidth_bps
    week = readings([0.95 * contract] * SLOTS, start=(MIDNIGHT - timedelta(days=7)).timestamp())
    stored(tmp_path, NEAR, week)
    say = made(tmp_path)
    say.note(DAY - timedelta(days=1))
    due = say.due(MIDNIGHT + timedelta(minutes=10))
    monkeypatch.setattr(Daily, "due", lambda self, now: due)
    events = told(tmp_path, say)
    assert len(events) == 2 * len(wan_links(province()))
    into, out = (e for e in events if e["canh.interface.link"] == LINK)
    assert {"event.action", "canh.site"} <= into.keys()
    assert (into["event.action"], into["host.name"], into["network.direction"]) == ("kpi-computed", NEAR, "inbound")
    assert (into["canh.metric.name"], into["canh.metric.value"], into["event.outcome"]) == (
        "cpn04_p95_pct",
        95.0,
        "failure",
    )
    assert (out["canh.metric.value"], out["canh.metric.samples"], out["event.outcome"]) == (47.5, 2016, "success")
    other = next(e for e in events if e["canh.interface.link"] != LINK)
    assert "canh.metric.value" not in other and other["event.outcome"] == "unknown", "no data is no verdict"


def test_a_day_is_told_ten_minutes_after_its_end_and_once(tmp_path: Path) -> None:
    say = made(tmp_path)
    assert say.due(MIDNIGHT) == (), "the first day begins when we do"
    assert say.due(MIDNIGHT + timedelta(minutes=9)) == ()
    assert say.due(MIDNIGHT + timedelta(minutes=10)) == (DAY,)
    assert made(tmp_path).due(MIDNIGHT + timedelta(hours=23)) == (DAY,)
    say.note(DAY)
    assert made(tmp_path).due(MIDNIGHT + timedelta(hours=23)) == ()


def test_missed_days_follow_a_week_of_them_at_most(tmp_path: Path) -> None:
    say = made(tmp_path)
    say.note(DAY)
    later = MIDNIGHT + timedelta(days=3, hours=1)
    assert say.due(later) == tuple(DAY + timedelta(days=n) for n in (1, 2, 3))
    assert len(say.due(later + timedelta(days=30))) == 7
    assert say.due(MIDNIGHT - timedelta(days=9)) == (), "a clock that went back tells nothing"


def test_a_store_that_cannot_be_read_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(daily, "LOOK_S", 0.2)
    monkeypatch.setattr(Daily, "due", lambda self, now: (DAY,))
    say, broken = made(tmp_path), tmp_path / "store.yaml"
    broken.write_text("elasticsearch: [")
    say.note(DAY - timedelta(days=1))

    def mend() -> None:
        if "ended with 2" in caplog.text:
            broken.unlink(missing_ok=True)

    assert told(tmp_path, say, mend)


def test_a_declared_outage_pauses_the_window_of_its_link(tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    shutil.copytree(LAB, folder)
    text = (folder / "province.yaml").read_text()
    outage = f"{{link: {LINK}, declared: 2026-03-01 09:00, from: 2026-03-05 00:00, to: 2026-03-06 00:00}}"
    (folder / "province.yaml").write_text(
        text.replace("  log_retention_days", f"  outages: [{outage}]\n  log_retention_days")
    )
    contract = province().links[LINK].bandwidth_bps
    before = readings([0.95 * contract] * (SLOTS * 5 // 7), start=(MIDNIGHT - timedelta(days=8)).timestamp())
    after = readings([0.95 * contract] * (SLOTS * 2 // 7), start=(MIDNIGHT - timedelta(days=2)).timestamp())
    stored(tmp_path, NEAR, before + after)
    without = {f["direction"]: f for f in daily.figures(province(), tmp_path, DAY) if f["link"] == LINK}
    with_it = {f["direction"]: f for f in daily.figures(load(folder), tmp_path, DAY) if f["link"] == LINK}
    assert (without["inbound"]["samples"], without["inbound"]["judgement"]) == (2016 - 288, "too-few-samples")
    assert (with_it["inbound"]["samples"], with_it["inbound"]["judgement"]) == (2016, "over")
    assert with_it["inbound"]["from"] == (MIDNIGHT - timedelta(days=8)).isoformat()
    assert with_it["inbound"]["paused_s"] == 86400
