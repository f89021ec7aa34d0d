"""Finds the Pulumi engine, or builds it: the folder with `pulumi` and its Python language host.

What is on PATH is taken when it is 3.220 or newer and has its Python host; otherwise the
pinned version is built from Go modules into the cache, once (minutes, then never again).
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from infra.errors import HostUnfit, LabError
from infra.names import cache_dir

OLDEST = (3, 220, 0)
BUILT = "3.220.0"
TOOLS = ("pulumi", "pulumi-language-python", "pulumi-language-python-exec")
RECIPE = Path(__file__).parent / "pulumi/install-pulumi.sh"


def pulumi_dir(progress: Callable[[str], None]) -> Path:
    """Folder with a usable `pulumi`; builds one when there is none. Raises HostUnfit without Go to build it."""
    found = on_path() or built()
    return found or _build(progress)


def on_path() -> Path | None:
    """Folder of the `pulumi` on PATH, None when there is none new enough with its Python host beside it or on PATH."""
    engine = shutil.which("pulumi")
    if engine is None or shutil.which("pulumi-language-python") is None:
        return None
    version = version_of(Path(engine))
    return Path(engine).parent if version is not None and version >= OLDEST else None


def built() -> Path | None:
    """Folder of the engine built earlier, None when there is none that is complete."""
    folder = cache_dir() / f"pulumi-{BUILT}"
    return folder if all((folder / tool).exists() for tool in TOOLS) else None


def version_of(engine: Path) -> tuple[int, int, int] | None:
    """Version of a `pulumi` executable, None when it does not say."""
    asked = subprocess.run([engine, "version"], capture_output=True, text=True, check=False, env=_quiet_env())
    return parse_version(asked.stdout)


def parse_version(text: str) -> tuple[int, int, int] | None:
    """`v3.220.0` as numbers, None when it is not of that shape."""
    match = re.match(r"v?(\d+)\.(\d+)\.(\d+)", text.strip())
    return None if match is None else (int(match[1]), int(match[2]), int(match[3]))


def _build(progress: Callable[[str], None]) -> Path:
    if shutil.which("go") is None:
        raise HostUnfit(
            f"no pulumi {'.'.join(map(str, OLDEST[:2]))} or newer is on PATH, and without Go none can be built",
            where="PATH",
            fix="install pulumi, or Go 1.26 or newer",
        )
    target = cache_dir() / f"pulumi-{BUILT}"
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / "pulumi.lock").open("w") as lock:
        progress("waiting for the Pulumi build lock")
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (ready := built()) is not None:  # somebody else was building it
            return ready
        progress(f"building pulumi {BUILT} from Go modules: 2 to 6 minutes, once")
        building = target.with_name(target.name + ".building")
        shutil.rmtree(building, ignore_errors=True)
        done = subprocess.run([RECIPE, building], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise LabError(
                f"pulumi could not be built: {done.stderr.strip()[-800:]}",
                where=RECIPE,
                fix="check that Go 1.26 or newer is on PATH and that its module proxy answers",
            )
        shutil.rmtree(target, ignore_errors=True)
        building.rename(target)
    return target


def _quiet_env() -> dict[str, str]:
    return {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "1"}
