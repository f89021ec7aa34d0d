"""Which Pulumi is taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.errors import HostUnfit
from infra.toolchain import engine
from tests.unit.infra.goldens import assert_reads


def install(folder: Path, version: str, *, host: bool = True) -> None:
    folder.mkdir(exist_ok=True)
    for tool in ("pulumi", "pulumi-language-python", "pulumi-language-python-exec")[: 3 if host else 1]:
        (folder / tool).write_text(f"#!/bin/sh\necho {version}\n")
        (folder / tool).chmod(0o755)


@pytest.mark.parametrize(
    ("text", "version"),
    [("v3.220.0\n", (3, 220, 0)), ("3.221.1-dev", (3, 221, 1)), ("", None), ("unknown", None)],
)
def test_versions_are_read(text: str, version: tuple[int, int, int] | None) -> None:
    assert engine.parse_version(text) == version


@pytest.mark.parametrize(
    ("version", "host", "taken"), [("v3.220.0", True, True), ("v3.219.9", True, False), ("v3.230.0", False, False)]
)
def test_the_one_on_path_is_taken_if_new_enough_and_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, host: bool, taken: bool
) -> None:
    install(tmp_path / "bin", version, host=host)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    assert engine.on_path() == (tmp_path / "bin" if taken else None)


def test_one_built_earlier_is_taken_only_when_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANH_CACHE", str(tmp_path))
    assert engine.built() is None
    install(tmp_path / f"pulumi-{engine.BUILT}", "v3.220.0", host=False)
    assert engine.built() is None
    install(tmp_path / f"pulumi-{engine.BUILT}", "v3.220.0")
    assert engine.built() == tmp_path / f"pulumi-{engine.BUILT}"


def test_without_pulumi_and_go_one_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANH_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostUnfit) as refused:
        engine.pulumi_dir(print)
    assert_reads("no-pulumi", str(refused.value))
