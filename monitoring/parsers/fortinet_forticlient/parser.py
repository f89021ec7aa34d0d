"""FortiClient: commas or spaces between pairs."""

from __future__ import annotations

import re

from monitoring.parsers import Line, Pairs, pairs_of

_COMMAS = re.compile(r"date=[\d-]{8,10},")


def read(line: Line) -> Pairs | None:
    return pairs_of(line.text, "," if _COMMAS.search(line.text, 0, 200) else " ")
