"""Polls: `snmp.system`, `snmp.interface`, and `snmp.failure` for a device that did not answer."""

from __future__ import annotations

import json
from typing import Any

from monitoring.event import Value
from monitoring.parsers import Line, mapping_of, number_of, text_of

_KINDS = {"system": "snmp.system", "interface": "snmp.interface", "failure": "snmp.failure"}
_SYSTEM = {"descr": "canh.system.descr", "object_id": "canh.system.object_id", "name": "canh.system.name",
           "contact": "canh.system.contact", "location": "canh.system.location"}  # fmt: skip
_INTERFACE = {
    "index": "observer.ingress.interface.id",
    "name": "observer.ingress.interface.name",
    "alias": "observer.ingress.interface.alias",
    "admin_status": "canh.interface.admin_status",
    "oper_status": "canh.interface.oper_status",
    "type": "canh.interface.type",
}
_NUMBERS = ("speed_bps", "interval_s", "in_bps", "out_bps", "in_errors_per_s", "out_errors_per_s")


def parse(line: Line) -> dict[str, Value] | None:
    """The fields of a poll; None for JSON that is not ours."""
    try:
        poll = json.loads(line.text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(poll, dict) or poll.get("kind") not in _KINDS:
        return None
    fields: dict[str, Value] = {"event.dataset": _KINDS[poll["kind"]], "canh.device": text_of(poll.get("device"))}
    {"system": _add_system, "interface": _add_interface, "failure": _add_failure}[poll["kind"]](fields, poll)
    return {key: value for key, value in fields.items() if value != ""}


def _add_system(fields: dict[str, Value], poll: dict[str, Any]) -> None:
    system = mapping_of(poll.get("system"))
    for key, field in _SYSTEM.items():
        fields[field] = text_of(system.get(key))
    fields |= {"event.category": ("host",), "event.type": ("info",), "event.outcome": "success"}
    if poll.get("restarted") is True:
        fields |= {"event.action": "device-restarted", "event.type": ("start",)}
    _add_numbers(fields, poll, "canh.system.", ("uptime_ms", "took_ms"))
    fields["message"] = f"{fields['canh.device']} answers: up {number_of(poll.get('uptime_ms')) or 0} ms"


def _add_interface(fields: dict[str, Value], poll: dict[str, Any]) -> None:
    for key, field in _INTERFACE.items():
        fields[field] = text_of(poll.get(key))
    fields |= {"event.category": ("network",), "event.type": ("info",)}
    counters = mapping_of(poll.get("counters"))
    _add_numbers(fields, counters, "canh.interface.", tuple(counters))
    _add_numbers(fields, poll, "canh.interface.", _NUMBERS)
    states = f"admin {text_of(poll.get('admin_status'))}, oper {text_of(poll.get('oper_status'))}"
    fields["message"] = f"{fields['canh.device']} {text_of(poll.get('name'))}: {states}"


def _add_failure(fields: dict[str, Value], poll: dict[str, Any]) -> None:
    reason, detail = text_of(poll.get("reason")), text_of(poll.get("detail"))
    fields |= {
        "event.action": "poll-failed",
        "event.category": ("host",),
        "event.type": ("info",),
        "event.outcome": "failure",
        "event.reason": reason,
        "message": f"{fields['canh.device']} does not answer: {reason}: {detail}",
    }
    _add_numbers(fields, poll, "canh.poll.", ("failures",))


def _add_numbers(fields: dict[str, Value], values: dict[str, Any], prefix: str, keys: tuple[str, ...]) -> None:
    for key in keys:
        number = number_of(values.get(key))
        if number is not None:
            fields[prefix + key] = number
