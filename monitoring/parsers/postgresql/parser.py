"""PostgreSQL: whatever prefix a site has set, `LEVEL:  text` follows it; csvlog and jsonlog have columns and keys."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import yaml

from monitoring.event import Value
from monitoring.parsers import Line, csv_of, put
from monitoring.parsers._rules import RuleSet

_LEVELS = "LOG|ERROR|FATAL|PANIC|WARNING|NOTICE|DETAIL|HINT|STATEMENT|CONTEXT|QUERY|LOCATION|INFO|DEBUG[1-5]?"
_LINE = re.compile(
    rf"(?:\[\d{{1,9}}(?:-\d{{1,9}})?\] )?(?P<prefix>.{{0,512}}?)(?<![A-Za-z])(?P<level>{_LEVELS}): {{1,2}}(?:"
    rf"(?P<code>(?!AUDIT)[0-9A-Z]{{5}}): )?(?P<text>.*)",
    re.DOTALL,
)
_WHEN = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?(?: [A-Z]{2,5}\b| [+-]\d{2,4}\b)?|\b\d{10}\.\d{3}\b")
_PID = re.compile(r"\[(\d{1,10})(?:-\d{1,9})?\]|(?:^|\s)(\d{2,10})(?=[\s:]|$)|:(\d{2,10}):")
_WHO = re.compile(r"(?<![\w.])([\w.-]{1,63}|\[unknown\])@([\w.-]{1,63}|\[unknown\])")
_PAIR = re.compile(r"\b(user|db|app|client|database|host)=([^,\s]{0,255})")
_FROM = re.compile(r"((?:\d{1,3}\.){3}\d{1,3}|[0-9a-fA-F]{0,4}:[0-9a-fA-F:]{3,40})\((\d{1,5})\)")
_ALONE = re.compile(r"(?:^|\s)((?:\d{1,3}\.){3}\d{1,3}|[0-9a-fA-F]{1,4}:[0-9a-fA-F:]{3,40})(?=\s|$)")
_CSV = ("when", "user", "database", "pid", "from", "session", "number", "tag", "session_start", "vtx", "tx", "level",
        "code", "message", "detail", "hint", "internal", "internal_at", "context", "query", "query_at", "location",
        "app", "backend")  # fmt: skip
_JSON = {"timestamp": "when", "user": "user", "dbname": "database", "pid": "pid", "remote_host": "host",
         "remote_port": "port", "ps": "tag", "error_severity": "level", "state_code": "code", "message": "message",
         "detail": "detail", "statement": "query", "application_name": "app", "backend_type": "backend"}  # fmt: skip
_WORDS = RuleSet.of(yaml.safe_load(Path(__file__).with_name("words.yaml").read_text("utf-8")))
_BAD = frozenset(("ERROR", "FATAL", "PANIC"))


def parse(line: Line) -> dict[str, Value] | None:
    """What the server says; None for a line that is not its own."""
    if line.document is not None:
        return _columns({name: line.document.get(key) for key, name in _JSON.items()}, line)
    if ',"' in line.text[:200] or ",," in line.text[:200]:
        values = csv_of(line.text)
        if len(values) >= 22 and values[3].isdecimal():
            return _columns(dict(zip(_CSV, values, strict=False)), line)
    match = _LINE.match(line.text)
    if match is None:
        own = line.app_name.lower() in ("postgres", "postgresql", "pgpool", "pgbouncer", "patroni")
        return _said({}, line.text, "", "", line) if own else None
    fields: dict[str, Value] = {}
    _add_prefix(fields, match["prefix"])
    put(fields, "event.code", match["code"])
    return _said(fields, match["text"], match["level"], match["code"] or "", line)


def _columns(values: Mapping[str, object], line: Line) -> dict[str, Value]:
    fields: dict[str, Value] = {}
    for name, field in (("when", "@timestamp"), ("user", "user.name"), ("database", "canh.db.name"),
                        ("pid", "process.pid"), ("from", "source.ip"), ("host", "source.ip"),
                        ("port", "source.port"), ("tag", "canh.db.command"),
                        ("code", "event.code"), ("query", "canh.db.query"), ("app", "canh.db.application"),
                        ("detail", "event.reason")):  # fmt: skip
        if field not in fields:
            put(fields, field, values.get(name))
    return _said(
        fields, str(values.get("message") or ""), str(values.get("level") or ""), str(values.get("code") or ""), line
    )


def _add_prefix(fields: dict[str, Value], prefix: str) -> None:
    when = _WHEN.search(prefix)
    if when is not None:
        fields["@timestamp"] = when[0]
        prefix = prefix[: when.start()] + " " + prefix[when.end() :]
    for key, value in _PAIR.findall(prefix):
        put(fields, {"user": "user.name", "app": "canh.db.application", "client": "source.ip", "host": "source.ip"}.get(
            key, "canh.db.name"), "" if value == "[unknown]" else value)  # fmt: skip
    who = _WHO.search(prefix)
    if who is not None and "user.name" not in fields:
        put(fields, "user.name", who[1].replace("[unknown]", ""))
        put(fields, "canh.db.name", who[2].replace("[unknown]", ""))
    origin = _FROM.search(prefix)
    if origin is not None:
        put(fields, "source.ip", origin[1])
        put(fields, "source.port", origin[2])
    elif "source.ip" not in fields:
        alone = _ALONE.search(prefix)
        put(fields, "source.ip", None if alone is None else alone[1])
    pid = _PID.search(prefix)
    if pid is not None:
        put(fields, "process.pid", pid[1] or pid[2] or pid[3])


def _said(fields: dict[str, Value], text: str, level: str, code: str, line: Line) -> dict[str, Value]:
    """What the sentence tells, below what the columns or the prefix did."""
    if level:
        fields["log.level"] = level.lower()
    fields["message"] = text
    told = _WORDS.parse(line._replace(text=text, app_name=""))
    if told is not None:
        for name, value in told.items():
            if name.startswith("event.") or name not in fields:
                fields[name] = value
    if level in _BAD:
        fields.setdefault("event.outcome", "failure")
        fields.setdefault("event.type", ("error",))
        if "event.action" not in fields:
            fields["event.action"] = "db-error"
            fields.setdefault("event.reason", text[:512])
    return fields
