"""Day-0 files written into a machine's tree."""

from __future__ import annotations

import os
from pathlib import Path

from infra.overlay import write_files
from infra.spec import MachineFile

ME = os.geteuid()


def test_files_get_their_mode_and_their_folders(tmp_path: Path) -> None:
    write_files(tmp_path, [MachineFile(path="/etc/ssh/key", content="k", mode=0o600, owner=ME)])
    assert (tmp_path / "etc/ssh/key").read_text() == "k"
    assert (tmp_path / "etc/ssh/key").stat().st_mode & 0o777 == 0o600


def test_a_link_in_the_way_is_replaced_and_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("mine")
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/hostname").symlink_to(outside)
    write_files(root, [MachineFile(path="/etc/hostname", content="core1\n", owner=ME)])
    assert outside.read_text() == "mine"
    assert (root / "etc/hostname").read_text() == "core1\n"
    assert not (root / "etc/hostname").is_symlink()


def test_writing_again_changes_nothing(tmp_path: Path) -> None:
    files = [MachineFile(path="/etc/machine-id", content="0\n", mode=0o444, owner=ME)]
    write_files(tmp_path, files)
    write_files(tmp_path, files)
    assert (tmp_path / "etc/machine-id").read_text() == "0\n"
