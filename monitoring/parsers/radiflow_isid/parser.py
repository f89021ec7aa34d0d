"""iSID: CEF whose values have an end of line in them (`#012`) and whose category stands in quotes."""

from __future__ import annotations

import re

from monitoring.parsers import Line, Pairs, cef_of

_PLACE = re.compile(r" - \d{1,4}\Z")  # where in the map the device stands


def read(line: Line) -> Pairs | None:
    pairs = cef_of(line.text.replace("#012", " "))
    if pairs is None:
        return None
    for key, value in pairs.items():
        if isinstance(value, str):
            pairs[key] = _PLACE.sub("", value.strip("' "))
    return pairs
