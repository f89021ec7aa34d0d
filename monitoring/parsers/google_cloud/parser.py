"""Google Cloud: what an agent sends of a machine's log is a line of a product, read as if it had come alone."""

from __future__ import annotations

from monitoring.event import Value
from monitoring.parsers import Line, Pairs
from monitoring.parsers.json_wrapped.parser import of_message

SHORTEST = 24  # characters of a line worth asking for


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """The event, with what its text says where a parser knows it."""
    if "event.code" not in fields and "protoPayload.methodName" in pairs:
        fields["event.code"] = str(pairs["protoPayload.methodName"])
    if fields.get("event.category") != ("host",):
        return fields
    text = next((pairs[key] for key in ("textPayload", "jsonPayload.message") if isinstance(pairs.get(key), str)), "")
    if len(text) < SHORTEST:
        return fields
    inner = of_message(line, text.strip(), str(pairs.get("jsonPayload.ident", "")))
    if str(inner.get("canh.parser", "generic_")).startswith("generic_"):
        return fields
    return fields | {name: value for name, value in inner.items() if name not in ("canh.parser", "@timestamp")}
