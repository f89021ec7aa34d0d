"""ProxySG: the main access log of SGOS 5, 6 and 7, told apart by where the known words stand."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Parsed, ip_text, pairs_of, put

_WORD = re.compile(r'"[^"]{0,4096}"|\S{1,4096}')
_RESULT = re.compile(r"(?:TCP|UDP|NONE|HTTP|MMS|RTSP|FTP|IM|SOCKS)_[A-Z_]{2,40}\Z|TUNNELED\Z")
_METHODS = frozenset(
    ("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "CONNECT", "PATCH", "TRACE", "PROPFIND", "TUNNEL", "unknown")
)
_FILTER = frozenset(("OBSERVED", "PROXIED", "DENIED", "INVALID"))
_SCHEMES = frozenset(
    ("http", "https", "tcp", "ssl", "ftp", "tunnel", "rtsp", "mms", "stunnel", "dns", "icap", "telnet", "aol-im")
)
_CLOCK = re.compile(r"\d{2}:\d{2}:\d{2}\Z")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z")


_KEYS = {  # of the log with names: `c-ip=192.0.2.6 cs-method=GET ...`
    "c-ip": "source.ip", "c-port": "source.port", "cs-username": "user.name", "cs-method": "http.request.method",
    "sc-status": "http.response.status_code", "s-action": "event.code", "cs-host": "url.domain",
    "cs-uri-path": "url.path", "cs-uri-query": "url.query", "cs-uri-port": "url.port", "cs-uri-scheme": "url.scheme",
    "cs-user-agent": "user_agent.original", "cs-referer": "http.request.referrer", "sc-bytes": "destination.bytes",
    "cs-bytes": "source.bytes", "s-ip": "observer.ip", "r-ip": "destination.ip", "cs-ip": "destination.ip",
    "r-supplier-ip": "destination.ip", "s-supplier-ip": "destination.ip", "r-dns": "destination.domain",
    "cs-categories": "rule.category", "c-url": "url.full", "cs-uri": "url.full", "x-exception-id": "event.reason",
    "x-bluecoat-appliance-name": "observer.name", "sc-filter-result": "canh.proxysg.filter",
    "cs-auth-group": "user.group.name", "x-virus-id": "rule.name", "rs-content-type": "http.response.mime_type",
}  # fmt: skip


def parse(line: Line) -> Parsed | None:
    if "c-ip=" in line.text:
        return _of_pairs(line.text)
    words = [word.strip('"') for word in _WORD.findall(line.text[:16384])]
    result = next((at for at, word in enumerate(words) if _RESULT.match(word)), -1)
    method = next((at for at, word in enumerate(words) if word in _METHODS and at != result), -1)
    if result < 0 or method < 0:
        return None
    fields: dict[str, Value] = {"event.code": words[result], "event.type": ("access",), "event.action": "http-request"}
    _add_time(fields, words)
    put(fields, "http.request.method", words[method])
    _add_client(fields, words[:result] if result > 2 else words)
    _add_status(fields, words, result)
    _add_url(fields, words, method)
    _add_rest(fields, words, result, method)
    return fields


def _of_pairs(text: str) -> Parsed:
    pairs = {key.lower(): value for key, value in pairs_of(text).items()}
    fields: dict[str, Value] = {"event.action": "http-request"}
    for key, name in _KEYS.items():
        if name not in fields:
            put(fields, name, pairs.get(key))
    if fields.get("destination.ip") in (fields.get("source.ip"), fields.get("observer.ip")):
        for key in ("r-ip", "r-supplier-ip", "s-supplier-ip"):
            put(fields, "destination.ip", pairs.get(key))
    if pairs.get("date") and pairs.get("time"):
        fields["@timestamp"], fields["event.timezone"] = f"{pairs['date']} {pairs['time']}", "UTC"
    if "user.name" in fields:
        fields["source.user.name"] = fields["user.name"]
    scheme, host = str(pairs.get("cs-uri-scheme", "")), str(pairs.get("cs-host", ""))
    put(fields, "network.protocol", scheme)
    if "url.full" not in fields and scheme not in ("", "-") and host not in ("", "-"):
        path, query = str(pairs.get("cs-uri-path", "")).strip("-"), str(pairs.get("cs-uri-query", "")).strip("-")
        fields["url.full"] = f"{scheme}://{host}{path}{query}"
    is_denied = "DENIED" in str(pairs.get("sc-filter-result", "")) + str(pairs.get("s-action", ""))
    fields["event.outcome"] = "failure" if is_denied else "success"
    fields["event.type"] = ("access", "denied" if is_denied else "allowed")
    return fields


def _add_time(fields: dict[str, Value], words: list[str]) -> None:
    for at, word in enumerate(words[:6]):
        if _DATE.match(word) and at + 1 < len(words) and _CLOCK.match(words[at + 1]):
            fields["@timestamp"] = f"{word} {words[at + 1]}"
            fields["event.timezone"] = "UTC"  # ELFF's date and time are
            if at + 2 < len(words) and words[at + 2].isdecimal():
                fields["event.duration"] = int(words[at + 2][:9]) * 1_000_000
            return


def _add_client(fields: dict[str, Value], words: list[str]) -> None:
    """The client is the first address; behind it stand its user and group."""
    for at, word in enumerate(words):
        if ip_text(word) is not None:
            put(fields, "source.ip", word)
            for user in words[at + 1 : at + 2]:
                if not user.isdecimal() and not _RESULT.match(user) and user not in _FILTER:
                    put(fields, "user.name", user)
                    put(fields, "source.user.name", user)
            return


def _add_status(fields: dict[str, Value], words: list[str], result: int) -> None:
    for at in (result - 1, result + 1):
        if 0 <= at < len(words) and words[at].isdecimal() and len(words[at]) == 3:
            put(fields, "http.response.status_code", words[at])
            break
    verdict = next((word for word in words if word in _FILTER), "")
    is_denied = verdict == "DENIED" or "DENIED" in words[result]
    fields["event.outcome"] = "failure" if is_denied else "success"
    fields["event.type"] = ("access", "denied" if is_denied else "allowed")
    put(fields, "canh.proxysg.filter", verdict)


def _add_url(fields: dict[str, Value], words: list[str], method: int) -> None:
    """scheme, host, port, path and query follow the method."""
    rest = words[method + 1 : method + 8]
    if len(rest) > 1 and rest[1].lower() in _SCHEMES:  # the main format puts the media type before it
        rest = rest[1:]
    if not rest or rest[0].lower() not in _SCHEMES:
        return
    scheme = rest[0].lower()
    host, port = [*rest, "-", "-"][1:3]
    put(fields, "url.scheme", scheme)
    put(fields, "url.domain", host)
    put(fields, "url.port", port)
    fields["network.protocol"] = scheme
    path = rest[3] if len(rest) > 3 and rest[3].startswith("/") else ""
    query = rest[4] if len(rest) > 4 and rest[4].startswith("?") else ""
    put(fields, "url.path", path)
    put(fields, "url.query", query.lstrip("?"))
    is_usual = port in ("-", "80", "443", "0")
    if host != "-":
        fields["url.full"] = f"{scheme}://{host}{'' if is_usual else ':' + port}{path}{query}"


def _add_rest(fields: dict[str, Value], words: list[str], result: int, method: int) -> None:
    agent = next((word for word in words[method:] if "/" in word and " " in word and not word.startswith("/")), "")
    put(fields, "user_agent.original", agent)
    referrer = next((word for word in words if word.startswith(("http://", "https://"))), "")
    put(fields, "http.request.referrer", referrer)
    addresses = [word for word in words[method:] if ip_text(word) is not None]
    others = [word for word in addresses if word != fields.get("source.ip") and word != fields.get("url.domain")]
    if others:
        put(fields, "destination.ip", others[0] if len(others) == 1 else others[-1])
    elif ip_text(str(fields.get("url.domain", ""))) is not None:
        put(fields, "destination.ip", fields["url.domain"])
    sizes = [word for word in words[result + 1 : result + 4] if word.isdecimal()]
    if len(sizes) > 1 and method - result > 1:
        put(fields, "destination.bytes", sizes[-2])
        put(fields, "source.bytes", sizes[-1])
