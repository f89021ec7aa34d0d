"""Images by content: what changes one, what is left out of one, which are forgotten."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from infra import bake, images


@pytest.fixture
def playbooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "playbooks"
    folder.mkdir()
    (folder / "base-packages.txt").write_text("# what boots\nsystemd-sysv\nfrr # routers\n\n")
    (folder / "site.yml").write_text("[]\n")
    monkeypatch.setattr(images, "PLAYBOOKS", folder)
    monkeypatch.setenv("CANH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CANH_IMAGES", raising=False)
    return folder


def test_packages_are_words_not_comments(playbooks: Path) -> None:
    assert images.packages() == ("frr", "systemd-sysv")


def test_a_changed_role_changes_the_layer_but_not_the_base(playbooks: Path) -> None:
    layer, base = images.image_of("router"), images.base_path()
    (playbooks / "roles").mkdir()
    (playbooks / "roles/main.yml").write_text("[]\n")
    assert images.image_of("router") != layer
    assert images.base_path() == base


def test_a_changed_package_list_changes_both(playbooks: Path) -> None:
    layer, base = images.image_of("router"), images.base_path()
    (playbooks / "base-packages.txt").write_text("systemd-sysv\n")
    assert images.image_of("router") != layer
    assert images.base_path() != base


def test_what_python_and_ansible_leave_behind_changes_nothing(playbooks: Path) -> None:
    layer = images.image_of("router")
    (playbooks / "__pycache__").mkdir()
    (playbooks / "__pycache__/x.pyc").write_text("x")
    (playbooks / "site.retry").write_text("x")
    os.utime(playbooks / "site.yml", (0, 0))
    assert images.image_of("router") == layer


def test_a_machine_stands_on_its_layer_over_the_base(playbooks: Path) -> None:
    assert images.layers_of("soc") == (str(images.image_of("soc")), str(images.base_path()))
    (playbooks / "site.yml").unlink()
    assert images.layers_of("soc") == (str(images.base_path()),)


def test_only_the_newest_images_of_each_kind_are_kept(playbooks: Path) -> None:
    images.images_dir().mkdir(parents=True)
    for age in range(6):
        for kind in ("router", "soc"):
            folder = images.images_dir() / f"{kind}-{age}"
            folder.mkdir()
            os.utime(folder, (1000 - age, 1000 - age))
    images.forget_old()
    kept = sorted(p.name for p in images.images_dir().iterdir())
    assert kept == [f"{kind}-{age}" for kind in ("router", "soc") for age in range(images.KEPT)]


def test_an_unfinished_image_is_removed_before_the_next_is_built(playbooks: Path) -> None:
    unfinished = images.images_dir() / ".building-base-1"
    (unfinished / "etc").mkdir(parents=True)
    with images.building(print):
        assert not unfinished.exists()
        with images.idle() as nobody_builds:
            assert not nobody_builds
    with images.idle() as nobody_builds:
        assert nobody_builds


def test_cleaning_an_image_never_follows_a_link_out_of_it(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "kept").mkdir(parents=True)
    root = tmp_path / "root"
    (root / "etc/ssh").mkdir(parents=True)
    (root / "etc/ssh/ssh_host_key").write_text("x")
    (root / "tmp").mkdir()
    (root / "tmp/link").symlink_to(outside)
    (root / "tmp/folder").mkdir()
    bake.clean(root, ["etc/ssh/ssh_host_*", "tmp/*", "nothing/*"])
    assert (outside / "kept").is_dir()
    assert list((root / "tmp").iterdir()) == list((root / "etc/ssh").iterdir()) == []


def test_the_base_is_built_by_a_script_that_is_executable() -> None:
    assert os.access(images.CUSTOMIZE, os.X_OK)
    assert shutil.which("sh")
