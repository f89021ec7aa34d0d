"""Parsers: what a message says, as ECS. A folder each, found by itself.

A folder `monitoring/parsers/<name>/` holds `parser.yaml` (who its messages are from, rules) and,
where rules are not enough, `parser.py` with `parse(line: Line) -> Mapping[str, Value] | None`; beside
them `tests/<case>.log` and `tests/<case>.json`. A parser returns what it knows of a message and None
when the message is not its own; who sent it and when is not its business.
"""

from monitoring.parsers._index import Index, load
from monitoring.parsers._line import Line, Parsed
from monitoring.parsers._values import ip_text, mac_text, mapping_of, number_of, text_of

__all__ = ["Index", "Line", "Parsed", "ip_text", "load", "mac_text", "mapping_of", "number_of", "text_of"]
