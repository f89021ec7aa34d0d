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
_POLICY = re.compile(r"\(([^()]{1,128}-\d{2})\)")
_LOGIN = re.compile(r"user (?:'|\")?([^\s'\"]{1,128}?)(?:'|\")? (?:from|logged|login)|[Uu]ser '?([^\s'\[]{1,128})'?")
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
    "path": "url.path", "srv_ip": "destination.ip", "srv_port": "destination.port", "mac": "source.mac",
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
    add_sentence(fields, text)
    return fields
