"""Store and find: documents per CPU-second, octets a document, answers in milliseconds, memory of the reader.

The floor is the same documents as NDJSON in one zstd file: written as fast as Python can, searched by
reading all of it. Documents are those of the lab's lines with times, ports and names that vary.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import zstandard

from inventory import load
from monitoring.event import Event
from monitoring.pipeline import Pipeline
from monitoring.spool import SpoolRecord
from monitoring.store import Store, StoreWriter

ROOT = Path(__file__).resolve().parents[2]
EVENTS = 300_000
BATCH = 2_000
COMMIT_EVERY = 5  # batches
SPAN = timedelta(hours=6)
START = datetime(2026, 11, 22, 0, 0, tzinfo=UTC)
PEERS = [f"10.250.0.{n}" for n in range(1, 9)]
SHAPES = (
    "<38>1 {t} h sshd {n} - - Failed password for user{m} from 10.250.65.{o} port {p} ssh2",
    "<38>1 {t} h sshd {n} - - Accepted publickey for ansible from 10.250.255.1 port {p} ssh2: ED25519 SHA256:9ZXvqaz",
    "<134>1 {t} h ulogd 300 - - canh:deny:forward  IN=eth1 OUT=eth3 MAC=02:00:00:00:00:01:02:00:00:00:00:02:08:00 "
    "SRC=10.250.65.{o} DST=10.250.64.10 LEN=60 TOS=00 PREC=0x00 TTL=62 ID={n} DF PROTO=TCP SPT={p} DPT={m} SYN",
    "<29>1 {t} h ospfd 420 - - [Y05P2-YJVXY] AdjChg: Nbr 10.250.0.{o}, NbrIP 10.250.1.1 (default) on eth1:10.250.1.0: "
    "Full -> Down (x)",
    "<30>1 {t} h systemd 1 - - Started app{m}.service - Service number {m}.",
)


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="canh-bench-"))
    try:
        events = _events()
        print(f"{EVENTS:,} documents of {SPAN.total_seconds() / 3600:.0f} h in commits of {BATCH * COMMIT_EVERY:,}")
        _write(folder, events)
        _sustained(folder, events)
        _floor(folder, events)
        del events
        subprocess.run([sys.executable, "-m", "tests.bench.bench_store", str(folder)], cwd=ROOT, check=True)
    finally:
        shutil.rmtree(folder)


def _write(folder: Path, events: list[Event]) -> None:
    with StoreWriter(folder) as writer:
        began = time.process_time()
        for start in range(0, EVENTS, BATCH):
            writer.write(events[start : start + BATCH])
            if start // BATCH % COMMIT_EVERY == COMMIT_EVERY - 1:
                writer.commit({"position": start})
        writer.commit({"position": EVENTS})
        written = time.process_time() - began
        before = _octets(folder)
        began = time.process_time()
        for later in (SPAN + timedelta(hours=1), SPAN + timedelta(hours=2)):
            writer.maintain(START + later)
        merged = time.process_time() - began
    files = sum(1 for _ in (folder / "store").glob("*/*/*.parquet"))
    print(f"store: {EVENTS / written:,.0f} documents/CPU-s, {before / EVENTS:.0f} octets each")
    print(f"merge: {EVENTS / merged:,.0f} documents/CPU-s, {_octets(folder) / EVENTS:.0f} octets each, {files} files")


def _sustained(folder: Path, events: list[Event]) -> None:
    """As the worker does that is behind: large commits of one hour, merged as soon as that is due."""
    hour, commits = events[: EVENTS // 6], 40
    with StoreWriter(folder / "sustained") as writer:
        spent, began = time.process_time(), time.perf_counter()
        for number in range(commits):
            for start in range(0, len(hour), BATCH):
                writer.write(hour[start : start + BATCH])
            writer.commit({"position": number})
            writer.maintain(START + timedelta(minutes=30))
        spent, took = time.process_time() - spent, time.perf_counter() - began
    documents = commits * len(hour)
    told = f"{documents / spent:,.0f} documents/CPU-s, {documents / took:,.0f}/s by the clock, merges included"
    print(f"sustained, commits of {len(hour):,}: {told}")
    shutil.rmtree(folder / "sustained")


def _floor(folder: Path, events: list[Event]) -> None:
    path = folder / "floor.ndjson.zst"
    began = time.process_time()
    with path.open("wb") as file, zstandard.ZstdCompressor(level=3).stream_writer(file) as out:
        for event in events:
            out.write(json.dumps(dict(event.fields), ensure_ascii=False).encode() + b"\n")
    took = time.process_time() - began
    print(
        f"floor: {EVENTS / took:,.0f} documents/CPU-s, {path.stat().st_size / EVENTS:.0f} octets each (NDJSON + zstd)"
    )


def _read(folder: Path) -> None:
    """In a process of its own, so that its memory is the reader's."""
    store = Store(folder)
    hour = (START + timedelta(hours=2), START + timedelta(hours=3))
    questions: dict[str, Callable[[], object]] = {
        "host, 1 h, newest 100": lambda: list(store.search("host.name:core1", *hour)),
        "host, 1 h, count": lambda: store.count("host.name:core1", *hour),
        "needle in all, by text": lambda: list(store.search('"for user77 from 10.250.65.9 port 4"')),
        "needle in all, by field": lambda: list(store.search("source.port:40001 AND user.name:user77")),
        "prefix in all, newest 100": lambda: list(store.search("source.ip:10.250.65.0/28")),
        "histogram by host": lambda: store.histogram(step=timedelta(minutes=10), by="host.name"),
        "last event of each host": lambda: store.aggregate("host.name"),
        "newest 100": lambda: list(store.search()),
    }
    for name, ask in questions.items():
        ask()
        times = []
        for _ in range(5):
            began = time.perf_counter()
            ask()
            times.append(time.perf_counter() - began)
        print(f"{name:26} {sorted(times)[2] * 1000:7.1f} ms")
    print(f"{'peak memory of the reader':26} {_peak_mb():7.0f} MB")
    began = time.perf_counter()
    with (folder / "floor.ndjson.zst").open("rb") as file:
        text = zstandard.ZstdDecompressor().stream_reader(file).read()
    hits = text.count(b"for user77 from 10.250.65.9 port 4")
    print(f"{'floor: needle in NDJSON':26} {(time.perf_counter() - began) * 1000:7.1f} ms ({hits} hits)")


def _events() -> list[Event]:
    pipeline = Pipeline(load(ROOT / "inventory/provinces/lab"), Path("/nonexistent"))
    chance = random.Random(1)
    events = []
    for n in range(EVENTS):
        at = START + SPAN * n / EVENTS
        line = chance.choice(SHAPES).format(
            t=at.isoformat(),
            n=n,
            m=chance.randrange(1, 200),
            o=chance.randrange(2, 60),
            p=chance.randrange(1024, 65536),
        )
        received = at + timedelta(milliseconds=3)
        peer = chance.choice(PEERS)
        events.append(
            pipeline.event_of(SpoolRecord(n, n + 1, UUID(int=1), received, peer, 514, "syslog-tcp", line.encode()))
        )
    return events


def _peak_mb() -> float:
    """Of this program alone: getrusage would count what its parent held when it forked."""
    line = next(line for line in Path("/proc/self/status").read_text().split("\n") if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def _octets(folder: Path) -> int:
    manifest = Store(folder).manifest()
    return sum(segment.octets for segment in manifest.segments)


if __name__ == "__main__":
    _read(Path(sys.argv[1])) if len(sys.argv) > 1 else main()
