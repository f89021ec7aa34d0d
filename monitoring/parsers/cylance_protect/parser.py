"""CylancePROTECT: `Key: value, Key: value`; a value may hold commas."""

from __future__ import annotations

import re

from monitoring.parsers import Line, Pairs, any_pairs

_KEY = re.compile(r"(?:\A|, |(?<=- ))([A-Z][A-Za-z0-9 ]{1,31}): ")


def read(line: Line) -> Pairs | None:
    if "CEF:" in line.text or line.document is not None:
        return any_pairs(line)
    text = line.text[:16384]
    keys = list(_KEY.finditer(text))
    pairs: Pairs = {}
    for at, key in enumerate(keys):
        end = keys[at + 1].start() if at + 1 < len(keys) else len(text)
        pairs.setdefault(key[1], text[key.end() : end].strip(" ()"))
    return pairs or None
