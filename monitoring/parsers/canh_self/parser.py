"""The platform's own messages, one function a kind: what writes them is `monitoring.usage`, `.watch`, `.certificates`,
`.daily`, `.health` and `.change_watch`."""

from __future__ import annotations

import json
from collections.abc import Callable
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
    meaning = _KINDS.get(text_of(said.get("kind")))
    return None if meaning is None else meaning(said)


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


def _silence(said: dict[str, Any]) -> dict[str, Value]:
    kind = text_of(said.get("kind"))
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


_LAGS = {
    "stopped": "detection stands still",
    "behind": "detection has fallen behind",
    "keeps-up": "detection keeps up again",
}


def _lag(said: dict[str, Any]) -> dict[str, Value]:
    state, behind = text_of(said.get("state")), number_of(said.get("octets_behind")) or 0
    silent_s = number_of(said.get("silent_s")) or 0
    return {
        **_own("detection-lag", is_well=state == "keeps-up"),
        "canh.detection.state": state,
        "canh.detection.octets_behind": behind,
        "canh.detection.silent_s": silent_s,
        "message": f"{_LAGS.get(state, state)}: {behind} octets to go, its last word {silent_s} s ago",
    }


def _rules(said: dict[str, Any]) -> dict[str, Value]:
    count, fewer, refused, more = (number_of(said.get(k)) or 0 for k in ("rules", "fewer", "refused", "more_refused"))
    return {
        **_own("rules-loaded", is_well=not more),
        "event.category": ("configuration",),
        "event.type": ("change",),
        "canh.rules.count": count,
        "canh.rules.fewer": fewer,
        "canh.rules.refused": refused,
        "canh.rules.more_refused": more,
        "message": f"another rule set is in use: {count} rules, {fewer} fewer than before, {refused} refused",
    }


def _counted(said: dict[str, Any]) -> dict[str, Value]:
    kind, reason = text_of(said.get("kind")), text_of(said.get("reason"))
    count, in_all = number_of(said.get("count")) or 0, number_of(said.get("in_all")) or 0
    return {
        **_own(kind, is_well=False),
        "event.reason": reason,
        "canh.metric.name": kind.replace("-", "_"),
        "canh.metric.value": float(count),
        "message": f"{kind}, {reason}: {count} more, {in_all} in all",
    }


def _books(said: dict[str, Any]) -> dict[str, Value]:
    is_well = bool(number_of(said.get("balances")))
    named = ("received", "stored", "dead", "dropped", "missing", "lost_octets")
    counts = {name: said[name] for name in named if isinstance(said.get(name), int)}
    fields: dict[str, Value] = {f"canh.balance.{name}": count for name, count in counts.items()}
    told = ", ".join(f"{name} {count}" for name, count in counts.items())
    how = "every message is accounted for" if is_well else "messages are unaccounted for"
    return {**_own("stats-checked", is_well=is_well), **fields, "message": f"{how}: {told}"}


_RESULTS = {"confirmed": "success", "reverted": "failure", "failed": "failure"}


def _change(said: dict[str, Any]) -> dict[str, Value]:
    kind, result = text_of(said.get("kind")), text_of(said.get("result"))
    change, operator, devices = (text_of(said.get(key)) for key in ("change_id", "operator", "devices"))
    fields: dict[str, Value] = {
        "event.action": kind,
        "event.category": ("configuration",),
        "event.type": {"change-opened": ("start",), "change-closed": ("end",)}.get(kind, ("info",)),
        "canh.change.id": change,
        "canh.change.devices": devices,
        "canh.change.device_count": number_of(said.get("device_count")) or 0,
    }
    if kind != "change-opened":
        fields["event.outcome"] = _RESULTS.get(result, "failure" if kind == "change-overrun" else "unknown")
    if operator:
        fields["canh.change.operator"] = operator
        fields["user.name"] = operator
    if result:
        fields["event.reason"] = result
    how = {"change-opened": "was begun", "change-overrun": "was never ended"}.get(kind, f"ended: {result}")
    fields["message"] = f"change {change} of {operator} on {devices} {how}"
    return fields


def _own(action: str, *, is_well: bool) -> dict[str, Value]:
    return {
        "event.action": action,
        "event.category": ("host",),
        "event.type": ("info",),
        "event.outcome": "success" if is_well else "failure",
    }


_KINDS: dict[str, Callable[[dict[str, Any]], dict[str, Value]]] = {
    "spool-usage": _usage,
    "certificate-checked": _certificate,
    "kpi-computed": _figure,
    "source-silent": _silence,
    "source-returned": _silence,
    "detection-lag": _lag,
    "rules-loaded": _rules,
    "correlation-evicted": _counted,
    "messages-dropped": _counted,
    "letters-dead": _counted,
    "stats-checked": _books,
    "change-opened": _change,
    "change-closed": _change,
    "change-overrun": _change,
}
