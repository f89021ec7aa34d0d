"""What counting costs: a million groups, a crowded group, disorder, forty correlations at once, reading groups back.

Matches go the whole way (`Detection.matched`, the reorder buffer, windows, commits of `detect.db` to a real
disk); making the events is not counted. The floor is counting the same keys in a plain dict, in the same run.
CPU seconds of one process, and the clock where waiting for the disk is the point.
"""

from __future__ import annotations

import gc
import random
import resource
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from monitoring.event import Event
from soc.detection import Detection
from soc.outbox import Outbox
from soc.sigma import RuleSet, encode, load

START = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
FEEDER = """
title: Refused
id: 00000000-0000-4000-8000-000000000001
name: refused
logsource: {category: authentication}
detection:
    selection: {event.action: login}
    condition: selection
level: informational
"""
COUNTED = """
title: Counted {number}
id: 00000000-0000-4000-8000-{number:012}
correlation:
    type: {kind}
    rules: [refused]
    group-by: [{group}]
    timespan: {span}
    condition: {condition}
level: high
"""


def main() -> None:
    keys = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    _groups(keys)
    _crowd("20,000 distinct values in one group, committed each 1,000", 20_000, 0)
    for kind in ("event_count", "value_sum", "value_percentile", "temporal_ordered"):
        _crowd(f"10,000 matches of one group in random order, {kind}", 10_000, 10_000, kind)
    _through(5)
    _through(40)


class Run:
    """A detection on a disk."""

    def __init__(self, folder: Path, rules: RuleSet, lateness: float = 0.0, **bounds: int) -> None:
        self.rules, self.rule = rules, rules.rules[0]
        self.outbox = Outbox(folder / "detect.db", **bounds)
        self.detection = Detection(rules, timedelta(seconds=lateness))
        self.outbox.restore(self.detection)
        self.committing = 0.0
        self.position = 0

    def feed(self, events: Sequence[Event], encoded: Sequence[bytes]) -> None:
        now = events[-1].received
        for event, line in zip(events, encoded, strict=True):
            self.detection.matched(self.rule, event, line, (), now)
        self.detection.advance(round(now.timestamp() * 1e6), now)

    def commit(self) -> None:
        began = time.perf_counter()
        self.position += 1
        self.outbox.commit(self.detection, {"spool": self.position}, {}, self.detection.counters())
        self.committing += time.perf_counter() - began


def _groups(keys: int) -> None:
    """Every match of another address, 10,000 a second of event time, committed each second."""
    with tempfile.TemporaryDirectory(prefix="canh-bench-") as name:
        folder = Path(name)
        run = Run(folder, _rules(folder, COUNTED.format(**_one(2, "event_count", "{gte: 5}", span="1d"))))
        gc.collect()
        before, cpu, clock = _rss(), 0.0, 0.0
        for start in range(0, keys, 10_000):
            events, encoded = _events(
                range(start, start + 10_000), 10_000, lambda n: f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}"
            )
            began, began_s = time.process_time(), time.perf_counter()
            run.feed(events, encoded)
            run.commit()
            cpu, clock = cpu + time.process_time() - began, clock + time.perf_counter() - began_s
            del events, encoded
        gc.collect()
        counters = run.detection.counters()
        size = sum(path.stat().st_size for path in folder.glob("detect.db*")) / 2**20
        _said(f"{keys:,} groups: CPU a key / by the clock", f"{cpu / keys * 1e6:.0f} / {clock / keys * 1e6:.0f} us")
        _said(
            "... of it commits, by the clock",
            f"{run.committing / keys * 1e6:.0f} us",
        )
        _said(
            "... memory more than before / groups in memory",
            f"{_rss() - before:.0f} MB / {counters['groups_in_memory']:,}",
        )
        _said("... on disk: groups, MB with copies of events", f"{counters['groups']:,}, {size:.0f} MB")
        _said("... let go", f"{counters['groups_evicted']}")
        _said("... ratio to counting in a dict", f"{cpu / _counted_in_a_dict(keys):.0f}")
        _back(run, keys)
        began = time.perf_counter()
        again = Detection(run.rules, timedelta())
        Outbox(folder / "detect.db").restore(again)
        _said("... a start with them", f"{(time.perf_counter() - began) * 1000:.0f} ms")


def _counted_in_a_dict(keys: int) -> float:
    """CPU seconds."""
    texts = [f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(keys)]
    began = time.process_time()
    floor: dict[str, int] = {}
    for text in texts:
        floor[text] = floor.get(text, 0) + 1
    return time.process_time() - began


def _back(run: Run, keys: int) -> None:
    """A second match for groups that are on disk: all of them are there."""
    chance = random.Random(1)
    numbers = [chance.randrange(keys) for _ in range(20_000)]
    events, encoded = _events(
        numbers, 10_000, lambda n: f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", ids=keys, at=keys / 10_000
    )
    before = run.detection.correlator.counts["groups_recalled"]
    began = time.process_time()
    run.feed(events, encoded)
    spent = time.process_time() - began
    recalled = run.detection.correlator.counts["groups_recalled"] - before
    twice = sum(len(w.entries) >= 2 for w in run.detection.correlator._windows.values())
    _said(
        f"... {recalled:,} read back at random ({twice:,} now of two matches), each", f"{spent / 20_000 * 1e6:.0f} us"
    )


