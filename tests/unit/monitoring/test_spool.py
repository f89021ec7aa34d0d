"""The spool: what was appended is there, in order, once; whatever the file looks like afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.errors import SpoolError, SpoolFull, SpoolLocked, SpoolUnwritable
from monitoring.spool import Received, Spool, SpoolLimits, SpoolReader, SpoolRecord, spools

ROOT = Path(__file__).resolve().parents[3]
ERRORS = ROOT / "tests/errors"
NOW_US = 1_795_000_000_123_456


def message(n: int, raw: bytes | None = None, receiver: str = "syslog-udp") -> Received:
    return Received(f"message {n}".encode() if raw is None else raw, NOW_US + n, receiver, f"10.0.0.{n % 5}", 514)


def everything(directory: Path, limit: int = 7) -> list[SpoolRecord]:
    reader, position, records = SpoolReader(directory), 0, []
    while True:
        found, position = reader.read(position, limit)
        if not found:
            return records
        records += found


def segment(directory: Path) -> Path:
    return max(directory.glob("*.seg"))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "spool" / "test"


@pytest.fixture
def spool(directory: Path) -> Iterator[Spool]:
    opened = Spool(directory)
    yield opened
    opened.close()


raws = st.lists(st.binary(max_size=300), max_size=12)


@given(batches=st.lists(raws, max_size=5))
@settings(max_examples=15, deadline=None)
def test_what_is_appended_is_read_in_order(
    batches: list[list[bytes]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("spool")
    spool = Spool(directory, SpoolLimits(segment_octets=512))
    sent = []
    for batch in batches:
        messages = [message(len(sent) + n, raw) for n, raw in enumerate(batch)]
        spool.append(messages)
        sent += messages
    spool.close()
    found = everything(directory)
    assert [(r.raw, r.peer, r.peer_port, r.receiver) for r in found] == [(m.raw, m.peer, 514, m.receiver) for m in sent]
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert [r.received for r in found] == [epoch + timedelta(microseconds=m.received_us) for m in sent]
    assert all(a.next_position == b.position for a, b in pairwise(found))


def test_more_octets_may_be_cut_than_a_record_can_tell(spool: Spool, directory: Path) -> None:
    spool.append([message(1)._replace(cut=2**40)])
    assert everything(directory)[0].cut == 2**32 - 1


def test_reading_goes_on_while_it_is_written(spool: Spool, directory: Path) -> None:
    reader = SpoolReader(directory)
    assert reader.read(0) == ([], 0)
    spool.append([message(1)])
    first, position = reader.read(0)
    spool.append([message(2)])
    second, _ = reader.read(position)
    assert [r.raw for r in first + second] == [b"message 1", b"message 2"]


def test_an_event_id_is_the_same_at_every_reading_and_new_in_every_spool(tmp_path: Path) -> None:
    ids = []
    for name in ("a", "b"):
        spool = Spool(tmp_path / name)
        spool.append([message(1), message(2)])
        spool.close()
        once, again = everything(tmp_path / name), everything(tmp_path / name)
        assert [r.event_id for r in once] == [r.event_id for r in again]
        ids += [r.event_id for r in once]
    assert len(set(ids)) == 4


def test_opening_again_goes_on_behind_what_is_there(spool: Spool, directory: Path) -> None:
    spool.append([message(1)])
    spool.close()
    again = Spool(directory)
    again.append([message(2)])
    again.close()
    assert [r.raw for r in everything(directory)] == [b"message 1", b"message 2"]
    assert again.id == spool.id


def test_a_torn_tail_is_cut_wherever_it_was_torn(tmp_path: Path) -> None:
    whole = Spool(tmp_path / "whole")
    ends = [whole.append([message(n)]) for n in range(4)]
    whole.close()
    octets = segment(tmp_path / "whole").read_bytes()
    for cut in range(ends[1], len(octets)):
        segment(tmp_path / "whole").write_bytes(octets[:cut])
        again = Spool(tmp_path / "whole")
        kept = sum(end <= cut for end in ends)
        assert again.end == ends[kept - 1]
        assert again.torn_octets == cut - ends[kept - 1]
        again.append([message(9)])
        again.close()
        assert [r.raw for r in everything(tmp_path / "whole")] == [
            *(b"message %d" % n for n in range(kept)),
            b"message 9",
        ]


@given(victim=st.integers(0, 3), data=st.data())
@settings(max_examples=20, deadline=None)
def test_a_damaged_record_is_skipped_and_counted_and_the_others_stay(
    victim: int, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("spool")
    spool = Spool(directory)
    ends = [0, *(spool.append([message(n)]) for n in range(5))]
    spool.close()
    octets = bytearray(segment(directory).read_bytes())
    at = data.draw(st.integers(ends[victim], ends[victim + 1] - 1))
    octets[at] ^= data.draw(st.integers(1, 255))
    segment(directory).write_bytes(octets)
    reader = SpoolReader(directory)
    records, _ = reader.read(0)
    assert [r.raw for r in records] == [b"message %d" % n for n in range(5) if n != victim]
    assert reader.damaged_octets == ends[victim + 1] - ends[victim]
    again = Spool(directory)
    assert again.end == ends[-1], "records behind a damaged one are not cut off"
    again.close()


def test_a_record_hidden_in_a_message_is_never_taken_for_one(tmp_path: Path) -> None:
    other = Spool(tmp_path / "other")
    other.append([message(66, b"forged")])
    other.close()
    forged = segment(tmp_path / "other").read_bytes()
    spool = Spool(tmp_path / "mine")
    spool.append([message(1, b"x" * 50 + forged + b"y"), message(2)])
    spool.close()
    octets = bytearray(segment(tmp_path / "mine").read_bytes())
    octets[4] ^= 0xFF  # the length of the first record: the reader has to look for the next one
    segment(tmp_path / "mine").write_bytes(octets)
    assert [r.raw for r in everything(tmp_path / "mine")] == [b"message 2"]


@given(rubbish=st.binary(max_size=2000))
@settings(max_examples=20, deadline=None)
def test_no_content_of_a_segment_stops_a_reader(rubbish: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("spool")
    spool = Spool(directory)
    spool.append([message(1)])
    spool.close()
    with segment(directory).open("ab") as file:
        file.write(rubbish)
    again = Spool(directory)
    again.append([message(2)])
    again.close()
    assert [r.raw for r in everything(directory)] == [b"message 1", b"message 2"]


def test_counts_are_right_when_the_writer_was_killed(directory: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from monitoring.spool import Received, Spool, SpoolLimits\n"
        "spool = Spool(Path(sys.argv[1]), SpoolLimits(segment_octets=400))\n"
        "for n in range(50): spool.append([Received(b'm', 1, 'syslog-udp', f'10.0.0.{n % 5}', 514)])\n"
        "os._exit(9)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(directory)], cwd=ROOT, check=False)
    assert done.returncode == 9
    again = Spool(directory)
    assert again.received.counts == {f"syslog-udp 10.0.0.{n}": 10 for n in range(5)}
    again.close()
    assert len(everything(directory)) == 50


def test_lost_counts_are_counted_again_from_the_segments(directory: Path) -> None:
    spool = Spool(directory, SpoolLimits(segment_octets=300))
    for n in range(20):
        spool.append([message(n)])
    spool.close()
    (directory / "counts.json").unlink()
    again = Spool(directory)
    assert again.received.total == 20
    again.close()


def test_counts_of_long_ago_are_brought_up_to_date(directory: Path) -> None:
    spool = Spool(directory, SpoolLimits(segment_octets=300))
    spool.append([message(0), message(1)])
    spool.close()
    old = (directory / "counts.json").read_bytes()
    spool = Spool(directory, SpoolLimits(segment_octets=300))
    for n in range(20):
        spool.append([message(n)])
    spool.close()
    (directory / "counts.json").write_bytes(old)
    again = Spool(directory)
    assert again.received.total == 22
    again.close()


def test_a_segment_goes_when_every_reader_has_passed_it(directory: Path) -> None:
    spool = Spool(directory, SpoolLimits(segment_octets=300, keep_consumed_s=0))
    for n in range(20):
        spool.append([message(n)])
    segments = len(list(directory.glob("*.seg")))
    assert segments > 3
    reader = SpoolReader(directory)
    reader.commit("store", reader.end)
    reader.commit("detect", 0)
    spool.remove_consumed()
    assert len(list(directory.glob("*.seg"))) == segments, "one reader still needs all"
    reader.commit("detect", reader.end)
    spool.remove_consumed()
    assert len(list(directory.glob("*.seg"))) == 1
    spool.append([message(99)])
    spool.close()
    assert everything(directory)[-1].raw == b"message 99"


def test_consumed_segments_stay_for_their_minimum_time(directory: Path) -> None:
    spool = Spool(directory, SpoolLimits(segment_octets=300, keep_consumed_s=3600))
    for n in range(20):
        spool.append([message(n)])
    reader = SpoolReader(directory)
    reader.commit("store", reader.end)
    spool.remove_consumed()
    spool.close()
    assert len(everything(directory)) == 20


def test_a_new_reader_of_an_old_spool_begins_at_what_is_left(directory: Path) -> None:
    spool = Spool(directory, SpoolLimits(segment_octets=300, keep_consumed_s=0))
    for n in range(20):
        spool.append([message(n)])
    reader = SpoolReader(directory)
    reader.commit("store", reader.end)
    spool.remove_consumed()
    spool.close()
    records, _ = reader.read(0)
    assert records[0].position == reader.start > 0
    assert reader.missing_octets == reader.start


def test_the_budget_refuses_and_taking_goes_on_when_readers_have_caught_up(directory: Path) -> None:
    spool = Spool(directory, SpoolLimits(segment_octets=500, budget_octets=2000))
    reader = SpoolReader(directory)
    reader.commit("store", 0)
    with pytest.raises(SpoolFull, match="reader 'store' is furthest behind"):
        for n in range(1000):
            spool.append([message(n)])
    held = len(everything(directory))
    reader.commit("store", reader.end)
    spool.append([message(1000)])
    spool.close()
    assert spool.received.total == held + 1


def test_no_space_leaves_nothing_of_the_batch_and_goes_on_with_space(directory: Path) -> None:
    program = """
