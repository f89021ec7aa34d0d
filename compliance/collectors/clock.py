"""What chrony follows and how far the clock is from it."""

from __future__ import annotations

from compliance.model import Facts

COMMAND = "chronyc -c -n tracking; chronyc -c -n sources"


def facts(output: str) -> Facts:
    """`clock.source` address, `clock.stratum`, `clock.offset_s` absolute, `clock.leap`, `clock.sources`."""
    first, *sources = [line.split(",") for line in output.splitlines() if line]
    if len(first) != 14:
        raise ValueError(f"this is not what chronyc -c tracking prints: {output.strip()[:80]!r}")
    return {
        "clock.source": first[1] or "nothing",
        "clock.stratum": int(first[2]),
        "clock.offset_s": abs(float(first[4])),
        "clock.leap": first[13],
        "clock.sources": [row[2] for row in sources if len(row) > 2],
    }
