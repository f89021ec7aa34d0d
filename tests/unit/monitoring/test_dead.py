"""Dead letters: replayed once under their own ids, edited, dropped, expired; every one of them counted."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from canh.cli import main
from monitoring.dead import dead_letters, request
from monitoring.event import Event
from monitoring.settling import Settling
from monitoring.spool import Spool, SpoolRecord
from monitoring.store import Store, writer
from monitoring.storing import Storer, store_for_ever
from tests.unit.monitoring.lab import ROOT
from tests.unit.monitoring.test_receivers_storing import START, event_of, fill, saved, spool, stored

__all__ = ["spool"]  # the fixture


@pytest.fixture
def poisoned(spool: Spool, tmp_path: Path) -> Path:
    """Ten messages; two of them are dead letters."""
    fill(spool, 0, 10, lambda n: b"poison" if n in (3, 7) else b"message %d" % n)
    with storing_into(tmp_path):
        pass
    return tmp_path


@contextmanager
def storing_into(data_dir: Path, made: Callable[[SpoolRecord], Event] = event_of) -> Iterator[Storer]:
    """A worker that did one round, and does another and commits at the end."""
    sink = writer(data_dir)
    storer = Storer(data_dir, made, sink)
    storer.step()
    try:
        yield storer
        storer._settling._look_at = 0.0
        storer.step()
        storer.commit()
    finally:
        storer.close()
        sink.close()


def mended(record: SpoolRecord) -> Event:
    """As if the parser had been mended."""
    return event_of(record._replace(raw=b"mended" if record.raw == b"poison" else record.raw))


def asking(data_dir: Path, *words: str) -> int:
    """`canh dead` while no worker runs: the request stays."""
    return main(["--data", str(data_dir), "dead", *words])


def test_dead_letters_are_replayed_once_under_their_own_ids(poisoned: Path, spool: Spool) -> None:
    ids = {x["event_id"] for x in dead_letters(poisoned)}
    assert asking(poisoned, "replay", "--all", "--wait", "0") == 2, "nobody does it: it says so"
    assert asking(poisoned, "replay", "--reason", "no-event", "--wait", "0") == 2, "asked twice"
    with storing_into(poisoned, mended):
        pass
    assert stored(poisoned) == sorted([f"message {n}" for n in range(10) if n not in (3, 7)] + ["mended"] * 2)
    found = Store(poisoned).search("message:mended", START, START + timedelta(hours=2), limit=10)
    assert {e.id for e in found} == ids
    assert not list(dead_letters(poisoned))
    balance = saved(spool, poisoned)
    assert (balance.total("stored"), balance.total("dead"), balance.balances) == (10, 0, True)
    assert not list((poisoned / "dead/requests").glob("*")), "both requests are done"


def test_a_replay_that_is_killed_before_its_commit_is_done_again_and_once(poisoned: Path, spool: Spool) -> None:
    asking(poisoned, "replay", "--all", "--wait", "0")
    for commits in (False, True, True):
        sink = writer(poisoned)
        storer = Storer(poisoned, mended, sink)
        if not commits:
            storer.commit = lambda: None  # type: ignore[method-assign]
            batch = storer._settling.next_batch()
            assert batch is not None
            storer._replay(batch.letters)
            storer._dead.mark(storer._dead_mark)  # the journal is written, the store's commit is not
        else:
            storer.step()
            storer.commit()
        storer.close()
        sink.close()
    assert stored(poisoned).count("mended") == 2
    assert saved(spool, poisoned).balances


def test_a_letter_that_still_fails_stays_with_its_newest_reason(poisoned: Path, spool: Spool) -> None:
    def other_defect(record: SpoolRecord) -> Event:
        raise KeyError("another defect")

    asking(poisoned, "replay", "--all", "--wait", "0")
    with storing_into(poisoned, other_defect):
        pass
    assert [x["detail"] for x in dead_letters(poisoned)] == ["KeyError: 'another defect'"] * 2
    balance = saved(spool, poisoned)
    assert (balance.total("dead"), balance.balances) == (2, True)


def test_an_edited_letter_is_stored_as_edited(
    poisoned: Path, spool: Spool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asking(poisoned, "show", "--source", "10.0.0.0") == 0
    letter = json.loads(capsys.readouterr().out)
    assert letter["text"] == "poison"
    (tmp_path / "edited.ndjson").write_text(json.dumps({**letter, "text": "antidote"}) + "\n")
    asking(poisoned, "replay", "--edited", str(tmp_path / "edited.ndjson"), "--wait", "0")
    with storing_into(poisoned):
        pass
    (found,) = Store(poisoned).search("message:antidote", START, START + timedelta(hours=2), limit=10)
    assert (found.id, found.text("canh.replayed")) == (letter["event_id"], "edited")
    assert len(list(dead_letters(poisoned))) == 1
    assert saved(spool, poisoned).balances


def test_dropped_letters_are_counted_as_dropped(poisoned: Path, spool: Spool) -> None:
    asking(poisoned, "drop", "--source", "10.0.0.1", "--wait", "0")
    with storing_into(poisoned):
        pass
    balance = saved(spool, poisoned)
    assert (balance.total("received"), balance.total("dead"), balance.total("dropped")) == (10, 1, 1)
    assert balance.dropped == {"dead-letter-dropped": {"syslog-udp 10.0.0.1": 1}}
    assert balance.balances


def test_old_letters_expire_and_are_counted(poisoned: Path, spool: Spool) -> None:
    (path,) = (poisoned / "dead").glob("*.ndjson")
    sink = writer(poisoned)
    storer = Storer(poisoned, event_of, sink)
    storer._dead_mark = {"file": "2026-01-02.ndjson", "size": path.stat().st_size}
    storer.commit()
    path.rename(path.with_name("2026-01-02.ndjson"))
    storer._settling = Settling(storer._dead, poisoned, timedelta(days=30))
    storer.step()
    storer.commit()
    sink.close()
    assert not (path.with_name("2026-01-02.ndjson")).exists()
    assert not list(dead_letters(poisoned))
    balance = saved(spool, poisoned)
    assert (balance.total("dead"), balance.total("dropped"), balance.balances) == (0, 2, True)
    assert balance.dropped["dead-letter-expired"] == {"syslog-udp 10.0.0.0": 1, "syslog-udp 10.0.0.1": 1}


def test_a_request_nobody_understands_is_set_aside(poisoned: Path) -> None:
    folder = poisoned / "dead/requests"
    folder.mkdir()
    (folder / "1.ndjson").write_text('{"event_id": "x", "action": "explode"}\n')
    with storing_into(poisoned):
        pass
    assert [p.name for p in folder.iterdir()] == ["1.refused"]


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("which-letters", ["drop"]),
        ("no-such-file", ["replay", "--edited", "DIR/none.ndjson"]),
        ("edited-line", ["replay", "--edited", "DIR/wrong.ndjson"]),
        ("no-worker", ["replay", "--all", "--wait", "0"]),
    ],
)
def test_what_cannot_be_settled_says_why(
    case: str, words: list[str], poisoned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "wrong.ndjson").write_text('\n{"event_id": "x"}\n')
    assert asking(poisoned, *(word.replace("DIR", str(tmp_path)) for word in words)) == 2
    told = re.sub(r"\d{20}-\w{8}", "REQUEST", capsys.readouterr().err.replace(str(tmp_path), "DIR"))
    golden = ROOT / f"tests/errors/dead-{case}.txt"
    if os.environ.get("CANH_GOLDEN") == "write":
        golden.write_text(told, encoding="utf-8")
    assert told == golden.read_text(encoding="utf-8")


def test_which_letters_has_to_be_said_and_edited_lines_have_to_be_letters(
    poisoned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asking(poisoned, "drop") == 2
    assert "which letters?" in capsys.readouterr().err
    (tmp_path / "wrong").write_text("\n{}\n")
    assert asking(poisoned, "replay", "--edited", str(tmp_path / "wrong")) == 2
    assert f"at {tmp_path / 'wrong'}:2" in capsys.readouterr().err
    assert asking(poisoned, "drop", "no-such-id", "--wait", "0") == 0
    assert "no letter fits" in capsys.readouterr().err


def test_a_running_worker_does_what_is_asked_while_one_waits(
    poisoned: Path, spool: Spool, capsys: pytest.CaptureFixture[str]
) -> None:
    stop = threading.Event()
    worker = threading.Thread(target=store_for_ever, args=(poisoned, mended, lambda: writer(poisoned), stop))
    worker.start()
    try:
        assert asking(poisoned, "replay", "--all") == 0
    finally:
        stop.set()
        worker.join(60)
    assert json.loads(capsys.readouterr().out) == {"action": "replay", "asked": 2, "settled": 2}
    assert stored(poisoned).count("mended") == 2


def test_a_request_follows_no_link_of_the_platforms_user(tmp_path: Path) -> None:
    """Root asks in a folder another user owns: it would write to, or give away, whatever that user linked there."""
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "elsewhere" / "shadow"
    target.write_text("untouched")
    data = tmp_path / "data"
    (data / "dead").mkdir(parents=True)
    (data / "dead" / "requests").symlink_to(target.parent)
    with pytest.raises(OSError, match=r"Not a directory|symbolic links"):
        request(data, [{"event_id": "1", "action": "drop"}], "asked")
    (data / "dead" / "requests").unlink()
    (data / "dead" / "requests").mkdir()
    (data / "dead" / "requests" / ".asked.part").symlink_to(target)
    with pytest.raises(FileExistsError):
        request(data, [{"event_id": "1", "action": "drop"}], "asked")
    assert [p.name for p in target.parent.iterdir()] == ["shadow"] and target.read_text() == "untouched"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_asks_belongs_to_the_platform(tmp_path: Path) -> None:
    os.chown(tmp_path, 777, 777)
    asked = request(tmp_path, [{"event_id": "1", "action": "drop"}], "asked")
    assert {(p.stat().st_uid, p.stat().st_gid) for p in (asked, asked.parent, asked.parent.parent)} == {(777, 777)}
    assert [p.name for p in asked.parent.iterdir()] == ["asked.ndjson"]
