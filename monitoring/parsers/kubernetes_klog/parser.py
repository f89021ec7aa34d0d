"""klog's `I1122 10:15:04.123456 811 file.go:12] text key=value` and logrus's `time= level= msg=`."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, add_common, pairs_of, put
from monitoring.parsers._infer import infer
from monitoring.parsers.generic_text.parser import add_words

_KLOG = re.compile(
    r"([IWEF])(\d\d)(\d\d) (\d\d:\d\d:\d\d\.\d{6}) {1,8}(\d{1,10}) ([\w./-]{1,64}:\d{1,6})\] (.*)", re.DOTALL
)
_LEVELS = {"I": "info", "W": "warning", "E": "error", "F": "fatal"}
# What a daemon's pairs tell of a request or of a login; the others are the daemon's own.
_TOLD = (
    "source.ip", "source.port", "destination.ip", "destination.port", "user.name", "http.request.method",
    "http.response.status_code", "url.path", "url.original", "url.query", "url.domain", "user_agent.original",
)  # fmt: skip
_SOURCES = ("srcIP", "remote", "remote_addr", "remoteAddr", "remoteAddress", "client_ip", "http.request.remoteaddr")
_VERBS, _STATUSES = ("verb", "method", "http.request.method"), ("resp", "status", "http.response.status")
_STATUS = "http.response.status_code"
_URIS = ("URI", "uri", "path", "http.request.uri")
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def parse(line: Line) -> dict[str, Value] | None:
    """What the daemon says."""
    fields: dict[str, Value] = {}
    text = line.text
    klog = _KLOG.match(text)
    if klog is not None:
        level, month, day, clock, pid, origin, text = klog.groups()
        if 1 <= int(month) <= 12:
            fields["@timestamp"] = f"{_MONTHS[int(month) - 1]} {day} {clock}"
        fields |= {"log.level": _LEVELS[level], "process.pid": int(pid), "log.origin.file.name": origin}
    elif text.startswith("time="):
        pairs = pairs_of(text)
        put(fields, "@timestamp", pairs.get("time"))
        put(fields, "log.level", pairs.get("level"))
        put(fields, "event.reason", pairs.get("error"))
        put(fields, "container.id", pairs.get("container"))
        text = str(pairs.get("msg", text))
        _add_told(fields, pairs, text)
    fields["message"] = text
    if klog is not None and text.startswith('"'):
        said, _, rest = text[1:].partition('"')
        _add_told(fields, pairs_of(rest.strip()), said)
    add_words(fields, text)
    if fields.get("log.level") in ("error", "fatal"):
        fields["event.outcome"] = "failure"
    return fields


def _add_told(fields: dict[str, Value], pairs: Pairs, text: str) -> None:
    """Whom and what request the pairs behind a sentence name."""
    if len(pairs) < 2:
        return
    found: dict[str, Value] = {}
    add_common(found, pairs)
    told: dict[str, Value] = {name: found[name] for name in _TOLD if name in found}
    for keys, name in ((_SOURCES, "source.ip"), (_VERBS, "http.request.method"), (_STATUSES, _STATUS)):
        put(told, name, next((pairs[key] for key in keys if key in pairs), None))
    method = str(told.get("http.request.method", ""))
    uri = str(next((pairs[key] for key in _URIS if key in pairs), ""))
    if not method.isupper():
        for name in [name for name in told if name.startswith(("http.", "url."))]:
            del told[name]
    elif uri.startswith("/"):
        put(told, "url.original", uri)
        put(told, "url.path", uri.partition("?")[0])
    if told:
        fields.update(told)
        infer(fields, text)
