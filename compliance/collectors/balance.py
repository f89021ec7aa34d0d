"""Whether every message received is stored, set aside or counted as dropped: two independent counts, compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from compliance.model import PLATFORM, Facts
from monitoring.stats import balance_of

if TYPE_CHECKING:
    from compliance.gather import Scene

_TOTALS = ("received", "stored", "dead", "dropped", "in_flight", "missing")


def observe(scene: Scene) -> Mapping[str, str]:
    """The balance of all sources together, as `canh stats` prints it."""
    balance = balance_of(scene.data_dir)
    totals = {name: balance.total(name) for name in _TOTALS}
    seen = totals | {
        "balances": balance.balances,
        "damaged_octets": balance.damaged_octets,
        "missing_octets": balance.missing_octets,
        "trouble": balance.trouble,
    }
    return {PLATFORM: json.dumps(seen, indent=1)}


def facts(output: str) -> Facts:
    """`balance.received`, `.balanced`, `.dropped_share` per mille, `.lost_octets` of the spool, `.trouble`."""
    seen = json.loads(output)
    received = int(seen["received"])
    return {
        "balance.received": received,
        "balance.balanced": seen["balances"],
        "balance.dropped_share": round(1000 * int(seen["dropped"]) / received, 3) if received else 0.0,
        "balance.lost_octets": int(seen["damaged_octets"]) + int(seen["missing_octets"]),
        "balance.trouble": seen["trouble"],
    }
