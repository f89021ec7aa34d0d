"""Tests in this folder run against the lab that `tests/run.sh` brought up (env CANH_DATA, CANH_LAB)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
Canh = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def lab_data() -> Path:
    """Data directory of the running lab; skips where none is up."""
    data = Path(os.environ.get("CANH_DATA", ROOT / "var"))
    if not (data / "lab" / "lab.json").exists():
        pytest.skip(f"no lab is up in {data}: canh lab up")
    return data


@pytest.fixture(scope="session")
def lab_state(lab_data: Path) -> dict[str, Any]:
    state: dict[str, Any] = json.loads((lab_data / "lab" / "lab.json").read_text())
    return state


@pytest.fixture(scope="session")
def canh(lab_data: Path, lab_state: dict[str, Any]) -> Canh:
    """Runs `canh` on the lab: canh("alerts", "list", code=0)."""
    env = {**os.environ, "CANH_DATA": str(lab_data), "CANH_LAB": lab_state["id"]}

    def call(*words: str, code: int | None = 0, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "canh", *words],
            cwd=ROOT, env=env, capture_output=True, text=True, timeout=timeout_s, check=False,
        )  # fmt: skip
        assert code is None or done.returncode == code, done.stdout + done.stderr
        return done

    return call
