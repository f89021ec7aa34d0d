"""`canh parse` and `canh search`, as they are typed."""

from __future__ import annotations

import io
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from canh.cli import main
from monitoring.store import StoreWriter
from tests.unit.monitoring.lab import ROOT
from tests.unit.monitoring.stored import event, put

LAB = ["--province", str(ROOT / "inventory/provinces/lab")]


class _Stdin:
    def __init__(self, octets: bytes) -> None:
        self.buffer = io.BytesIO(octets)


def _run(capsysbinary: pytest.CaptureFixture[bytes], *words: str) -> tuple[int, list[dict[str, Any]], str]:
    code = main([*LAB, *words])
    captured = capsysbinary.readouterr()
    return code, [json.loads(line) for line in captured.out.split(b"\n")[:-1]], captured.err.decode()


def test_one_line_in_one_document_out(
    capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines end at LF and nowhere else; the last one need not."""
    lines = [b"a\xe2\x80\xa8b\x0bc\x1dd\x85\xffe", b"", b"<13>Nov 22 10:15:04 h su: x\r", b"\x00", b"last"]
    monkeypatch.setattr(sys, "stdin", _Stdin(b"\n".join(lines)))
    code, documents, _ = _run(capsysbinary, "parse")
    assert code == 0
    assert [d["event"]["original"] for d in documents] == [line.decode("utf-8", "backslashreplace") for line in lines]
    assert documents[2]["host"]["name"] == "h"


def test_a_hint_names_the_parser(capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    line = b'10.0.0.1 - - [22/Nov/2026:10:15:04 +0700] "GET / HTTP/1.1" 200 5\n'
    monkeypatch.setattr(sys, "stdin", _Stdin(line))
    code, [document], _ = _run(capsysbinary, "parse", "--source", "nginx")
    assert code == 0 and document["http"]["request"]["method"] == "GET"
    assert document["@timestamp"] == "2026-11-22T03:15:04.000000Z"


def test_an_unknown_hint_is_said_and_changes_nothing(
    capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", _Stdin(b"x\n"))
    code, documents, error = _run(capsysbinary, "parse", "--source", "no_such")
    assert (code, len(documents)) == (0, 1) and "no parser answers to 'no_such'" in error


@pytest.fixture
def data(tmp_path: Path) -> list[str]:
    with StoreWriter(tmp_path) as writer:
        now = datetime.now(UTC)
        put(writer, [event(n, now - timedelta(minutes=10 * n), **{"user.name": f"u{n % 2}"}) for n in range(6)])
    return ["--data", str(tmp_path), "search"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["*"], [0, 1, 2, 3, 4, 5]),
        (["user.name:u1"], [1, 3, 5]),
        (["*", "--from", "-15m"], [0, 1]),
        (["*", "--from=now-25m", "--to", "-5m"], [1, 2]),
        (["*", "--limit", "2"], [0, 1]),
        (["*", "--limit", "0"], [0, 1, 2, 3, 4, 5]),
        (["user.name:nobody"], []),
    ],
)
def test_search_prints_what_fits_newest_first(
    capsysbinary: pytest.CaptureFixture[bytes], data: list[str], words: list[str], expected: list[int]
) -> None:
    code, documents, _ = _run(capsysbinary, *data, *words)
    assert code == 0
    assert [int(d["event"]["id"][-12:]) for d in documents] == expected


def test_search_prints_only_the_asked_fields(capsysbinary: pytest.CaptureFixture[bytes], data: list[str]) -> None:
    _, documents, _ = _run(capsysbinary, *data, "user.name:u0", "--fields", "user.name, message", "--limit", "1")
    assert documents == [{"user": {"name": "u0"}, "message": "line 0"}]


def test_a_wrong_query_cannot_run(capsysbinary: pytest.CaptureFixture[bytes], data: list[str]) -> None:
    code, documents, error = _run(capsysbinary, *data, "user.name:")
    assert (code, documents) == (2, []) and "character 11" in error
