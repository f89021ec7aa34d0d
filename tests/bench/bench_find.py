"""Find one in millions: a host's hour, a needle in a day, and the memory of whoever asks.

Documents: five kinds of lines of 300 hosts, evenly over 24 hours. Each kind's constant columns are those the real
pipeline gives its line; what varies (time, host, addresses, ports, names, numbers, the line itself) is made in SQL,
because parsing 50 million lines takes an hour. Each hour becomes one segment, written as the store's
own last merge of an hour is. CANH_BENCH_DOCUMENTS says how many (3 million unless told).
The floor is reading: the same columns of the same files by DuckDB without an index, rows counted.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import duckdb
import pyarrow as pa

from inventory import load
from monitoring.pipeline import Pipeline
from monitoring.spool import SpoolRecord
from monitoring.store import Store, _columns, _duck, _maintenance, _manifest, _merging
from monitoring.store._manifest import Manifest, Segment
from monitoring.store._segment import write_tables

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = int(os.environ.get("CANH_BENCH_DOCUMENTS", "3000000"))
START = datetime(2026, 11, 21, tzinfo=UTC)
HOURS = int(os.environ.get("CANH_BENCH_HOURS", "24"))
NEEDLE = 13 * 10**6  # microseconds of the hour the needle stands in
# Of each kind: a line for the pipeline, and the same with what varies as SQL: t time, h host, n, m, o, p numbers.
SHAPES = (
    ("<38>1 {t} h sshd 4711 - - Failed password for user7 from 10.250.65.7 port 1024 ssh2",
     "'<38>1 '||t||' '||h||' sshd '||n||' - - Failed password for '||u||' from '||a||' port '||p||' ssh2'"),
    ("<38>1 {t} h sshd 4711 - - Accepted publickey for user7 from 10.250.65.7 port 1024 ssh2: ED25519 SHA256:9ZXvqaz",
     "'<38>1 '||t||' '||h||' sshd '||n||' - - Accepted publickey for '||u||' from '||a||' port '||p||"
     "' ssh2: ED25519 SHA256:'||md5(u)"),
    ("<134>1 {t} h ulogd 300 - - canh:deny:forward  IN=eth1 OUT=eth3 MAC=02:00:00:00:00:01:02:00:00:00:00:02:08:00 "
     "SRC=10.250.65.7 DST=10.250.64.10 LEN=60 TOS=00 PREC=0x00 TTL=62 ID=7 DF PROTO=TCP SPT=1024 DPT=7 SYN",
     "'<134>1 '||t||' '||h||' ulogd 300 - - canh:deny:forward  IN=eth1 OUT=eth3 MAC=02:00:00:00:00:01:02:00:00:00:00:"
     "02:08:00 SRC='||a||' DST=10.250.64.10 LEN=60 TOS=00 PREC=0x00 TTL=62 ID='||n||' DF PROTO=TCP SPT='||p||"
     "' DPT='||m||' SYN'"),
    ("<29>1 {t} h ospfd 420 - - [Y05P2-YJVXY] AdjChg: Nbr 10.250.0.7, NbrIP 10.250.1.1 (default) on eth1:10.250.1.0: "
     "Full -> Down (x)",
     "'<29>1 '||t||' '||h||' ospfd 420 - - [Y05P2-YJVXY] AdjChg: Nbr '||a||', NbrIP 10.250.1.1 (default) on "
     "eth1:10.250.1.0: Full -> Down (x)'"),
    ("<30>1 {t} h systemd 1 - - Started app7.service - Service number 7.",
     "'<30>1 '||t||' '||h||' systemd 1 - - Started app'||m||'.service - Service number '||m||' of '||md5(n::VARCHAR)||"
     "'.'"),
)  # fmt: skip


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="canh-bench-"))
    try:
        began = time.perf_counter()
        fill(folder, DOCUMENTS)
        manifest = Store(folder).manifest()
        octets = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        each = f"{octets / DOCUMENTS:.0f} octets each, what helps finding included"
        took = time.perf_counter() - began
        print(
            f"{DOCUMENTS:,} documents of {HOURS} h in {len(manifest.segments)} segments, {each}, made in {took:,.0f} s"
        )
        subprocess.run([sys.executable, "-m", "tests.bench.bench_find", str(folder)], cwd=ROOT, check=True)
    finally:
        shutil.rmtree(folder)


def fill(data_dir: Path, documents: int) -> None:
    """A store of so many documents, an hour a segment, published as a writer would."""
    store = data_dir / "store"
    database = _duck.connect(memory="3GB", spill=data_dir / "spill")
    database.execute("SET preserve_insertion_order = true")  # newest first, as the store's merges write
    database.register("shapes_arrow", _shapes())
    database.execute("CREATE TABLE shapes AS SELECT row_number() OVER () - 1 AS shape, * FROM shapes_arrow")
    segments = [_segment(store, database, hour, documents // HOURS) for hour in range(HOURS)]
    database.close()
    _manifest.publish(store, Manifest(generation=1, segments=tuple(segments)))


def _segment(store: Path, database: duckdb.DuckDBPyConnection, hour: int, rows: int) -> Segment:
    begin = START + timedelta(hours=hour)
    name = f"log/{begin:%Y%m%d%H}/{hour:032x}.parquet"
    names = ", ".join(_duck.quoted(field.name) for field in _columns.schema())
    rows_sql = f'SELECT {names} FROM ({_hour(begin, rows)}) ORDER BY "@timestamp" DESC'
    batches = database.sql(rows_sql).to_arrow_reader(_merging.ROWS)
    tables = (_columns.of_file(pa.Table.from_batches([batch]), _columns.schema_hash()) for batch in batches)
    return write_tables(store, name, tables, level=_maintenance.WHOLE, is_found=True)


def _shapes() -> object:
    """Of each kind the pipeline's own event, as columns."""
    pipeline = Pipeline(load(ROOT / "inventory/provinces/lab"), Path("/nonexistent"))
    return _columns.table_of(
        [
            pipeline.event_of(
                SpoolRecord(
                    0, 1, UUID(int=1), START, "10.250.0.1", 514, "syslog-tcp", line.format(t=START.isoformat()).encode()
                )
            )
            for line, _ in SHAPES
        ]
    )