import resource, signal, sys
from pathlib import Path
from monitoring.errors import SpoolFull
from monitoring.spool import Received, Spool
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # the write then fails as on a full disk
spool = Spool(Path(sys.argv[1]))
spool.append([Received(b"before", 1, "syslog-udp", "10.0.0.1", 514)])
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
try:
    spool.append([Received(b"x" * 3000, 1, "syslog-udp", "10.0.0.1", 514)] * 2)
except SpoolFull as error:
    print(error.what)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
spool.append([Received(b"after", 1, "syslog-udp", "10.0.0.1", 514)])
spool.close()
"""
    command = [sys.executable, "-c", program, str(directory)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "no space left for the spool\n"
    assert [r.raw for r in everything(directory)] == [b"before", b"after"]


def golden(case: str, error: Exception, directory: Path) -> None:
    """Compare with the committed text, in which this test's folder is DIR and process ids are PID."""
    text = str(error).replace(str(directory), "DIR").replace(f"process {os.getpid()}", "process PID") + "\n"
    path = ERRORS / f"spool-{case}.txt"
    if os.environ.get("CANH_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_a_second_writer_is_told_who_the_first_is(spool: Spool, directory: Path) -> None:
    with pytest.raises(SpoolLocked) as refused:
        Spool(directory)
    golden("locked", refused.value, directory)
    spool.append([message(1)])


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolUnwritable) as refused:
        Spool(tmp_path / "file" / "spool")
    golden("unwritable", refused.value, tmp_path)


def test_a_spool_without_its_id_is_not_given_a_new_one(spool: Spool, directory: Path) -> None:
    spool.append([message(1)])
    spool.close()
    (directory / "spool.json").write_text("{")
    with pytest.raises(SpoolError) as refused:
        Spool(directory)
    golden("damaged-id", refused.value, directory)
    (directory / "spool.json").unlink()
    with pytest.raises(SpoolError) as refused:
        Spool(directory)
    golden("lost-id", refused.value, directory)


def test_the_spools_of_a_data_directory_are_found(spool: Spool, tmp_path: Path, directory: Path) -> None:
    assert spools(tmp_path) == (directory,)
    assert spools(tmp_path / "new") == ()
