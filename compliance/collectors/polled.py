"""When each device last answered a measurement, as the store has it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from compliance.model import Facts
from monitoring.store import Store

if TYPE_CHECKING:
    from compliance.gather import Scene

# A device that is polled but does not answer leaves events of failure; they are no measurement.
ANSWERS = "event.dataset:snmp.* AND NOT event.outcome:failure"


def observe(scene: Scene) -> Mapping[str, str]:
    """Seconds since the last measurement of each device, within the last day."""
    now = datetime.now(UTC)
    store = Store(scene.data_dir)
    last: dict[str, datetime] = {}
    for field in ("host.name", "observer.name"):
        for group in store.aggregate(field, ANSWERS, now - timedelta(days=1), limit=20_000):
            last[group.value] = max(group.last_received, last.get(group.value, group.last_received))
    ages = {name: round((now - at).total_seconds()) for name, at in last.items()}
    return {name: json.dumps({"age_s": ages.get(name)}) for name in scene.province.devices}


def facts(output: str) -> Facts:
    """`polled.age_s`; nothing when the device never answered."""
    age = json.loads(output)["age_s"]
    return {} if age is None else {"polled.age_s": age}
