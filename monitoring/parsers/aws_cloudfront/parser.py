"""CloudFront: date and time are two columns, the agent is written as in a URL."""

from __future__ import annotations

from urllib.parse import unquote

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, put


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """The request with its time and its agent."""
    fields["@timestamp"] = f"{pairs['date']} {pairs['time']}"
    put(fields, "user_agent.original", unquote(unquote(str(pairs.get("agent", "")))))
    return fields
