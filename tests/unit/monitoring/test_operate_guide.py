"""What the guide to operating the collection shows is what there is."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from canh.cli import _parser, main
from tests.unit.monitoring.lab import ROOT

GUIDE = (ROOT / "docs/guides/operate-collection.md").read_text("utf-8")
COMMANDS = re.findall(r"^canh (.+?)(?: > .*| +#.*)?$", GUIDE, re.MULTILINE)
READING = [
    c for c in COMMANDS if c.split()[0] in ("stats", "search", "--json") or c.startswith(("dead list", "dead show"))
]


def test_every_command_is_one() -> None:
    assert len(COMMANDS) >= 9
    for command in COMMANDS:
        words = shlex.split(command)
        _parser(words).parse_args(words)


@pytest.mark.parametrize("command", READING)
def test_what_only_reads_runs(command: str, tmp_path: Path) -> None:
    assert main(["--data", str(tmp_path), *shlex.split(command)]) == 0


def test_each_kind_of_sender_and_each_reason_is_told() -> None:
    from monitoring import enrich
    from monitoring.receivers import counters, intake

    code = "".join(Path(m.__file__ or "").read_text("utf-8") for m in (enrich, counters, intake))
    kinds = set(re.findall(r'"((?:un)?declared(?:-claims)?|relayed(?:-undeclared)?|claims-other|renamed)"', code))
    reasons = set(re.findall(r'"(spool-full|spool-unwritable|backlog|kernel-buffer-full|process-killed)"', code))
    assert len(kinds) == 7
    assert len(reasons) == 5
    assert all(f"`{word}`" in GUIDE for word in kinds | reasons)
