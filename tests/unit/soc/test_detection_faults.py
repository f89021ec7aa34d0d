"""Detection while something is wrong: parsers with a defect, files nobody can read, days that differ by zone."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitoring.event import Event, Value
from monitoring.pipeline import Pipeline
from monitoring.sessions import STEP
from monitoring.spool import Spool, SpoolRecord
from soc import scheduled
from soc.alert import Alert
from soc.alone import locked
from soc.cases import CaseStore
from soc.delivery import Queue
from soc.detector import Cases, DetectError, Detector
from soc.inputs import Inputs, Loaded
from soc.known import rules_in
from soc.outbox import Outbox
from soc.scheduled.counts import Counts
from soc.sigma import load
from tests.unit.soc.engine_support import Remembered, lab, rules_of
from tests.unit.soc.test_engine_detector import LOUD, failed_line, finish

BAD = "10.250.65.66"


class Fragile:
    """A pipeline with a defect that one address shows, where fields are made or a session is followed; "" has none."""

    def __init__(self, data_dir: Path, where: str) -> None:
        self._inner, self._where = Pipeline(lab(), data_dir), where

    def fields_of(self, record: SpoolRecord) -> dict[str, Value]:
        if self._where == "fields" and BAD.encode() in record.raw:
            raise KeyError("defect")
        fields = self._inner.fields_of(record)
        return fields if self._where in ("", "fields") else fields | {STEP: "x"}

    def followed(self, fields: dict[str, Value]) -> Event:
        fields.pop(STEP, None)
        if self._where == "following" and fields.get("source.ip") == BAD:
            raise KeyError("defect")
        if self._where == "surrogates":
            fields["user.name"] = "a\ud800b"
        return self._inner.followed(fields)


def detector_of(tmp_path: Path, where: str, cases: Cases, rule: str = LOUD) -> Detector:
    return Detector(
        rules=rules_of(tmp_path / "rules", rule),
        parsing=Fragile(tmp_path, where),
        data_dir=tmp_path,
        cases=cases,
        lateness=timedelta(seconds=0.2),
    )


@pytest.mark.parametrize("where", ["fields", "following"])
def test_a_record_a_parser_breaks_on_is_counted_and_passed_over_also_after_a_restart(
    tmp_path: Path, where: str
) -> None:
    spool, cases = Spool(tmp_path / "spool/collect"), Remembered()
    spool.append([failed_line(datetime.now(UTC), address) for address in ("10.250.65.10", BAD, "10.250.65.12")])
    for _ in range(2):  # the second one warms its parsers up with the same lines
        detector = detector_of(tmp_path, where, cases)
        finish(detector)
        assert detector._stats.totals(detector.detection)["no_event"] == 1
        detector.close()
    assert sum(alert.count for alert in cases.alerts.values()) == 2


def test_half_a_character_does_not_keep_alerts_from_the_case_store(tmp_path: Path) -> None:
    rule = LOUD + "    canh: {group-by: [user.name]}\n"
    Spool(tmp_path / "spool/collect").append([failed_line(datetime.now(UTC))])
    detector = detector_of(tmp_path, "surrogates", CaseStore(tmp_path), rule)
    finish(detector)
    detector.close()
    (case,) = CaseStore(tmp_path).list()
    assert case.alert.group == (("user.name", "a?b"),)


class Picky(Remembered):
    """A case store with a defect that one alert shows."""

    def deliver(self, alerts: Iterable[Alert]) -> int:
        given = list(alerts)
        if any(BAD in dict(alert.group).values() for alert in given):
            raise ValueError("it cannot be stored")
        return super().deliver(given)


def test_an_alert_that_cannot_be_stored_keeps_back_no_other(tmp_path: Path) -> None:
    addresses = (BAD, *(f"10.250.65.{n}" for n in range(10, 14)))
    Spool(tmp_path / "spool/collect").append([failed_line(datetime.now(UTC), address) for address in addresses])
    cases, rule = Picky(), LOUD + "    canh: {group-by: [source.ip]}\n"
    detector = detector_of(tmp_path, "", cases, rule)
    finish(detector)
    assert {one.group[0][1] for one in cases.alerts.values()} == set(addresses[1:])
    assert [BAD in str(alert.group) for alert in detector.outbox.undelivered()] == [True]
    detector.close()


def test_a_hundred_alerts_that_cannot_be_stored_keep_back_no_other_either(tmp_path: Path) -> None:
    class Pickier(Remembered):
        def deliver(self, alerts: Iterable[Alert]) -> int:
            given = list(alerts)
            if any(dict(alert.group)["source.ip"].startswith("10.250.65.") for alert in given):
                raise ValueError("it cannot be stored")
            return super().deliver(given)

    now = datetime.now(UTC)
    lines = [failed_line(now, f"10.250.65.{n}") for n in range(150)]
    Spool(tmp_path / "spool/collect").append([*lines, failed_line(now + timedelta(seconds=1), "10.250.66.1")])
    cases, rule = Pickier(), LOUD + "    canh: {group-by: [source.ip]}\n"
    detector = detector_of(tmp_path, "", cases, rule)
    finish(detector)
    assert [alert.group[0][1] for alert in cases.alerts.values()] == ["10.250.66.1"]
    assert len(detector.outbox.undelivered(limit=1000)) == 150
    detector.close()


HEAD = """
title: Bad
id: 00000000-0000-4000-8000-000000000009
logsource: {category: authentication}
detection:
    selection: {user.name: x}
    condition: selection
