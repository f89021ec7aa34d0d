"""Messages inside JSON: the inner one goes through header and parsers again, the wrapper fills what is still open."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import UTC
from functools import cache
from typing import Any

from monitoring.event import Value
from monitoring.parsers import Line, document_in, put
from monitoring.parsers._formats import flat_of
from monitoring.parsers._index import load
from monitoring.parsers.generic_json._reading import fields_of
from monitoring.syslog import header_of

Fields = dict[str, Value]
_TEXTS = (
    "log", "MESSAGE", "full_message", "short_message", "_raw", "rawmsg", "eventmessage", "message", "msg", "MSG",
    "content",
    "textPayload", "event", "data",
)  # fmt: skip
_OBJECTS = ("kinesis", "jsonPayload", "detail", "_source", "event", "result", "data", "message")
_LISTS = ("records", "Records", "logEvents", "value")
_OUTER = {
    "time": "@timestamp", "@timestamp": "@timestamp", "timestamp": "@timestamp", "__REALTIME_TIMESTAMP": "@timestamp",
    "_SOURCE_REALTIME_TIMESTAMP": "@timestamp", "timereported": "@timestamp", "receiveTimestamp": "event.created",
    "host": "host.name", "hostname": "host.name", "_HOSTNAME": "host.name", "HOST": "host.name",
    "syslog_hostname": "host.name",
    "HOSTNAME": "host.name", "fromhost": "host.name", "kubernetes.host": "host.name",
    "kubernetes.node.name": "host.name",
    "kubernetes.pod_name": "orchestrator.resource.name", "kubernetes.namespace_name": "orchestrator.namespace",
    "kubernetes.container_name": "container.name", "kubernetes.container_image": "container.image.name",
    "kubernetes.docker_id": "container.id", "container_name": "container.name", "container_id": "container.id",
    "_CONTAINER_NAME": "container.name", "stream": "canh.stream", "kubernetes.pod_ip": "host.ip",
    "SYSLOG_IDENTIFIER": "process.name", "_COMM": "process.name", "programname": "process.name",
    "program": "process.name",
    "appname": "process.name", "app-name": "process.name", "ident": "process.name", "PROGRAM": "process.name",
    "_PID": "process.pid", "SYSLOG_PID": "process.pid", "procid": "process.pid", "pid": "process.pid",
    "_EXE": "process.executable", "_CMDLINE": "process.command_line", "_UID": "user.id",
    "_SYSTEMD_UNIT": "service.name",
    "level_name": "log.level", "severity": "log.level", "syslogseverity-text": "log.level", "_MACHINE_ID": "host.id",
    "account": "cloud.account.id", "region": "cloud.region", "_TRANSPORT": "canh.journal.transport",
}  # fmt: skip
_PROGRAMS = (
    "SYSLOG_IDENTIFIER",
    "programname",
    "program",
    "appname",
    "app-name",
    "ident",
    "PROGRAM",
    "_COMM",
    "container_name",
)
_TAGS = ("syslogtag", "syslog-tag", "syslog_tag")
_ECS = ("ecs", "agent", "winlog", "beat", "@version")  # read by ecs_json
# With one of these keys an object is a wrapper, whatever it holds.
_SURE = frozenset(
    ("stream", "kubernetes", "docker", "MESSAGE", "short_message", "sourcetype", "_raw", "records", "Records",
    "logEvents",
     "detail-type", "_source", "messageId", "subscription", "kinesis",
     "logName", "rawmsg", "eventmessage", "MSG", "ident", "logType")
)  # fmt: skip
_CARRIED = (
    "message",
    "msg",
    "log",
    "raw",
    "Message",
    "raw_message",
    "rawMessage",
    "text",
    "payload",
    "original",
    "event",
)
# Below these an object of no known product may carry what one of a known product is.
_PARTS = (
    "records", "Records", "value", "items", "events", "findings", "alerts", "logs", "results", "entries", "resources",
    "data", "event", "detail", "payload", "body", "record", "raw", "result", "properties", "attributes", "message",
    "log", "node", "doc", "object", "activity", "content", "Message", "Event",
    "activity_logs", "operation_logs", "auditLogs", "audit_logs", "AdminAudits", "audits", "alertsList", "incidents",
    "detections", "fileEvents", "sessions", "fieldsMap", "fields", "logContent", "jsonPayload", "json",
)  # fmt: skip
_BASE64 = re.compile(r"[A-Za-z0-9+/]{24,}={0,2}")
PARSER = "canh.parser"
SHORTEST_CARRIED = 20  # characters
LONGEST_PARSED = 32768
DEEPEST = 4


def parse(line: Line) -> Fields | None:
    """The inner message's event; None when there is nothing inside."""
    if line.document is None or any(key in line.document for key in _ECS):
        return None
    fields = _unwrapped(line, line.document, DEEPEST)
    if fields is None or any(key in line.document for key in _SURE):
        return fields
    return fields if fields.get(PARSER) in _products() else None  # any text can stand below `message`


def of_carrier(line: Line) -> Fields | None:
    """The event of a message of a known product that an object of an unknown one carries; None when there is none."""
    document = line.document
    if document is None:
        return None
    for key in _CARRIED:
        text = document.get(key)
        if isinstance(text, str) and LONGEST_PARSED > len(text) > SHORTEST_CARRIED:
            inner = _of_text(line, text.strip(), _program(document), 1)
            if inner.get(PARSER) in _products():
                return _with_outer(document, inner)
    return _of_part(line, document, DEEPEST - 1)