def _hour(begin: datetime, rows: int) -> str:
    """SQL of the rows of an hour; `hash` of the row's number is the chance."""
    line = "CASE shape " + " ".join(f"WHEN {n} THEN {sql}" for n, (_, sql) in enumerate(SHAPES)) + " END"
    step = 3_600_000_000 // rows
    needle = f"r = {rows // 3} AND {int(begin.hour == min(13, HOURS - 1))}"
    return f"""
        SELECT * REPLACE (
            moment AS "@timestamp", moment + INTERVAL 3 MILLISECOND AS "event.ingested", original AS "event.original",
            h AS "host.name", h AS "log.syslog.hostname", hip AS "host.ip", hipn AS "host.ip#n",
            CASE WHEN "user.name" IS NULL THEN NULL ELSE u END AS "user.name",
            CASE WHEN "source.ip" IS NULL THEN NULL ELSE a END AS "source.ip",
            CASE WHEN "source.ip" IS NULL THEN NULL ELSE an END AS "source.ip#n",
            CASE WHEN "source.port" IS NULL THEN NULL ELSE p END AS "source.port",
            CASE WHEN "destination.port" IS NULL THEN NULL ELSE m END AS "destination.port",
            CASE WHEN "log.syslog.procid" = '4711' THEN n::VARCHAR ELSE "log.syslog.procid" END AS "log.syslog.procid",
            CASE WHEN "process.pid" = 4711 THEN n ELSE "process.pid" END AS "process.pid",
            CASE WHEN "service.name" IS NULL THEN NULL ELSE 'app'||m END AS "service.name",
            length(original) - length(split_part(original, ' - - ', 1)) - 5 AS message_length, made_id AS id
        ) FROM (
            SELECT *, {line} AS original FROM (
                SELECT r, moment, strftime(moment, '%Y-%m-%dT%H:%M:%S.%f+00:00') AS t, 'h'||hn AS h,
                    '10.20.'||(hn // 256)||'.'||(hn % 256) AS hip,
                    unhex('00000000000000000000ffff0a14'||printf('%04x', hn)) AS hipn,
                    CASE WHEN {needle} THEN 'needle-7f3a9c' ELSE 'user'||m END AS u,
                    CASE WHEN {needle} THEN '203.0.113.77' ELSE '10.250.'||(an2 // 256)||'.'||(an2 % 256) END AS a,
                    unhex('00000000000000000000ffff'||
                        CASE WHEN {needle} THEN 'cb00714d' ELSE '0afa'||printf('%04x', an2) END) AS an,
                    x % 30000 AS n, m, 1024 + x // 7 % 64000 AS p,
                    CASE WHEN r = {rows // 3} THEN 0 ELSE (x // 11 % 5)::BIGINT END AS shape,
                    unhex(md5(r||'-{begin:%H}')) AS made_id
                FROM (SELECT r, (hash(r * 24 + {begin.hour}) // 16)::BIGINT AS x,
                             TIMESTAMP '{begin:%Y-%m-%d %H:00:00}' + to_microseconds(r * {step}) AS moment,
                             x // 13 % 300 AS hn, x // 17 % 2000 AS m,
                             x // 19 % 16384 AS an2
                      FROM range({rows}) t(r))
            )) JOIN shapes USING (shape)"""


