"""When a login shell that nobody types into ends by itself, as such a shell has it."""

from __future__ import annotations

import re

from compliance.model import Facts

COMMAND = "bash -lc 'echo \"TMOUT=${TMOUT:-0}\"' </dev/null"
_TMOUT = re.compile(r"^TMOUT=(\d+)$", re.M)


def facts(output: str) -> Facts:
    """`shell.idle_s`, or "without end". Raises ValueError when the shell did not say."""
    found = _TMOUT.search(output)
    if found is None:
        raise ValueError("the shell did not say")
    return {"shell.idle_s": int(found.group(1)) or "without end"}
