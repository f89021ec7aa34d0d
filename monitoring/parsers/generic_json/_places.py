"""What a key of JSON is by its words: `src_endpoint.port`, `actor.displayName`, `loggedUser`, `request.headers.host`.

The last word says what it is, the words before it whose.
"""

from __future__ import annotations

import re
from functools import lru_cache

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SOURCE = frozenset(
    ("src", "source", "client", "origin", "attacker", "remote", "peer", "from", "initiator", "caller", "orig",
    "requester",
     "sender", "login", "external")
)  # fmt: skip
_DESTINATION = frozenset(
    ("dst", "dest", "destination", "target", "server", "victim", "to", "responder", "resp", "local", "upstream",
    "backend")
)  # fmt: skip
_USER = frozenset(
    ("user", "actor", "account", "principal", "initiator", "subject", "operator", "admin", "administrator",
    "identity",
     "caller", "requester", "author", "creator", "member", "login", "logged", "username", "person", "employee",
     "performed",
     "initiated", "consumer")
)  # fmt: skip
_HOST = frozenset(
    ("host", "device", "machine", "endpoint", "computer", "agent", "asset", "node", "system", "workstation", "vm",
    "instance",
     "hostname")
)  # fmt: skip
_RULE = frozenset(
    ("rule", "policy", "signature", "detection", "alert", "threat", "detector", "model", "control", "query")
)
_OBSERVER = frozenset(("sensor", "observer", "probe", "gateway", "appliance", "firewall", "collector", "gcap"))
_PROCESS, _FILE = frozenset(("process", "proc")), frozenset(("file", "attachment", "document", "object"))
_PARENT = frozenset(("parent", "ppid"))
_ADDRESS = frozenset(("ip", "ips", "address", "addr", "ipaddress", "ipv4", "ipv6", "4", "6"))
_PORT, _MAC = frozenset(("port",)), frozenset(("mac", "macaddress", "macaddr"))
_ENDS = {"ip": "ip", "addr": "ip", "address": "ip", "port": "port", "mac": "mac"}
_NAME = frozenset(("name", "username", "login", "upn", "account", "user", "alias", "nickname"))
_SHOWN = frozenset(("email", "mail", "display", "full"))


@lru_cache(maxsize=16384)
def words_of(key: str) -> tuple[str, ...]:
    """The words of a key in order, lower case."""
    return tuple(word.lower() for word in _WORD.findall(key))


@lru_cache(maxsize=16384)
def place_of(key: str) -> str:
    """The field that a key is by its words; "" when they do not tell."""
    words = words_of(key)
    if not words:
        return ""
    last, before = words[-1], words[:-1]
    side = _side(before)
    if side and (last in _ADDRESS or last in _PORT or last in _MAC or last in ("bytes", "packets")):
        return f"{side}.{'ip' if last in _ADDRESS else last if last in ('port', 'bytes', 'packets') else 'mac'}"
    if len(words) == 2 and (side := _side((last,))) and words[0] in _ENDS:  # ipSrc, portDst
        return f"{side}.{_ENDS[words[0]]}"
    side = _side(before)
    if _has(before, _PROCESS) or _has(before, _PARENT):
        return _process(words, last)
    if last in ("user", "username", "login", "account", "actor", "operator", "upn") and not _has(before, _HOST):
        return f"{side}.user.name" if side == "destination" else "user.name"
    return _named(words, last, before, side)


def _named(words: tuple[str, ...], last: str, before: tuple[str, ...], side: str) -> str:
    owner = set(before[-2:])
    if last in _NAME or last in _SHOWN or last in ("hostname", "fqdn", "title"):
        if last in ("hostname", "fqdn"):
            return f"{side}.domain" if side else "host.name"
        for group, field in (
            (_USER, "user.name"),
            (_HOST, "host.name"),
            (_OBSERVER, "observer.name"),
            (_RULE, "rule.name"),
        ):
            if owner & group:
                return f"{side}.domain" if side and field == "host.name" else field
        return "file.name" if owner & _FILE else ""
    if last in ("id", "sid", "uid", "guid", "uuid"):
        return next((f for g, f in ((_RULE, "rule.id"), (_USER, "user.id"), (_HOST, "host.id")) if owner & g), "")
    if last in ("path", "sha256", "md5", "sha1", "size") and owner & _FILE:
        return f"file.{last}" if last in ("path", "size") else f"file.hash.{last}"
    if last in ("ip", "mac") and owner & _HOST:
        return f"host.{last}"
    return _request(words, last, owner)


def _request(words: tuple[str, ...], last: str, owner: set[str]) -> str:
    if owner & {"request", "http", "req", "headers", "rest", "url"}:
        return {
            "method": "http.request.method", "verb": "http.request.method", "uri": "url.original",
            "url": "url.original",
            "path": "url.path", "host": "url.domain", "domain": "url.domain", "query": "url.query",
            "referer": "http.request.referrer",
            "referrer": "http.request.referrer", "agent": "user_agent.original", "full": "url.full",
            "original": "url.original",
        }.get(last, "")  # fmt: skip
    if owner & {"response", "resp"} and last in ("status", "code"):
        return "http.response.status_code"
    if owner & {"dns", "question"} and last in ("name", "query", "qname", "domain"):
        return "dns.question.name"
    return ""


def _process(words: tuple[str, ...], last: str) -> str:
    base = "process.parent" if _has(words, _PARENT) else "process"
    return {
        "name": f"{base}.name", "pid": f"{base}.pid", "id": f"{base}.pid", "ppid": "process.parent.pid",
        "path": f"{base}.executable", "executable": f"{base}.executable", "image": f"{base}.executable",
        "line": f"{base}.command_line", "cmdline": f"{base}.command_line", "commandline": f"{base}.command_line",
        "cmd": f"{base}.command_line", "args": f"{base}.args", "sha256": f"{base}.hash.sha256",
        "md5": f"{base}.hash.md5",
        "user": "user.name", "username": "user.name",
    }.get(last, "")  # fmt: skip


def _side(words: tuple[str, ...]) -> str:
    """Source or destination, by the nearest word that tells."""
    for word in reversed(words):
        if word in _SOURCE:
            return "source"
        if word in _DESTINATION:
            return "destination"
    return ""


def _has(words: tuple[str, ...], group: frozenset[str]) -> bool:
    return any(word in group for word in words)
