"""Ten stored days, and a province with two rules of its own: what replay is tested on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from monitoring.store import StoreWriter
from tests.unit.monitoring.stored import NOON, event, put
from tests.unit.soc.engine_support import FAILED, ROOT, correlation, rules_of

FIRST = {"event.category": ("authentication",), "event.action": "login", "event.outcome": "failure"}
SOON = (datetime.now(UTC) + timedelta(days=60)).date().isoformat()  # a day at which a filter may end
COUNTED = correlation("event_count", "{gte: 5}", span="1m")


def stored(folder: Path) -> Path:
    """Each day somebody guesses eight times, and our own checks guess eight times in another hour."""
    events = []
    for day in range(10):
        for who, (hour, address) in enumerate(((1, "10.9.9.9"), (2, "10.250.0.20"))):
            start = NOON + timedelta(days=day, hours=hour)
            fields = {**FIRST, "source.ip": address, "host.name": "dc-app1", "canh.source.known": True}
            fields |= {"source.port": 22 + who, "user.name": str(7 + who)}
            events += [event(day * 100 + who * 10 + n, start + timedelta(seconds=n), **fields) for n in range(8)]
    with StoreWriter(folder) as writer:
        put(writer, events)
    return folder


def province_with_rules(folder: Path) -> Path:
    """The lab's inventory with two rules of its own."""
    folder.mkdir()
    for path in (ROOT / "inventory/provinces/lab").iterdir():
        if path.name != "rules":
            (folder / path.name).symlink_to(path)
    rules_of(folder / "rules", FAILED, COUNTED)
    return folder
