"""Our own clock was ahead and is put back (a machine that boots before it knows the time), a sender's stands still."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from monitoring.pipeline import Pipeline
from monitoring.spool import Spool
from soc.detection import Detection
from soc.detector import Detector
from soc.episodes import microseconds
from soc.outbox import Outbox
from tests.unit.soc.engine_support import FAILED, START, Remembered, alerts, at, correlation, failed, lab, rules_of
from tests.unit.soc.test_engine_detector import LOUD, failed_line, finish

AHEAD_S = 300 * 86400
COUNTED = correlation("event_count", "{gte: 5}")


def ahead(tmp_path: Path) -> Detection:
    """One that was told that it is next year."""
    detection = Detection(rules_of(tmp_path / "rules", FAILED, COUNTED), timedelta(seconds=2))
    detection.take([failed(0, AHEAD_S)], START)
    detection.advance(microseconds(at(AHEAD_S + 30)), at(AHEAD_S + 30))
    return detection


def guess(detection: Detection) -> None:
    for n in range(1, 9):
        detection.take([failed(n, n)], at(n))
    detection.advance(microseconds(at(60)), at(60))


def test_correlations_count_when_the_clock_is_put_back(tmp_path: Path) -> None:
    detection = ahead(tmp_path)
    guess(detection)
    assert [count for _, _, count, _, _ in alerts(detection)] == [8]
    assert detection.counters()["clock_put_back"] == 1


def test_correlations_count_when_it_is_put_back_while_we_are_off(tmp_path: Path) -> None:
    first, outbox = ahead(tmp_path), Outbox(tmp_path / "detect.db")
    outbox.restore(first)
    outbox.commit(first, {}, {}, {})
    outbox.close()
    detection, outbox = Detection(first.rules, timedelta(seconds=2)), Outbox(tmp_path / "detect.db")
    outbox.restore(detection)
    guess(detection)
    assert [count for _, _, count, _, _ in alerts(detection)] == [8]
    outbox.commit(detection, {}, {}, {})
    assert outbox.shelf.groups.total() == 1
    outbox.close()


def test_a_spool_that_was_away_for_hours_does_not_put_the_clock_back(tmp_path: Path) -> None:
    detection = Detection(rules_of(tmp_path, FAILED, COUNTED), timedelta(seconds=2))
    for n in range(3):
        detection.take([failed(n, 86400 + n)], at(86400 + n))
    detection.take([failed(9, 0)], at(86404))
    for n in range(3, 5):
        detection.take([failed(n, 86400 + n)], at(86404))
    detection.advance(microseconds(at(86460)), at(86460))
    assert [count for _, _, count, _, _ in alerts(detection)] == [5]
    assert detection.counters()["clock_put_back"] == 0


def test_detection_goes_by_the_time_it_is_when_lines_of_next_year_lie_behind_it(tmp_path: Path) -> None:
    spool, cases = Spool(tmp_path / "spool/collect"), Remembered()
    clock = [at(AHEAD_S)]
    spool.append([failed_line(clock[0])])
    detector = Detector(
        rules=rules_of(tmp_path / "rules", FAILED, COUNTED),
        parsing=Pipeline(lab(), tmp_path),
        data_dir=tmp_path,
        cases=cases,
        lateness=timedelta(seconds=0.2),
        clock=lambda: clock[0],
    )
    finish(detector)
    clock[0] = at(0)
    for n in range(6):
        spool.append([failed_line(at(n * 0.1))])
        clock[0] = at(n * 0.1 + 0.01)
        finish(detector)
    clock[0] = at(30)
    finish(detector)
    assert [alert.count for alert in cases.alerts.values()] == [6]
    detector.close()


def counts(detection: Detection) -> list[int]:
    return sorted(episode.count for episode in detection.episodes.changes().changed.values())


def test_an_episode_of_a_sender_whose_clock_stands_still_ends(tmp_path: Path) -> None:
    detection = Detection(rules_of(tmp_path, LOUD), timedelta(seconds=2))
    for minute in range(300):
        detection.take([failed(minute, 0, received=60 * minute)], at(60 * minute))
    assert counts(detection) == [60, 120, 120]


def test_an_episode_that_began_while_our_clock_was_ahead_ends(tmp_path: Path) -> None:
    detection = Detection(rules_of(tmp_path, LOUD), timedelta(seconds=2))
    detection.take([failed(999, AHEAD_S)], at(AHEAD_S))
    moments: list[datetime] = [at(60 * minute) for minute in range(180)]
    for minute, moment in enumerate(moments):
        detection.take([failed(minute, 60 * minute)], moment)
    assert counts(detection) == [1, 60, 60, 60]
