"""What a backup knows of secrets it does not hold, and when it is on disk."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from network import backup
from network.platform import Platform
from network.tree import Tree, parse
from tests.unit.network.devices import START

OLD = "interface eth1\n ip ospf message-digest-key 1 md5 oldkey\nexit\npassword opensesame\n"
NEW = OLD.replace("oldkey", "newkey")
LINE = "interface eth1 / ip ospf message-digest-key 1 md5 <masked>"


@pytest.fixture
def old(frr: Platform) -> Tree:
    return parse(OLD, frr)


def test_a_secret_that_changed_is_told_by_its_line_and_nothing_of_it_is_kept(
    old: Tree, frr: Platform, tmp_path: Path
) -> None:
    before = backup.secret_marks(old, frr, tmp_path)
    assert backup.replaced_secrets(parse(NEW, frr), before, frr, tmp_path) == (LINE,)
    assert backup.replaced_secrets(old, before, frr, tmp_path) == ()
    assert set(before) == {LINE, "password <masked>"}
    assert "oldkey" not in repr(before)


def test_the_key_is_its_owners_alone_and_another_directory_has_another(
    old: Tree, frr: Platform, tmp_path: Path
) -> None:
    here, elsewhere = (backup.secret_marks(old, frr, tmp_path / name) for name in ("a", "b"))
    assert here == backup.secret_marks(old, frr, tmp_path / "a")
    assert set(here.values()).isdisjoint(elsewhere.values())
    assert stat.S_IMODE((tmp_path / "a" / backup.KEY).stat().st_mode) == 0o600
    assert [p.name for p in (tmp_path / "a").iterdir()] == [backup.KEY]


def test_a_backup_is_on_disk_with_its_name(frr: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[str, bool]] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        path = Path(f"/proc/self/fd/{handle}").readlink()
        synced.append((path.name, any(path.glob("*.conf"))))
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    backup.save(tmp_path, "core1", OLD, frr, at=START)
    assert synced[-1] == ("core1", True)
