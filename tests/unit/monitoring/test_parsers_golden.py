"""Each `monitoring/parsers/<name>/tests/<case>.log` gives the documents of its `.json`, line by line.

With CANH_GOLDEN=write in the environment (`make golden`) they are rewritten; the diff is reviewed like code.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from monitoring.parsers import load
from tests.unit.monitoring.lab import RECEIVED, ROOT, pipeline

FOLDER = ROOT / "monitoring/parsers"
CASES = sorted(FOLDER.glob("*/tests/*.log"))
# The same in every event, or of the header: tested where they are made.
UNINTERESTING = (
    "event.original",
    "event.ingested",
    "log.",
    "host.name",
    "canh.src.",
    "canh.dst.",
    "canh.flow.",
    "message",
)


@pytest.mark.parametrize("name", sorted({case.parent.parent.name for case in CASES}))
def test_lines_give_their_documents(name: str) -> None:
    for case in CASES:
        if case.parent.parent.name == name:
            _compare(case)


def _compare(case: Path) -> None:
    documents = _documents(case)
    golden = case.with_suffix(".json")
    if os.environ.get("CANH_GOLDEN") == "write":
        golden.write_text("[\n" + ",\n".join(json.dumps(d, ensure_ascii=False) for d in documents) + "\n]\n", "utf-8")
    expected = json.loads(golden.read_text("utf-8"))
    assert len(documents) == len(expected)
    for number, (document, wanted) in enumerate(zip(documents, expected, strict=True), 1):
        assert document == wanted, f"{case.name}:{number}"
        assert "event.id" not in document, "it is ours (docs/architecture.md)"


def test_every_parser_has_cases() -> None:
    assert set(load().parsers) == {case.parent.parent.name for case in CASES}


def _documents(case: Path) -> list[dict[str, Any]]:
    """What the lines become, one after another through one pipeline (a configuration session has a memory)."""
    name = case.parent.parent.name
    hint = name if load().parsers[name].receivers else ""  # these get messages without a header
    made = pipeline()
    return [
        json.loads(json.dumps(_interesting(made.document_of(line, received=RECEIVED, hint=hint).fields)))
        for line in case.read_bytes().rstrip(b"\n").split(b"\n")
    ]


def _interesting(fields: Any) -> dict[str, Any]:
    return {name: value for name, value in sorted(fields.items()) if not name.startswith(UNINTERESTING)}
