"""Where the machines' `ssh_config` is, and whether it may be believed.

It names programs that ssh runs as whoever uses it. The data directory belongs to the platform's
unprivileged user, who could put another folder in its place; so it counts only as its reader's own work.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from network.errors import NetworkError, NotOnFile


def ssh_config_of(data_dir: Path) -> Path:
    """`<data>/lab/ssh_config`. Raises NotOnFile without a lab, NetworkError when others could have written it."""
    path = data_dir / "lab" / "ssh_config"
    for one in (path.parent, path):
        try:
            seen = one.lstat()
        except OSError as error:
            raise NotOnFile(
                "nothing says how the devices are reached", where=path, fix="bring a lab up: canh lab up"
            ) from error
        is_kind = stat.S_ISDIR(seen.st_mode) if one == path.parent else stat.S_ISREG(seen.st_mode)
        if not is_kind or seen.st_uid not in (0, os.geteuid()) or seen.st_mode & 0o022:
            raise NetworkError(
                "this could have been written by another user, and ssh runs what it says",
                where=one,
                fix="look who changed it, then canh lab down and canh lab up",
            )
    return path
