"""Root file systems by content: one Debian base, and over it one baked layer a kind of host.

An image's name holds the hash of what it is made from, so it is never changed, only joined by
another; it is built beside its place and renamed into it, so a killed build leaves nothing that
looks finished. `bake` makes the layers; this module knows the names and builds the base.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from infra import overlay
from infra.errors import ImageFailed
from infra.names import cache_dir
from infra.toolchain import sources

ROOT = Path(__file__).resolve().parent.parent
PLAYBOOKS = ROOT / "playbooks"
CUSTOMIZE = Path(__file__).parent / "toolchain/base/customize.sh"
BASE_FORMAT = "1"  # raise when the way a base is built changes in a way the files below do not show
LAYER_FORMAT = "1"  # the same for baked layers
KEPT = 3  # images of a kind: several checkouts share the cache

Progress = Callable[[str], None]


def images_dir() -> Path:
    return cache_dir() / "images"


def image_of(kind: str) -> Path:
    """Folder of the newest layer of a kind of host ("router"...): where it is, or will be once baked.

    Without playbooks to bake with, or with CANH_IMAGES=base (tests of infra alone), it is the base itself.
    """
    if os.environ.get("CANH_IMAGES") == "base" or not (PLAYBOOKS / "site.yml").is_file():
        return base_path()
    return images_dir() / f"{kind}-{_hash(LAYER_FORMAT, base_path().name, *_contents(PLAYBOOKS))}"


def layers_of(kind: str) -> tuple[str, ...]:
    """Read-only layers of a machine of this kind, uppermost first."""
    return tuple(dict.fromkeys((str(image_of(kind)), str(base_path()))))


def base_path() -> Path:
    """Folder of the base image: where it is, or will be once built."""
    return images_dir() / f"base-{_hash(BASE_FORMAT, sources.SUITE, *packages(), CUSTOMIZE.read_text())}"


def packages() -> tuple[str, ...]:
    """Debian packages of the base, from playbooks/base-packages.txt."""
    lines = (PLAYBOOKS / "base-packages.txt").read_text().splitlines()
    return tuple(sorted({word for line in lines if (word := line.partition("#")[0].strip())}))


def ensure_base(progress: Progress) -> Path:
    """The base image, built when it is not in the cache. Raises ImageFailed."""
    base = base_path()
    if base.is_dir():
        return base
    with building(progress):
        if not base.is_dir():
            progress(
                f"building the Debian base image ({len(packages())} packages and what they need): about a minute, once"
            )
            _build_base(base)
    return base


@contextlib.contextmanager
def building(progress: Progress) -> Iterator[None]:
    """Only one builder at a time in this cache; the kernel frees the lock of one that is killed."""
    images_dir().mkdir(parents=True, exist_ok=True)
    with (images_dir() / "build.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("waiting for another image build to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        _remove_unfinished()
        yield


def forget_old() -> None:
    """Delete all but the newest images of each kind, and none that a machine stands on; call it inside `building`."""
    mounted = Path("/proc/self/mountinfo").read_text()
    by_kind: dict[str, list[Path]] = {}
    for folder in sorted(images_dir().glob("[!.]*-*"), key=lambda p: p.stat().st_mtime, reverse=True):
        by_kind.setdefault(folder.name.rpartition("-")[0], []).append(folder)
    for folder in (old for kind in by_kind.values() for old in kind[KEPT:]):
        if str(folder) not in mounted:
            # Renamed first: a folder under its own name is always whole.
            unfinished = folder.with_name(f".building-{folder.name}")
            folder.rename(unfinished)
            shutil.rmtree(unfinished, ignore_errors=True)


@contextlib.contextmanager
def idle() -> Iterator[bool]:
    """Whether nobody builds images in this cache; where so, nobody begins to until the block ends."""
    images_dir().mkdir(parents=True, exist_ok=True)
    with (images_dir() / "build.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _build_base(base: Path) -> None:
    unfinished = base.with_name(f".building-{base.name}")
    # Not /tmp: what a killed build leaves here is found and removed by the next one.
    with tempfile.TemporaryDirectory(prefix=".building-tmp-", dir=images_dir()) as folder:
        archives = _write_sources(Path(folder))
        command = [
            # All of it dies with us, mounts included: nothing of a killed build is left behind.
            *(
                "setpriv",
                "--pdeathsig",
                "KILL",
                "unshare",
                "--mount",
                "--pid",
                "--fork",
                "--kill-child",
                "--mount-proc",
            ),
            *("mmdebstrap", "--mode=root", "--variant=minbase", f"--include={','.join(packages())}"),
            *("--aptopt=APT::Install-Recommends false", f"--customize-hook={CUSTOMIZE}"),
            *(sources.SUITE, str(unfinished), *archives),
        ]
        env = {**os.environ, "TMPDIR": folder}
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", env=env)
    if done.returncode != 0:
        raise ImageFailed(
            f"mmdebstrap could not build the base image:\n{done.stderr.strip()[-1500:]}",
            where=unfinished,
            fix="check that apt-get update works on this machine",
        )
    unfinished.rename(base)


def _write_sources(folder: Path) -> list[str]:
    stanzas, lines = sources.configured()
    if not stanzas and not lines:
        raise ImageFailed(
            f"apt has no source of Debian {sources.SUITE} main",
            where="/etc/apt",
            fix=f"add a source of {sources.SUITE} main; the lab's machines are made from it",
        )
    files = []
    for name, entries, joint in (("lab.sources", stanzas, "\n\n"), ("lab.list", lines, "\n")):
        if entries:
            (folder / name).write_text(joint.join(entries) + "\n")
            files.append(str(folder / name))
    return files


def _remove_unfinished() -> None:
    for folder in images_dir().glob(".building-*"):
        for point in overlay.mounts_below(folder):
            overlay.unmount(point)
        shutil.rmtree(folder, ignore_errors=True)


def _contents(folder: Path) -> Iterator[str]:
    """Relative path, mode and content of every file, in a stable order; what Python leaves behind is not content."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".retry":
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            yield f"{path.relative_to(folder)}:{os.access(path, os.X_OK)}:{digest}"


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
