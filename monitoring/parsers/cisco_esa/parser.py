"""The consolidated event, which is CEF, the time of a file's lines, and messages that no rule knows."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, cef_of, put
from monitoring.parsers._network import add_sentence

_DATED = re.compile(r"(?:\w{1,32}: )?([A-Z][a-z]{2} [A-Z][a-z]{2} {1,2}\d{1,2} \d\d:\d\d:\d\d \d{4}) ")
_LEVEL = re.compile(r"(?:.{0,64}?)\b(?:Info|Warning|Critical|Debug|Trace|Alert|Error): ")
_MESSAGE = re.compile(r"\bMID (\d{1,12})\b")
_CEF = {
    "cef.id": "event.code", "suser": "email.from.address", "duser": "email.to.address", "msg": "email.subject",
    "ESAMID": "canh.email.mid", "ESAICID": "canh.email.icid", "ESADCID": "canh.email.dcid", "src": "source.ip",
    "sourceAddress": "source.ip", "sourceHostName": "source.domain", "dst": "destination.ip", "dvc": "observer.ip",
    "deviceInboundInterface": "observer.ingress.interface.name",
    "deviceOutboundInterface": "observer.egress.interface.name", "act": "canh.esa.action",
    "ESASenderGroup": "canh.esa.sender_group", "deviceExternalId": "observer.serial_number",
    "endTime": "@timestamp", "ESAFinalActionDetails": "event.reason",
    "ESAHeloIP": "client.ip", "ESAHeloDomain": "canh.email.helo", "ESATLSInProtocol": "tls.version",
    "ESATLSInCipher": "tls.cipher",
    "cef.version": "observer.version", "ExternalMsgID": "email.message_id",
    "end": "@timestamp", "ESAURL": "url.full",
}  # fmt: skip
_REFUSED = frozenset(("DROPPED", "BOUNCED", "ABORTED", "DQ", "REJECTED", "QUARANTINED"))


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value] | None:
    """Finish the fields; None for a line that only looks alike."""
    if "ESA_CONSOLIDATED_LOG_EVENT" in line.text:
        return _consolidated(line.text)
    if "canh.esa.level" not in fields or "Info: Firewall " in line.text[:64]:  # of the web appliance
        return None
    dated = _DATED.match(line.text)
    if dated is not None:
        fields["@timestamp"] = dated[1]
    if "event.category" not in fields:
        level = _LEVEL.match(line.text)
        add_sentence(fields, line.text[level.end() :] if level is not None else line.text)
        if fields["event.category"] in (("host",), ("network",)):
            fields["event.category"] = ("email",) if " MID " in line.text or "MID " in line.text[:64] else ("host",)
            fields["event.type"] = ("info",)
    message = _MESSAGE.search(line.text)
    if message is not None:
        fields["canh.email.mid"] = message[1]
    reason = fields.get("event.reason")
    if isinstance(reason, str):
        fields["event.reason"] = reason.strip()
    if "user.roles" in fields:
        fields["user.roles"] = (str(fields["user.roles"]),)
    return fields


def _consolidated(text: str) -> dict[str, Value]:
    fields: dict[str, Value] = {"event.action": "mail-received", "event.category": ("email",), "event.type": ("info",)}
    for key, value in (cef_of(text) or {}).items():
        name = _CEF.get(key)
        if name is not None:
            put(fields, name, value.strip("'<>") if isinstance(value, str) else value)
    is_refused = str(fields.get("canh.esa.action", "")).upper() in _REFUSED
    fields["event.outcome"] = "failure" if is_refused else "success"
    if is_refused:
        fields["event.action"] = "mail-rejected"
    return fields
