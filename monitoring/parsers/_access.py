"""Lines of web servers' access logs: the common and combined forms and what is put before and behind them.

`[vhost[:port] ]client[, proxies] ident user [time] "request" status octets["referrer" "agent"][ more]`; shared by
the parsers of servers that write it.
"""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers._fields import Fields, ip_text, put

_QUOTED = r'"((?:[^"\\]|\\.)*)"'
ACCESS = re.compile(
    r"(.{0,512}?) ?\[(\d{2}/[A-Z][a-z]{2}/\d{4}:\d{2}:\d{2}:\d{2}(?:[.,]\d{1,9})?(?: ?[+-]\d{4}| ?Z)?)\] (?:"
    r'([^"\s]{1,255}) )??'
    rf"(?:([^\"\s]{{1,64}}) ([^\"\s]{{1,64}}) )?{_QUOTED} (\d{{3}}(?!\d)|-)?(?: ?(\d+|-))?"
    rf"(?: {_QUOTED} {_QUOTED})?(.*)",
    re.DOTALL,
)
_REQUEST = re.compile(
    r"([A-Za-z_-]{1,32}) (\S.*?)(?: (?:HTTP|RTSP|SIP)/?([\d.]{1,8})?(?: \d{3} \d{1,12})?)?\Z", re.DOTALL
)
_DATED = re.compile(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d ")  # Caddy 1 and others put one before the line
_INGRESS = re.compile(r" \d+ [\d.]+ \[([^\]]*)\] (?:\[[^\]]*\] )?(\S+?)(?:, \S+)* ")
_MORE = re.compile(_QUOTED)
_ADDRESSES = re.compile(r"[0-9A-Fa-f:., ]{7,512}\Z")


def access_of(text: str) -> dict[str, Value] | None:
    """The request of a line; None when it is no access line."""
    dated = _DATED.match(text)
    match = ACCESS.match(text if dated is None else text[dated.end() :])
    if match is None:
        return None
    before, when, after, tls, cipher, request, status, octets, referrer, agent, more = match.groups()
    fields: dict[str, Value] = {
        "@timestamp": when,
        "event.action": "http-request",
        "event.category": ("web",),
        "event.type": ("access",),
        "network.protocol": "http",
    }
    if status and status != "-":
        add_status(fields, int(status))
    _add_client(fields, before)
    if after and "source.ip" not in fields:  # Apache's own ssl_request_log: the address after the time
        put(fields, "source.ip", after)
    if tls and tls != "-":
        put(fields, "tls.version", tls.lower().removeprefix("tlsv").removeprefix("sslv"))
        put(fields, "tls.cipher", cipher)
    put(fields, "http.response.body.bytes", octets)
    add_request(fields, request)
    put(fields, "http.request.referrer", referrer)
    put(fields, "user_agent.original", agent)
    _add_more(fields, more)
    return fields


def add_status(fields: Fields, status: int) -> None:
    """The status code and what it means for the attempt."""
    fields["http.response.status_code"] = status
    if status:
        fields["event.outcome"] = "success" if status < 400 else "failure"


def add_request(fields: Fields, request: str | None) -> None:
    """`GET /path?query HTTP/1.1`: a malformed one is kept as it is."""
    match = None if not request else _REQUEST.match(request[:8192])
    if match is None:
        if request and request != "-":
            fields["http.request.body.content"] = request
        return
    fields["http.request.method"] = match[1]
    target = match[2]
    if match[1].upper() == "CONNECT":
        target_host, colon, port = target.rpartition(":")
        put(fields, "url.original", target)
        put(fields, "url.domain", target_host if colon and port.isdecimal() else target)
        put(fields, "url.port", port if colon else None)
    elif "://" in target[:16]:
        put(fields, "url.full", target)
        put(fields, "url.original", target)
    else:
        put(fields, "url.original", target)
        if "url.path" not in fields:
            fields["url.path"] = target.partition("?")[0]
    if match[3]:
        fields["http.version"] = match[3]


def _add_client(fields: Fields, before: str) -> None:
    words = before.replace(",", " ").replace('"', " ").split()
    if "[" in before:  # ingress-nginx before 0.30: `address - [forwarded for] - user`
        real = [word.strip("[]") for word in words if word[0] == "[" or word[-1] == "]"]
        words = [word for word in words if word.strip("[]") not in real or ip_text(word) is not None]
        words = words[:1] + words[2:] if len(words) > 3 and words[1:3] == ["-", "-"] else words
        put(fields, "network.forwarded_ip", real[0] if real else "")
    if (len(words) > 2 and words[-2] in ("-", "user-identifier")) or len(words) >= 3:
        addresses, user = _user_of(words)
        put(fields, "user.name", user)
    else:
        addresses = words
    hosts = [word for word in addresses if word != "-"]
    found = [address for word in hosts if (address := ip_text(word.strip("[]"))) is not None]
    if found:
        fields["source.ip"] = found[0]
        if len(found) > 1:
            fields["network.forwarded_ip"] = found[1]
    names = [word for word in hosts if ip_text(word.strip("[]")) is None]
    if names and (found or len(names) > 1):
        put(fields, "url.domain", _domain(fields, names[0]))
    elif names:
        _add_named(fields, names[0])


def _user_of(words: list[str]) -> tuple[list[str], str]:
    """The addresses at the beginning, and the user after the identity (`ip - user name`)."""
    at = next((n for n, word in enumerate(words) if n and ip_text(word.strip("[]")) is None and ":" not in word), 1)
    if at + 1 >= len(words) and at == 1:
        return words[:1], words[1]
    if at >= len(words):
        return words, ""
    return words[:at], " ".join(words[at + 1 :])


def _domain(fields: Fields, host: str) -> str:
    name, colon, port = host.rpartition(":")
    if colon and port.isdecimal():
        put(fields, "url.port", port)
        return name
    return host


def _add_named(fields: Fields, client: str) -> None:
    name, colon, port = client.rpartition(":")
    address = ip_text(name.strip("[]")) if colon and port.isdecimal() else None
    if address is not None:
        fields["source.ip"] = address
        fields["source.port"] = int(port[:5])
    elif client != "unix:":
        fields["source.domain"] = client


def _add_more(fields: Fields, more: str) -> None:
    """What sites add: addresses forwarded for, an ingress's upstream, the host."""
    if not more or more.isspace():
        return
    ingress = _INGRESS.match(more)
    if ingress is not None:
        put(fields, "canh.upstream.name", ingress[1])
        put(fields, "destination.ip", ingress[2])
        return
    for value in _MORE.findall(more[:2048]):
        if _ADDRESSES.match(value):
            put(fields, "network.forwarded_ip", value.partition(",")[0].strip())
            break
    words = more.split()
    if len(words) == 1 and words[0].isdecimal() and len(words[0]) < 13:
        fields["canh.http.duration"] = int(words[0])
