"""ExtraHop: who took part in a detection, by his role."""

from __future__ import annotations

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, mapping_of, put

_SIDES = {"offender": "source", "victim": "destination", "client": "source", "server": "destination"}
_PARTS = (("object_value", "ip"), ("ipaddr", "ip"), ("ipaddr4", "ip"), ("hostname", "domain"), ("macaddr", "mac"),
          ("username", "user.name"))  # fmt: skip
MOST = 32  # participants looked at


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """The event with an offender as its source and a victim as its destination."""
    told = (line.document or {}).get("participants")
    if not isinstance(told, list):
        return fields
    for name in ("source.ip", "source.domain", "destination.ip", "destination.domain"):
        fields.pop(name, None)
    for one in map(mapping_of, told[:MOST]):
        side = _SIDES.get(str(one.get("role", "")).lower(), "source")
        for key, part in _PARTS:
            if f"{side}.{part}" not in fields:
                put(fields, f"{side}.{part}", one.get(key))
    return fields
