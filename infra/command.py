"""Runs a program of the host with an argument list: the one way infra calls out.

No shell, no inherited descriptors; what the program wrote to stderr becomes the error.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from infra.errors import CommandFailed


def run(
    *argv: str | Path, text: str | None = None, env: Mapping[str, str] | None = None, timeout_s: float = 120
) -> str:
    """Standard output of `argv`; `text` goes to its standard input. Raises CommandFailed when it does not return 0."""
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(
            words, input=text, env=env, timeout=timeout_s, capture_output=True, text=True, errors="replace", check=False
        )
    except FileNotFoundError as error:
        raise CommandFailed(f"{words[0]} is not installed", fix="run `make doctor`; it names the package") from error
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"{words[0]} did not end within {timeout_s:.0f} s", where=" ".join(words)) from error
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip() or "said nothing"
        raise CommandFailed(f"{words[0]} ended with {done.returncode}: {said}", where=" ".join(words))
    return done.stdout


def succeeds(*argv: str | Path) -> bool:
    """Whether `argv` returns 0; for asking, not for doing."""
    return subprocess.run([str(word) for word in argv], capture_output=True, check=False).returncode == 0
