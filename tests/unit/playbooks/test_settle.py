"""The one module of our own: what it changes, what it leaves alone, and what it refuses."""

from __future__ import annotations

import grp
import importlib.util
import os
import pwd
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

MODULE = Path(__file__).resolve().parents[3] / "playbooks/library/settle.py"


def _module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("settle", MODULE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


settle = _module()
WANTED: dict[str, Any] = {"files": [], "masked": [], "enabled": [], "started": [], "act": True}
# A systemd of one page: units are files that hold their state, and what was asked is kept.
SYSTEMCTL = """#!/bin/sh
cd "$(dirname "$0")"
verb=$1; shift
case $verb in
  is-active|is-enabled) for unit in "$@"; do [ -e "$unit.$verb" ] && cat "$unit.$verb"; done; exit 0;;
esac
echo "$verb $*" >> asked
for unit in "$@"; do
  [ -e "$unit.fails" ] && { echo "$unit does not start" >&2; exit 1; }
  echo active > "$unit.is-active"
done
exit 0
"""


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that plays systemd; returns it. `asked` lists what was done."""
    folder = tmp_path / "systemd"
    folder.mkdir()
    (folder / "systemctl").write_text(SYSTEMCTL)
    (folder / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setattr(settle, "PENDING", tmp_path / "pending")
    return folder


def _file(path: Path, content: str, **more: Any) -> dict[str, Any]:
    mine = {"owner": pwd.getpwuid(os.getuid()).pw_name, "group": grp.getgrgid(os.getgid()).gr_name}
    defaults = {"mode": "0640", "check": [], "restart": [], "reload": [], "unless": ""}
    return {"path": str(path), "content": content, **mine, **defaults, **more}


def test_a_placed_file_is_not_stale(tmp_path: Path) -> None:
    file = _file(tmp_path / "deep/er/a.conf", "một\n")
    assert settle.is_stale(file)
    settle.place(file)
    assert not settle.is_stale(file)
    assert (tmp_path / "deep/er/a.conf").read_text() == "một\n"
    assert [p.name for p in (tmp_path / "deep/er").iterdir()] == ["a.conf"]  # no draft is left


def test_content_or_mode_alone_make_a_file_stale(tmp_path: Path) -> None:
    file = _file(tmp_path / "a.conf", "one\n")
    settle.place(file)
    assert settle.is_stale({**file, "content": "two\n"})
    (tmp_path / "a.conf").chmod(0o644)
    assert settle.is_stale(file)


def test_a_file_somebody_else_has_taken_over_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "frr.conf"
    file = _file(path, "day 0\n", unless="^frr version")
    path.write_text("!\nfrr version 8.4.4\nrouter ospf\n")
    assert not settle.is_stale(file)
    path.write_text("! nothing saved yet\n")
    assert settle.is_stale(file)


def test_a_file_its_program_refuses_is_not_placed(tmp_path: Path) -> None:
    file = _file(tmp_path / "a.conf", "bad\n", check=["grep", "-q", "good", "%s"])
    with pytest.raises(settle.Refused, match="is refused by grep"):
        settle.check(file)
    settle.check({**file, "content": "good\n"})


def test_a_unit_restarts_once_for_two_files_and_not_at_all_for_none(tmp_path: Path, systemd: Path) -> None:
    files = [_file(tmp_path / name, name, restart=["snmpd.service"]) for name in ("a", "b")]
    wanted = {**WANTED, "files": files, "started": ["snmpd.service"]}
    settle.note_pending(files)
    assert settle.settle_units(wanted, files, dry=False) == ["restart snmpd.service"]
    assert settle.settle_units(wanted, [], dry=False) == []
    assert (systemd / "asked").read_text() == "restart snmpd.service\n"


def test_a_restart_that_was_cut_off_is_made_up_for(tmp_path: Path, systemd: Path) -> None:
    """Files were placed, then the play was killed: the next one finds nothing stale and restarts all the same."""
    files = [_file(tmp_path / "a", "a", reload=["nftables.service"])]
    settle.note_pending(files)
    assert settle.settle_units({**WANTED, "files": files}, [], dry=False) == ["reload-or-restart nftables.service"]
    assert settle.settle_units({**WANTED, "files": files}, [], dry=False) == []


def test_a_unit_another_role_left_pending_is_not_this_one_s_business(tmp_path: Path, systemd: Path) -> None:
    settle.note_pending([_file(tmp_path / "a", "a", restart=["rsyslog.service"])])
    other = [_file(tmp_path / "b", "b", restart=["chrony.service"])]
    assert settle.settle_units({**WANTED, "files": other}, [], dry=False) == []


def test_a_unit_that_does_not_start_is_an_error_that_names_it(tmp_path: Path, systemd: Path) -> None:
    (systemd / "frr.service.fails").touch()
    with pytest.raises(settle.Refused, match=r"restart frr\.service: frr\.service does not start"):
        settle.settle_units(
            {**WANTED, "files": (files := [_file(tmp_path / "a", "a", restart=["frr.service"])])}, files, dry=False
        )


def test_an_image_gets_units_enabled_but_nothing_started(tmp_path: Path, systemd: Path) -> None:
    (systemd / "frr.service.is-enabled").write_text("disabled\n")
    (systemd / "nginx.service.is-enabled").write_text("enabled\n")
    files = [_file(tmp_path / "a", "a", restart=["frr.service"])]
    units = {"enabled": ["frr.service"], "masked": ["nginx.service", "absent.timer"], "started": ["frr.service"]}
    changes = settle.settle_units({**WANTED, **units, "files": files, "act": False}, files, dry=False)
    assert changes == ["mask nginx.service", "enable frr.service"]


def test_check_mode_says_and_does_not(tmp_path: Path, systemd: Path) -> None:
    files = [_file(tmp_path / "a", "a", restart=["frr.service"])]
    assert settle.settle_units({**WANTED, "files": files}, files, dry=True) == ["restart frr.service"]
    assert not (systemd / "asked").exists()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_a_password_s_hash_is_salted_anew_and_repeatable_with_its_salt() -> None:
    first, second = settle.hashed("mật khẩu"), settle.hashed("mật khẩu")
    assert first != second
    assert settle.hashed("mật khẩu", "-salt", first.split("$")[2]) == first
