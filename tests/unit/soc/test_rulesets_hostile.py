"""Archives made to exhaust, confuse or mislead whoever imports them."""

from __future__ import annotations

import struct
import tarfile
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import pytest

from canh.cli import main
from soc.rulesets import RuleError, _archive
from tests.unit.soc.engine_support import ROOT
from tests.unit.soc.test_rulesets_import import rule, taken, tarred, zipped

MANY = "it holds more than 50,000 files"


def stated(path: Path, entries: int) -> Path:
    """A zip whose directory has that many entries, all of one file."""
    name = b"a.txt"
    local = struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, 0, 0, 0, 33, 0, 0, 0, len(name), 0) + name
    entry = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, 0, 0, 33, 0, 0, 0, len(name), 0, 0, 0, 0, 0, 0) + name
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(entry) * entries, len(local), 0)
    path.write_bytes(local + entry * entries + end)
    return path


def test_a_zip_of_very_many_entries_is_refused_before_it_takes_memory(tmp_path: Path) -> None:
    source = stated(tmp_path / "set.zip", 100_000)
    tracemalloc.start()
    try:
        with pytest.raises(RuleError, match=MANY):
            list(_archive.files_of(source, lambda parts: True))
        assert tracemalloc.get_traced_memory()[1] < 16 * 2**20
    finally:
        tracemalloc.stop()


def test_a_tar_of_very_many_folders_is_refused(tmp_path: Path) -> None:
    folder = tarfile.TarInfo("a")
    folder.type = tarfile.DIRTYPE
    source = tmp_path / "set.tar"
    source.write_bytes(folder.tobuf() * 50_001)
    with pytest.raises(RuleError, match=MANY):
        list(_archive.files_of(source, lambda parts: True))


def test_a_name_that_is_no_text_is_a_reason_and_no_defect(tmp_path: Path) -> None:
    octets = zipped(tmp_path / "x.zip", {"ậ.yml": rule(1)}).read_bytes()
    (tmp_path / "set.zip").write_bytes(octets.replace("ậ".encode(), b"\xff\xfe\xfd"))
    with pytest.raises(RuleError, match="it cannot be read"):
        taken(tmp_path / "set.zip", tmp_path / "data")


def test_a_tar_with_names_that_are_not_utf_8_is_taken(tmp_path: Path) -> None:
    report = taken(tarred(tmp_path / "set.tgz", {"a\udcffb.yml": rule(1)}), tmp_path / "data")
    assert [(one.path, one.outcome) for one in report.rules] == [("a\\udcffb.yml", "loaded")]


def test_thousands_of_files_of_one_name_take_no_longer_than_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, number, asked = tmp_path / "set.zip", 600, 0
    with zipfile.ZipFile(source, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        archive.writestr("a.yml", rule(1))
        for _ in range(number):
            archive.writestr("LICENSE", "x")
    exists = Path.exists

    def counted(path: Path) -> bool:
        nonlocal asked
        asked += path.name.endswith("LICENSE")
        return exists(path)

    monkeypatch.setattr(Path, "exists", counted)
    report = taken(source, tmp_path / "data")
    assert len(set(report.licences)) == number
    assert asked < 3 * number


def test_a_link_in_the_data_directory_leads_nobody_elsewhere(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("words")
    (tmp_path / "data/rules").mkdir(parents=True)
    (tmp_path / "data/rules/.lock").symlink_to(precious)
    with pytest.raises(RuleError, match="the rule sets cannot be written"):
        taken(zipped(tmp_path / "set.zip", {"a.yml": rule(1)}), tmp_path / "data")
    assert precious.read_text() == "words"


def test_a_title_gives_a_terminal_no_orders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hostile = rule(1).replace("title: Community rule 1", r'title: "Rule \e[2J\e]0;x\a"')
    taken(zipped(tmp_path / "set.zip", {"a.yml": hostile}), tmp_path / "data")
    province = ROOT / "inventory/provinces/lab"
    assert main(["--province", str(province), "--data", str(tmp_path / "data"), "rules", "list"]) == 0
    said = capsys.readouterr()
    assert r"Rule \x1b[2J" in said.out and "\x1b" not in said.out + said.err
