"""IIS W3C lines. Which optional columns are there is seen from the line: its method, its status, what lies between."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, ip_text, put
from monitoring.parsers._access import add_status

_TIME = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) ")
_METHOD = re.compile(r"[A-Z_]{3,16}\Z")


def parse(line: Line) -> dict[str, Value] | None:
    """The request; None when it is no such line."""
    if line.text.startswith("#"):
        return {"event.dataset": "iis.access", "event.category": ("web",), "event.type": ("info",)}
    start = _TIME.match(line.text)
    if start is None:
        return _native(line.text)
    words = line.text[start.end() :].split(" ")
    if len(words) > 6 and ip_text(words[0]) and words[1].isdecimal() and ip_text(words[2]):
        fields = _error(words)
    else:
        found = _access(words)
        if found is None:
            return None
        fields = found
    _add_url(fields)
    return fields | {"@timestamp": start[1], "event.timezone": "UTC", "network.protocol": "http"}


def _add_url(fields: dict[str, Value]) -> None:
    """The URL in one piece, where the host is there."""
    path, query = str(fields.get("url.original", "")), fields.get("url.query")
    if "url.domain" in fields and path.startswith("/"):
        scheme = "https" if fields.get("destination.port") in (443, 8443) else "http"
        put(fields, "url.full", f"{scheme}://{fields['url.domain']}{path}{f'?{query}' if query else ''}")


def _native(text: str) -> dict[str, Value] | None:
    """IIS's own format: its columns between commas, in the zone of the server."""
    words = [word.strip() for word in text[:8192].split(",")]
    if len(words) < 14 or ip_text(words[0]) is None:
        return None
    fields: dict[str, Value] = {
        "event.dataset": "iis.access", "event.action": "http-request", "event.category": ("web",),
        "event.type": ("access",), "network.protocol": "http", "@timestamp": f"{words[2]} {words[3]}",
    }  # fmt: skip
    for at, name in (
        (0, "source.ip"), (1, "user.name"), (4, "canh.iis.site"), (5, "host.name"), (6, "destination.ip"),
        (8, "http.request.bytes"), (9, "http.response.bytes"), (12, "http.request.method"), (13, "url.original"),
    ):  # fmt: skip
        put(fields, name, words[at])
    if words[10].isdecimal():
        add_status(fields, int(words[10][:3]))
    return fields


def _access(words: list[str]) -> dict[str, Value] | None:
    at = next((n for n in range(1, min(4, len(words))) if _METHOD.match(words[n]) and words[n + 1 : n + 2] != []
               and (ip_text(words[n - 1]) or words[n + 1][:1] == "/")), None)  # fmt: skip
    if at is None or len(words) < at + 7:
        return None
    status = next((n for n in range(at + 6, len(words)) if _is_status(words, n)), None)
    if status is None:
        return None
    fields: dict[str, Value] = {
        "event.dataset": "iis.access",
        "event.action": "http-request",
        "event.category": ("web",),
        "event.type": ("access",),
    }
    names = ("http.request.method", "url.original", "url.query", "destination.port", "user.name", "source.ip")
    if ip_text(words[at - 1]) is not None:
        put(fields, "destination.ip", words[at - 1])
    for name, value in zip(names, words[at : at + 6], strict=True):
        put(fields, name, value)
    if at >= 2:
        put(fields, "canh.iis.site", words[0])
    if at >= 3:
        put(fields, "host.name", words[1])
    _add_between(fields, words[at + 6 : status])
    add_status(fields, int(words[status]))
    _add_after(fields, words[status + 1 :])
    return fields


def _is_status(words: list[str], at: int) -> bool:
    return len(words[at]) == 3 and words[at].isdecimal() and all(word.isdecimal() for word in words[at + 1 : at + 3])


def _add_between(fields: dict[str, Value], words: list[str]) -> None:
    """[version] agent [cookie] [referrer] [host]."""
    if words and words[0].startswith("HTTP/"):
        fields["http.version"] = words.pop(0)[5:]
    if words:
        put(fields, "user_agent.original", words.pop(0).replace("+", " "))
    if len(words) == 3:
        words.pop(0)  # the cookie is nobody's business
    for word in words:
        if "://" in word[:12]:
            put(fields, "http.request.referrer", word)
        elif word != "-" and "=" not in word:
            host, _, port = word.partition(":")
            put(fields, "url.domain", host)
            put(fields, "url.port", port)


def _add_after(fields: dict[str, Value], words: list[str]) -> None:
    """substatus win32 [sent received] [taken] [forwarded for]."""
    numbers = [word for word in words if word.isdecimal()]
    put(fields, "canh.iis.substatus", numbers[0] if numbers else "")
    put(fields, "canh.iis.win32_status", numbers[1] if len(numbers) > 1 else "")
    if len(numbers) >= 5:
        put(fields, "http.response.bytes", numbers[2])
        put(fields, "http.request.bytes", numbers[3])
    if len(numbers) in (3, 5):
        fields["event.duration"] = int(numbers[-1][:12]) * 1_000_000
    if words and not words[-1].isdecimal() and words[-1] != "-":
        put(fields, "network.forwarded_ip", words[-1].partition(",")[0])


def _error(words: list[str]) -> dict[str, Value]:
    """client port server port version method url [stream] status site reason queue."""
    fields: dict[str, Value] = {"event.dataset": "iis.error", "event.category": ("web",), "event.type": ("error",)}
    names = ("source.ip", "source.port", "destination.ip", "destination.port", "http.version", "http.request.method",
             "url.original")  # fmt: skip
    for name, value in zip(names, words, strict=False):
        put(fields, name, value.removeprefix("HTTP/"))
    status = next((word for word in words[7:9] if len(word) == 3 and word.isdecimal()), "")
    if status:
        add_status(fields, int(status))
    reason = next((word for word in words[8:] if "_" in word), "")
    put(fields, "event.reason", reason)
    return fields
