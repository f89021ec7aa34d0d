"""HarfangLab: an event of Windows' log is read as from any other agent; names stand in paths."""

from __future__ import annotations

from collections.abc import Mapping

from monitoring.event import Value
from monitoring.parsers import Line, Pairs
from monitoring.parsers._endpoint import add_names
from monitoring.parsers.windows.parser import parse as parse_windows

_SYSTEM = {
    "event_id": "EventID", "log_name": "Channel", "source_name": "ProviderName", "computer_name": "Hostname",
    "keywords": "Keywords", "record_number": "RecordNumber",
}  # fmt: skip


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """The event, with what Windows says in it."""
    document = line.document or {}
    data = document.get("event_data")
    if isinstance(data, Mapping) and "event_id" in document:
        system = {name: document[key] for key, name in _SYSTEM.items() if key in document}
        told = parse_windows(line._replace(document={**system, **data}))
        if told is not None:
            keep: dict[str, Value] = {
                name: fields[name] for name in ("@timestamp", "host.name", "agent.id") if name in fields
            }
            for name in ("source.ip", "user.name", "destination.user.name"):
                fields.pop(name, None)
            fields.update(told)
            fields.update(keep)
    add_names(fields)
    return fields
