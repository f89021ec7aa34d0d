"""Akamai: the rules of an attack are lists in Base64, written as in a URL, and so are the headers."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import unquote

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, put

_LISTS = (
    ("attackData.rules", "rule.id"),
    ("attackData.ruleMessages", "rule.name"),
    ("attackData.ruleTags", "rule.category"),
    ("attackData.ruleActions", "canh.akamai.actions"),
)
_HEADERS = {"user-agent": "user_agent.original", "referer": "http.request.referrer"}
LONGEST_LIST = 8192  # characters


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """The event with its first rule in plain, its headers and its URL."""
    for key, name in _LISTS:
        written = pairs.get(key)
        if isinstance(written, str) and written:
            plain = [text for text in map(_plain, unquote(written[:LONGEST_LIST]).split(";")) if text]
            if plain:
                fields[name] = plain[0]
    actions = str(fields.get("canh.akamai.actions", "")).lower()
    if actions in ("alert", "monitor"):
        fields["event.type"] = ("info",)
        fields["event.outcome"] = "success"
    for header in unquote(str(pairs.get("httpMessage.requestHeaders", ""))[:LONGEST_LIST]).splitlines():
        name, colon, value = header.partition(":")
        if colon and name.lower() in _HEADERS:
            put(fields, _HEADERS[name.lower()], value)
    for name in ("user_agent.original", "http.request.referrer"):
        if "%" in str(fields.get(name, "")):
            fields[name] = unquote(str(fields[name]))
    fields.setdefault("network.protocol", "http")
    _add_url(fields, pairs)
    return fields


def _add_url(fields: dict[str, Value], pairs: Pairs) -> None:
    host, path = fields.get("url.domain"), fields.get("url.path", "/")
    if host is None or "url.full" in fields:
        return
    query = pairs.get("httpMessage.query") or pairs.get("queryStr") or ""
    port = str(pairs.get("httpMessage.port") or pairs.get("reqPort") or "")
    tail = f"?{query}" if query not in ("", "-") else ""
    put(fields, "url.full", f"{'https' if port == '443' else 'http'}://{host}/{str(path).lstrip('/')}{tail}")


def _plain(part: str) -> str:
    """A part of a list as text: in Base64 where it is that, as it stands where it is not."""
    try:
        text = base64.b64decode(part + "=" * (-len(part) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        return part
    return text if text.isprintable() else part