def _read(folder: Path) -> None:
    """In a process of its own, so that its memory is the reader's."""
    store = Store(folder)
    day = (START, START + timedelta(hours=HOURS))
    hour = (START + timedelta(hours=HOURS // 2), START + timedelta(hours=HOURS // 2 + 1))
    questions: dict[str, Callable[[], object]] = {
        "host + 1 h, newest 100": lambda: len(list(store.search("host.name:h42", *hour))),
        "host + 1 h, count": lambda: store.count("host.name:h42", *hour),
        "needle over 24 h, by name": lambda: len(list(store.search("user.name:needle-7f3a9c", *day))),
        "needle over 24 h, by address": lambda: len(list(store.search("source.ip:203.0.113.77", *day))),
        "needle over 24 h, by text": lambda: len(list(store.search("needle-7f3a9c", *day))),
        "no such text over 24 h": lambda: len(list(store.search('"no such words 4711x"', *day))),
        "common address over 24 h, newest 100": lambda: len(list(store.search("source.ip:10.250.7.7", *day))),
        "failed logins over 24 h, count": lambda: store.count("event.action:login AND event.outcome:failure", *day),
        "histogram of 24 h by action": lambda: len(
            store.histogram("", *day, step=timedelta(hours=1), by="event.action")
        ),
        "hosts of 24 h": lambda: len(store.aggregate("host.name", "", *day, limit=1000)),
        "newest 100": lambda: len(list(store.search())),
    }
    print(f"{'':38} {'first':>9} {'median':>9} {'CPU':>9} {'answer':>10} {'peak MB':>8}")
    for name, ask in questions.items():
        times, spent = [], []
        for _ in range(6):
            began, used = time.perf_counter(), time.process_time()
            answer = ask()
            times.append((time.perf_counter() - began) * 1000)
            spent.append((time.process_time() - used) * 1000)
        median, cpu = sorted(times[1:])[2], sorted(spent[1:])[2]
        told = f"{times[0]:6.0f} ms {median:6.0f} ms {cpu:6.0f} ms {answer!s:>10} {_peak_mb():8.0f}"
        print(f"{name:38} {told}", flush=True)
    _floor(folder)


def _floor(folder: Path) -> None:
    files = [str(folder / "store" / s.file) for s in Store(folder).manifest().segments]
    with _duck.connect() as database:
        began = time.perf_counter()
        sql = "SELECT count(*) FROM read_parquet(?) WHERE contains(\"event.original\", 'needle-7f3a9c')"
        found = database.execute(sql, [files]).fetchone()
        print(f"{'floor: reading every line':38} {(time.perf_counter() - began) * 1000:6.0f} ms {found!s:>20}")


def _peak_mb() -> float:
    """Of this program alone: getrusage would count what its parent held when it forked."""
    line = next(line for line in Path("/proc/self/status").read_text().split("\n") if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    _read(Path(sys.argv[1])) if len(sys.argv) > 1 else main()