def _of_part(line: Line, document: Mapping[str, Any], deeper: int) -> Fields | None:
    """The event of an object of a known product, or of the first of several, somewhere inside; None without one."""
    if not deeper:
        return None
    for key in _PARTS if len(document) > 1 else document:
        part = document.get(key)
        if isinstance(part, list) and part:
            part = part[0]
        if isinstance(part, Mapping) and len(part) > 1:
            inner = _known(line._replace(document=dict(part)))
            inner = inner if inner is not None and inner.get(PARSER) in _products() else None
            inner = inner or _of_part(line, part, deeper - 1)
            if inner is not None:
                return _with_outer(document, inner)
    return None


def of_message(line: Line, text: str, program: str = "") -> Fields:
    """The event of a text that stood inside something else."""
    return _of_text(line, text, program, DEEPEST)


def _unwrapped(line: Line, document: Mapping[str, Any], deeper: int) -> Fields | None:
    inner = _inner(line, document, deeper)
    return None if inner is None else _with_outer(document, inner)


def _with_outer(document: Mapping[str, Any], inner: Fields) -> Fields:
    outer = flat_of({key: value for key, value in document.items() if key not in _LISTS})
    stated = inner.pop("@timestamp", None)
    fields: Fields = {}
    for key, name in _OUTER.items():
        if name not in inner and name not in fields and key in outer and not isinstance(outer[key], Mapping):
            put(fields, name, outer[key])
    program, pid = _tag_of(document)
    put(fields, "process.name", fields.get("process.name") or program)
    put(fields, "process.pid", fields.get("process.pid") or pid)
    if "/" in str(fields.get("process.name", "")):  # postfix/smtpd
        fields["process.name"] = str(fields["process.name"]).rpartition("/")[2]
    fields.update(inner)
    if stated is not None:
        fields["@timestamp"] = stated
    return fields


def _inner(line: Line, document: Mapping[str, Any], deeper: int) -> Fields | None:
    if not deeper:
        return None
    for key in _LISTS:
        one = document.get(key)
        if isinstance(one, list) and one and isinstance(one[0], Mapping):
            return _of_object(line, one[0], deeper)
    for key in _OBJECTS:
        one = document.get(key)
        if isinstance(one, Mapping):
            return _of_object(line, one, deeper)
    for key in _TEXTS:
        one = document.get(key)
        if key == "data" and isinstance(one, str):
            one = _decoded(one)
        if isinstance(one, str) and one.strip():
            return _of_text(line, one.strip(), _program(document), deeper)
    return None


def _decoded(text: str) -> str:
    """A message queue's data: Base64 where that gives text, else as it stands."""
    if not _BASE64.fullmatch(text[:LONGEST_PARSED]):
        return text
    try:
        plain = base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        return text
    return plain if plain[:1] in "{<" or " " in plain else text


def _of_object(line: Line, document: Mapping[str, Any], deeper: int) -> Fields:
    found = _known(line._replace(document=dict(document)))
    if found is not None:
        return found
    again = (
        _unwrapped(line, document, deeper - 1)
        if any(key in document for key in ("message", "_raw", "RawXml"))
        else None
    )
    return again or _of_part(line, document, deeper - 1) or fields_of(flat_of(document))


def _of_text(line: Line, text: str, program: str, deeper: int) -> Fields:
    """A text: JSON, a line with a syslog header of its own, or the message of a program that the wrapper names."""
    document = document_in(text)
    if document is not None and text[:1] in "{@[":
        fields = _of_object(line, document, deeper - 1)
        fields.setdefault("message", text)
        return fields
    index = load()
    whole = index.parse_whole(line._replace(text=text, document=None, app_name=program))
    fields = {"message": text}
    if whole is not None:
        return {**fields, PARSER: whole[0].name, **whole[0].fields, **whole[1]}
    header = header_of(text, received=line.received, zone=UTC)
    body, app = (header.message, header.app_name) if header.is_syslog else (text, program)
    if header.is_syslog:
        fields |= {name: value for name, value in header.fields.items() if not name.startswith("log.syslog.priority")}
        fields["message"] = body
        if header.when is not None and header.zone_from == "line":
            fields["@timestamp"] = header.when.isoformat()
        if "log.syslog.hostname" in fields:
            fields["host.name"] = fields["log.syslog.hostname"]
    found = index.parse(line._replace(text=body, document=None, app_name=app))
    if found is not None:
        fields |= {PARSER: found[0].name, **found[0].fields, **found[1]}
    fields.setdefault("event.category", ("host",))
    fields.setdefault("event.type", ("info",))
    return fields


def _known(line: Line) -> Fields | None:
    """What a parser of a product says of an object; None when only the generic ones answer."""
    found = load().parse(line._replace(text="{}"))
    if found is None or found[0].last:
        return None
    return {PARSER: found[0].name, **found[0].fields, **found[1]}


@cache
def _products() -> frozenset[str]:
    """Parsers that know their product, and the two formats that name it."""
    return frozenset(name for name, one in load().parsers.items() if not one.last) | {"generic_cef", "generic_leef"}


def _program(document: Mapping[str, Any]) -> str:
    named = next((str(document[name]) for name in _PROGRAMS if document.get(name)), "")
    return named or next((_tag_of(document)[0] for name in _TAGS if document.get(name)), "")


def _tag_of(document: Mapping[str, Any]) -> tuple[str, str]:
    """(program, process id) of rsyslog's tag: `sshd[811]:`."""
    tag = next((str(document[name]) for name in _TAGS if document.get(name)), "")
    program, _, pid = tag.strip().rstrip(":").partition("[")
    return program, pid.rstrip("]")
