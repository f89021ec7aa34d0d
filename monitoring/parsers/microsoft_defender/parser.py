"""Microsoft Defender: rows of advanced hunting are below `properties` when streamed; their table says what they are."""

from __future__ import annotations

from collections.abc import Mapping

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed, flat_of
from monitoring.parsers._endpoint import add_names

_TABLE = "AdvancedHunting-"


def read(line: Line) -> Pairs | None:
    """The pairs of a row or an alert; `canh.table` is the table it is of, where it says."""
    document = line.document
    if document is None:
        return None
    category = str(document.get("category", ""))
    properties = document.get("properties")
    if category.startswith(_TABLE) and isinstance(properties, Mapping):
        return flat_of(properties) | {"canh.table": category.removeprefix(_TABLE), "time": document.get("time", "")}
    if isinstance(properties, Mapping):
        return None
    pairs = flat_of(document)
    if isinstance(document.get("Type"), str) and document["Type"].startswith(
        ("Device", "Email", "Identity", "Alert", "Url")
    ):
        pairs["canh.table"] = document["Type"]
    return pairs


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed | None:
    """Who logs on comes from the remote address: it is no destination."""
    if fields.get("event.action") == "login" and fields.get("destination.ip") == fields.get("source.ip"):
        fields.pop("destination.ip", None)
        fields.pop("destination.port", None)
    if str(pairs.get("EvidenceDirection", "")).lower() == "source":
        fields.pop("destination.ip", None)
        fields.pop("destination.port", None)
    add_names(fields)
    return fields
