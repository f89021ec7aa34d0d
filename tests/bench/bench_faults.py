"""Killed 100 times at random moments under load, with one receiving process and with two: does the balance hold?

The test of tests/lab with more kills: all that receives, a receiver alone, the store's worker, both. TCP lines,
datagrams and acknowledged informs come all the while. It fails when an acknowledged message is missing, when
anything is there twice or when the balance does not hold.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEST = "tests/lab/test_collector_faults.py"


def main() -> int:
    kills = os.environ.get("CANH_KILLS", "100")
    began = time.monotonic()
    command = [sys.executable, "-m", "pytest", TEST, "-q", "-k", "killed_again", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"CANH_KILLS": kills}, check=False)
    print(
        f"{kills} kills twice in {time.monotonic() - began:.0f} s: {'as promised' if not done.returncode else 'BROKEN'}"
    )
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
