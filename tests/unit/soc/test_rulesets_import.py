"""Community sets: what comes in is hostile, is kept as it came, and is put in place whole or not at all."""

from __future__ import annotations

import io
import json
import os
import tarfile
import textwrap
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import zstandard

from canh.cli import main
from soc.rulesets import Report, RuleError, _archive, folders, import_set, remove, reports
from soc.sigma import load
from tests.unit.soc.engine_support import ROOT, lab

ERRORS = ROOT / "tests/errors/rules"
AT = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
Files = dict[str, str | bytes]


def rule(number: int, *, logsource: str = "{category: authentication}", more: str = "", value: str = "an") -> str:
    text = f"""
    title: Community rule {number}
    id: 10000000-0000-4000-8000-0000000000{number:02}
    status: test
    author: Nguyen Van An
    references: [https://example.org/{number}]
    logsource: {logsource}
    detection:
        selection: {{user.name: {value}}}
        condition: selection
    level: high
    {more}
    """
    return textwrap.dedent(text)


def zipped(path: Path, files: Files) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def tarred(path: Path, files: Files, mode: str = "w:gz", links: dict[str, str] | None = None) -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            octets = content.encode() if isinstance(content, str) else content
            entry.size = len(octets)
            archive.addfile(entry, io.BytesIO(octets))
        for name, target in (links or {}).items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
    return path


def laid(path: Path, files: Files) -> Path:
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def taken(source: Path, data: Path, name: str = "community", **options: Any) -> Report:
    place = ROOT / "inventory/provinces/lab"
    given: dict[str, Any] = {"at": AT, "dry_run": False, "say": lambda text: None, **options}
    return import_set(source, name=name, province=lab(), province_dir=place, data_dir=data, **given)


def outcomes(report: Report) -> dict[str, str]:
    return {r.title or r.path: r.reason or r.outcome for r in report.rules}


SET: Files = {
    "sigma/LICENSE": "Detection Rule License 1.1",
    "sigma/README.md": "words",
    "sigma/rules/login.yml": rule(1),
    "sigma/rules/moonbase.yml": rule(2, logsource="{product: moonbase, service: airlock}"),
    "sigma/rules/windows.yml": rule(3, logsource="{product: windows, category: registry_set}"),
    "sigma/.github/workflow.yml": "on: push",
    "sigma/tests/thing.yml": "a: 1",
}


@pytest.mark.parametrize("pack", ["folder", "zip", "gz", "xz", "bz2", "zst"])
def test_a_set_comes_as_a_zip_a_tar_or_a_folder(tmp_path: Path, pack: str) -> None:
    packed: dict[str, Callable[[], Path]] = {
        "folder": lambda: laid(tmp_path / "set", SET),
        "zip": lambda: zipped(tmp_path / "set.zip", SET),
        "zst": lambda: compressed(tarred(tmp_path / "set.tar", SET, "w"), tmp_path / "set.tar.zst"),
    }
    source = packed.get(pack, lambda: tarred(tmp_path / f"set.tar.{pack}", SET, f"w:{pack}"))()
    report = taken(source, tmp_path / "data")
    assert list(outcomes(report).values()) == ["loaded", "no-source", "loaded"]
    assert report.licences == ("licences/sigma/LICENSE",)
    (place,) = folders(tmp_path, tmp_path / "data")[1:]
    assert {r.title for r in load([place], {}).rules} == {"Community rule 1", "Community rule 3"}


def compressed(source: Path, target: Path) -> Path:
    target.write_bytes(zstandard.compress(source.read_bytes()))
    return target


def test_text_author_and_licence_are_kept_as_they_came(tmp_path: Path) -> None:
    report = taken(zipped(tmp_path / "set.zip", SET), tmp_path / "data")
    place = tmp_path / "data/rules/community"
    assert (place / "rules/sigma/rules/login.yml").read_text("utf-8") == SET["sigma/rules/login.yml"]
    assert (place / "no-source/sigma/rules/moonbase.yml").read_text("utf-8") == SET["sigma/rules/moonbase.yml"]
    assert (place / "licences/sigma/LICENSE").read_text("utf-8") == SET["sigma/LICENSE"]
    one = next(r for r in report.rules if r.title == "Community rule 1")
    assert (one.author, one.references, one.sight) == ("Nguyen Van An", ("https://example.org/1",), "possible")
    assert reports(tmp_path / "data") == (report,)


