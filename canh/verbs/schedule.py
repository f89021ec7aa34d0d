"""`canh schedule`: ask the store, now and then, for what a stream cannot say."""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

from canh.context import Context

HELP = "run the scheduled rules when they are due (until SIGTERM)"
_LEAST_S, _MOST_S = 30.0, 600.0


def arguments(parser: argparse.ArgumentParser) -> None:
    """None: rules say when they are due."""


def run(args: argparse.Namespace, ctx: Context) -> int:
    """Wait in a process that holds nothing; each run is one of its own, and gives its memory back."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    command = (sys.executable, "-m", "canh", "--province", str(ctx.province_dir), "--data", str(ctx.data_dir))
    pause_s = _LEAST_S
    while not stop.wait(pause_s):
        child = subprocess.Popen((*command, "due"))
        while child.poll() is None:
            if stop.wait(0.2):
                child.terminate()
                child.wait()
        pause_s = _until_next(ctx.data_dir / "stats" / "scheduled.json")
    return 0


def _until_next(path: Path) -> float:
    try:
        wanted = datetime.fromisoformat(json.loads(path.read_text("utf-8"))["next_at"])
    except (OSError, ValueError, KeyError, TypeError):
        return _MOST_S
    return min(_MOST_S, max(_LEAST_S, (wanted - datetime.now(UTC)).total_seconds()))
