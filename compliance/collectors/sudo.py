"""Who may become root without a password."""

from __future__ import annotations

import re

from compliance.model import Facts

COMMAND = 'cat /etc/sudoers; for f in /etc/sudoers.d/*; do [ -f "$f" ] && cat "$f"; echo; done'


def facts(output: str) -> Facts:
    """`sudo.unlimited`: accounts and groups that may run anything without a password."""
    rules = [line.strip() for line in output.splitlines() if line.strip() and not line.lstrip().startswith(("#", "@"))]
    if not any(rule.startswith("root") for rule in rules):
        raise ValueError("this is not a sudoers file: it has no rule for root")
    unlimited = [r.split()[0] for r in rules if re.search(r"NOPASSWD:\s*ALL\b", r) and not r.startswith("Defaults")]
    return {"sudo.unlimited": sorted(set(unlimited))}