def test_what_cannot_run_is_told_by_reason(tmp_path: Path) -> None:
    files: Files = {
        "good.yml": rule(1),
        "again.yml": rule(1).replace("Community rule 1", "The same id"),
        "old.yml": rule(4).replace("status: test", "status: deprecated"),
        "unsupported.yml": rule(5).replace("status: test", "status: unsupported"),
        "nobody.yml": rule(6).replace("user.name: an", "user.name|expand: '%nobody_knows%'"),
        "regex.yml": rule(7).replace("user.name: an", "user.name|re: '('"),
        "nothing.yml": "title: Counts nothing\nid: x1\ncorrelation: {type: event_count, rules: [gone], "
        "group-by: [a], timespan: 1m, condition: {gte: 2}}\n",
        "filter.yml": "title: Silence\nid: x2\nfilter: {rules: any, s: {a: 1}, condition: not s}\n",
        "broken.yml": "title: [",
        "list.yml": "- 1\n- 2\n",
        "binary.yml": b"\xff\xfe\x00",
        "aliases.yml": "a: &x [1, 2]\nb: [*x, *x]\n",
        "deep.yml": "[" * 100_000,
        "collection.yml": "action: global\ntitle: Old\n",
    }
    report = taken(zipped(tmp_path / "set.zip", files), tmp_path / "data")
    told = {Path(r.path).stem: r.reason or r.outcome for r in report.rules}
    assert told == {
        "good": "id taken",  # the first of two files by one id wins, whatever it is called
        "again": "loaded",
        "old": "status deprecated",
        "unsupported": "status unsupported",
        "nobody": "unknown placeholder",
        "regex": "refused by the engine",
        "nothing": "correlation of nothing",
        "filter": "filter",
        "broken": "not YAML",
        "list": "no rule",
        "binary": "not UTF-8",
        "aliases": "hostile YAML",
        "deep": "hostile YAML",
        "collection": "old collection",
    } | ({"good": "loaded", "again": "id taken"} if told["good"] == "loaded" else {})
    (place,) = folders(tmp_path, tmp_path / "data")[1:]
    assert not load([place], {}).refused


def test_a_set_cannot_take_the_place_of_a_rule_in_use(tmp_path: Path) -> None:
    own = next(iter(load([ROOT / "soc_rules/access/default-account"], {"default_accounts": ("root",)}).rules))
    text = rule(1).replace("10000000-0000-4000-8000-000000000001", own.id)
    report = taken(zipped(tmp_path / "set.zip", {"a.yml": text, "b.yml": rule(2)}), tmp_path / "data")
    refused = next(r for r in report.rules if r.outcome == "refused")
    assert refused.reason == "id taken" and "soc_rules/access/default-account" in refused.detail


def test_a_second_import_tells_what_changed_and_replaces_the_whole(tmp_path: Path) -> None:
    taken(zipped(tmp_path / "1.zip", {"a.yml": rule(1), "b.yml": rule(2), "c.yml": rule(3)}), tmp_path / "data")
    again: Files = {"b.yml": rule(2, value="binh"), "c.yml": rule(3), "d.yml": rule(4)}
    report = taken(zipped(tmp_path / "2.zip", again), tmp_path / "data")
    ids = [f"10000000-0000-4000-8000-0000000000{n:02}" for n in range(5)]
    d = report.difference
    assert (d.added, d.changed, d.removed) == ((ids[4],), (ids[2],), (ids[1],))
    (place,) = folders(tmp_path, tmp_path / "data")[1:]
    assert sorted(p.name for p in place.iterdir()) == ["b.yml", "c.yml", "d.yml"]
    assert listed(tmp_path / "data/rules") == [".lock", "community"]


