"""eStreamer's CEF: where semicolons stand between the pairs, they are read by those; labels name the numbered ones."""

from __future__ import annotations

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed, cef_of, put

_NONE = frozenset(("N/A", "Unknown", "unknown", "n/a", ""))


def read(line: Line) -> Pairs | None:
    found = cef_of(line.text)
    if found is None:
        return None
    _, _, told = line.text.partition("CEF:")
    parts = told.split("|", 7)
    if (len(parts) == 8 and ";src=" in parts[7]) or (len(parts) == 8 and ";dst=" in parts[7]):
        found = {key: value for key, value in found.items() if key.startswith("cef.")}
        for part in parts[7][:16384].split(";"):
            key, is_pair, value = part.partition("=")
            if is_pair and value.strip() not in _NONE:
                found.setdefault(key.strip(), value.strip())
        for key in [key for key in found if key.endswith("Label")]:
            if key.removesuffix("Label") in found:
                found.setdefault(str(found[key]), found[key.removesuffix("Label")])
    if "{" in str(found.get("suser", "")) or found.get("suser") == "No Authentication Required":
        del found["suser"]
    return {key: value for key, value in found.items() if str(value).strip() not in _NONE}


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed | None:
    if str(pairs.get("cef.id", "")).startswith(("INTRUSION", "IPS")):
        put(fields, "rule.name", pairs.get("cef.name"))
        put(fields, "rule.id", str(pairs["cef.id"]).partition(":")[2])
    return fields
