"""Golden error texts: tests/errors/lab-<case>.txt; CANH_GOLDEN=write rewrites them."""

from __future__ import annotations

import os
from pathlib import Path

ERRORS = Path(__file__).resolve().parents[2] / "errors"


def assert_reads(case: str, text: str) -> None:
    file = ERRORS / f"lab-{case}.txt"
    if os.environ.get("CANH_GOLDEN") == "write":
        file.write_text(text + "\n")
    assert text + "\n" == file.read_text()
