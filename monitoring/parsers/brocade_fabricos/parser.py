"""Fabric OS: the two forms of its log; who did it stands between strokes, from where in the sentence."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Parsed, ip_text, put
from monitoring.parsers._network import add_sentence

_AUDIT = re.compile(
    r"(?:\d{1,8} )?AUDIT, ?(?P<time>\d{4}/\d\d/\d\d-\d\d:\d\d:\d\d)(?:\.\d{1,6})? \((?P<zone>[^)]{1,32})\), "
    r"\[(?P<code>[A-Z0-9]{2,9}-\d{4})\], (?P<level>\w{1,16}), (?P<class>\w{1,16}), (?P<user>[^,/]{1,64})/[^,/]{0,64}/"
    r"(?P<ip>[^,/]{0,45})(?:/(?P<way>[^,/]{0,32}))?[^,]{0,64}, (?P<switch>[^,]{0,128}),"
)
_RASLOG = re.compile(
    r"(?P<time>\d{4}/\d\d/\d\d-\d\d:\d\d:\d\d)(?:\.\d{1,6})?, \[(?P<code>[A-Z0-9]{2,9}-\d{4})\], \d{0,10},[^,]{0,64}, "
    r"(?P<level>INFO|WARNING|ERROR|CRITICAL), (?P<switch>[^,]{1,64}), (?P<text>.{0,2048})",
    re.DOTALL,
)
_TOLD = re.compile(
    r"Event: (?P<event>[^,]{1,64})(?:, Status: (?P<status>[^,]{1,32}))?(?:, Info: (?P<info>.{0,2048}))?", re.DOTALL
)
_FROM = re.compile(r"\b(?:IP(?: Addr(?:ess)?)?|from)[: ]{1,3}(?P<ip>[\da-fA-F.:]{3,45})")
_WHO = re.compile(r"\b[Uu]ser(?:name)?[: ]{1,3}\"?(?P<user>[\w.@-]{1,64})")


def parse(line: Line) -> Parsed | None:
    text = line.text[:8192]
    audit = _AUDIT.search(text, 0, 1024)
    found = audit or _RASLOG.search(text)
    if found is None:
        return None
    fields: dict[str, Value] = {"event.code": found["code"], "log.level": found["level"].lower()}
    put(fields, "@timestamp", found["time"].replace("-", " "))
    if audit is None:
        put(fields, "message", found["text"])
        put(fields, "observer.name", found["switch"])
        _add_words(fields, found["text"])
        return fields
    put(fields, "observer.name", found["switch"].rpartition("/")[2] if "/" not in found["switch"] else None)
    if found["user"].upper() not in ("NONE", ""):
        put(fields, "user.name", found["user"])
    put(fields, "source.ip", ip_text(found["ip"] or ""))
    told = _TOLD.search(text)
    if told is not None:
        put(fields, "message", told["info"])
        _add_words(fields, f"{told['event']} {told['status'] or ''} {told['info'] or ''}")
        _add_kind(fields, told["event"].lower(), (told["status"] or told["info"] or "").lower())
    return fields


def _add_kind(fields: dict[str, Value], event: str, status: str) -> None:
    is_bad = any(word in status for word in ("fail", "denied", "invalid"))
    if "login" in event or "logout" in event:
        is_out = "logout" in event
        fields["event.action"] = "logout" if is_out else "login"
        fields["event.category"], fields["event.type"] = ("authentication",), ("end",) if is_out else ("start",)
    else:
        fields["event.category"], fields["event.type"] = ("configuration",), ("change",)
        fields["event.action"] = "config-changed"
    if is_bad:
        fields["event.outcome"] = "failure"
    elif "success" in status:
        fields["event.outcome"] = "success"


def _add_words(fields: dict[str, Value], text: str) -> None:
    where, who = _FROM.search(text), _WHO.search(text)
    address = None if where is None else ip_text(where["ip"].rstrip(".:"))
    if address is not None:
        fields.setdefault("source.ip", address)
    if who is not None and "user.name" not in fields:
        put(fields, "user.name", who["user"])
    user = fields.get("user.name")
    add_sentence(fields, text)
    if user is None:  # the sentence alone says no more than `Login failure`
        fields.pop("user.name", None)
