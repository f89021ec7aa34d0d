"""`make bench`: runs every bench_*.py of this folder, one after another, and prints what each prints.

A bench prints a table of figures with the floor or peer measured in the same run. It never passes or
fails; docs/performance.md keeps the figures with the machine they were measured on.
"""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main(names: list[str]) -> int:
    """Run the named benches ("parse"), all of them by default. Returns how many could not run."""
    found = {path.stem.removeprefix("bench_"): path for path in sorted(HERE.glob("bench_*.py"))}
    unknown = set(names) - set(found)
    if unknown:
        print(f"no bench called {', '.join(sorted(unknown))}; there are {', '.join(found)}", file=sys.stderr)
        return 2
    print(f"# {_machine()}", flush=True)
    broken = 0
    for name in names or list(found):
        print(f"\n## {name}", flush=True)
        done = subprocess.run([sys.executable, "-m", f"tests.bench.bench_{name}"], cwd=HERE.parent.parent, check=False)
        if done.returncode:
            print(f"{name} could not run: exit {done.returncode}", flush=True)
            broken += 1
    return broken


def _machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "?")
    cores = sum(line.startswith("processor") for line in lines)
    return f"{cores} cores of {model}, Linux {platform.release()}, Python {platform.python_version()}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
