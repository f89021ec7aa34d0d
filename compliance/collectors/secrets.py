"""Who may read the keys and credentials of the data directory. Looks at modes, never inside."""

from __future__ import annotations

import json
import stat
from collections.abc import Mapping
from typing import TYPE_CHECKING

from compliance.model import PLATFORM, Facts

if TYPE_CHECKING:
    from compliance.gather import Scene

PATTERNS = (
    "secrets.json",
    "digest.key",
    "pki/*.key",
    "pki/**/*key*.pem",
    "lab/ssh/id_*",
    "lab/pulumi/passphrase",
    "soc.db",
    "lab/passphrase",
)


def observe(scene: Scene) -> Mapping[str, str]:
    """Mode of every file that holds a secret."""
    paths = {p for pattern in PATTERNS for p in scene.data_dir.glob(pattern) if p.is_file() and p.suffix != ".pub"}
    modes = {str(p.relative_to(scene.data_dir)): stat.filemode(p.stat().st_mode) for p in sorted(paths)}
    return {PLATFORM: json.dumps(modes, indent=1)}


def facts(output: str) -> Facts:
    """`secrets.found`: how many; `secrets.open`: "file mode" of those that group or others can read."""
    modes: dict[str, str] = json.loads(output)
    return {
        "secrets.found": len(modes),
        "secrets.open": [f"{name} {mode}" for name, mode in modes.items() if mode[4:] != "------"],
    }
