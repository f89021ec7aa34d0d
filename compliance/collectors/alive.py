"""Whether the machine itself answers now.

For controls whose evidence lies elsewhere: what the platform has on file of a dead machine satisfies nothing.
"""

from __future__ import annotations

from compliance.model import Facts

COMMAND = "cat /proc/uptime"


def facts(output: str) -> Facts:
    """`alive.uptime_s`: seconds since the machine's kernel started; what matters is that it was told."""
    return {"alive.uptime_s": float(output.split()[0])}