def test_a_set_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    taken(zipped(tmp_path / "1.zip", {"a.yml": rule(1)}), tmp_path / "data")
    with pytest.raises(RuleError):
        taken(zipped(tmp_path / "2.zip", {"b.yml": rule(2), "../../c.yml": rule(3)}), tmp_path / "data")
    (place,) = folders(tmp_path, tmp_path / "data")[1:]
    assert [p.name for p in place.iterdir()] == ["a.yml"]
    assert listed(tmp_path / "data/rules") == [".lock", "community"]


def test_what_a_killed_import_left_is_no_set_and_is_cleared_away(tmp_path: Path) -> None:
    left = laid(tmp_path / "data/rules/.community.new", {"rules/half.yml": rule(9)})
    assert reports(tmp_path / "data") == ()
    assert len(folders(tmp_path, tmp_path / "data")) == 1
    taken(zipped(tmp_path / "1.zip", {"a.yml": rule(1)}), tmp_path / "data")
    assert not left.exists()


def test_a_dry_run_tells_all_and_changes_nothing(tmp_path: Path) -> None:
    report = taken(zipped(tmp_path / "1.zip", SET), tmp_path / "data", dry_run=True)
    assert len(report.loaded) == 2
    assert not (tmp_path / "data").exists()


def test_correlations_stay_with_what_they_count(tmp_path: Path) -> None:
    def counted(number: int, of: int) -> str:
        text = f"""
        title: Counts {of}
        id: 20000000-0000-4000-8000-0000000000{number:02}
        correlation:
            type: event_count
            rules: [10000000-0000-4000-8000-0000000000{of:02}]
            group-by: [user.name]
            timespan: 1m
            condition: {{gte: 3}}
        level: high
        """
        return "---\n" + textwrap.dedent(text)

    files: Files = {
        "here.yml": rule(1) + counted(1, 1),
        "moonbase.yml": rule(2, logsource="{product: moonbase}") + counted(2, 2),
        "apart.yml": counted(3, 2).removeprefix("---\n"),
    }
    report = taken(zipped(tmp_path / "set.zip", files), tmp_path / "data")
    assert outcomes(report) == {
        "Community rule 1": "loaded",
        "Counts 1": "loaded",
        "Community rule 2": "no-source",
        "Counts 2": "no-source",
    }
    (place,) = folders(tmp_path, tmp_path / "data")[1:]
    rules = load([place], {})
    assert not rules.refused and len(rules.correlations) == 1


def test_names_that_would_clash_or_confuse_are_made_safe(tmp_path: Path) -> None:
    files: Files = {
        "a.yml": rule(1),
        "a.yml/b.yml": rule(2),
        "tên lạ\x1b[31m.yml": rule(3),
        "Con/-dash x.yml": rule(4),
    }
    report = taken(tarred(tmp_path / "set.tar.gz", files), tmp_path / "data")
    assert len(report.loaded) == 4
    names = [p.name for p in (tmp_path / "data/rules/community/rules").rglob("*.yml")]
    assert len(names) == 4 and all(name.isascii() and name.isprintable() and name[0] != "." for name in names)


def test_links_and_devices_are_passed_over(tmp_path: Path) -> None:
    source = tarred(tmp_path / "set.tar.gz", {"a.yml": rule(1)}, links={"b.yml": "/etc/passwd", "c": "/"})
    assert taken(source, tmp_path / "data").files == {"links and devices": 2}
    folder = laid(tmp_path / "folder", {"a.yml": rule(1)})
    (folder / "b.yml").symlink_to("/etc/passwd")
    (folder / "more").symlink_to("/etc")
    assert taken(folder, tmp_path / "data").files["links and devices"] == 1


def bomb(folder: Path) -> Path:
    return tarred(folder / "bomb.tar.gz", {"zeros.bin": b"\0" * 2**22, "a.yml": rule(1)})


