"""The verbs of the inventory, as a person or a program calls them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from canh.cli import main
from inventory.tables import TABLES


def test_validate_of_a_right_province_says_so_and_exits_0(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--province", str(lab), "validate"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "13 devices, no findings" in err


def test_validate_lists_every_finding_and_exits_1(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (demo / "sites/xm.yaml").write_text("title: x\nprofile: commune\nunit: xa-mau\n")
    assert main(["--province", str(demo), "--json", "validate"]) == 1
    (finding,) = json.loads(capsys.readouterr().out)
    assert finding["what"] == 'site "xm" has no uplink'
    assert finding["where"].endswith("sites/xm.yaml:1")
    assert set(finding) == {"what", "where", "pointer", "fix"}
    assert main(["--province", str(demo), "validate"]) == 1
    assert "fix: add `uplinks: [core1]`" in capsys.readouterr().out


def test_json_may_stand_after_the_verb(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--province", str(lab), "validate", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_a_new_site_is_valid_once_allocated(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (demo / "sites/xn.yaml").write_text("title: Xã mới\nprofile: commune\nunit: xa-mau\nuplinks: [core2]\n")
    assert main(["--province", str(demo), "validate"]) == 1
    assert "canh validate --allocate" in capsys.readouterr().out
    assert main(["--province", str(demo), "validate", "--allocate"]) == 0
    assert main(["--province", str(demo), "validate"]) == 0


def test_allocate_does_not_hide_what_is_wrong(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (demo / "sites/xn.yaml").write_text("title: Xã mới\nprofile: commune\nunit: nobody\nuplinks: [core2]\n")
    assert main(["--province", str(demo), "validate", "--allocate", "--json"]) == 1
    assert [f["pointer"] for f in json.loads(capsys.readouterr().out)] == ["/unit"]


@pytest.mark.parametrize("what", list(TABLES))
def test_show_prints_a_table_and_the_same_rows_as_json(
    what: str, lab: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--province", str(lab), "show", what]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert main(["--province", str(lab), "show", what, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == len(lines) > 0
    assert head.split("  ")[0] == next(iter(rows[0])).replace("_", " ")
    for row, line in zip(rows, lines, strict=True):
        assert line.startswith(str(next(iter(row.values()))))


def test_show_names_every_address_once(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--province", str(lab), "--json", "show", "addresses"])
    rows = json.loads(capsys.readouterr().out)
    assert len({r["address"] for r in rows}) == len(rows) == 8 + 30 + 13  # loopbacks, link ends, mgmt0


def test_init_writes_a_province_that_validates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for slug in ("thanh-hoa", "no", "so-tai-chinh"):  # YAML takes an unquoted no for false
        folder = tmp_path / "deep" / slug
        assert main(["init", slug, str(folder)]) == 0
        assert main(["--province", str(folder), "validate"]) == 0
    written = {str(p.relative_to(tmp_path / "deep/no")) for p in (tmp_path / "deep/no").rglob("*.yaml")}
    assert written >= {"province.yaml", "units.yaml", "services.yaml", "sites/core.yaml", "sites/dc.yaml"}
    capsys.readouterr()


@pytest.mark.parametrize("slug", ["Thanh Hoa", "../x", "-x", "x" * 40, "", "tỉnh"])
def test_init_refuses_a_slug_that_is_no_name(slug: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "--", slug, str(tmp_path / "new")]) == 2
    assert "cannot name a province" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_init_leaves_what_is_there_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "note").write_text("mine")
    assert main(["init", "demo", str(tmp_path)]) == 2
    assert "there is something here already" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["note"]


def test_init_where_nothing_can_be_written_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["init", "demo", str(tmp_path / "file/demo")]) == 2
    assert "cannot be written" in capsys.readouterr().err
