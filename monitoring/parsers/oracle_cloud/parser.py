"""Oracle Cloud: an entry may stand below `logContent`, a flow's values without `data` around them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from monitoring.parsers import Line, Pairs, flat_of

_NAMES = ("oraclecloud", "compartmentId", "flowid", "vniccompartmentocid")


def read(line: Line) -> Pairs | None:
    """The pairs of an entry; None for what is none of Oracle's."""
    document: Mapping[str, Any] | None = line.document
    if document is None:
        return None
    inner = document.get("logContent")
    if isinstance(inner, Mapping):
        document = {"datetime": document.get("datetime"), **inner}
    if "sourceAddress" in document:
        document = {"data": document, "endTime": document.get("endTime")}
    pairs = flat_of(document)
    told = f"{pairs.get('type', '')} {pairs.get('eventType', '')} {' '.join(pairs)}"
    return pairs if any(name in told for name in _NAMES) else None
