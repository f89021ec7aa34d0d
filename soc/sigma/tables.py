"""The two tables by which rules and events meet: which log source an event is of, and what fields are called there.

`logsources.yaml` and `fields.yaml` are data for people; the engine takes both as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from soc.sigma.errors import RuleError

LOG_SOURCES = Path(__file__).parent / "logsources.yaml"
FIELDS = Path(__file__).parent / "fields.yaml"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# What Windows' own names are called by those who ship its events: as ECS, as Beats before version 7, as PowerShell.
_SHIPPERS = (
    {"Channel": "winlog.channel", "EventID": "winlog.event_id", "Provider_Name": "winlog.provider_name"},
    {"Channel": "winlog.channel", "EventID": "event.code", "Provider_Name": "winlog.provider_name"},
    {"Channel": "log_name", "EventID": "event_id", "Provider_Name": "source_name"},
    {"Channel": "LogName", "EventID": "Id", "Provider_Name": "ProviderName"},
    {"Channel": "Channel", "EventID": "EventID", "Provider_Name": "SourceName"},
)


@cache
def log_sources() -> str:
    """The routing table as the engine takes it; read once a process, as code is. Raises RuleError."""
    entries = read(LOG_SOURCES)
    shipped = [_renamed(entry, names) for names in _SHIPPERS for entry in entries if set(entry["when"]) & set(names)]
    distinct = {json.dumps(entry, sort_keys=True): entry for entry in entries + shipped}
    return json.dumps(list(distinct.values()))


@cache
def fields() -> str:
    """The other names of fields, by log source, as the engine takes them. Raises RuleError."""
    return json.dumps(read(FIELDS))


def read(path: Path) -> list[dict[str, Any]]:
    """A table as people write it. Raises RuleError."""
    try:
        entries = yaml.load(path.read_text("utf-8"), LOADER)  # noqa: S506
    except (OSError, yaml.YAMLError) as error:
        raise RuleError(f"the table cannot be read: {error}", where=path) from error
    if not isinstance(entries, list):
        raise RuleError("the table is no list of entries", where=path)
    return entries


def _renamed(entry: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {**entry, "when": {names.get(field, field): values for field, values in entry["when"].items()}}
