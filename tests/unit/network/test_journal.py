"""A journal holds whole lines only, also on a disk that is full, and says where it does not."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from network import journal
from network.errors import NetworkError
from network.journal import Journal
from tests.unit.network.devices import START


@contextmanager
def room_for(octets: int, path: Path) -> Iterator[None]:
    """The file may grow by `octets` and no more: the kernel writes what fits, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + octets, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


def test_a_line_that_does_not_fit_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    log = Journal(tmp_path / "aaaa.jsonl")
    log.append("opened", START, change_id="aaaa", devices=["r1"])
    with room_for(40, log.path), pytest.raises(OSError, match="No space left"):
        log.append("sending", START, device="r1", lines=["x" * 100])
    log.append("reverted", START, device="r1")
    log.append("closed", START, result="reverted")
    log.close()
    assert [e["event"] for e in journal.entries(log.path)] == ["opened", "reverted", "closed"]
    assert journal.open_changes(tmp_path) == ()


def test_a_line_that_is_none_is_named_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "aaaa.jsonl").write_bytes(b'{"event": "opened"}\n{"event": "sen{"event": "closed"}\n')
    with pytest.raises(NetworkError, match="cannot be read") as error:
        journal.open_changes(tmp_path)
    assert str(error.value.where).endswith("aaaa.jsonl:2")
