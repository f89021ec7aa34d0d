"""Which stored events a set of rules can look at, as a query: a replay of one rule need not read all.

The table of log sources says by which fields an event is of a source. Every event in a store was received, and
`canh.receiver` makes it of one; so an event that is of none of the rules' sources meets none of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from soc.rulesets._sources import covers
from soc.sigma.rule import LogSource, Rule
from soc.sigma.tables import log_sources

_LETTER = re.compile(r"[a-z]", re.IGNORECASE)
_LONGEST = 6000  # characters; a store reads no longer queries, and would gain nothing by them
_OURS = ("event.", "canh.")  # in lower case, made by parsers


def reach_of(rules: Iterable[Rule]) -> str:
    """A Lucene query for every event these rules may meet; "" for all."""
    entries = json.loads(log_sources())
    single: dict[str, dict[str, None]] = {}  # field -> values
    several: dict[str, None] = {}
    for source in {rule.logsource for rule in rules}:
        conditions = [entry["when"] for entry in entries if covers(source, _source(entry["is"]))]
        if not conditions or any("*" in values for when in conditions for values in when.values()):
            return ""  # of no source in the table, or of one that asks only whether a field is there
        for when in conditions:
            if len(when) == 1:
                ((field, values),) = when.items()
                single.setdefault(field, {}).update(dict.fromkeys(map(str, values)))
            else:
                several["(" + " AND ".join(_asked(field, map(str, values)) for field, values in when.items()) + ")"] = (
                    None
                )
    query = " OR ".join([*(_asked(field, values) for field, values in single.items()), *several])
    return query if len(query) <= _LONGEST else ""


def _asked(field: str, values: Iterable[str]) -> str:
    return f"{field}:({' OR '.join(_value(field, value) for value in values)})"


def _value(field: str, value: str) -> str:
    """The table knows no case, a store does."""
    if field.startswith(_OURS) or not _LETTER.search(value):
        return json.dumps(value)
    letters = (f"[{c.lower()}{c.upper()}]" if _LETTER.match(c) else re.escape(c).replace("/", r"\/") for c in value)
    return f"/{''.join(letters)}/"


def _source(written: dict[str, str]) -> LogSource:
    return LogSource(**{key: written.get(key, "") for key in ("product", "category", "service")})
