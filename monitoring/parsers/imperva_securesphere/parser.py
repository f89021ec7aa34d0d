"""SecureSphere: places in its template that were not filled, and the application, which is no protocol."""

from __future__ import annotations

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed, put


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed | None:
    for name in [name for name, value in fields.items() if str(value).startswith("${")]:
        del fields[name]
    if fields.get("network.protocol") == str(pairs.get("ApplicationName", "")).lower():
        fields.pop("network.protocol", None)
    if "rule.name" not in fields:
        put(fields, "rule.name", pairs.get("cef.name") or pairs.get("cef.id"))
    return fields
