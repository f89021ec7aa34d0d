"""`canh search --format`: what other programs read is what was stored, and no spreadsheet runs it."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from canh.cli import main
from monitoring.event import Event
from monitoring.export import BATCH, FORMATS
from monitoring.store import StoreWriter
from tests.unit.monitoring.stored import NOON, event, put

ODD = {
    "user.name": "=cmd|' /C calc'!A0",
    "event.category": ("+a", "b"),
    "source.ip": "10.0.0.1",
    "source.port": 50112,
    "canh.src.known": False,
    "canh.clock.offset_ms": -2.5,
    "canh.unlisted": ("x", "y"),
    "rule.name": "@SUM(1)",
    "event.action": '-1 "quoted", with a comma\nand a line',
    "destination.port": "http",
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    with StoreWriter(tmp_path / "data") as writer:
        put(writer, [event(1, **ODD), event(2, NOON + timedelta(seconds=1), message="đăng nhập \ud800")])
    return tmp_path / "data"


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


def test_csv_has_every_field_and_no_formula(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", str(data), "search", "", "--format", "csv"]) == 0
    newest, oldest = rows_of(capsys.readouterr().out)
    assert newest["message"].startswith("đăng nhập ") and newest["user.name"] == ""
    assert oldest["user.name"] == "'=cmd|' /C calc'!A0" and oldest["rule.name"] == "'@SUM(1)"
    assert oldest["event.action"] == "'" + str(ODD["event.action"]) and oldest["event.category"] == "'+a; b"
    assert (oldest["source.port"], oldest["canh.src.known"]) == ("50112", "false")
    assert json.loads(oldest["other"]) == {"canh.clock.offset_ms": -2.5, "canh.unlisted": ["x", "y"]}
    assert all(not cell.startswith(("=", "+", "-", "@")) for row in (newest, oldest) for cell in row.values())


def test_csv_of_asked_fields_in_their_order(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--data", str(data), "search", "host.name:*", "--format", "csv", "--fields", "source.port,host.name"])
    assert capsys.readouterr().out.removeprefix("\ufeff") == "source.port,host.name\r\n,h2\r\n50112,h1\r\n"


def test_parquet_has_types_and_loses_nothing(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "found.parquet"
    assert main(["--data", str(data), "search", "", "--format", "parquet", "--output", str(file)]) == 0
    assert "2 events" in capsys.readouterr().err
    table = pq.read_table(file)
    newest, oldest = table.to_pylist()
    assert newest["@timestamp"] == NOON + timedelta(seconds=1) and newest["@timestamp"].tzinfo is not None
    assert (oldest["source.port"], oldest["event.category"], oldest["canh.src.known"]) == (50112, ["+a", "b"], False)
    assert json.loads(oldest["other"]) == {
        "canh.clock.offset_ms": -2.5,
        "canh.unlisted": ["x", "y"],
        "destination.port": "http",
    }


def test_ndjson_into_a_file_is_there_whole_or_not(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "found.ndjson"
    assert main(["--data", str(data), "search", "", "--output", str(file)]) == 0
    first, second = map(json.loads, file.read_text("utf-8").splitlines())
    assert second["user"]["name"] == ODD["user.name"] and first["@timestamp"] > second["@timestamp"]
    assert main(["--data", str(data), "search", "", "--output", str(tmp_path / "no/such/folder")]) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data", "found.ndjson"]


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_found_is_an_empty_file_of_its_format(name: str) -> None:
    out = io.BytesIO()
    assert FORMATS[name](iter(()), out, ["host.name"]) == 0
    if name == "parquet":
        assert pq.read_table(io.BytesIO(out.getvalue())).num_rows == 0


@pytest.mark.parametrize("name", FORMATS)
def test_events_are_taken_as_they_are_written(name: str) -> None:
    """A million events need the memory of a batch: none is asked for before those before it are out of hand."""
    alive = most = 0

    class Counted(Event):
        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def several():  # type: ignore[no-untyped-def]
        nonlocal alive, most
        for n in range(12_000):
            alive += 1
            most = max(most, alive)
            yield Counted(event(n % 100).fields)

    assert FORMATS[name](several(), io.BytesIO(), []) == 12_000
    assert most <= 2 * BATCH + 2


def test_a_number_of_events_is_a_number(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["search", "", "--limit", "-5"])
    assert "write 0 for all" in capsys.readouterr().err


def test_an_export_is_not_written_through_a_link_somebody_laid(data: Path, tmp_path: Path) -> None:
    """The draft's name can be known: in a folder of many users it may be there already."""
    target = tmp_path / "target"
    target.write_text("untouched")
    (tmp_path / ".out.csv.part").symlink_to(target)
    assert main(["--data", str(data), "search", "", "--format", "csv", "--output", str(tmp_path / "out.csv")]) == 0
    assert target.read_text() == "untouched" and (tmp_path / "out.csv").read_bytes()
    assert not (tmp_path / "out.csv").is_symlink()
