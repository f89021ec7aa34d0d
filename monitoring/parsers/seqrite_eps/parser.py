"""Seqrite: the sign between its pairs stands in the head, as LEEF 2 says, and the time in words."""

from __future__ import annotations

from datetime import datetime

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed


def read(line: Line) -> Pairs | None:
    parts = line.text.partition("LEEF:")[2][:16384].split("|", 6)
    if len(parts) < 6:
        return None
    sign = parts[5] if len(parts) == 7 and 0 < len(parts[5]) <= 2 else "\t"
    told = parts[6] if len(parts) == 7 else parts[5]
    found: Pairs = {"leef.version": parts[3], "leef.id": parts[4]}
    for part in told.split(sign):
        key, is_pair, value = part.partition("=")
        if is_pair and value.strip():
            found.setdefault(key.strip(), value.strip())
    return found


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed | None:
    try:
        when = datetime.strptime(str(pairs.get("incidentOn", "")).replace(" UTC ", " "), "%a %b %d %H:%M:%S %Y")
        fields["@timestamp"] = when.isoformat() + "Z"
    except ValueError:
        fields.pop("@timestamp", None)
    return fields
