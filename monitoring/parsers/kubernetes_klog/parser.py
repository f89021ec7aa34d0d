"""klog's `I1122 10:15:04.123456 811 file.go:12] text key=value` and logrus's `time= level= msg=`."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, pairs_of, put
from monitoring.parsers.generic_text.parser import add_words

_KLOG = re.compile(
    r"([IWEF])(\d\d)(\d\d) (\d\d:\d\d:\d\d\.\d{6}) {1,8}(\d{1,10}) ([\w./-]{1,64}:\d{1,6})\] (.*)", re.DOTALL
)
_LEVELS = {"I": "info", "W": "warning", "E": "error", "F": "fatal"}
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
    fields["message"] = text
    add_words(fields, text)
    if fields.get("log.level") in ("error", "fatal"):
        fields["event.outcome"] = "failure"
    return fields
