"""Polls: `snmp.system`, `snmp.interface`, `snmp.metric` and what changed; `snmp.failure` where nothing answered."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from monitoring.event import Value
from monitoring.parsers import Line, ip_text, mapping_of, number_of, text_of
from monitoring.snmp.catalogue import CLEARED, meanings

Fields = dict[str, Value]
_SYSTEM = {"descr": "canh.system.descr", "object_id": "canh.system.object_id", "name": "canh.system.name",
           "contact": "canh.system.contact", "location": "canh.system.location"}  # fmt: skip
_INTERFACE = {
    "index": "observer.ingress.interface.id",
    "name": "observer.ingress.interface.name",
    "alias": "observer.ingress.interface.alias",
    "admin_status": "canh.interface.admin_status",
    "oper_status": "canh.interface.oper_status",
    "type": "canh.interface.type",
    "link": "canh.interface.link",
}
_NUMBERS = (
    "speed_bps",
    "contract_bps",
    "counter_bits",
    "interval_s",
    "in_bps",
    "out_bps",
    "in_errors_per_s",
    "out_errors_per_s",
)
_METRIC: Fields = {"event.category": ("host",), "event.type": ("info",)}
_IDENTITY = {"version": "version-polled", "serial": "serial-changed", "engine": "snmp-engine-changed"}


def parse(line: Line) -> Fields | None:
    """The fields of a poll; None for JSON that is not ours."""
    try:
        poll = json.loads(line.text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(poll, dict) or not isinstance(poll.get("kind"), str) or poll["kind"] not in _KINDS:
        return None
    dataset, add = _KINDS[poll["kind"]]
    fields: Fields = {"event.dataset": dataset, "canh.device": text_of(poll.get("device"))}
    add(fields, poll)
    if "event.action" in fields:  # something happened; the others are measurements
        fields["event.kind"] = "event"
    return {key: value for key, value in fields.items() if value != ""}


def _add_system(fields: Fields, poll: dict[str, Any]) -> None:
    system = mapping_of(poll.get("system"))
    for key, field in _SYSTEM.items():
        fields[field] = text_of(system.get(key))
    fields |= {"event.category": ("host",), "event.type": ("info",), "event.outcome": "success"}
    if poll.get("restarted") is True:
        fields |= meanings()["device-restarted"]
    _add_numbers(fields, poll, "canh.system.", ("uptime_ms", "took_ms"))
    fields["message"] = f"{fields['canh.device']} answers: up {number_of(poll.get('uptime_ms')) or 0} ms"


def _add_interface(fields: Fields, poll: dict[str, Any]) -> None:
    for key, field in _INTERFACE.items():
        fields[field] = text_of(poll.get(key))
    fields |= {"event.category": ("network",), "event.type": ("info",)}
    if poll.get("change") in ("down", "up"):
        fields |= meanings()[f"interface-{poll['change']}"]
    fields["canh.if.admin"] = text_of(poll.get("admin_status"))
    counters = mapping_of(poll.get("counters"))
    _add_numbers(fields, counters, "canh.interface.", tuple(counters))
    _add_numbers(fields, poll, "canh.interface.", _NUMBERS)
    _add_numbers(fields, poll, "canh.system.", ("uptime_ms",))
    states = f"admin {text_of(poll.get('admin_status'))}, oper {text_of(poll.get('oper_status'))}"
    fields["message"] = f"{fields['canh.device']} {text_of(poll.get('name'))}: {states}"


def _add_metric(fields: Fields, poll: dict[str, Any]) -> None:
    name, instance = text_of(poll.get("name")), text_of(poll.get("instance"))
    fields |= _METRIC | {
        "canh.metric.name": name,
        "canh.metric.instance": instance,
        "observer.ingress.interface.name": text_of(poll.get("interface")),
        "canh.interface.link": text_of(poll.get("link")),
        "message": f"{fields['canh.device']} {name}{f' {instance}' if instance else ''} {text_of(poll.get('value'))}",
    }
    _add_numbers(fields, poll, "canh.metric.", ("value",))


def _add_state(fields: Fields, poll: dict[str, Any]) -> None:
    action, cleared = text_of(poll.get("action")), text_of(poll.get("cleared"))
    fields |= meanings().get(cleared or action, _METRIC)
    if cleared == CLEARED:
        fields["canh.alarm"] = action
    part, instance, state = (text_of(poll.get(key)) for key in ("part", "instance", "state"))
    fields |= {
        "canh.entity.name": instance,
        "canh.entity.state": state,
        "message": f"{fields['canh.device']} {part} {instance}: {state}, was {text_of(poll.get('was')) or 'well'}",
    }


def _add_neighbour(fields: Fields, poll: dict[str, Any]) -> None:
    action = "routing-neighbor-up" if poll.get("is_up") is True else "routing-neighbor-down"
    protocol, was, state = (text_of(poll.get(key)) for key in ("protocol", "was", "state"))
    fields |= {
        **meanings()[action],
        "network.protocol": protocol,
        "canh.nbr.ip": ip_text(text_of(poll.get("ip"))) or "",
        "canh.nbr.id": text_of(poll.get("id")),
        "canh.nbr.state": state,
        "message": f"{fields['canh.device']} {protocol} neighbour {text_of(poll.get('ip'))}: {state}, was {was}",
    }


def _add_lldp(fields: Fields, poll: dict[str, Any]) -> None:
    name, interface = text_of(poll.get("name")), text_of(poll.get("interface"))
    now, was = name or "somebody", text_of(poll.get("was")) or "nobody"
    fields |= {
        **meanings()["lldp-neighbor-changed"],
        "network.protocol": "lldp",
        "observer.ingress.interface.name": interface,
        "canh.nbr.name": name,
        "canh.nbr.id": text_of(poll.get("id")),
        "canh.nbr.port": text_of(poll.get("port")),
        "canh.port.role": text_of(poll.get("role")),
        "canh.interface.link": text_of(poll.get("link")),
        "message": f"{fields['canh.device']} {interface}: {now} now, was {was}",
    }


def _add_identity(fields: Fields, poll: dict[str, Any]) -> None:
    what, was, now = (text_of(poll.get(key)) for key in ("what", "was", "now"))
    fields |= meanings().get(_IDENTITY.get(what, ""), _METRIC)
    fields |= {
        {"version": "canh.image.version", "engine": "canh.snmp.engine_id"}.get(what, "observer.serial_number"): now,
        "canh.previous": was,
        "message": f"{fields['canh.device']} {what} {now}, was {was or 'not known'}",
    }


def _add_failure(fields: Fields, poll: dict[str, Any]) -> None:
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


def _add_numbers(fields: Fields, values: dict[str, Any], prefix: str, keys: tuple[str, ...]) -> None:
    for key in keys:
        number = number_of(values.get(key))
        if number is not None:
            fields[prefix + key] = number


_KINDS: dict[str, tuple[str, Callable[[Fields, dict[str, Any]], None]]] = {
    "system": ("snmp.system", _add_system),
    "interface": ("snmp.interface", _add_interface),
    "metric": ("snmp.metric", _add_metric),
    "state": ("snmp.state", _add_state),
    "neighbour": ("snmp.neighbour", _add_neighbour),
    "lldp": ("snmp.neighbour", _add_lldp),
    "identity": ("snmp.identity", _add_identity),
    "failure": ("snmp.failure", _add_failure),
}
