"""Values put into fields in the form ECS wants, by the name of the field. None of these raises.

Devices write an address with its port, a protocol as a number, a user with his domain, a URL in one
piece: `put` takes any of them, so that no parser does it again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, MutableMapping
from functools import lru_cache

from monitoring.event import Value
from monitoring.parsers._values import ip_text, mac_text

Fields = MutableMapping[str, Value]
Put = Callable[[Fields, str, str], None]
NOTHING = frozenset(
    [
        "",
        "-",
        "--",
        "N/A",
        "n/a",
        "NA",
        "null",
        "NULL",
        "(null)",
        "none",
        "None",
        "undefined",
        "<unknown>",
        "(none)",
        "<null>",
    ]
)
LONGEST_NAME = 32  # characters of a protocol's name; longer text is not kept in a cache
_WITH_PORT = re.compile(r"(?:\[([^\]]+)\]|(\d{1,3}(?:\.\d{1,3}){3}))(?:[:/#.(](\d{1,5})\)?)?(?:/\w+)?\Z")
_DOMAIN = re.compile(r"[\w-][\w.-]{0,254}")
_PORTS = {
    "ftp-data": 20, "ftp": 21, "ssh": 22, "telnet": 23, "smtp": 25, "domain": 53, "dns": 53, "bootps": 67,
    "bootpc": 68, "tftp": 69, "http": 80, "www": 80, "kerberos": 88, "pop3": 110, "sunrpc": 111, "ntp": 123,
    "netbios-ns": 137, "netbios-dgm": 138, "netbios-ssn": 139, "imap": 143, "imap4": 143, "snmp": 161,
    "snmptrap": 162, "bgp": 179, "ldap": 389, "https": 443, "microsoft-ds": 445, "isakmp": 500, "syslog": 514,
    "ldaps": 636, "imaps": 993, "pop3s": 995, "sqlnet": 1521, "radius": 1812, "radius-acct": 1813, "mysql": 3306,
    "rdp": 3389, "sip": 5060, "aol": 5190,
}  # fmt: skip
PROTOCOLS = {
    "1": "icmp", "2": "igmp", "4": "ipip", "6": "tcp", "17": "udp", "41": "ipv6", "46": "rsvp", "47": "gre",
    "50": "esp", "51": "ah", "58": "ipv6-icmp", "88": "eigrp", "89": "ospf", "103": "pim", "112": "vrrp",
    "132": "sctp",
}  # fmt: skip
_NUMBERS = {name: number for number, name in PROTOCOLS.items()}
_ALSO = {"icmp6": "ipv6-icmp", "icmpv6": "ipv6-icmp", "icmp-v6": "ipv6-icmp", "ipsec-esp": "esp", "tcp6": "tcp",
         "udp6": "udp"}  # fmt: skip
_GOOD = frozenset(
    ("success", "succeeded", "successful", "successfully", "ok", "allow", "allowed", "accept", "accepted", "pass",
     "passed", "permit", "permitted", "true", "yes", "0", "granted")
)  # fmt: skip
_BAD = frozenset(
    ("failure", "failed", "fail", "unsuccessful", "error", "denied", "deny", "block", "blocked", "reject", "rejected",
     "drop", "dropped", "false", "no", "refused", "invalid")
)  # fmt: skip


def put(fields: Fields, name: str, value: object) -> None:
    """Set a field from what a device wrote; what is nothing, or no value of that field, is left out."""
    if isinstance(value, str):
        value = value.strip()
        if value in NOTHING:
            return
    elif value is None:
        return
    elif isinstance(value, bool | int | float | tuple | list):
        if not isinstance(value, list | tuple) and name not in _BY_NAME and _kind(name) is _as_is:
            fields[name] = value if not name.endswith((".id", ".code")) or isinstance(value, bool) else str(value)
            return
        if isinstance(value, list | tuple):
            _put_list(fields, name, value)
            return
        value = str(value)
    else:
        return
    _kind(name)(fields, name, value)


def outcome_of(word: str) -> str:
    """success, failure or unknown."""
    lower = word.strip().lower()
    return "success" if lower in _GOOD else "failure" if lower in _BAD else "unknown"


def transport_of(word: str) -> str:
    """A transport in ECS's words ("tcp", "ipv6-icmp") from a name or number; "" when it is none."""
    return _transport_of(word) if len(word) <= LONGEST_NAME else ""


@lru_cache(maxsize=1024)
def _transport_of(word: str) -> str:
    lower = word.strip().lower()
    lower = _ALSO.get(lower, lower)
    return PROTOCOLS.get(lower) or (lower if lower in _NUMBERS else "")


def _put_list(fields: Fields, name: str, values: list[object] | tuple[object, ...]) -> None:
    plain = tuple(str(value) for value in values if isinstance(value, str | int | float))
    if not plain:
        return
    if _kind(name) is _as_is and name not in _BY_NAME:
        fields[name] = plain if len(plain) > 1 else plain[0]
    else:
        put(fields, name, plain[0])


def _as_is(fields: Fields, name: str, value: str) -> None:
    fields[name] = value


def _ip(fields: Fields, name: str, value: str) -> None:
    address = ip_text(value) or (ip_text(value[:-1]) if value[-1:] in ":.,;" else None)
    if address is not None:
        fields[name] = address
        return
    match = _WITH_PORT.match(value)
    address = None if match is None else ip_text(match[1] or match[2])
    side = name.removesuffix(".ip")
    if match is not None and address is not None:
        fields[name] = address
        if match[3] and side + ".port" not in fields:
            fields[side + ".port"] = int(match[3])
    elif "," in value:
        _ip(fields, name, value.partition(",")[0].strip())
    elif side in ("source", "destination", "client", "server") and _DOMAIN.fullmatch(value):
        fields.setdefault(side + ".domain", value)


