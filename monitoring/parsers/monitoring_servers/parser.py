"""Zabbix's time: `20261122:100000.123`."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs

_ZABBIX = re.compile(r" {0,6}\d{1,10}:(\d{4})(\d\d)(\d\d):(\d\d)(\d\d)(\d\d\.\d{3}) ")


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """The fields, and the time that stands in Zabbix's own form."""
    found = _ZABBIX.match(line.text)
    if found is not None:
        year, month, day, hour, minute, second = found.groups()
        fields["@timestamp"] = f"{year}-{month}-{day} {hour}:{minute}:{second}"
    return fields
