"""A program's message below what a collector put before it; who speaks is read here, what is said by his parser."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from monitoring.event import Value
from monitoring.parsers import Line, put
from monitoring.parsers._index import load
from monitoring.parsers.json_wrapped.parser import of_message

Fields = dict[str, Value]
_TAI = re.compile(r"@([0-9a-f]{16})([0-9a-f]{8}) {1,4}")
_WORDS = re.compile(
    r"<(?:[a-z]{3,8}\d?\.[a-z]{3,7}|\d{1,2}\.\d)> "
    r"|\[pod/(?P<pod>[\w.-]{1,253})/(?P<container>[\w.-]{1,253})\] "
    r"|Message forwarded from (?P<host>[\w.-]{1,255}): "  # AIX
    r"|(?P<service>[a-z][\w.-]{0,63}) {1,32}\| {1,4}"
)
_PROGRAM = re.compile(
    r"(?:(?P<host>[A-Za-z\d][\w.-]{0,254}) )?(?P<program>[A-Za-z][\w./-]{0,63})"
    r"(?:\[(?P<pid>\d{1,10})\](?: \([\w.\[\]-]{1,128}\))?)?(?:\(\w{1,16}\))?: (?P<text>.*)",
    re.DOTALL,
)
_BOXED = re.compile(
    r"\[?(?P<program>[A-Za-z][\w./-]{0,63})(?:\[[^\s\]]{1,64}(?:\[(?P<pid>\d{1,10})\])?\])?\]:? (?P<text>.*)", re.DOTALL
)
_KERNEL = re.compile(r"kernel: ?\[ {0,8}\d{1,10}\.\d{1,6}\]:? ")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TAI_BASE = 2**62 + 10  # the label's origin, and the ten seconds by which TAI was ahead when Unix time began
MOST_PREFIXES = 3


def parse(line: Line) -> Fields | None:
    """The event of the message; None when nothing stands before it that is known here, or nobody knows the program."""
    if line.app_name:
        return None
    fields: Fields = {}
    text = _without_prefixes(fields, line.text)
    if text is None:
        return None
    spoken = _spoken(line, text)
    if spoken is not None:
        return fields | spoken
    if text == line.text:
        return None
    return fields | of_message(line, text)


def _without_prefixes(fields: Fields, text: str) -> str | None:
    """The text behind what collectors put there; None when that has no end."""
    for _ in range(MOST_PREFIXES):
        tai, words = _TAI.match(text), _WORDS.match(text)
        if tai is not None:
            _add_tai(fields, tai)
            text = text[tai.end() :]
        elif words is not None:
            put(fields, "host.name", words["host"])
            put(fields, "orchestrator.resource.name", words["pod"])
            put(fields, "container.name", words["container"] or words["service"])
            text = text[words.end() :]
        else:
            return text
    return None


def _add_tai(fields: Fields, match: re.Match[str]) -> None:
    seconds = int(match[1], 16) - _TAI_BASE
    if 0 < seconds < 2**33:
        when = _EPOCH + timedelta(seconds=seconds, microseconds=int(match[2], 16) // 1000)
        fields["@timestamp"] = when.isoformat()


def _spoken(line: Line, text: str) -> Fields | None:
    match = _PROGRAM.match(text) or _BOXED.match(text)
    if match is None:
        return None
    parts = match.groupdict()
    program, inner = parts["program"], parts["text"]
    is_named = program in load().by_app_name or bool(parts.get("pid"))
    if not is_named and parts.get("host"):
        return None
    kernel = _KERNEL.match(inner)
    fields: Fields = {"process.name": program.rpartition("/")[2] or program} if is_named else {}
    put(fields, "process.pid", parts.get("pid"))
    put(fields, "host.name", parts.get("host"))
    told = of_message(line, inner if kernel is None else inner[kernel.end() :], program)
    if not parts.get("pid") and not _is_of_product(told):
        return None  # any sentence may begin with a word and a colon
    return fields | told


def _is_of_product(told: Fields) -> bool:
    parser = load().parsers.get(str(told.get("canh.parser", "")))
    return parser is not None and not parser.last
