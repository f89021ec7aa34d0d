"""Windows: any event, from any agent, to ECS; what it is comes from events.yaml, by provider or channel and number."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from monitoring.event import Value
from monitoring.parsers import Line, put
from monitoring.parsers.ecs_json.parser import fields_of_ecs
from monitoring.parsers.windows._carriers import of_xml, record_of
from monitoring.parsers.windows._catalogue import meaning_of
from monitoring.parsers.windows._data import add_data
from monitoring.parsers.windows._more import add_more
from monitoring.parsers.windows._record import Record, number
from monitoring.parsers.windows._text import data_of

_FAILURE = re.compile(r"audit[ _]?failure|failure[ _]?audit|0x8?010000000000000\b|-9218868437227405312", re.IGNORECASE)
_SUCCESS = re.compile(r"audit[ _]?success|success[ _]?audit|0x8?020000000000000\b|-9214364837600034816", re.IGNORECASE)
_LEVELS = {
    "1": "critical", "2": "error", "3": "warning", "4": "informational", "5": "verbose", "0": "informational",
    "info": "informational",
}  # fmt: skip
_STATUS_FAILED = frozenset(("4768", "4769", "4770", "4771", "4776"))
_KEPT = 4096  # characters of one value of the data
_NAMES = 200  # data kept


def parse(line: Line) -> dict[str, Value] | None:
    """The event; None when the message is none of Windows."""
    if line.document is not None and isinstance(line.document.get("winlog"), Mapping):
        return _of_beat(line.document)
    record = record_of(line)
    return None if record is None or not record.event_id else _event_of(record)


def _event_of(record: Record) -> dict[str, Value]:
    system, event_id = record.system, record.event_id
    modern = _modern(record)
    group, meaning = meaning_of(system.get("provider", ""), system.get("channel", ""), modern)
    fields = dict(meaning)
    fields["event.code"] = event_id
    fields["winlog.event_id"] = event_id
    for slot, name in (
        ("channel", "winlog.channel"), ("provider", "winlog.provider_name"), ("computer", "winlog.computer_name"),
        ("record_id", "winlog.record_id"), ("task", "winlog.task"), ("opcode", "winlog.opcode"), ("time",
        "@timestamp"),
        ("provider", "event.provider"), ("computer", "host.name"), ("message", "message"), ("user_sid",
        "winlog.user.identifier"),
    ):  # fmt: skip
        put(fields, name, system.get(slot))
    for slot, name in (("pid", "winlog.process.pid"), ("tid", "winlog.process.thread.id")):
        written = number(system.get(slot, ""))
        if written is not None:
            fields[name] = written
    for name, value in list(record.data.items())[:_NAMES]:
        if value not in ("", "-"):
            fields[_data_name(name[:128])] = value[:_KEPT]
    _add_outcome(fields, record, modern)
    level = system.get("level", "").lower()
    if level in _LEVELS or level.isalpha():
        fields["log.level"] = _LEVELS.get(level, level)
    add_data(fields, record, modern, group)
    add_more(fields, record, modern, group)
    if "user.name" not in fields:
        put(fields, "user.name", system.get("user"))
    if "dns.question.name" in fields:
        fields.setdefault("network.protocol", "dns")
    if "linux" in system.get("provider", "").lower():  # Sysmon for Linux writes the same XML
        fields |= {"host.os.type": "linux", "host.os.family": "linux"}
    if "process.pid" not in fields and "winlog.process.pid" in fields:
        fields["process.pid"] = fields["winlog.process.pid"]
    return fields


@lru_cache(maxsize=8192)
def _data_name(name: str) -> str:
    return f"winlog.event_data.{name.replace('.', '_')}"


def _modern(record: Record) -> str:
    """The number that an event of before Vista has since: 540 is 4636's kind, a logon is one number now."""
    number_ = int(record.event_id)
    if not 512 <= number_ <= 861 or "security" not in (
        record.system.get("provider", "").lower(), record.system.get("channel", "").lower()
    ):  # fmt: skip
        return record.event_id
    if number_ in (528, 540):
        return "4624"
    return "4625" if 529 <= number_ <= 539 else str(number_ + 4096)


def _add_outcome(fields: dict[str, Value], record: Record, event_id: str) -> None:
    """Audited: as its keywords say, or the status of what was asked for; else as the catalogue says."""
    told = f"{record.system.get('keywords', '')} {record.system.get('event_type', '')} {record.system.get('level', '')}"
    if _FAILURE.search(told):
        fields["event.outcome"] = "failure"
    elif _SUCCESS.search(told):
        fields["event.outcome"] = "success"
    elif event_id in _STATUS_FAILED and "event.outcome" not in fields:
        status = number(record.get("Status"))
        if status is not None:
            fields["event.outcome"] = "failure" if status else "success"


def _of_beat(document: Mapping[str, Any]) -> dict[str, Value]:
    """Winlogbeat, Elastic Agent: ECS already; what they left open is filled as for any other carrier."""
    own = fields_of_ecs(document)
    original = own.pop("event.original", None)
    record = Record()
    if isinstance(original, str) and "<EventID" in original:
        record = of_xml(original) or record
    for name, value in own.items():
        if name.startswith(("winlog.event_data.", "winlog.user_data.")):
            record.data[name.split(".", 2)[2]] = str(value)
    for slot, name in (
        ("event_id", "winlog.event_id"), ("event_id", "event.code"), ("channel", "winlog.channel"), ("time",
        "@timestamp"),
        ("provider", "winlog.provider_name"), ("computer", "winlog.computer_name"), ("keywords", "winlog.keywords"),
        ("message", "message"), ("record_id", "winlog.record_id"), ("pid", "winlog.process.pid"), ("level",
        "log.level"),
    ):  # fmt: skip
        told = own.get(name)
        if told not in (None, ""):
            record.system.setdefault(slot, ", ".join(map(str, told)) if isinstance(told, tuple) else str(told))
    if not record.data and "message" in own:
        record.data = data_of(str(own["message"]))
    if not record.event_id:
        return {"event.category": ("host",), "event.type": ("info",), **own}
    fields = _event_of(record)
    for name in ("event.action", "event.code", "winlog.event_id"):  # rules rely on our word and form
        if name in fields:
            own.pop(name, None)
    return fields | own
