"""How fast events are matched, beside the `rsigma` command line (its crate is what our engine is made of).

- our rules on the lab's ordinary lines, and the community's on the same: CPU seconds of this process;
- `canh rules eval` and `rsigma engine eval` as commands, the same rules and events, one core, the shortest of some
  rounds taken in turn; the time with no events at all is taken off for the rate;
- both sets on each kind of line that the parse bench knows, by itself;
- what more rules cost; how long loading takes.

rsigma is looked for on PATH, or where CANH_RSIGMA says; without it its columns are left out. Without the community's
set (sigma_sets.py) only our own rules are measured.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from inventory import load as load_province
from monitoring.event import Event
from monitoring.pipeline import Pipeline
from monitoring.spool import Received, Spool, SpoolReader
from soc import placeholders
from soc.detection import Detection
from soc.sigma import OWN_RULES, Matcher, RuleSet, encode, load
from tests.bench import bench_parse, sigma_sets

ROOT = Path(__file__).resolve().parents[2]
BATCH = 500
ROUNDS = 3
BENIGN = (
    "ulogd 300 - -  canh:allow:forward IN=eth1 OUT=eth3 MAC=7e:7a:30:01:6e:03:f2:b4:1e:55:09:c1:08:00 SRC=10.250.65.10"
    " DST=10.250.64.10 LEN=60 TOS=00 PREC=0x00 TTL=61 ID={n} DF PROTO=TCP SPT={port} DPT=443 SEQ=1 ACK=0"
    " WINDOW=64240 SYN URGP=0 MARK=0 ",
    "sshd 811 - -  Accepted publickey for ansible from 10.250.255.1 port {port} ssh2: ED25519 SHA256:Zy3nq0Vf1m8pR5s",
    "systemd 1 - -  Finished logrotate.service - Rotate log files {n}.",
    "CRON 90 - -  (root) CMD (cd / && run-parts --report /etc/cron.hourly)",
    "chronyd 301 - -  Selected source 10.250.64.74",
)


def main() -> None:
    province = load_province(ROOT / "inventory/provinces/lab")
    values = placeholders.of(province)
    began = time.process_time()
    rules = load([OWN_RULES], values)
    _said("our rules loaded", time.process_time() - began, f"{len(rules.rules)} + {len(rules.correlations)}")
    with tempfile.TemporaryDirectory(prefix="canh-bench-") as folder:
        pipeline = Pipeline(province, Path(folder))
        events = _benign(pipeline, Path(folder), 40_000)
        kinds = _kinds(pipeline, 4000)
    encoded = [encode(event) for event in events]
    _rate("our rules, benign lab lines: engine alone", len(events), lambda: _match(rules, encoded))
    _rate("our rules, benign lab lines: detection", len(events), lambda: _detect(rules, events))
    _each_kind("our rules", rules, kinds)
    _community(values, encoded, kinds)
    print(f"{'memory at most':<58} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:>10.0f} MB")


def _benign(pipeline: Pipeline, folder: Path, n: int) -> list[Event]:
    """Ordinary lines through a real spool and the real parsers."""
    begin = datetime.now(UTC) - timedelta(hours=1)
    spool = Spool(folder / "spool")
    for start in range(0, n, 1000):
        lines = []
        for number in range(start, start + 1000):
            when = begin + timedelta(milliseconds=number)
            text = BENIGN[number % len(BENIGN)].format(n=number, port=1024 + number % 60000)
            raw = f"<134>1 {when.isoformat()} dc-fw1 {text}".encode()
            lines.append(Received(raw, round(when.timestamp() * 1e6), "syslog-tcp", "10.250.64.1", 514))
        spool.append(lines)
    spool.close()
    reader, position, events = SpoolReader(folder / "spool"), 0, []
    began = time.process_time()
    while True:
        records, position = reader.read(position, BATCH)
        if not records:
            break
        events += [pipeline.event_of(record) for record in records]
    spent = time.process_time() - began
    print(f"{'read from the spool and parsed, for comparison':<58} {n / spent:>10,.0f} events/CPU-s")
    return events


def _kinds(pipeline: Pipeline, n: int) -> dict[str, list[bytes]]:
    """Events of the parse bench's lines, `n` of each kind, parsed and with the facts of the lab's inventory."""
    return {
        kind: [encode(pipeline.event_of(bench_parse.record(shape.format(n=at), at))) for at in range(n)]
        for kind, shape in bench_parse.KINDS.items()
    }


def _each_kind(said: str, rules: RuleSet, kinds: dict[str, list[bytes]]) -> None:
    for kind, lines in kinds.items():
        what = f"{said}, {kind} ({len(lines[0]):,} B): engine alone"
        _rate(what, len(lines), lambda lines=lines: _match(rules, lines))  # type: ignore[misc]


def _match(rules: RuleSet, encoded: list[bytes]) -> int:
    matcher = Matcher(rules)
    return sum(1 for start in range(0, len(encoded), BATCH) for _ in matcher.match(encoded[start : start + BATCH]))


def _detect(rules: RuleSet, events: list[Event]) -> int:
    """Encoding, matching, waiting, correlating; without the parsing and the disk."""
    detection = Detection(rules, timedelta(seconds=5))
    for start in range(0, len(events), BATCH):
        detection.take(events[start : start + BATCH], events[start].received)
    return detection.matches


def _community(values: dict[str, tuple[str, ...]], benign: list[bytes], kinds: dict[str, list[bytes]]) -> None:
    if not sigma_sets.are_here():
        print("community rules and recordings: not here (CANH_SIGMA names their folder)")
        return
    with tempfile.TemporaryDirectory(prefix="canh-bench-") as name:
        folder = Path(name)
        files = sigma_sets.rules_into(folder / "rules")
        rules = _loading(folder, values)
        _rate("community rules, benign lab lines: engine alone", len(benign), lambda: _match(rules, benign))
        _each_kind("community rules", rules, kinds)
        recordings = list(sigma_sets.recordings())
        for said, lines in recordings:
            _rate(f"community rules, {said}: engine alone", len(lines), lambda lines=lines: _match(rules, lines))  # type: ignore[misc]
            _cores(rules, lines)
        _beside_rsigma(folder, recordings)
        _more_rules(folder, files, values, recordings[0][1][:8000])


def _loading(folder: Path, values: dict[str, tuple[str, ...]]) -> RuleSet:
    """From texts, and from what was kept of them; by the clock, and with every log source's engine made."""
    times: dict[str, list[float]] = {"from their texts": [], "kept": []}
    for _ in range(ROUNDS):
        for said, kept in (("from their texts", None), ("kept", folder / "cache")):
            began = time.perf_counter()
            rules = load([folder / "rules"], values, cached_in=kept)
            times[said].append(time.perf_counter() - began)
    for said, each in times.items():
        _clock(f"community rules loaded, {said}", min(each), f"{len(rules.rules)}, {len(rules.refused)} refused")
    began = time.perf_counter()
    rules.compiled.warm()
    _clock("  the engines of all log sources made at once", time.perf_counter() - began, "else each at its first event")
    return rules


