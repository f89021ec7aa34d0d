"""NetScaler: the feature and name of a message, its ` - ` separated `Key value` pairs, the sentence of the rest."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Parsed, cef_of, put
from monitoring.parsers._network import add_sentence

_HEAD = re.compile(
    r"(?:.{0,96}? )??(?:(\d{1,3}-PPE-\d{1,3}|PPE-\d{1,3}) )?: (?:(\w{1,64}) )?([A-Z][A-Za-z_-]{1,24}) "
    r"([A-Za-z][\w-]{2,48}) "
    r"(?:(\d{1,20})(?: \d{1,10})? )?:\s{0,3}",
    re.DOTALL,
)
_STAMP = re.compile(r"(?:[\d.:a-f]{7,45} {1,2})?(\d\d/\d\d/\d{4}:\d\d:\d\d:\d\d(?: [A-Z]{2,4})?) (\S{1,64}) ")
_VSERVER = re.compile(r"\bVserver (\S{2,64}:\d{1,5})\b")
_KEYS = {
    "Source": "source", "Destination": "destination", "Vserver": "vserver", "Vserver_ip": "vserver", "NatIP": "nat",
    "Client_ip": "source.ip", "ClientIP": "source.ip", "Remote_ip": "source.ip", "ClientPort": "source.port",
    "Nat_ip": "source.nat.ip", "User": "user.name", "Username": "user.name", "username": "user.name",
    "VserverServiceIP": "destination.ip", "VserverServicePort": "destination.port", "ServerIP": "destination.ip",
    "ServerPort": "destination.port", "SessionId": "canh.session.id", "sessionId": "canh.session.id",
    "Command": "process.command_line", "Status": "event.outcome", "Total_bytes_send": "source.bytes",
    "Total_bytes_recv": "destination.bytes", "Browser_type": "user_agent.original", "Browser": "user_agent.original",
    "SSLVPN_client_type": "canh.vpn.type", "Group(s)": "user.group.name", "Group": "user.group.name",
    "Failure_reason": "event.reason", "Reason": "event.reason", "Method": "canh.auth.method",
    "LogoutMethod": "event.reason", "Denied_url": "url.full", "URL": "url.full", "Remote_host": "source.domain",
    "CipherSuite": "tls.cipher", "ClientVersion": "tls.version", "SPCBId": "canh.netscaler.spcb",
    "HandshakeTime": "canh.tls.handshake", "applicationName": "network.application", "Policy": "rule.name",
    "Denied_by_policy": "rule.name", "Denied_by": "rule.name", "DomainName": "dns.question.name",
    "QueryType": "dns.question.type", "IssuerName": "tls.server.issuer", "SubjectName": "tls.server.subject",
    "ClientAuth": "canh.tls.client_auth", "customername": "canh.customer", "Context": "context",
}  # fmt: skip
_ENDS = {"source": "source", "destination": "destination", "vserver": "vserver", "nat": "source.nat"}
_FIREWALL = re.compile(  # client, transaction, session, profile, URL, what was wrong
    r"([0-9A-Fa-f.:]{3,45}) {1,2}(\S{1,32})(?: -)? (?:(\S{1,64}) (?=\S+ https?://))?(?:- )?(\S{1,128}) "
    r"(?:[A-Z][^:]{1,128}: )?(https?://[^\s<]{1,4096})"
)
_REQUEST = re.compile(r" ((?:GET|POST|HEAD|PUT|DELETE|OPTIONS|PATCH|CONNECT) )?(/\S{0,2048}) - ")
_HOST = re.compile(r"- ?([\w-]{1,63}(?:\.[\w-]{1,63}){1,8}) User (\S{1,128}) :")
_BLOCKED = re.compile(r"<(blocked|not blocked|transformed)>")
_END = re.compile(r"\[?([0-9A-Fa-f.:]{2,45}?)\]?(?::(\d{1,5}))?\Z")
_NAME = re.compile(r"([A-Za-z][\w()]{1,32})(?: :|:)?\s{1,3}(.{1,4096})\Z", re.DOTALL)
_CONTEXT = re.compile(r"([^\s@]{1,128}(?:@[A-Za-z][\w.-]{1,128})?)@([0-9A-Fa-f.:]{3,45})\Z")
_FOUND: dict[str, dict[str, Value]] = {
    "CONN_TERMINATE": {"event.type": ("connection", "end"), "event.action": "connection-closed"},
    "CONN_DELINK": {"event.type": ("connection", "end"), "event.action": "connection-closed"},
    "OTHERCONN_DELINK": {"event.type": ("connection", "end"), "event.action": "connection-closed"},
    "NAT_CONN_DELINK": {"event.type": ("connection", "end"), "event.action": "connection-closed"},
    "TCPCONNSTAT": {"event.type": ("connection", "end"), "event.action": "connection-closed"},
    "UDPFLOWSTAT": {"event.type": ("connection", "end"), "event.action": "connection-closed"},
    "ICASTART": {"event.type": ("connection", "start"), "event.action": "connection-allowed"},
    "ICAEND_CONNSTAT": {"event.type": ("connection", "end"), "event.action": "connection-closed"},
    "CMD_EXECUTED": {"event.category": ("process",), "event.type": ("start",), "event.action": "config-command"},
}
_LOGIN: dict[str, Value] = {"event.category": ("authentication",), "event.type": ("start",), "event.action": "login"}


def parse(line: Line) -> Parsed | None:
    if "CEF:" in line.text:
        return _of_cef(line.text)
    head = _HEAD.match(line.text)
    if head is None:
        return None
    packet_engine, partition, feature, name, sequence = head.groups()
    fields: dict[str, Value] = {
        "event.code": name,
        "canh.netscaler.feature": feature,
    }
    put(fields, "event.sequence", (sequence or "")[:18])
    stamp = _STAMP.match(line.text)
    if stamp is not None:  # behind the header of the appliance it runs on
        fields["@timestamp"], fields["observer.name"] = stamp[1], stamp[2]
    put(fields, "canh.netscaler.partition", partition or "")
    put(fields, "canh.netscaler.packet_engine", packet_engine or "")
    body = line.text[head.end() :].strip()
    if name in ("Message", "MESSAGE"):
        fields["event.code"] = feature
    _add_pairs(fields, body)
    if feature == "APPFW":
        _add_firewall(fields, body)
    elif "HTTP" in name.upper():
        _add_request(fields, body)
    fields.update(_kind(feature, name, fields, body))
    add_sentence(fields, body)
    return fields


def _kind(feature: str, name: str, fields: dict[str, Value], body: str) -> dict[str, Value]:
    kind: dict[str, Value] = {"event.category": ("network",), "event.type": ("info",)}
    upper = name.upper()
    if feature in ("TCP", "SSLVPN", "UDP", "SSLLOG", "SSL", "ICA"):
        kind["event.type"] = ("connection",)
        kind["network.transport"] = "udp" if feature == "UDP" or upper.startswith("UDP") else "tcp"
    if feature == "APPFW":
        kind = {"event.kind": "alert", "event.category": ("intrusion_detection", "web"), "event.type": ("info",),
                "event.action": "attack-detected"}  # fmt: skip
    kind |= _FOUND.get(upper, {})
    if upper in ("LOGIN", "LOGIN_FAILED", "EXTRACTED_GROUPS") and feature in (
        "SSLVPN",
        "AAA",
        "UI",
        "CLI",
        "GUI",
        "API",
    ):
        kind |= _LOGIN
        kind["event.outcome"] = "failure" if "FAIL" in upper else "success"
        if feature == "SSLVPN":
            kind["event.action"] = "vpn-login"
    elif upper in ("LOGOUT", "REMOVE_SESSION", "REMOVE_SESSION_INFO"):
        kind |= {"event.category": ("authentication", "session"), "event.type": ("end",), "event.action": "logout"}
    elif "HTTPREQUEST" in upper or "HTTP_RESOURCEACCESS" in upper:
        kind |= {"event.category": ("web", "network"), "event.type": ("access",), "event.action": "http-request"}
        kind["event.outcome"] = "failure" if "DENIED" in upper else "success"
    elif "HANDSHAKE" in upper:
        kind |= {"event.action": "tls-handshake", "network.protocol": "tls"}
        kind["event.outcome"] = "failure" if "FAIL" in upper else "success"
    elif feature == "DNS":
        kind |= {"event.type": ("protocol", "info"), "network.protocol": "dns"}
    elif feature == "EVENT":
        kind["event.category"], kind["event.type"] = ("host",), ("info",)
    elif feature == "ACL":
        kind |= {"event.type": ("connection", "denied"), "event.action": "connection-denied"}
    if upper == "CMD_EXECUTED" and fields.get("event.outcome") == "unknown":
        kind["event.outcome"] = "success" if 'Status "Done"' in body else "failure"
    return kind


def _add_pairs(fields: dict[str, Value], body: str) -> None:
    for part in re.split(r"\s+- ", body[:8192]):
        match = _NAME.match(part.strip())
        name = None if match is None else _KEYS.get(match[1])
        if match is None or name is None:
            continue
        value = match[2].strip().strip('"').strip()
        if name in _ENDS:
            _add_end(fields, _ENDS[name], value)
        elif name == "context":
            _add_context(fields, value)
        elif value and value != "Mapped Ip" and not (name == "user.name" and name in fields):
            put(fields, name, value.split(" ")[0] if name == "user.name" and not value.startswith('"') else value)
    server = _VSERVER.search(body[:2048]) if "destination.ip" not in fields else None
    if server is not None:
        _add_end(fields, "vserver", server[1])
    if "user.name" in fields:
        fields.setdefault("source.user.name", fields["user.name"])


def _add_firewall(fields: dict[str, Value], body: str) -> None:
    match = _FIREWALL.match(body)
    if match is not None:
        put(fields, "source.ip", match[1])
        put(fields, "canh.session.id", match[3])
        put(fields, "rule.name", match[4])
        put(fields, "url.full", match[5])
    verdict = _BLOCKED.search(body)
    if verdict is not None:
        fields["event.outcome"] = "failure" if verdict[1] == "blocked" else "success"


def _add_request(fields: dict[str, Value], body: str) -> None:
    """A request through the gateway: the host before its user, the method and path behind its time."""
    host, request = _HOST.search(body[:1024]), _REQUEST.search(body[:4096])
    if host is not None:
        put(fields, "url.domain", host[1])
        put(fields, "user.name", host[2])
    if request is not None:
        put(fields, "http.request.method", (request[1] or "").strip())
        put(fields, "url.path", request[2])
        if host is not None:
            put(fields, "url.full", f"https://{host[1]}{request[2]}")


def _add_end(fields: dict[str, Value], end: str, value: str) -> None:
    if end == "vserver":  # the client's destination where no other is told
        fields["canh.netscaler.vserver"] = value
        if "destination.ip" not in fields:
            _add_end(fields, "destination", value)
        return
    match = _END.match(value.split(" ")[0])
    if match is not None:
        put(fields, f"{end}.ip", match[1])
        put(fields, f"{end}.port", match[2])


def _add_context(fields: dict[str, Value], value: str) -> None:
    match = _CONTEXT.match(value)
    if match is not None:
        put(fields, "user.name", match[1])
        put(fields, "source.ip", match[2])


def _of_cef(text: str) -> Parsed | None:
    pairs = cef_of(text)
    if pairs is None:
        return None
    fields: dict[str, Value] = {
        "event.kind": "alert", "event.category": ("intrusion_detection", "web"), "event.type": ("info",),
        "event.action": "attack-detected", "observer.type": "waf",
    }  # fmt: skip
    names = {"cef.version": "observer.version", "cef.name": "event.code", "src": "source.ip", "spt": "source.port",
             "method": "http.request.method", "requestMethod": "http.request.method", "request": "url.full",
             "msg": "message", "cs1": "rule.name", "cs2": "canh.netscaler.packet_engine", "cs3": "canh.session.id",
             "cs4": "canh.netscaler.severity", "cs6": "rule.category", "act": "canh.netscaler.action",
             "cn1": "event.sequence", "geolocation": "source.geo.name", "dst": "destination.ip",
             "dpt": "destination.port"}  # fmt: skip
    for key, name in names.items():
        if key in pairs:
            put(fields, name, pairs[key])
    is_blocked = "block" in str(pairs.get("act", "")).lower() and "not block" not in str(pairs.get("act", "")).lower()
    fields["event.outcome"] = "failure" if is_blocked else "success"
    return fields
