"""BIG-IP ASM and AFM: pairs with commas between, the whole URL and the host that the request itself names."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed, any_pairs, pairs_of, put

_HOST = re.compile(r"(?:\\r\\n|\r?\n|\s)Host: ?([\w.:\[\]-]{1,255})", re.IGNORECASE)
_AGENT = re.compile(r"(?:\\r\\n|\r?\n|\s)User-Agent: ?(.{1,1024}?)(?:\\r|\r|\n|\Z)", re.IGNORECASE)
_REFERER = re.compile(r"(?:\\r\\n|\r?\n|\s)Referer: ?(.{1,1024}?)(?:\\r|\r|\n|\Z)", re.IGNORECASE)
_COMMAS = re.compile(r"=(?:\"[^\"]{0,2048}\"|[^\",]{0,256}), ?[\w-]{2,40}=")


def read(line: Line) -> Pairs | None:
    text = line.text
    if "CEF:" in text:
        return any_pairs(line)
    return pairs_of(text, "," if _COMMAS.search(text, 0, 8192) else " ")


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed | None:
    for key in ("cn1", "response_code"):  # of CEF a number with a label, and 0 of a request that was stopped
        if pairs.get(key) and str(pairs.get(key + "Label", "response_code")) == "response_code":
            put(fields, "http.response.status_code", pairs[key])
    if fields.get("http.response.status_code") == 0:
        del fields["http.response.status_code"]
    if str(fields.get("url.full", "")).startswith("/") and "request" not in pairs:
        fields.pop("url.full")
        put(fields, "url.original", pairs.get("uri"))
    if pairs.get("mitigated_entity_name") == "username":
        put(fields, "user.name", pairs.get("mitigated_entity_value"))
    request, whole = str(pairs.get("request", ""))[:8192], str(pairs.get("full_request") or "")[:8192]
    if request:
        fields.pop("url.full", None)
        for pattern, name in (
            (_HOST, "url.domain"),
            (_AGENT, "user_agent.original"),
            (_REFERER, "http.request.referrer"),
        ):
            match = pattern.search(whole or request)
            if match is not None:
                put(fields, name, match[1].strip())
        verb, _, rest = request.partition(" ")
        if verb.isupper() and len(verb) < 10:
            fields.setdefault("http.request.method", verb)
            put(fields, "url.original", rest.split(" ")[0])
        elif request.startswith(("/", "http")):
            put(fields, "url.full", request)
    host, path = fields.get("url.domain"), str(fields.get("url.path", ""))
    scheme = str(fields.get("network.protocol", "")).lower()
    if host and path.startswith("/") and scheme in ("http", "https"):
        query = fields.get("url.query")
        fields["url.full"] = f"{scheme}://{host}{path}" + (f"?{query}" if query else "")
    return fields
