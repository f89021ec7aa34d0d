"""What the guide shows works: its queries are read, its parser is one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from canh.cli import main
from monitoring.parsers import Line, load
from monitoring.query import parse
from tests.unit.monitoring.lab import RECEIVED, ROOT

GUIDE = (ROOT / "docs/guides/find-events.md").read_text("utf-8")
COMMANDS = re.findall(r"^canh ((?:search|hunt) .*?)(?: +# .*)?$", GUIDE, re.MULTILINE)
ROWS = [cell for row in re.findall(r"^\| (`.*?`) \|", GUIDE, re.MULTILINE) for cell in re.findall(r"`([^`]+)`", row)]


@pytest.mark.parametrize("query", [*ROWS, 'source.ip:"2001:db8::/32"'])
def test_the_guides_queries_are_queries(query: str) -> None:
    parse(query)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_guides_commands_run(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [a or b for a, b in re.findall(r"'([^']*)'|(\S+)", command)]
    assert main(["--data", str(tmp_path / "data"), *words]) == 0
    header = (
        "\ufeff@timestamp,host.name,source.ip,message\r\n" if "--fields @timestamp,host.name,source" in command else ""
    )
    assert capsys.readouterr().out == header


def test_the_guides_parser_is_one(tmp_path: Path) -> None:
    written = re.search(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    assert written is not None and yaml.safe_load(written[1])
    (tmp_path / "mydaemon").mkdir()
    (tmp_path / "mydaemon/parser.yaml").write_text(written[1], "utf-8")
    found = load(tmp_path).parse(Line("login of lan from 10.0.0.1 refused: late", "mydaemon", RECEIVED))
    assert found is not None and found[1]["source.ip"] == "10.0.0.1" and found[1]["event.reason"] == "late"