def _domain(fields: Fields, name: str, value: str) -> None:
    """The name of an end; where a sender has only its address, that."""
    address = ip_text(value.strip("[]"))
    if address is None:
        fields[name] = value
    else:
        fields.setdefault(name.removesuffix("domain") + "ip", address)


def _integer(fields: Fields, name: str, value: str) -> None:
    if value.isdecimal() and len(value) < 19:
        fields[name] = int(value)
    else:
        try:
            fields[name] = int(float(value)) if len(value) < 25 else int(value[:18], 0)
        except (ValueError, OverflowError):
            _hexadecimal(fields, name, value)


def _hexadecimal(fields: Fields, name: str, value: str) -> None:
    if value[:2].lower() == "0x" and len(value) < 18:
        try:
            fields[name] = int(value, 16)
        except ValueError:
            return


def _port(fields: Fields, name: str, value: str) -> None:
    if value.isdecimal():
        if len(value) < 6 and int(value) < 65536:
            fields[name] = int(value)
    else:
        port = _PORTS.get(value.lower())
        if port is not None:
            fields[name] = port


def _mac(fields: Fields, name: str, value: str) -> None:
    if len(value) <= 17:
        mac = _mac_of(value)
        if mac:
            fields[name] = mac


@lru_cache(maxsize=65536)
def _mac_of(value: str) -> str:
    digits = re.sub(r"[^0-9A-Fa-f]", "", value)
    return mac_text(digits) if len(digits) == 12 else ""


def _transport(fields: Fields, name: str, value: str) -> None:
    transport = transport_of(value.partition("/")[0] if "/" in value else value)
    if transport:
        fields[name] = transport
        fields.setdefault("network.iana_number", _NUMBERS[transport])
    elif value.isdecimal():
        fields["network.iana_number"] = value
    elif "/" in value:
        _transport(fields, name, value.rpartition("/")[2])
    else:
        fields.setdefault("network.protocol", value.lower())


def _lower(fields: Fields, name: str, value: str) -> None:
    fields[name] = value.lower()


def _outcome(fields: Fields, name: str, value: str) -> None:
    fields[name] = outcome_of(value)


_SPACED_DOMAINS = frozenset(("NT AUTHORITY", "NT SERVICE", "Window Manager", "Font Driver Host", "IIS APPPOOL"))


def _user(fields: Fields, name: str, value: str) -> None:
    domain, slash, user = value.partition("\\")
    is_domain = domain and len(domain) < 64 and (" " not in domain or domain in _SPACED_DOMAINS)
    if slash and user.lstrip("\\") and is_domain:
        fields[name] = user.lstrip("\\")
        fields.setdefault(name.removesuffix("name") + "domain", domain)
    else:
        fields[name] = value


_URL = re.compile(
    r"(?:([A-Za-z][A-Za-z0-9+.-]{1,15}):/+)?(?:[^/?#@]{1,128}@)?([^/?#:]*|\[[^\]]*\])(?::(\d{1,5}))?(/[^?#]*)?(?:\?([^#]*))?"
)


def _url(fields: Fields, name: str, value: str) -> None:
    """`url.full` and `url.original`: the whole, and its parts where they are not known yet."""
    fields[name] = value
    if value.startswith("/"):
        path, _, query = value.partition("?")
        host, port, scheme = "", None, None
    else:
        match = _URL.match(value)
        if match is None or (match[1] is None and "." not in match[2]):
            return
        scheme, host, port, path, query = match[1], match[2], match[3], match[4] or "", match[5] or ""
    if scheme:
        fields.setdefault("url.scheme", scheme.lower())
    if host:
        fields.setdefault("url.domain", host)
    if port:
        fields.setdefault("url.port", int(port))
    if path:
        fields.setdefault("url.path", path)
    if query:
        fields.setdefault("url.query", query)


def _interface(fields: Fields, name: str, value: str) -> None:
    fields[name] = value.rstrip(".,;:")  # the end of a sentence is not part of its name


def _many(fields: Fields, name: str, value: str) -> None:
    fields[name] = (value,)


_BY_NAME: dict[str, Put] = {
    "network.transport": _transport,
    "network.protocol": _lower,
    "network.direction": _lower,
    "event.outcome": _outcome,
    "event.category": _many,
    "event.type": _many,
    "source.domain": _domain,
    "destination.domain": _domain,
    "url.full": _url,
    "url.original": _url,
    "http.response.status_code": _integer,
    "event.severity": _integer,
    "event.duration": _integer,
    "event.sequence": _integer,
    "dns.question.name": lambda fields, name, value: fields.__setitem__(name, value.rstrip(".") or "."),
}
_BY_LAST: dict[str, Put] = {
    "ip": _ip, "port": _port, "mac": _mac, "pid": _integer, "bytes": _integer, "packets": _integer, "size": _integer,
}  # fmt: skip


@lru_cache(maxsize=4096)
def _kind(name: str) -> Put:
    found = _BY_NAME.get(name)
    if found is None and (name.endswith("user.name") or name in ("user.target.name", "user.effective.name")):
        found = _user
    elif found is None and name.endswith("interface.name"):
        found = _interface
    return found or _BY_LAST.get(name.rpartition(".")[2], _as_is)


def setter_of(name: str) -> Put | None:
    """What `put` does with a text for this field, once it is stripped and something; None: nothing but keeping it."""
    kind = _kind(name)
    return None if kind is _as_is else kind