def _crowd(what: str, n: int, disorder: int, kind: str = "value_count") -> None:
    """One group."""
    condition = "{field: n, gte: 49999}" if kind.startswith("value") else "{gte: 49999}"
    with tempfile.TemporaryDirectory(prefix="canh-bench-") as name:
        folder = Path(name)
        run = Run(folder, _rules(folder, COUNTED.format(**_one(2, kind, condition, span="1d"))))
        events, encoded = _events(range(n), 1000, lambda _: "10.1.1.1")
        if disorder:
            order = random.Random(1).sample(range(n), n)
            events, encoded = [events[at] for at in order], [encoded[at] for at in order]
        began, began_cpu = time.perf_counter(), time.process_time()
        for start in range(0, n, 1000):
            run.feed(events[start : start + 1000], encoded[start : start + 1000])
            run.commit()
        spent, cpu = time.perf_counter() - began, time.process_time() - began_cpu
        value = next(iter(run.detection.correlator._windows.values())).aggregate.value()
        _said(what, f"{cpu:.2f} s CPU, {spent:.2f} s")
        assert value


def _through(many: int) -> None:
    """Each match feeds so many correlations of five kinds; 100 addresses, 1,000 names; windows of up to a minute."""
    kinds = (
        ("event_count", "{gte: 49999}"),
        ("value_count", "{field: user.name, gte: 49999}"),
        ("temporal", "{gte: 2}"),
    )
    kinds += (("value_sum", "{field: n, lt: 0}"), ("value_percentile", "{field: n, percentile: 95, lt: 0}"))
    texts = [
        COUNTED.format(
            **_one(number, *kinds[number % 5], span=f"{10 + number}s", group="source.ip" if number % 2 else "user.name")
        )
        for number in range(2, 2 + many)
    ]
    with tempfile.TemporaryDirectory(prefix="canh-bench-") as name:
        folder = Path(name)
        run = Run(folder, _rules(folder, *texts), lateness=5.0)
        matches, cpu, floor_s = 20_000, 0.0, 0.0
        floor: dict[tuple[int, str], deque[datetime]] = {}
        for start in range(0, matches, 1000):
            events, encoded = _events(range(start, start + 1000), 1000, lambda n: f"10.1.1.{n % 100}")
            began = time.process_time()
            run.feed(events, encoded)
            run.commit()
            cpu += time.process_time() - began
            began = time.process_time()
            _plain(floor, events, many)
            floor_s += time.process_time() - began
        began = time.process_time()
        run.detection.flush(START)
        run.commit()
        cpu += time.process_time() - began
        each = cpu / matches
        _said(f"a match through {many} correlations, committed each 1,000: CPU", f"{each * 1e6:.0f} us")
        _said("... of a core at 500 matches a second", f"{each * 500 * 100:.0f} %")
        _said("... entries/CPU-s; ratio to plain windows of deques", f"{many / each:,.0f}; {cpu / floor_s:.1f}")
        _said("... commits by the clock, of 1,000 matches", f"{run.committing / (matches / 1000) * 1000:.0f} ms")


def _plain(windows: dict[tuple[int, str], deque[datetime]], events: Sequence[Event], many: int) -> None:
    for event in events:
        at, fields = event.timestamp, event.fields
        for number in range(2, 2 + many):
            window = windows.setdefault((number, str(fields["source.ip" if number % 2 else "user.name"])), deque())
            window.append(at)
            while (at - window[0]).total_seconds() > 10 + number:
                window.popleft()


def _one(number: int, kind: str, condition: str, span: str, group: str = "source.ip") -> dict[str, object]:
    return {"number": number, "kind": kind, "condition": condition, "span": span, "group": group}


def _rules(folder: Path, *texts: str) -> RuleSet:
    rules = folder / "rules"
    rules.mkdir()
    for number, text in enumerate((FEEDER, *texts)):
        (rules / f"{number}.yml").write_text(text)
    loaded = load([rules], {})
    assert not loaded.refused, loaded.refused
    return loaded


def _events(
    numbers: Sequence[int], rate: int, address: Callable[[int], str], ids: int = 0, at: float = 0.0
) -> tuple[list[Event], list[bytes]]:
    """A refused login each, `rate` a second."""
    events = []
    for place, n in enumerate(numbers):
        moment = (START + timedelta(seconds=at + (place if ids else n) / rate)).isoformat()
        events.append(
            Event(
                {
                    "event.id": f"{ids + (place if ids else n):032x}",
                    "@timestamp": moment,
                    "event.ingested": moment,
                    "event.action": "login",
                    "event.outcome": "failure",
                    "host.name": "dc-app1",
                    "canh.source.known": True,
                    "source.ip": address(n),
                    "user.name": f"u{n % 1000}",
                    "n": n,
                    "event.original": "sshd[811]: Failed password for thanh from 10.250.65.10 port 4000 ssh2 " * 3,
                }
            )
        )
    return events, [encode(event) for event in events]


def _rss() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def _said(what: str, figure: str) -> None:
    print(f"{what:<88} {figure:>24}", flush=True)


if __name__ == "__main__":
    main()