def _cores(rules: RuleSet, lines: list[bytes]) -> None:
    rules.compiled.match_batch(lines[:100], 2)
    times = {}
    for threads in (1, 2):
        began = time.perf_counter()
        found = rules.compiled.match_batch(lines, threads)
        times[threads] = (time.perf_counter() - began, found)
    assert times[1][1] == times[2][1]
    print(f"{'  the same on two cores, by the clock':<58} {times[1][0] / times[2][0]:>10.2f} times as fast", flush=True)


def _beside_rsigma(folder: Path, recordings: list[tuple[str, list[bytes]]]) -> None:
    rsigma = os.environ.get("CANH_RSIGMA") or shutil.which("rsigma")
    rules = str(folder / "rules")
    commands = {"canh rules eval": [sys.executable, "-m", "canh", "rules", "eval", "--rules", rules]}
    if rsigma:
        commands["rsigma"] = [rsigma, "engine", "eval", "-q", "-r", rules]
        pruned = ["--logsource-routing", "--event-logsource", "product=windows"]
        commands["rsigma, pruned to product windows"] = [*commands["rsigma"], *pruned]
    else:
        print("rsigma: not here (PATH, or CANH_RSIGMA)")
    (folder / "none").write_bytes(b"")
    for said, lines in recordings:
        events = folder / said
        events.write_bytes(b"\n".join(lines) + b"\n")
        best: dict[str, tuple[float, float, int]] = {}
        for _ in range(ROUNDS):
            for name, command in commands.items():
                idle, _none = _run(command, folder / "none")
                whole, found = _run(command, events)
                known = best.get(name, (whole, idle, found))
                best[name] = (min(known[0], whole), min(known[1], idle), found)
        floor = best.get("rsigma", best["canh rules eval"])
        for name, (whole, idle, found) in best.items():
            ratio = f"{(floor[0] - floor[1]) / (whole - idle):.2f} x rsigma, whole run {floor[0] / whole:.2f} x"
            rate = len(lines) / (whole - idle)
            print(
                f"{f'{said}: {name}':<58} {rate:>10,.0f} events/s   whole run {whole:.2f} s, {found:,} matches; {ratio}"
            )
            sys.stdout.flush()


def _run(command: list[str], events: Path) -> tuple[float, int]:
    """Seconds a command takes on one core with these events, and the matches it prints."""
    core = max(os.sched_getaffinity(0))
    with events.open("rb") as file:
        began = time.perf_counter()
        done = subprocess.run(
            ["taskset", "-c", str(core), *command], stdin=file, capture_output=True, check=True, cwd=ROOT
        )
    return time.perf_counter() - began, done.stdout.count(b"\n")


def _more_rules(folder: Path, files: list[Path], values: dict[str, tuple[str, ...]], lines: list[bytes]) -> None:
    first = 0.0
    for wanted in (250, 1000, len(files), 15_000):
        rules = load([sigma_sets.every(files, wanted, folder / str(wanted))], values)
        _match(rules, lines)
        spent = min(_cpu(lambda rules=rules: _match(rules, lines)) for _ in range(ROUNDS))  # type: ignore[misc]
        first = first or spent
        _said_rate(f"recorded events, {wanted:,} rules", len(lines) / spent, f"cost {spent / first:.1f} x that of 250")


def _rate(what: str, n: int, run: Callable[[], int]) -> None:
    matches = run()
    spent = min(_cpu(run) for _ in range(ROUNDS))
    _said_rate(what, n / spent, f"{matches:,} matches in {n:,} events")


def _cpu(run: Callable[[], object]) -> float:
    began = time.process_time()
    run()
    return time.process_time() - began


def _said_rate(what: str, rate: float, detail: str) -> None:
    print(f"{what:<58} {rate:>10,.0f} events/CPU-s   {detail}", flush=True)


def _clock(what: str, seconds: float, detail: str) -> None:
    print(f"{what:<58} {seconds:>10.2f} s   {detail}", flush=True)


def _said(what: str, seconds: float, detail: str) -> None:
    print(f"{what:<58} {seconds:>10.2f} CPU-s   {detail}", flush=True)


if __name__ == "__main__":
    main()