HOSTILE: dict[str, Callable[[Path], Path]] = {
    "import-leads-elsewhere": lambda p: zipped(p / "set.zip", {"../../etc/cron.d/x.yml": rule(1)}),
    "import-absolute": lambda p: tarred(p / "set.tar.gz", {"/etc/cron.d/x.yml": rule(1)}),
    "import-backslash": lambda p: zipped(p / "set.zip", {"..\\..\\x.yml": rule(1)}),
    "import-too-deep": lambda p: zipped(p / "set.zip", {"a/" * 40 + "x.yml": rule(1)}),
    "import-bomb": bomb,
    "import-too-many-files": lambda p: zipped(p / "set.zip", {f"{n}.txt": "" for n in range(60)}),
    "import-no-archive": lambda p: laid(p, {"set.zip": "hello"}) / "set.zip",
    "import-cut-short": lambda p: laid(p, {"set.zip": zipped(p / "x.zip", SET).read_bytes()[:200]}) / "set.zip",
    "import-cut-short-tar": lambda p: laid(p, {"set.tgz": tarred(p / "x", SET).read_bytes()[:300]}) / "set.tgz",
    "import-nothing-there": lambda p: p / "no-such-file.zip",
    "import-no-rules": lambda p: zipped(p / "set.zip", {"README.md": "words"}),
    "import-nothing-usable": lambda p: zipped(p / "set.zip", {"a.yml": "title: [", "b.yml": "- 1"}),
}


@pytest.mark.parametrize("case", sorted(HOSTILE))
def test_what_must_not_come_in_is_refused(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_archive, "MOST_OCTETS", 2**20)
    monkeypatch.setattr(_archive, "MOST_FILES", 50)
    with pytest.raises(RuleError) as refused:
        taken(HOSTILE[case](tmp_path), tmp_path / "data")
    assert_golden(case, str(refused.value).replace(str(tmp_path), ""))
    assert listed(tmp_path / "data/rules") == [".lock"]


@pytest.mark.parametrize("name", ["../up", "", "UPPER", "a/b", ".hidden"])
def test_a_name_is_a_word(tmp_path: Path, name: str) -> None:
    with pytest.raises(RuleError, match="is no name for a set"):
        taken(zipped(tmp_path / "set.zip", SET), tmp_path / "data", name)


def test_two_imports_at_once_do_not_mix(tmp_path: Path) -> None:
    from soc.rulesets._sets import alone

    with alone(tmp_path / "data"), pytest.raises(RuleError) as refused:
        taken(zipped(tmp_path / "set.zip", SET), tmp_path / "data")
    assert_golden("import-at-once", str(refused.value).replace(str(tmp_path), ""))


def test_a_set_is_removed(tmp_path: Path) -> None:
    taken(zipped(tmp_path / "set.zip", SET), tmp_path / "data")
    with pytest.raises(RuleError) as refused:
        remove(tmp_path / "data", "other")
    assert_golden("remove-no-such-set", str(refused.value).replace(str(tmp_path), ""))
    remove(tmp_path / "data", "community")
    assert reports(tmp_path / "data") == ()
    assert listed(tmp_path / "data/rules") == [".lock"]


def test_the_command_tells_people_and_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = str(zipped(tmp_path / "community.zip", SET))
    start = ["--data", str(tmp_path / "data")]
    assert main([*start, "rules", "import", source]) == 0
    out = capsys.readouterr().out
    assert "community: 2 rules loaded, 1 kept aside for want of a log source, 0 refused" in out
    assert "1  moonbase/*/airlock" in out
    assert main([*start, "--json", "rules", "sets"]) == 0
    assert json.loads(capsys.readouterr().out)["loaded"] == 2
    assert main([*start, "--json", "rules", "list"]) == 0
    listed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (one,) = (r for r in listed if r["title"]["en"] == "Community rule 3")
    assert (one["set"], one["author"]) == ("community", "Nguyen Van An") and one["source"] in ("absent", "unread")
    assert main([*start, "rules", "list"]) == 0
    assert "Community rule 3  [no source]" in capsys.readouterr().out
    assert main([*start, "rules", "remove", "community"]) == 0


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def assert_golden(case: str, said: str) -> None:
    golden = ERRORS / f"{case}.txt"
    if os.environ.get("CANH_GOLDEN") == "write":
        golden.write_text(said + "\n", "utf-8")
    assert golden.read_text("utf-8") == said + "\n"
