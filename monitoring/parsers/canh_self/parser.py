"""The platform's own messages: `spool-usage`, `source-silent`, `source-returned`, `certificate-checked`,
`kpi-computed`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from monitoring.event import Value
from monitoring.parsers import Line, number_of, text_of

_LEVELS = {
    "normal": "has room again",
    "alert": "is filling: whoever reads it has fallen behind",
    "tcp-waits": "is nearly full: senders over TCP have to wait",
}


def parse(line: Line) -> dict[str, Value] | None:
    """The fields of a message; None for JSON that is not ours."""
    try:
        said = json.loads(line.text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    kind = text_of(said.get("kind"))
    if kind == "spool-usage":
        return _usage(said)
    if kind == "certificate-checked":
        return _certificate(said)
    if kind == "kpi-computed":
        return _figure(said)
    return _silence(kind, said) if kind in ("source-silent", "source-returned") else None


def _usage(said: dict[str, Any]) -> dict[str, Value]:
    level, name = text_of(said.get("level")), text_of(said.get("spool"))
    percent = number_of(said.get("used_percent")) or 0
    return {
        "event.action": "spool-usage",
        "event.category": ("host",),
        "event.type": ("info",),
        "event.outcome": "success" if level == "normal" else "failure",
        "canh.spool.name": name,
        "canh.spool.level": level,
        "canh.spool.used_percent": percent,
        "canh.spool.budget_octets": number_of(said.get("budget_octets")) or 0,
        "message": f"the spool {name} {_LEVELS.get(level, level)} ({percent} % of its budget)",
    }


def _certificate(said: dict[str, Any]) -> dict[str, Value]:
    name, left = text_of(said.get("name")), number_of(said.get("days_left"))
    days = left if left is not None else 0
    return {
        "event.action": "certificate-checked",
        "event.category": ("configuration",),
        "event.type": ("info",),
        "event.outcome": "success" if days > 0 else "failure",
        "canh.cert.name": name,
        "canh.cert.purpose": text_of(said.get("purpose")),
        "canh.cert.days_left": days,
        "canh.cert.expires": text_of(said.get("expires")),
        "canh.cert.sha256": text_of(said.get("sha256")),
        "message": f"the certificate {name} is valid for {days} days"
        if days > 0
        else f"the certificate {name} has expired",
    }


def _figure(said: dict[str, Any]) -> dict[str, Value]:
    """The use of a link in one direction; without a value there were too few samples."""
    link, direction = text_of(said.get("link")), text_of(said.get("direction"))
    judgement, value, samples = text_of(said.get("judgement")), said.get("value"), number_of(said.get("samples")) or 0
    into = "into" if direction == "inbound" else "out of"
    fields: dict[str, Value] = {
        "event.action": "kpi-computed",
        "event.category": ("network",),
        "event.type": ("info",),
        "event.outcome": {"within": "success", "over": "failure"}.get(judgement, "unknown"),
        "event.reason": judgement,
        "network.direction": direction,
        "canh.device": text_of(said.get("device")),
        "canh.interface.link": link,
        "canh.interface.contract_bps": number_of(said.get("contract_bps")) or 0,
        "canh.metric.name": text_of(said.get("name")),
        "canh.metric.from": text_of(said.get("from")),
        "canh.metric.to": text_of(said.get("to")),
        "canh.metric.samples": samples,
    }
    what = f"too few samples of seven days ({samples})"
    if isinstance(value, int | float) and not isinstance(value, bool):
        fields["canh.metric.value"] = float(value)
        what = f"95th percentile {value} % of the contracted rate"
    fields["message"] = f"{link} {into} {text_of(said.get('site'))}: {what}"
    return fields


def _silence(kind: str, said: dict[str, Any]) -> dict[str, Value]:
    device, is_silent = text_of(said.get("device")), kind == "source-silent"
    limit, since, last = (number_of(said.get(key)) for key in ("limit_s", "silent_s", "last_s"))
    fields: dict[str, Value] = {
        "event.action": kind,
        "event.category": ("host",),
        "event.type": ("end",) if is_silent else ("start",),
        "event.outcome": "failure" if is_silent else "success",
        "canh.device": device,
        "canh.heartbeat.limit_s": limit or 0,
    }
    if last is not None and 0 <= last < 4e9:
        fields["canh.heartbeat.last"] = datetime.fromtimestamp(last, UTC).isoformat(timespec="microseconds")[:26] + "Z"
        fields["canh.heartbeat.silent_s"] = since or 0
    if not is_silent:
        heard = "sends logs again" if last is not None else "sends its first logs"
    elif last is None:
        heard = "has never sent a log"
    else:
        heard = f"has sent no log for {since} s"
    fields["message"] = f"{device} {heard} (usual: {limit} s at most)" if is_silent else f"{device} {heard}"
    return fields
