"""Whether each machine's marked line came through to the store, and as whose."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from compliance.collectors.canary import marker
from compliance.model import Facts
from monitoring.event import Event
from monitoring.store import EventStore, reader

if TYPE_CHECKING:
    from compliance.gather import Scene

WITHIN_S = 20.0  # four times what it should take


def observe(scene: Scene) -> Mapping[str, str]:
    """What arrived for each device, after waiting until all are there or WITHIN_S passed."""
    store, deadline = reader(scene.data_dir), time.monotonic() + WITHIN_S
    wanted = {marker(scene.run_id, name): name for name in scene.province.devices}
    while True:
        found = _found(store, scene.run_id, wanted)
        if len(found) == len(wanted) or time.monotonic() > deadline:
            return {name: json.dumps(_described(found.get(name))) for name in scene.province.devices}
        time.sleep(0.5)


def _found(store: EventStore, run_id: str, wanted: Mapping[str, str]) -> dict[str, Event]:
    now = datetime.now(UTC)
    events = store.search(
        f'message:"marker {run_id}"', now - timedelta(minutes=10), now + timedelta(minutes=1), limit=1000
    )
    return {wanted[text]: event for event in events if (text := event.text("message").strip()) in wanted}


def _described(event: Event | None) -> dict[str, object]:
    if event is None:
        return {"arrived": False}
    return {
        "arrived": True,
        "event_id": event.id,
        "host": event.text("host.name") or event.text("observer.name"),
        "delay_s": (event.received - event.timestamp).total_seconds(),
        "receiver": event.text("canh.receiver"),
    }


def facts(output: str) -> Facts:
    """`arrival.arrived`, `arrival.host` (who the platform says sent it), `arrival.delay_s`, `arrival.receiver`."""
    return {f"arrival.{key}": value for key, value in json.loads(output).items()}
