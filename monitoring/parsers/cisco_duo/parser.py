"""What an administrator's action says of itself: its description is JSON in a string."""

from __future__ import annotations

import orjson

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, put


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """Finish the fields with the address and the factor that the description holds."""
    written = pairs.get("description")
    if isinstance(written, str) and written.startswith("{"):
        try:
            said = orjson.loads(written)
        except orjson.JSONDecodeError:
            return fields
        if isinstance(said, dict):
            for key, name in (("ip_address", "source.ip"), ("factor", "canh.auth.method"), ("error", "event.reason"),
                              ("email", "user.target.email"), ("user_agent", "user_agent.original")):  # fmt: skip
                if name not in fields:
                    put(fields, name, said.get(key))
    return fields