"""
CORRELATION = """
---
title: Counted
id: 00000000-0000-4000-8000-000000000008
correlation: {type: event_count, rules: [Bad], group-by: [source.ip], timespan: 5m, condition: {gte: 3}}
canh: [1]
"""
WRONG = {
    "day": HEAD + "date: 2026-13-45\ncanh: {title_vi: a}\n",
    "depth": HEAD + "canh: {title_vi: a}\nx: " + "[" * 3000 + "]" * 3000 + "\n",
    "span": HEAD + "canh: {episode: banana}\n",
    "names": HEAD + "canh: {group-by: [{a: b}]}\n",
    "correlation": HEAD + CORRELATION,
}


@pytest.mark.parametrize("which", WRONG)
def test_a_rule_that_cannot_be_read_takes_no_other_away(tmp_path: Path, which: str) -> None:
    rules_of(tmp_path, LOUD)
    (tmp_path / "bad.yml").write_text(WRONG[which], "utf-8")
    rules = load([tmp_path], {})
    assert "Refused" in {rule.title for rule in rules.rules}
    assert [refusal.origin.path.name for refusal in rules.refused] == ["bad.yml"]


@pytest.mark.timeout(60)
def test_a_pipe_among_the_rules_is_not_waited_for(tmp_path: Path) -> None:
    rules_of(tmp_path, LOUD)
    os.mkfifo(tmp_path / "rule.yml")
    rules = load([tmp_path], {})
    assert "Refused" in {rule.title for rule in rules.rules}
    assert [refusal.reason for refusal in rules.refused] == ["cannot be read: [Errno 22] it is no file"]
    assert rules_in(tmp_path) == {}


def test_a_defect_that_changed_files_show_does_not_end_what_runs(tmp_path: Path) -> None:
    def defect() -> Loaded:
        raise KeyError("defect")

    inputs = Inputs(lambda: [tmp_path], defect)
    (tmp_path / "rule.yml").write_text("title: a")
    assert [inputs.changed(), inputs.changed()] == [None, None]
    assert "defect" in inputs.trouble


def test_a_day_begins_where_filters_expire(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hours = 14 if datetime.now(UTC).hour >= 12 else -12  # a zone in which it is another day now
    monkeypatch.setenv("TZ", f"XXX{-hours}")
    time.tzset()
    try:
        assert datetime.now().astimezone().date() != datetime.now(UTC).date()
        days = {name for name, *_ in Inputs(lambda: [tmp_path], lambda: Loaded(None, None))._look()}  # type: ignore[arg-type]
        assert days == {datetime.now(UTC).date().isoformat()}
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files for others")
def test_what_root_makes_belongs_to_who_runs_the_platform(tmp_path: Path) -> None:
    os.chown(tmp_path, 1234, 1234)
    for made in (Outbox(tmp_path / "detect.db"), Queue(tmp_path / "deliver.db"), Counts(tmp_path / "scheduled.db")):
        made.close()
    os.close(locked(tmp_path / "detect.db.lock", "detector", DetectError))
    assert {path.stat().st_uid for path in tmp_path.iterdir()} == {1234}


SCHEDULED = "\ncanh: {scheduled: {kind: rare, field: user.name, group-by: [host.name]}}\n"


@pytest.mark.parametrize("more", ["detection: 5\n", "date: 2026-13-45\n"])
def test_a_scheduled_rule_that_cannot_be_read_takes_no_other_away(tmp_path: Path, more: str) -> None:
    for name, text in (("bad", HEAD.replace("009", "008") + SCHEDULED + more), ("good", HEAD + SCHEDULED)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "rule.yml").write_text(text, "utf-8")
    rules, _ = scheduled.load([tmp_path], {})
    assert [rule.origin.path.parent.name for rule in rules] == ["good"]
