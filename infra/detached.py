"""Starts a program that outlives whoever starts it, held and found again by its control group alone."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from infra import cgroup

# The shell writes itself into the control groups and becomes the program: no moment outside of them.
JOIN_AND_EXEC = 'n=$1; shift; while [ "$n" -gt 0 ]; do echo $$ > "$1"; shift; n=$((n-1)); done; exec "$@"'


def start(lab: str, group: str, command: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None) -> None:
    """Run `command` in the group of the lab, its output in `log`; returns when it has joined the group."""
    procs = [str(path) for path in cgroup.ensure(lab, group)]
    with log.open("wb") as output:
        # --fork makes it nobody's child, so neither the plugin's end nor ours is its end.
        subprocess.run(
            ["setsid", "--fork", "sh", "-c", JOIN_AND_EXEC, "sh", str(len(procs)), *procs, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env={"PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), **(env or {})},
            check=True,
        )
    deadline = time.monotonic() + 5
    while not cgroup.processes(lab, group) and time.monotonic() < deadline:
        time.sleep(0.01)
