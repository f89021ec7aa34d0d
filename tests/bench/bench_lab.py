"""A lab of 13 machines from warm caches: up, no-op plans, down, in wall seconds. Needs root and the images."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STEPS = ("machines and links", "hosts", "platform", "routers", "console")


def main() -> int:
    if os.geteuid() != 0:
        print("skipped: machines need root")
        return 0
    with tempfile.TemporaryDirectory(prefix="canh-bench-") as folder:
        env = {**os.environ, "CANH_LAB": "bench", "CANH_DATA": folder, "CANH_CONSOLE_PORT": "8943"}
        try:
            _canh(env, "lab", "up", "--machines-only")  # images, if anything is missing; not measured
            _canh(env, "lab", "down")
            took, said = _canh(env, "lab", "up")
            print(f"{'lab up, all of it':<42}{took:>8.1f} s")
            for step in STEPS:
                seconds = re.search(rf"\] {step}: ([0-9.]+) s", said)
                print(f"{'  ' + step:<42}{float(seconds[1]) if seconds else float('nan'):>8.1f} s")
            preview = ("lab", "pulumi", "--", "preview", "--expect-no-changes")
            print(f"{'no-op plan, machines and links (pulumi)':<42}{_canh(env, *preview)[0]:>8.1f} s")
            print(f"{'no-op plan, 8 routers (canh plan)':<42}{_canh(env, 'plan')[0]:>8.1f} s")
            print(f"{'lab up again, nothing to do':<42}{_canh(env, 'lab', 'up')[0]:>8.1f} s")
        finally:
            print(f"{'lab down':<42}{_canh(env, 'lab', 'down')[0]:>8.1f} s")
    return 0


def _canh(env: dict[str, str], *words: str) -> tuple[float, str]:
    """Wall seconds of a command and what it said on the way. Raises CalledProcessError."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "canh", *words], cwd=ROOT, env=env, check=True, capture_output=True, text=True
    )
    return time.monotonic() - began, done.stderr


if __name__ == "__main__":
    sys.exit(main())
