"""Parsing by several processes gives what one gives: the same events in the same order, each once."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path
from uuid import UUID

import pytest

from monitoring.event import Value
from monitoring.parsing import parsed
from monitoring.retention import Retention
from monitoring.spool import Received, Spool, SpoolRecord
from tests.unit.monitoring.lab import ROOT, ROUTER, pipeline, record
from tests.unit.monitoring.test_receivers_storing import fill

VTYSH = "<29>1 2026-11-22T03:19:5{n}.5Z dc-r1 zebra 420 - -  [M7Q4P-46WDR] vty[{session}]@{text}"
SESSION = ("# configure terminal", "(config)# log commands", "(config)# end", "# configure terminal", "(config)# end")

# Forked where nothing has threads yet: not in pytest, which may.
PROGRAM = """
import json, sys
from pathlib import Path
from monitoring import storing
from monitoring.parsing import Parsers
from monitoring.pipeline import Pipeline
from tests.unit.monitoring.lab import province

data, processes, store = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
storing.BEHIND_OCTETS = 0
pipeline = Pipeline(province(), data)
parsers = Parsers(50)
parsers.start(processes, pipeline.fields_of)
from monitoring.store import Store, writer
from monitoring.errors import StoreError

fails = int(sys.argv[4])
for attempt in range(fails + 1):
    sink = writer(data)
    storer = storing.Storer(data, pipeline.event_of, sink, parsers=parsers, followed=pipeline.followed)
    steps = 0
    while storer.step():
        steps += 1
        if attempt < fails and steps == 3:
            break  # as when the store cannot go on: batches are under way, nothing of them is committed
    else:
        storer.commit()
    sink.close()
events = sorted(Store(data).search("*", limit=None), key=lambda e: e.id)
print(json.dumps([dict(e.fields) for e in events], sort_keys=True))
print(json.dumps(json.loads((data / "stats/store.json").read_text()) | {"at": 0}, sort_keys=True))
"""


def stored(data: Path, processes: int, fails: int = 0) -> str:
    command = [sys.executable, "-c", PROGRAM, str(data), str(processes), str(data / "store"), str(fails)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def spooled(data: Path) -> None:
    """Two spools; in one the lines of configuration sessions lie in different batches."""
    for number, name in enumerate(("collector", "collector-2")):
        folder = data / "spool" / name
        folder.mkdir(parents=True)
        (folder / "spool.json").write_text(json.dumps({"format": 1, "id": str(UUID(int=number))}))
        spool = Spool(folder)
        for n in range(5):
            text = VTYSH.format(n=n, session=number, text=SESSION[n]).encode()
            now = 1_795_000_000_000_000 + n
            spool.append([Received(text, now, "syslog-udp", ROUTER, 514)])
            spool.append([Received(b"<13>line %d %d" % (n, i), now, "syslog-udp", "10.9.9.9", 5) for i in range(60)])
        spool.close()


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What one process gives."""
    folder = tmp_path_factory.mktemp("alone")
    spooled(folder)
    return stored(folder, 0)


@pytest.mark.parametrize(("processes", "fails"), [(1, 0), (3, 0), (3, 2)])
def test_several_processes_give_what_one_gives(alone: str, processes: int, fails: int, tmp_path: Path) -> None:
    spooled(tmp_path)
    assert alone.count("config-changed") == 2
    assert alone.count('"<13>line') == 2 * 300
    assert stored(tmp_path, processes, fails) == alone


def test_what_needs_no_look_comes_as_columns_and_the_rest_as_events() -> None:
    lines = [
        VTYSH.format(n=1, session=1, text=SESSION[1]),
        "<13>a",
        "poison",
        VTYSH.format(n=2, session=1, text="# show run"),
        "<13>b",
    ]
    made = pipeline()

    def fields_of(one: SpoolRecord) -> dict[str, Value]:
        if one.raw == b"poison":
            raise ValueError("no event of this")
        return made.fields_of(one)

    batch = parsed([record(line, position=n) for n, line in enumerate(lines)], Retention(), fields_of)
    assert [o.position for o in batch.origins] == [0, 2]
    assert batch.faults == {1: "no-event: ValueError: no event of this"}
    assert (sum(p.size for p in batch.parts), sum(n for _, n in batch.heard.counts())) == (3, 3)
    assert pickle.loads(pickle.dumps(batch)).parts == batch.parts


def test_a_parser_process_that_dies_ends_the_worker_and_not_the_others_quietly(tmp_path: Path) -> None:
    program = textwrap.dedent(
        """
        import os, signal, sys
        from pathlib import Path
        from monitoring.parsing import Parsers
        from monitoring.spool import SpoolReader

        def fields_of(record):
            if record.raw == b"message 3":
                os.kill(os.getpid(), signal.SIGKILL)
            return {"n": 1}

        parsers = Parsers(10)
        parsers.start(2, fields_of)
        try:
            parsers.take(Path(sys.argv[1]), 0)
        except EOFError:
            print("told")
        """
    )
    spool = Spool(tmp_path / "spool")
    fill(spool, 0, 30)
    spool.close()
    command = [sys.executable, "-c", program, str(tmp_path / "spool")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout == "told\n", done.stderr


def test_a_defect_in_one_record_is_a_fault_of_that_one() -> None:
    def fields_of(one: object) -> dict[str, str | int | float | bool | tuple[str, ...] | tuple[int, ...]]:
        if getattr(one, "raw", b"") == b"poison":
            raise ValueError("no event of this")
        return {"message": "fine"}

    made = parsed([record(b"a", position=1), record(b"poison", position=2), record(b"b", position=3)], None, fields_of)
    assert [o.position for o in made.origins] == [1, 2, 3]
    assert made.faults == {1: "no-event: ValueError: no event of this"}
    assert made.fields == [{"message": "fine"}, {}, {"message": "fine"}]
