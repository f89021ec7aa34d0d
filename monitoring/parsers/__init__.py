"""Parsers: what a message says, as ECS. A folder each, found by itself.

A folder `monitoring/parsers/<name>/` holds `parser.yaml` (who its messages are from, and how they are read: rules for
text, see `_rules`; keys and cases for messages made of pairs, see `_structured`) and, where that is not enough,
`parser.py` with `refine(line, fields, pairs)` that goes on where the document ends, or `parse(line)` that does it
all; beside them `tests/<case>.log` and `tests/<case>.json`. A parser returns what it knows of a message and None
when the message is not its own; who sent it is not its business.
"""

from monitoring.parsers._document import document_in
from monitoring.parsers._fields import ip_text, outcome_of, put, transport_of
from monitoring.parsers._formats import Pairs, cef_of, csv_of, flat_of, leef_of, pairs_of, structured_pairs
from monitoring.parsers._index import Found, Index, load
from monitoring.parsers._line import Line, Parsed
from monitoring.parsers._structured import add_common, any_pairs
from monitoring.parsers._values import mac_text, mapping_of, number_of, text_of

__all__ = [
    "Found",
    "Index",
    "Line",
    "Pairs",
    "Parsed",
    "add_common",
    "any_pairs",
    "cef_of",
    "csv_of",
    "document_in",
    "flat_of",
    "ip_text",
    "leef_of",
    "load",
    "mac_text",
    "mapping_of",
    "number_of",
    "outcome_of",
    "pairs_of",
    "put",
    "structured_pairs",
    "text_of",
    "transport_of",
]
