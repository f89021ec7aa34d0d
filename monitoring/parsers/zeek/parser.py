"""Zeek: what kind a log is, and what follows from it. The keys are named in parser.yaml."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed, ip_text, number_of, put

Fields = dict[str, Value]
NETWORK: Fields = {"event.category": ("network",), "event.type": ("protocol", "info")}
KINDS: dict[str, Fields] = {
    "conn": {"event.category": ("network",), "event.type": ("connection", "end")},
    "dns": NETWORK | {"network.protocol": "dns"},
    "http": {"event.category": ("network", "web"), "event.type": ("access", "protocol"), "network.protocol": "http",
             "event.action": "http-request", "network.transport": "tcp"},
    "ssl": NETWORK | {"network.protocol": "tls", "network.transport": "tcp"},
    "ssh": {"event.category": ("network", "authentication"), "event.type": ("protocol", "start"),
            "network.protocol": "ssh", "network.transport": "tcp"},
    "kerberos": {"event.category": ("network", "authentication"), "event.type": ("protocol", "start"),
                 "network.protocol": "kerberos"},
    "ntlm": {"event.category": ("network", "authentication"), "event.type": ("protocol", "start"),
             "network.protocol": "ntlm", "network.transport": "tcp"},
    "radius": {"event.category": ("network", "authentication"), "event.type": ("protocol", "start"),
               "network.protocol": "radius", "network.transport": "udp"},
    "rdp": NETWORK | {"network.protocol": "rdp"},
    "smb_files": {"event.category": ("network", "file"), "event.type": ("protocol", "access"),
    "network.protocol": "smb",
                  "network.transport": "tcp"},
    "smb_mapping": NETWORK | {"network.protocol": "smb", "network.transport": "tcp"},
    "dce_rpc": NETWORK | {"network.protocol": "dce_rpc", "network.transport": "tcp"},
    "dhcp": NETWORK | {"network.protocol": "dhcp", "network.transport": "udp"},
    "smtp": {"event.category": ("network", "email"), "event.type": ("protocol", "info"), "network.protocol": "smtp",
             "network.transport": "tcp"},
    "ftp": NETWORK | {"network.protocol": "ftp", "network.transport": "tcp"},
    "snmp": NETWORK | {"network.protocol": "snmp", "network.transport": "udp"},
    "sip": NETWORK | {"network.protocol": "sip"},
    "irc": NETWORK | {"network.protocol": "irc", "network.transport": "tcp"},
    "mysql": NETWORK | {"network.protocol": "mysql", "network.transport": "tcp"},
    "ntp": NETWORK | {"network.protocol": "ntp", "network.transport": "udp"},
    "syslog": NETWORK | {"network.protocol": "syslog"},
    "socks": NETWORK | {"network.protocol": "socks", "network.transport": "tcp"},
    "modbus": NETWORK | {"network.protocol": "modbus", "network.transport": "tcp"},
    "dnp3": NETWORK | {"network.protocol": "dnp3", "network.transport": "tcp"},
    "files": {"event.category": ("network", "file"), "event.type": ("info",)},
    "pe": {"event.category": ("file",), "event.type": ("info",)},
    "x509": {"event.category": ("network",), "event.type": ("info",)},
    "ocsp": {"event.category": ("network",), "event.type": ("info",)},
    "tunnel": {"event.category": ("network",), "event.type": ("connection",)},
    "notice": {"event.kind": "alert", "event.category": ("network", "intrusion_detection"), "event.type": ("info",),
               "event.action": "attack-detected"},
    "signatures": {"event.kind": "alert", "event.category": ("network", "intrusion_detection"),
    "event.type": ("info",),
                   "event.action": "attack-detected"},
    "intel": {"event.kind": "alert", "event.category": ("network", "intrusion_detection"), "event.type": ("info",),
              "event.action": "attack-detected"},
    "weird": {"event.category": ("network",), "event.type": ("info",)},
    "software": {"event.category": ("host",), "event.type": ("info",)},
    "stats": {"event.kind": "metric", "event.category": ("host",), "event.type": ("info",)},
}  # fmt: skip
OTHER: Fields = {"event.category": ("network",), "event.type": ("info",)}
_TOLD_BY = (  # the keys that only one kind has, the surer first
    ("notice", ("note",)), ("files", ("fuid", "analyzers")), ("x509", ("certificate.version",)), ("intel",
    ("seen.indicator",)),
    ("smb_mapping", ("share_type",)), ("dce_rpc", ("named_pipe",)), ("kerberos", ("request_type",)), ("rdp",
    ("cookie",)),
    ("rdp", ("security_protocol",)), ("ntlm", ("domainname",)), ("ntlm", ("server_nb_computer_name",)),
    ("ssh", ("auth_attempts",)), ("ssh", ("hassh",)), ("dns", ("qtype_name",)), ("dns", ("rcode",)),
    ("dns", ("query", "trans_id")), ("dns", ("query",)), ("smtp", ("helo",)), ("smtp", ("mailfrom",)), ("snmp",
    ("community",)),
    ("sip", ("request_from",)), ("http", ("uri",)), ("http", ("status_code",)), ("http", ("trans_depth",)),
    ("ftp", ("command", "user")), ("ssl", ("cipher",)), ("ssl", ("cert_chain_fuids",)), ("ssl", ("established",)),
    ("dhcp", ("msg_types",)), ("dhcp", ("assigned_addr",)), ("tunnel", ("tunnel_type",)), ("software",
    ("software_type",)),
    ("smb_files", ("action", "name", "size")), ("smb_files", ("action", "path")), ("mysql", ("cmd",)), ("ntp",
    ("stratum",)),
    ("weird", ("name", "notice")), ("weird", ("name", "peer")), ("radius", ("result", "username")), ("pe", ("machine",
    "os")),
    ("modbus", ("func",)), ("signatures", ("sig_id",)), ("conn", ("conn_state",)), ("conn", ("history",)),
    ("syslog", ("facility", "severity")),
)  # fmt: skip
LONGEST_S = 1e9  # of a connection


def refine(line: Line, fields: Fields, pairs: Pairs) -> Parsed | None:
    """The event of a log line; None when its keys are of no kind that Zeek writes."""
    kind = str(pairs.get("_path") or _kind(pairs))
    if not kind:
        return None
    fields["event.dataset"] = f"zeek.{kind}"
    fields.update(KINDS.get(kind, OTHER))
    more = _MORE.get(kind)
    if more is not None:
        more(fields, pairs)
    duration = number_of(pairs.get("duration"))
    if duration is not None and 0 <= duration < LONGEST_S:
        fields["event.duration"] = int(duration * 1e9)
    return fields


def _kind(pairs: Pairs) -> str:
    for kind, keys in _TOLD_BY:
        if all(key in pairs for key in keys):
            return kind
    return "conn" if "uid" in pairs and "id.orig_h" in pairs else ""


def _conn(fields: Fields, pairs: Pairs) -> None:
    state = pairs.get("conn_state")
    if state == "REJ":
        fields.update({"event.type": ("connection", "denied"), "event.outcome": "failure"})
    elif state in ("SF", "S1", "S2", "S3", "RSTO", "RSTR"):
        fields["event.outcome"] = "success"


def _dns(fields: Fields, pairs: Pairs) -> None:
    answers = pairs.get("answers")
    if isinstance(answers, list):
        resolved = tuple(address for one in answers if (address := ip_text(str(one))) is not None)
        if resolved:
            fields["dns.resolved_ip"] = resolved
    if "rcode_name" in pairs:
        fields["event.outcome"] = "success" if pairs["rcode_name"] == "NOERROR" else "failure"


def _http(fields: Fields, pairs: Pairs) -> None:
    status = fields.get("http.response.status_code")
    if isinstance(status, int):
        fields["event.outcome"] = "success" if status < 400 else "failure"
    put(fields, "http.version", pairs.get("version"))
    host, uri = pairs.get("host"), str(pairs.get("uri", ""))
    if isinstance(host, str) and uri.startswith("/"):
        put(fields, "url.full", f"http://{host}{uri}")


def _success(key: str) -> Callable[[Fields, Pairs], None]:
    def add(fields: Fields, pairs: Pairs) -> None:
        value = pairs.get(key)
        if value is not None:
            fields["event.outcome"] = "success" if value in (True, "T", "true", "success") else "failure"

    return add


def _ssl(fields: Fields, pairs: Pairs) -> None:
    put(fields, "tls.version", pairs.get("version"))
    put(fields, "tls.server.subject", pairs.get("subject"))
    put(fields, "tls.server.issuer", pairs.get("issuer"))
    _success("established")(fields, pairs)


def _kerberos(fields: Fields, pairs: Pairs) -> None:
    user, _, domain = str(pairs.get("client") or "").partition("/")
    put(fields, "user.name", user)
    put(fields, "user.domain", domain)
    put(fields, "service.name", pairs.get("service"))
    fields["network.protocol"] = "kerberos"
    _success("success")(fields, pairs)


def _files(fields: Fields, pairs: Pairs) -> None:
    if "source" in pairs:
        fields["network.protocol"] = str(pairs["source"]).lower()


def _smb_files(fields: Fields, pairs: Pairs) -> None:
    put(fields, "file.name", pairs.get("name"))
    put(fields, "file.directory", pairs.get("path"))


def _smtp(fields: Fields, pairs: Pairs) -> None:
    put(fields, "email.subject", pairs.get("subject"))


def _notice(fields: Fields, pairs: Pairs) -> None:
    for side, key in (("source", "src"), ("destination", "dst")):
        put(fields, f"{side}.ip", pairs.get(key))
    put(fields, "file.name", pairs.get("file_desc"))


def _weird(fields: Fields, pairs: Pairs) -> None:
    put(fields, "rule.name", pairs.get("name"))


def _signatures(fields: Fields, pairs: Pairs) -> None:
    for name, key in (
        ("rule.id", "sig_id"), ("source.ip", "src_addr"), ("source.port", "src_port"), ("destination.ip", "dst_addr"),
        ("destination.port", "dst_port"), ("message", "event_msg"),
    ):  # fmt: skip
        put(fields, name, pairs.get(key))


def _software(fields: Fields, pairs: Pairs) -> None:
    put(fields, "source.ip", pairs.get("host"))
    put(fields, "source.port", pairs.get("host_p"))
    fields.pop("url.domain", None)


_MORE: dict[str, Callable[[Fields, dict[str, Any]], None]] = {
    "conn": _conn, "dns": _dns, "http": _http, "ssl": _ssl, "ssh": _success("auth_success"), "kerberos": _kerberos,
    "ntlm": _success("success"), "files": _files, "smb_files": _smb_files, "smtp": _smtp, "notice": _notice,
    "weird": _weird, "signatures": _signatures, "software": _software,
}  # fmt: skip
