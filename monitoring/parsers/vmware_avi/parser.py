"""Avi: what a virtual service served, and the controller's events, whose details are JSON or a sentence."""

from __future__ import annotations

import json
import re
from typing import Any

from monitoring.event import Value
from monitoring.parsers import Line, Parsed, flat_of, put
from monitoring.parsers._network import add_sentence

_KEYS = {
    "vs_ip": "destination.ip", "client_dest_port": "destination.port", "client_ip": "source.ip",
    "client_src_port": "source.port", "server_ip": "canh.server.ip", "server_dest_port": "canh.server.port",
    "server_conn_src_ip": "source.nat.ip", "server_src_port": "source.nat.port", "report_timestamp": "@timestamp",
    "service_engine": "observer.name", "vs_name": "rule.name", "method": "http.request.method",
    "response_code": "http.response.status_code", "uri_path": "url.path", "uri_query": "url.query",
    "host": "url.domain", "user_agent": "user_agent.original", "referer": "http.request.referrer",
    "user_id": "user.name", "dns_fqdn": "dns.question.name", "rx_bytes": "source.bytes",
    "tx_bytes": "destination.bytes", "rx_pkts": "source.packets", "tx_pkts": "destination.packets",
    "ssl_version": "tls.version", "ssl_cipher": "tls.cipher", "xff": "client.ip",
}  # fmt: skip
_NOWHERE = ("0.0.0.0", "")  # noqa: S104  an address that is none
_EVENT = re.compile(r"event (?P<code>[A-Z][A-Z0-9_]{2,64}) occurred on object (?P<object>\S{1,128})")
_USER = re.compile(r"\bUser (?P<user>\S{1,128}) (?:was|logged|has)")


def parse(line: Line) -> Parsed | None:
    document: Any = line.document
    if document is None and line.text.lstrip(", ").startswith('"'):
        try:
            document = json.loads("{" + line.text.strip().strip(",") + "}")
        except (ValueError, RecursionError):
            document = None
    if isinstance(document, dict) and ("client_ip" in document or "vs_name" in document):
        return _of_service(document)
    return _of_controller(line.text) if "Avi-Controller" in line.text or line.app_name == "Avi-Controller" else None


def _of_service(document: dict[str, Any]) -> Parsed:
    pairs = flat_of(document)
    fields: dict[str, Value] = {}
    for key, name in _KEYS.items():
        if key in pairs and pairs[key] not in _NOWHERE:
            put(fields, name, pairs[key])
    put(fields, "network.transport", str(pairs.get("protocol", "")).removeprefix("PROTOCOL_"))
    fields["event.category"], fields["event.type"] = ("network",), ("connection", "end")
    status = fields.get("http.response.status_code")
    if "http.request.method" in fields:
        fields |= {"event.category": ("web", "network"), "event.type": ("access",), "event.action": "http-request",
                   "network.protocol": "http",
                   "event.outcome": "failure" if isinstance(status, int) and status >= 400 else "success"}  # fmt: skip
    elif "dns.question.name" in fields:
        fields |= {"event.type": ("protocol", "info"), "network.protocol": "dns"}
        put(fields, "dns.question.type", str(pairs.get("dns_qtype", "")).removeprefix("DNS_RECORD_"))
    return fields


def _of_controller(text: str) -> Parsed:
    fields: dict[str, Value] = {}
    event = _EVENT.search(text[:2048])
    start = text.find("{")
    told = text
    if event is not None:
        fields["event.code"] = event["code"]
        put(fields, "canh.config.object", event["object"])
    elif start >= 0:
        told = _details(fields, text[start:]) or text
    user = _USER.search(told[:2048])
    if user is not None:
        put(fields, "user.name", user["user"])
    code = str(fields.get("event.code", ""))
    if "LOGIN" in code or "AUTHORIZED" in code or "LOGOUT" in code:
        fields |= {"event.category": ("authentication",), "event.type": ("end" if "LOGOUT" in code else "start",),
                   "event.action": "logout" if "LOGOUT" in code else "login",
                   "event.outcome": "failure" if "FAIL" in code else "success"}  # fmt: skip
    elif code.startswith("CONFIG") or code.endswith(("_CREATE", "_UPDATE", "_DELETE")):
        fields |= {"event.category": ("configuration",), "event.type": ("change",), "event.action": "config-changed"}
    else:
        fields |= {"event.category": ("host",), "event.type": ("info",)}
    add_sentence(fields, told)
    return fields


def _details(fields: dict[str, Value], text: str) -> str:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    pairs = flat_of(document) if isinstance(document, dict) else {}
    put(fields, "event.code", pairs.get("events.event_id"))
    put(fields, "canh.config.object", pairs.get("obj_name"))
    put(fields, "event.reason", pairs.get("summary"))
    return str(pairs.get("events.event_description", ""))
