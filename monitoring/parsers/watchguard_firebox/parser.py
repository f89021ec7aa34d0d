"""Fireware: serial number and time of its own, the positions of a packet's line, the pairs of a proxy's."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed, add_common, leef_of, pairs_of, put
from monitoring.parsers._network import add_sentence

_SERIAL = re.compile(
    r"(?:((?![0-9A-F]{12,14} )[\w.-]{1,64}) )?(?:([0-9A-F]{12,14}) )?(?:\((\d{4}-\d\d-\d\dT[\d:.]{8,15})\) )?"
    r"([\w-]{1,32})(?:\[(\d{1,8})\])?: "
)
_OWN_TIME = re.compile(r"\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?)\)")
_IP = r"[0-9A-Fa-f.:]{2,45}"
_PACKET = re.compile(
    rf"(Allow|Deny|ALLOW|DENY) (\S{{1,64}}) (\S{{1,64}}) (?:(\d{{1,6}}) )?([a-z][\w-]{{1,16}}|\d{{1,3}}) "
    rf"(?:\d{{1,4}} )?(?:\d{{1,4}} )?({_IP}) ({_IP})(?: (\d{{1,5}}) (\d{{1,5}})\b)?",
)
_TRAFFIC = re.compile(  # Traffic Monitor's own order
    rf"(Allow|Deny) ({_IP}) ({_IP}) ([\w.-]{{1,32}})/(\w{{1,12}}) (\d{{1,5}}) (\d{{1,5}}) (\S{{1,64}}) (\S{{1,64}}) "
)
_NUMBER = re.compile(r"\bmsg_id=\"[0-9A-F]{4}-[0-9A-F]{4}\"")
_POLICY = re.compile(r"\(((?:[^()]{1,128}-\d{2}|Internal Policy))\)")
_LOGIN = re.compile(r"user (?:'|\")?([^\s'\"]{1,128}?)(?:'|\")? (?:from|logged|login)|[Uu]ser '?([^\s'\[]{1,128})'?")
_WHERE = re.compile(
    rf"Policy Name: (\S{{1,128}}) Source IP Address: ({_IP}) Source Port: (\d{{1,5}}) "
    rf"Destination IP Address: ({_IP}) Destination Port: (\d{{1,5}})"
)
_REASON = re.compile(r"\b[Rr]eason ?[=:] ?(?P<reason>[^()]{1,256}?)\.?(?:\)|$)")
_PORT = re.compile(r"\] ?\[?(?P<port>\w[\w.-]{0,31}) \((?P<name>[^()]{1,64})\)\]|\[(?P<port2>\w[\w.-]{0,31}) \(")
_REMOTE = re.compile(rf"Virtual IP address is (?P<inside>{_IP}?)\. Real IP address is (?P<real>{_IP}?)\.?$")
_NAMED = re.compile(
    rf"(?:Resolved domain|Could not connect to) (?P<name>[\w.-]{{1,253}}) (?:to|/) (?P<ip>{_IP}?)[,.]?(?: |$)"
)
_ENDS = re.compile(
    rf"(?:from|localgw:) ?({_IP}):(\d{{1,5}}) (?:to |remotegw:) ?({_IP}):(\d{{1,5}})|local ({_IP})/\S{{1,45}}"
    rf" remote ({_IP})/"
    rf"|(?:message|notification|negotiation|method \S{{1,16}}) from (?:the peer )?({_IP}):(\d{{1,5}})"
)
_WHERE_NAMES = ("rule.name", "source.ip", "source.port", "destination.ip", "destination.port")
_ENDS_NAMES = (
    "source.ip", "source.port", "destination.ip", "destination.port", "source.ip", "destination.ip", "source.ip",
    "source.port",
)  # fmt: skip


def _kind(category: str, kind: str, action: str, outcome: str) -> dict[str, Value]:
    fields: dict[str, Value] = {
        "event.category": tuple(category.split()), "event.type": tuple(kind.split()), "event.action": action,
    }  # fmt: skip
    if outcome:
        fields["event.outcome"] = outcome
    if action == "attack-detected":
        fields["event.kind"] = "alert"
    return fields


_KINDS: tuple[tuple[re.Pattern[str], dict[str, Value]], ...] = tuple(
    (re.compile(pattern), _kind(category, kind, action, outcome))
    for pattern, category, kind, action, outcome in (
        (r"(?i)\b(?:attack|DDOS|flood|scan|spoof\w*)\b.{1,128}detected", "intrusion_detection network", "info",
         "attack-detected", ""),
        (r"user \S{1,128} (?:from \S{2,45} )?(?:modified|added|deleted|removed|changed|updated) ", "configuration",
         "change", "config-changed", "success"),
        (r"Authentication server .{1,64} not responding", "network", "info", "server-unreachable", "failure"),
        (r"[Mm]anagement user \S{1,128} (?:from \S{2,45} )?logged in", "authentication", "start", "login", "success"),
        (r"is locked out", "authentication iam", "user info", "account-locked", "failure"),
        (r"is unlocked", "iam", "user change", "account-unlocked", "success"),
        (r"[Mm]obile VPN with .{1,32} logged in|SSL VPN user .{1,128} logged in", "authentication session", "start",
         "vpn-login", "success"),
        (r"[Mm]obile VPN with .{1,32} logged out|SSL VPN user .{1,128} logged out", "authentication session", "end",
         "logout", "success"),
        (r"tunnel .{1,256} is down", "network", "connection end", "vpn-tunnel-down", ""),
        (r"tunnel .{1,256} is up", "network", "connection start", "vpn-tunnel-up", "success"),
        (r"phase-[12] .{1,64}completed successfully", "network", "connection start", "vpn-tunnel-up", "success"),
        (r"(?:phase-[12]|IKE|XAuth|IPSec|MUVPN).{0,256}(?:[Ff]ailed|Rejected|Dropped|rejected|invalid)"
         r"|(?:Rejected|Dropped).{1,64}(?:phase-[12]|IKE|MUVPN)", "network", "connection denied",
         "vpn-negotiation-failed", "failure"),
        (r"Deactivating (?:external )?interface|link is down|[Ii]nterface .{1,64} down", "network", "info change",
         "interface-down", ""),
        (r"Activating (?:external )?interface|link is up|[Ii]nterface .{1,64} up\b", "network", "info change",
         "interface-up", ""),
    )
)  # fmt: skip
_KEYS: dict[str, str] = {
    "msg_id": "event.code", "src_ip": "source.ip", "dst_ip": "destination.ip", "src_port": "source.port",
    "dst_port": "destination.port", "src_ip_nat": "source.nat.ip", "src_port_nat": "source.nat.port",
    "dst_ip_nat": "destination.nat.ip", "dst_port_nat": "destination.nat.port", "src_user": "source.user.name",
    "dst_user": "destination.user.name", "dstname": "url.domain", "op": "http.request.method", "arg": "url.path",
    "sent_bytes": "source.bytes", "rcvd_bytes": "destination.bytes", "msg": "message",
    "app_name": "network.application",
    "app_cat_name": "rule.category", "cats": "rule.category", "proxy_act": "rule.ruleset", "rule_name": "rule.name",
    "geo_src": "source.geo.country_iso_code", "geo_dst": "destination.geo.country_iso_code", "reason": "event.reason",
    "in_if_name": "observer.ingress.interface.name", "out_if_name": "observer.egress.interface.name",
    "policy_name": "rule.name", "protocol": "network.transport", "virus": "canh.threat.name", "filename": "file.name",
    "md5": "file.hash.md5", "signature_name": "canh.attack.name", "signature_id": "canh.attack.id",
    "ctl_src": "canh.control",
    "host": "url.domain", "sni": "tls.client.server_name", "tls_version": "tls.version", "cn": "tls.server.subject",
    "query_name": "dns.question.name", "question": "dns.question.name", "query_type": "dns.question.type",
    "sender": "email.from.address", "recipients": "email.to.address", "elapsed_time": "canh.elapsed",
    "user": "user.name",
    "pri": "canh.priority", "sig_vers": "canh.signature_version", "content_type": "http.response.mime_type",
    "path": "url.path", "interface": "observer.ingress.interface.name", "srv_ip": "destination.ip",
    "srv_port": "destination.port", "mac": "source.mac",
}  # fmt: skip
_LEEF: dict[str, str] = {
    "leef.id": "event.code", "serial": "observer.serial_number", "policy": "rule.name",
    "in_if": "observer.ingress.interface.name",
    "out_if": "observer.egress.interface.name", "src": "source.ip", "dst": "destination.ip", "srcPort": "source.port",
    "dstPort": "destination.port", "srcPostNAT": "source.nat.ip", "dstPostNAT": "destination.nat.ip",
    "proto": "network.transport",
    "usrName": "user.name", "msg": "message", "disp": "canh.disposition", "devTime": "@timestamp",
    "sent_bytes": "source.bytes",
}  # fmt: skip


def parse(line: Line) -> Parsed | None:
    text = line.text
    fields: dict[str, Value] = {}
    if "LEEF:" in text:
        pairs = leef_of(text) or {}
        _add(fields, pairs, _LEEF)
        return _finish(fields, str(pairs.get("disp", "")), text)
    if _NUMBER.search(text) is None:
        return None
    head = _SERIAL.match(text)
    if head is not None:
        put(fields, "observer.name", head[1])
        put(fields, "observer.serial_number", head[2])
        put(fields, "process.name", head[4])
        put(fields, "process.pid", head[5])
    own = _OWN_TIME.search(text, 0, 256)
    if own is not None:
        fields["@timestamp"] = own[1] + "Z"  # what stands there is UTC
    verdict = _add_packet(fields, text)
    policy = _POLICY.search(text)
    if policy is not None:
        fields["rule.name"] = policy[1]
    _add(fields, pairs_of(text), _KEYS)
    return _finish(fields, verdict, text)


def _add(fields: dict[str, Value], pairs: Pairs, names: dict[str, str]) -> None:
    for key, name in names.items():
        if key in pairs and name not in fields:
            put(fields, name, pairs[key])
    add_common(fields, {key: value for key, value in pairs.items() if key not in names})


def _add_packet(fields: dict[str, Value], text: str) -> str:
    match = _PACKET.search(text)
    if match is not None:
        verdict, inside, outside, _, protocol, source, destination, source_port, destination_port = match.groups()
    else:
        match = _TRAFFIC.search(text)
        if match is None:
            return ""
        verdict, source, destination, service, protocol, source_port, destination_port, inside, outside = match.groups()
        put(fields, "network.protocol", service)
    for name, value in (
        ("source.ip", source), ("destination.ip", destination), ("source.port", source_port),
        ("destination.port", destination_port), ("network.transport", protocol),
        ("observer.ingress.interface.name", inside), ("observer.egress.interface.name", outside),
    ):  # fmt: skip
        put(fields, name, value)
    if "icmp" in protocol:
        for name in ("source.port", "destination.port"):
            fields.pop(name, None)
    return verdict


def _finish(fields: dict[str, Value], verdict: str, text: str) -> Parsed:
    if "of Firewall user" in text:
        fields["canh.auth.scope"] = "user"
    if "source.user.name" in fields:
        fields.setdefault("user.name", fields["source.user.name"])
    domain, path = fields.get("url.domain"), str(fields.get("url.path", ""))
    if domain:
        scheme = "https" if "https-proxy" in text else "http"
        fields.setdefault("url.full", f"{scheme}://{domain}{path if path.startswith('/') else ''}")
    if verdict:
        is_allowed = verdict.lower() == "allow"
        is_attack = "canh.attack.name" in fields or "canh.threat.name" in fields
        fields |= {
            "event.category": ("intrusion_detection", "network") if is_attack else ("network",),
            "event.type": ("info", "allowed" if is_allowed else "denied")
            if is_attack
            else ("connection", "allowed" if is_allowed else "denied"),
            "event.action": "attack-detected"
            if is_attack
            else "connection-allowed"
            if is_allowed
            else "connection-denied",
            "event.outcome": "success" if is_allowed else "failure",
        }
        if "http.request.method" in fields:
            fields |= {"event.category": ("web", "network"), "event.type": ("access",
            "allowed" if is_allowed else "denied"),
                       "event.action": "http-request"}  # fmt: skip
    elif "event.category" not in fields:
        _add_told(fields, text[:2048])
    add_sentence(fields, text)
    if not verdict and fields.get("source.ip") == fields.get("destination.ip"):
        fields.pop("destination.ip" if "source.nat.ip" in fields else "source.ip", None)
    for name in ("observer.ingress.interface.name", "observer.egress.interface.name"):
        if fields.get(name) in ("localgw", "remotegw"):
            del fields[name]
    return fields


def _add_told(fields: dict[str, Value], text: str) -> None:
    """What a sentence tells that is of no packet."""
    where, ends, remote, named = _WHERE.search(text), _ENDS.search(text), _REMOTE.search(text), _NAMED.search(text)
    found: tuple[tuple[str, str | None], ...] = ()
    if where is not None:
        found = tuple(zip(_WHERE_NAMES, where.groups(), strict=True))
    elif ends is not None:
        found = tuple(zip(_ENDS_NAMES, ends.groups(), strict=True))
    elif remote is not None:
        found = (("source.ip", remote["real"]), ("source.nat.ip", remote["inside"]))
    elif named is not None:
        found = (("destination.domain", named["name"]), ("destination.ip", named["ip"]))
    reason, port = _REASON.search(text), _PORT.search(text)
    if reason is not None:
        put(fields, "event.reason", reason["reason"])
    if port is not None:
        found += (("observer.ingress.interface.name", port["port"] or port["port2"]),)
    for name, value in found:
        if value is not None and name not in fields:
            put(fields, name, value)
    for pattern, told in _KINDS:
        if pattern.search(text) is not None:
            fields |= told
            return
