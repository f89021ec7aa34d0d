"""Zscaler's feeds: tabs between pairs whose values hold spaces, an envelope around JSON, hexadecimal URLs."""

from __future__ import annotations

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed, any_pairs, flat_of, pairs_of, put

_PROTOCOLS = frozenset(
    ("http", "https", "ftp", "ftps", "http_proxy", "ssl", "dns", "tunnel", "tunnel_ssl", "dnsoverhttps")
)


def read(line: Line) -> Pairs | None:
    if line.document is not None:
        inside = line.document.get("event")
        return flat_of(inside if isinstance(inside, dict) else line.document)
    text = line.text
    if "CEF:" in text or "LEEF:" in text:
        found = any_pairs(line)
        if found is not None and "leef.id" in found:
            found.setdefault("action", found.get("cat", ""))
        return found
    pairs = pairs_of(text, "\t" if "\t" in text else "," if '",' not in text and ",action=" in text else " ")
    if "\t" in text:
        first = text.partition("\t")[0]
        if "=" not in first:
            pairs.setdefault("time", first.strip())
    return pairs


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed | None:
    for key in ("proto", "protocol", "app"):
        written = str(pairs.get(key, "")).lower()
        if written in _PROTOCOLS:
            fields["network.protocol"] = written
    status = fields.get("http.response.status_code")
    if status == 0:
        del fields["http.response.status_code"]
    for key in ("event.timezone",):
        if fields.get(key) in ("GMT", None):
            fields[key] = "UTC"
    if "url.full" in fields:
        put(fields, "url.full", fields["url.full"])
    return fields
