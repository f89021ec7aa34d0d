"""When each device last answered a measurement, as the store has it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from compliance.model import Facts
from monitoring.store import EventStore, reader

if TYPE_CHECKING:
    from compliance.gather import Scene

# A device that is polled but does not answer leaves events of failure; they are no measurement.
ANSWERS, FAILURES = "event.dataset:snmp.system", "event.dataset:snmp.failure"


def observe(scene: Scene) -> Mapping[str, str]:
    """Of each device, within the last day: seconds since it last answered, and since it last failed to."""
    now = datetime.now(UTC)
    store = reader(scene.data_dir)
    ages = {query: _ages(store, query, now) for query in (ANSWERS, FAILURES)}
    return {
        name: json.dumps({"age_s": ages[ANSWERS].get(name), "failed_s": ages[FAILURES].get(name)})
        for name in scene.province.devices
    }


def _ages(store: EventStore, query: str, now: datetime) -> dict[str, float]:
    groups = store.aggregate("canh.device", query, now - timedelta(days=1), limit=20_000)
    return {group.value: round((now - group.last_received).total_seconds(), 1) for group in groups}


def facts(output: str) -> Facts:
    """`polled.age_s` since the last answer, `polled.answers`: whether the newest attempt was answered.

    No `polled.age_s` when the device never answered.
    """
    seen = json.loads(output)
    age, failed = seen["age_s"], seen["failed_s"]
    if age is None:
        return {"polled.answers": False}
    return {"polled.age_s": age, "polled.answers": failed is None or age < failed}
