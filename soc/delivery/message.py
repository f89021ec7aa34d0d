"""What is told: one alert, several at once, or that detection stands still. Pure: facts in, text and document out.

Titles, devices and group values may hold what a stranger wrote: no control characters leave here, and
the events themselves are not sent, because a raw line can hold a secret.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from soc.alert import Alert, Level

_NAMESPACE = UUID("0f5b8a34-6a2f-5b7e-8f5d-2a0e6f1c7d43")
MOST_LISTED = 50
_LONGEST = 300  # characters of one value
# Of fields that hold what somebody typed, only the first word is sent: behind it there may be a password.
_TYPED = frozenset({"process.command_line", "url.full", "url.original", "url.query", "event.original", "message"})
_FIRST_WORD = re.compile(r"[\w./\\:-]{1,60}(?=[\s?#]|$)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

_WORDS = {
    "vi": {
        "low": "thấp",
        "medium": "trung bình",
        "high": "cao",
        "critical": "nghiêm trọng",
        "informational": "thông tin",
        "level": "Mức",
        "device": "Thiết bị",
        "site": "Điểm",
        "first": "Lần đầu",
        "last": "Lần cuối",
        "events": "Số sự kiện",
        "rule": "Luật",
        "open": "Mở",
        "alerts": "cảnh báo",
        "more": "và {n} cảnh báo nữa: xem trên bảng điều khiển",
        "stopped": "Bộ phát hiện không còn hoạt động",
        "stopped_text": "Bộ phát hiện không có tiến triển từ {since}. Cảnh báo mới có thể không được đưa ra.",
        "back": "Bộ phát hiện đã hoạt động trở lại",
        "back_text": "Bộ phát hiện hoạt động trở lại lúc {at}, sau khi dừng từ {since}.",
        "test": "Tin thử",
        "test_text": "Kênh {channel} nhận được tin của Canh. Không cần làm gì.",
    },
    "en": {
        "low": "low",
        "medium": "medium",
        "high": "high",
        "critical": "critical",
        "informational": "informational",
        "level": "Level",
        "device": "Device",
        "site": "Site",
        "first": "First seen",
        "last": "Last seen",
        "events": "Events",
        "rule": "Rule",
        "open": "Open",
        "alerts": "alerts",
        "more": "and {n} more: see the console",
        "stopped": "Detection stands still",
        "stopped_text": "Detection made no progress since {since}. New alerts may not be raised.",
        "back": "Detection works again",
        "back_text": "Detection works again since {at}; it had stood still since {since}.",
        "test": "Test message",
        "test_text": "Channel {channel} receives Canh's messages. Nothing has to be done.",
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An alert as it is told: with its title in the language of who reads it."""

    alert: Alert
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Ready to be sent. `id` is the same when it is sent again."""

    id: str
    level: Level
    subject: str
    text: str
    document: dict[str, Any] = field(default_factory=dict)


def of_alerts(told: Sequence[Told], *, channel: str, language: str, console: str, zone: ZoneInfo) -> Message:
    """One alert, or several in one message, the worst first."""
    ordered = sorted(told, key=lambda one: (-one.alert.level.rank, one.alert.raised_at, one.alert.id))
    ids = sorted(one.alert.id for one in ordered)
    worst, word = ordered[0], _WORDS[language]
    document = {
        "kind": "alerts",
        "id": _id(channel, *ids),
        "alerts": [_document(one, console) for one in ordered[:MOST_LISTED]],
        "count": len(ordered),
    }
    if len(ordered) == 1:
        subject = f"[{word[worst.alert.level]}] {clean(worst.title)}" + _at(worst.alert)
        text = "\n".join(_lines(worst, word, console, zone))
    else:
        subject = f"[{word[worst.alert.level]}] {len(ordered)} {word['alerts']}: {clean(worst.title)}"
        parts = [f"[{word[o.alert.level]}] {clean(o.title)}{_at(o.alert)}" for o in ordered[:MOST_LISTED]]
        links = [f"{console}/alerts/{o.alert.id}" if console else "" for o in ordered[:MOST_LISTED]]
        text = "\n".join(f"{part}\n  {link}" if link else part for part, link in zip(parts, links, strict=True))
        if len(ordered) > MOST_LISTED:
            text += "\n" + word["more"].format(n=len(ordered) - MOST_LISTED)
    return Message(id=str(document["id"]), level=worst.alert.level, subject=subject, text=text, document=document)


def of_dead_man(
    *, channel: str, language: str, zone: ZoneInfo, since: datetime, at: datetime, is_back: bool
) -> Message:
    """Detection stands still since `since`, told at `at`; or works again."""
    word = _WORDS[language]
    kind = "back" if is_back else "stopped"
    text = word[f"{kind}_text"].format(since=_clock(since, zone), at=_clock(at, zone))
    level = Level.LOW if is_back else Level.CRITICAL
    made = _id(channel, f"dead-man-{kind}", since.isoformat(), at.isoformat())
    document = {"kind": f"detection-{kind}", "id": made, "since": since.isoformat(), "at": at.isoformat()}
    return Message(id=made, level=level, subject=f"[{word[level]}] {word[kind]}", text=text, document=document)


def of_test(*, channel: str, language: str, at: datetime) -> Message:
    word, made = _WORDS[language], _id(channel, "test", at.isoformat())
    document = {"kind": "test", "id": made, "at": at.isoformat()}
    text = word["test_text"].format(channel=channel)
    return Message(id=made, level=Level.LOW, subject=word["test"], text=text, document=document)


def clean(text: str) -> str:
    """A value in one line, without control characters, cut when it is very long."""
    done = _CONTROL.sub(" ", text)
    return done if len(done) <= _LONGEST else done[: _LONGEST - 1] + "…"


def _sent(name: str, value: str) -> str:
    """A value of the group as it leaves: of a command only its name."""
    if name not in _TYPED:
        return clean(value)
    first = _FIRST_WORD.match(value)
    word = first[0] if first else ""
    return word if word == value else f"{word} …".strip()


def _lines(one: Told, word: dict[str, str], console: str, zone: ZoneInfo) -> list[str]:
    alert = one.alert
    lines = [clean(one.title), ""]
    lines.append(f"{word['level']}: {word[alert.level]}")
    if alert.device:
        lines.append(f"{word['device']}: {clean(alert.device)}")
    if alert.site:
        lines.append(f"{word['site']}: {clean(alert.site)}")
    lines += [f"{clean(name)}: {_sent(name, value)}" for name, value in alert.group]
    lines.append(f"{word['events']}: {alert.count}")
    lines.append(f"{word['first']}: {_clock(alert.first_seen, zone)}")
    lines.append(f"{word['last']}: {_clock(alert.last_seen, zone)}")
    lines.append(f"{word['rule']}: {clean(alert.rule_id)}")
    if console:
        lines += ["", f"{word['open']}: {console}/alerts/{alert.id}"]
    return lines


def _document(one: Told, console: str) -> dict[str, Any]:
    alert = one.alert
    return {
        "id": alert.id,
        "rule_id": clean(alert.rule_id),
        "title": clean(one.title),
        "level": str(alert.level),
        "tags": list(alert.tags),
        "device": clean(alert.device),
        "site": clean(alert.site),
        "group": {clean(name): _sent(name, value) for name, value in alert.group},
        "count": alert.count,
        "first_seen": alert.first_seen.isoformat(),
        "last_seen": alert.last_seen.isoformat(),
        "raised_at": alert.raised_at.isoformat(),
        "url": f"{console}/alerts/{alert.id}" if console else "",
    }


def _at(alert: Alert) -> str:
    return f" ({clean(alert.device)})" if alert.device else ""


def _clock(when: datetime, zone: ZoneInfo) -> str:
    return when.astimezone(zone).strftime("%d/%m/%Y %H:%M:%S")


def _id(channel: str, *parts: str) -> str:
    return str(uuid5(_NAMESPACE, "\0".join((channel, *parts))))
