"""Compiled rules kept on disk: the same matches from there, and nothing that is not exactly what was kept."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from soc import placeholders
from soc.sigma import OWN_RULES, Matcher, RuleSet, cache, encode, load
from soc.sigma import loader as loading
from tests.unit.soc.engine_support import FAILED, correlation, failed, lab, rules_of

LINES = [encode(failed(1, 0)), encode(failed(2, 1, event__outcome="success")), encode(failed(3, 2))]


def _found(rules: RuleSet) -> list[object]:
    return [(m.event, m.rule.id, m.fields) for m in Matcher(rules).match(LINES)]


def _is_fresh(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts how often rules are compiled from their texts."""
    counted: list[int] = []
    real = loading._compiled

    def counting(*args: object, **kwargs: object) -> RuleSet:
        counted.append(1)
        return real(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(loading, "_compiled", counting)
    return counted


def test_rules_from_the_cache_say_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tmp_path / "cache"
    first = load([OWN_RULES], placeholders.of(lab()), cached_in=kept)
    compiled = _is_fresh(monkeypatch)
    again = load([OWN_RULES], placeholders.of(lab()), cached_in=kept)
    assert not compiled
    for name in ("rules", "correlations", "refused", "filters", "expired", "digest"):
        assert getattr(again, name) == getattr(first, name)
    assert _found(again) == _found(first)


def test_a_changed_rule_placeholder_day_or_pipeline_is_compiled_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, rules = tmp_path / "cache", tmp_path / "rules"
    rules_of(rules, FAILED, correlation("event_count", "{gte: 3}"))
    load([rules], {}, cached_in=kept)
    compiled = _is_fresh(monkeypatch)
    load([rules], {}, cached_in=kept)
    assert not compiled
    load([rules], {"any": ("x",)}, cached_in=kept)
    load([rules], {}, pipelines=["sysmon"], cached_in=kept)
    (rules / "rule0.yml").write_text((rules / "rule0.yml").read_text().replace("failure", "success"))
    changed = load([rules], {}, cached_in=kept)
    assert len(compiled) == 3
    assert [m.event for m in Matcher(changed).match(LINES)] == [1]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda octets: octets[: len(octets) // 2],
        lambda octets: octets[:-1] + bytes([octets[-1] ^ 1]),
        lambda octets: octets.replace(b"Refused", b"Granted", 1),
        lambda octets: octets.replace(b"canh rules 1", b"canh rules 2", 1),
        lambda octets: b"",
    ],
    ids=["half", "one-bit", "another-title", "another-version", "empty"],
)
def test_what_is_not_exactly_what_was_kept_is_compiled_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[bytes], bytes]
) -> None:
    kept, rules = tmp_path / "cache", tmp_path / "rules"
    rules_of(rules, FAILED)
    first = load([rules], {}, cached_in=kept)
    (file,) = kept.iterdir()
    file.write_bytes(spoil(file.read_bytes()))
    compiled = _is_fresh(monkeypatch)
    assert _found(load([rules], {}, cached_in=kept)) == _found(first)
    assert compiled
    assert cache.read(kept, file.name) is not None  # and it was kept again


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_what_others_may_write_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int) -> None:
    kept, rules = tmp_path / "cache", tmp_path / "rules"
    rules_of(rules, FAILED)
    load([rules], {}, cached_in=kept)
    (file,) = kept.iterdir()
    assert (file.stat().st_mode & 0o777, kept.stat().st_mode & 0o777) == (0o600, 0o700)
    file.chmod(mode)
    compiled = _is_fresh(monkeypatch)
    load([rules], {}, cached_in=kept)
    assert compiled


def test_a_folder_that_cannot_be_written_to_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    rules = rules_of(tmp_path / "rules", FAILED)
    assert _found(load([tmp_path / "rules"], {}, cached_in=tmp_path / "file" / "cache")) == _found(rules)


def test_old_rule_sets_go(tmp_path: Path) -> None:
    for number in range(12):
        cache.write(tmp_path / "cache", str(number), {}, b"")
        os.utime(tmp_path / "cache" / str(number), (number, number))  # a file's clock may be slower than we are
    assert {path.name for path in (tmp_path / "cache").iterdir()} == {str(number) for number in range(4, 12)}
