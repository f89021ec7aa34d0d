"""Zeek's tab separated logs: the columns of each kind, then what zeek/parser.py makes of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed
from monitoring.parsers._index import load

_ID = "ts uid id.orig_h id.orig_p id.resp_h id.resp_p "
COLUMNS = {
    kind: (_ID + rest).split()
    for kind, rest in {
        "conn": "proto service duration orig_bytes resp_bytes conn_state local_orig local_resp missed_bytes history "
        "orig_pkts orig_ip_bytes resp_pkts resp_ip_bytes tunnel_parents",
        "dns": "proto trans_id rtt query qclass qclass_name qtype qtype_name rcode rcode_name AA TC RD RA Z answers "
        "TTLs rejected",
        "http": "trans_depth method host uri referrer version user_agent origin request_body_len response_body_len "
        "status_code status_msg info_code info_msg tags username password proxied orig_fuids orig_filenames "
        "orig_mime_types resp_fuids resp_filenames resp_mime_types",
        "ssl": "version cipher curve server_name resumed last_alert next_protocol established cert_chain_fuids "
        "client_cert_chain_fuids subject issuer client_subject client_issuer validation_status",
        "ssh": "version auth_success auth_attempts direction client server cipher_alg mac_alg compression_alg kex_alg "
        "host_key_alg host_key",
    }.items()
}
_STATES = re.compile(r"S[0-3F]|REJ|RST[OR](?:S0|H)?|SH|SHR|OTH|RSTR(?:H)?\Z")
_ADDRESS = re.compile(r"[0-9A-Fa-f:.]{2,45}\Z")


def parse(line: Line) -> Parsed | None:
    """The event; None when the columns are of no kind known here."""
    values = line.text.split("\t")
    if len(values) < 8:
        return None
    kind = _kind(values)
    names = COLUMNS.get(kind)
    if names is None:
        return _other(values)
    pairs: Pairs = {name: value for name, value in zip(names, values, strict=False) if value not in ("-", "(empty)")}
    pairs["_path"] = kind
    for name in ("answers", "TTLs"):
        if name in pairs:
            pairs[name] = pairs[name].split(",")
    if "duration" in pairs:
        pairs["duration"] = float(pairs["duration"])
    return _zeek()(line._replace(document=pairs))


@cache
def _zeek() -> Callable[[Line], Parsed | None]:
    return load().parsers["zeek"].parse


def _kind(values: list[str]) -> str:
    if len(values) > 11 and values[6] in ("tcp", "udp", "icmp") and _STATES.match(values[11]):
        return "conn"
    if len(values) > 20 and values[6] in ("tcp", "udp"):
        return "dns"
    if len(values) > 15 and values[6].isdecimal() and (values[7].isupper() or values[7] == "-"):
        return "http"
    if len(values) > 12 and (values[6].startswith(("TLS", "SSL", "DTLS")) or values[13:14] in (["T"], ["F"])):
        return "ssl"
    if len(values) > 11 and values[6] in ("1", "2") and values[7] in ("T", "F", "-"):
        return "ssh"
    return ""


def _other(values: list[str]) -> dict[str, Value] | None:
    """A kind not known here: when, and between whom."""
    if not (
        _ADDRESS.match(values[2]) and _ADDRESS.match(values[4]) and values[3].isdecimal() and values[5].isdecimal()
    ):
        return None
    return {
        "@timestamp": values[0], "event.dataset": "zeek.other", "event.category": ("network",),
        "event.type": ("protocol", "info"), "source.ip": values[2], "source.port": int(values[3][:5]),
        "destination.ip": values[4], "destination.port": int(values[5][:5]),
    }  # fmt: skip
