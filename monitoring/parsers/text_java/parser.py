"""Lines of Java's logging libraries: the time, the level, where it is from; then a sentence whose words are read."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, flat_of, put
from monitoring.parsers._infer import infer
from monitoring.parsers.generic_text.parser import add_words

_WHEN = r"\[?(?P<when>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[,.]\d{3}(?: ?[+-]\d\d:?\d\d|Z)?)\]?,? {0,3}"
_LEVEL = r"\[?(?P<level>TRACE|DEBUG|INFO|WARN|WARNING|ERROR|FATAL|SEVERE|CRITICAL|NOTICE) {0,3}\]?"
_LINES = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (
        rf"{_WHEN}{_LEVEL} ?\[(?P<logger>[^\]]{{1,255}}?) *\] {{0,2}}(?:\[(?P<node>[^\]]{{0,255}})\] ?)?\(?(?:"
        rf"(?P<thread>[^()]{{1,128}})\) )?(?P<text>.*)",
        rf"{_WHEN}{_LEVEL} \((?P<thread>[^)]{{1,128}})\) \[?(?P<logger>[^\s\]]{{1,255}})\]?:? (?P<text>.*)",
        rf"{_WHEN}\[(?P<thread>[^\]]{{1,128}})\] {_LEVEL} {{0,3}}(?P<logger>[\w.$/-]{{1,255}})(?: -|:)? (?P<text>.*)",
        rf"{_LEVEL} {{0,3}}\[(?P<thread>[^\]]{{1,128}})\] {_WHEN}(?P<text>.*)",
        rf"{_WHEN} ?\| {_LEVEL} {{0,3}}\| (?P<text>.*?) \| (?P<logger>[\w.$-]{{1,255}}) \| (?P<thread>.{{1,128}})\Z",
        rf"{_WHEN}- {_LEVEL} {{1,3}}\[(?P<thread>.{{1,128}}?)@\d{{1,6}}\] - (?P<text>.*)",
        rf"(?P<short>\d\d/\d\d/\d\d \d\d:\d\d:\d\d) {_LEVEL} (?P<logger>[\w.$]{{1,255}}): (?P<text>.*)",
        rf"{_WHEN}{_LEVEL} {{1,3}}(?P<text>.*)",
    )
)
_WEBLOGIC = re.compile(r"#{2,4}<([^<>]{10,64})> <(\w{1,16})> <([^<>]{1,64})> <([^<>]{0,255})> <([^<>]{0,255})> "
                       r"(?:<[^>]{0,512}>+ ){0,6}?"
                       r"(?:<(\d{13})> )?(?:<[^>]{0,512}> )?<([A-Z]{2,16}-\d{3,7})> <(.*)> ?\Z", re.DOTALL)  # fmt: skip
_LOGGER_LAST = re.compile(r" \(([\w.$]{3,255})\)\Z")
_NO_NODE = re.compile(
    r"(?i)(?:req|request|trace|span|corr|thread|main|worker|pool|exec)\b|[0-9a-f-]{8,36}\Z|.{0,64}[, =]"
)
_FROM = {"level": "log.level", "logger": "log.logger", "thread": "process.thread.name", "when": "@timestamp"}
_KEYS = {
    "timestamp": "@timestamp", "@timestamp": "@timestamp", "level": "log.level", "component": "log.logger",
    "logger_name": "log.logger", "loggerName": "log.logger", "message": "message", "cluster.name": "canh.cluster.name",
    "node.name": "host.name", "thread_name": "process.thread.name", "threadName": "process.thread.name",
}  # fmt: skip


def parse(line: Line) -> dict[str, Value] | None:
    """The event of a line; None when it is in none of these orders."""
    fields: dict[str, Value] = {}
    if line.document is not None:
        pairs = flat_of(line.document)
        for key, field in _KEYS.items():
            put(fields, field, pairs.get(key))
        text = str(pairs.get("message", ""))
    else:
        if line.text.startswith("##"):
            return _weblogic(line.text)
        match = next((found for pattern in _LINES if (found := pattern.match(line.text)) is not None), None)
        if match is None:
            return None
        for name, value in match.groupdict().items():
            if name in _FROM:
                put(fields, _FROM[name], value)
        text = match["text"]
        short = match.groupdict().get("short")
        if short:  # Spark's: year, month, day
            fields["@timestamp"] = f"20{short.replace('/', '-')}"
        node = match.groupdict().get("node") or ""
        if _NO_NODE.match(node) is None:
            put(fields, "host.name", node)
        last = _LOGGER_LAST.search(text)
        if last is not None:
            fields.setdefault("log.logger", last[1])
            text = text[: last.start()]
        fields["message"] = text
    level = str(fields.get("log.level", "")).lower()
    if level:
        fields["log.level"] = level
    add_words(fields, text)
    if "source.ip" in fields or "user.name" in fields:
        infer(fields, text)
    elif level in ("error", "fatal", "severe"):
        fields.setdefault("event.outcome", "failure")
    return fields


def _weblogic(text: str) -> dict[str, Value] | None:
    """`####<time> <level> <subsystem> <host> <server> ... <BEA-000000> <text>`."""
    match = _WEBLOGIC.match(text)
    if match is None:
        return None
    when, level, subsystem, host, server, epoch, code, message = match.groups()
    fields: dict[str, Value] = {"@timestamp": epoch or when, "log.level": level.lower(), "log.logger": subsystem}
    fields |= {"event.code": code, "message": message}
    put(fields, "host.name", host)
    put(fields, "service.name", server)
    add_words(fields, message)
    return fields
