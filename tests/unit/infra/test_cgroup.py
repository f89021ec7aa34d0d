"""Control groups of labs that come and go beside each other."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import pytest

from infra import cgroup


def test_a_group_is_made_while_another_lab_takes_its_parents_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The directories of a hierarchy behave as any: a parent is gone as soon as it is empty."""
    hierarchy = tmp_path / "unified"
    hierarchy.mkdir()
    (hierarchy / "cgroup.procs").write_text("")
    monkeypatch.setattr(cgroup, "ROOT", tmp_path)
    done = threading.Event()

    def take_away() -> None:
        while not done.is_set():
            for folder in (hierarchy / cgroup.TOP / "a", hierarchy / cgroup.TOP):
                with contextlib.suppress(OSError):
                    folder.rmdir()

    other = threading.Thread(target=take_away)
    other.start()
    try:
        for number in range(100):
            (file,) = cgroup.ensure("a", f"m{number}")
            file.parent.rmdir()
    finally:
        done.set()
        other.join()


def test_a_group_that_cannot_be_made_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "unified").mkdir()
    (tmp_path / "unified/cgroup.procs").write_text("")
    monkeypatch.setattr(cgroup, "ROOT", tmp_path)
    with pytest.raises(FileNotFoundError, match="removed again"):
        cgroup.ensure("no/such/lab", "m1")
