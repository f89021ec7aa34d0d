"""CRI's lines: the inner text goes through the parsers again; its own time goes before the engine's."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, document_in
from monitoring.parsers._index import load

_LINE = re.compile(r"(\S{20,40}) (stdout|stderr) [FP] (.*)", re.DOTALL)


def parse(line: Line) -> dict[str, Value] | None:
    """The event of the inner text; its bare words when nobody knows them."""
    match = _LINE.match(line.text)
    if match is None:
        return None
    when, stream, text = match.groups()
    fields: dict[str, Value] = {"@timestamp": when, "canh.stream": stream, "message": text}
    inner = line._replace(text=text, document=document_in(text))
    found = load().parse_whole(inner) or load().parse(inner)
    if found is None:
        return fields | {"event.category": ("process",), "event.type": ("info",)}
    parser, parsed = found
    return fields | dict(parser.fields) | dict(parsed)
