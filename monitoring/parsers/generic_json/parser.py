"""Any JSON object: fields by the names many senders use, by what keys say, and by the look of values."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, add_common, flat_of, ip_text, put
from monitoring.parsers._infer import infer

Fields = dict[str, Value]
# Which of several times is the event's own: the first of these that is there.
_TIMES = (
    "@timestamp", "timestamp", "eventtime", "eventtimestamp", "eventdatetime", "eventdate", "datetime", "occurredat",
    "occurrencetime", "timegenerated", "activitydatetime", "activitytime", "creationtime", "createdat",
    "createddatetime",
    "createdtime", "created", "detectiontime", "detectedat", "firstseen", "logtime", "logtimestamp", "time", "ts",
    "date",
    "rt", "starttime", "start", "begintime", "utctime", "utctimestamp", "published", "publishedat", "receivedtime",
    "receivedat",
    "updatedat", "updatedtime", "lastseen", "endtime", "when", "epoch", "unixtime", "ingesttime",
)  # fmt: skip
_RANKS = {name.lstrip("@"): rank for rank, name in enumerate(_TIMES)}
_NO_TIME = 2 * len(_TIMES)
_SUFFIXES = ("ms", "millis", "utc", "iso", "ns", "us", "unix", "epoch", "gmt")
_IS_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[T ]|\d{10}(?:\d{3}){0,3}(?:\.\d{1,9})?\Z|\d{4}/\d\d/\d\d |[A-Z][a-z]{2} \d|\d{1,2}/"
)
_UUID = re.compile(r"[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}|[0-9a-fA-F]{16,}\Z|\S{25,}\Z")
# Words that tell what happened are the values of keys named like these.
_TELLS = re.compile(
    r"(?:action|event_?(?:type|name|action|category|class)?|operation(?:_?name|type)?|activity(?:_?type|name)?|type|sub_?type|category"
    r"|class(?:_?name)?|name|title|msg|message|description|summary|status|result|outcome|disposition|verdict|reason|method"
    r"|decision|alert_?(?:type|name)|threat_?(?:type|name)|display_?message)\Z",
    re.IGNORECASE,
)
_SOURCE = re.compile(
    r"src|source|client|remote|attack|peer|from|caller|actor|user|origin|login|request|external|initiat"
)
_DESTINATION = re.compile(r"dst|dest|target|server|victim|resp|local|internal_ip|host_?ip")
_HOST = re.compile(r"host|device|machine|agent|computer|endpoint|node|sensor|asset")
LONGEST_WORD = 256


def parse(line: Line) -> Fields | None:
    """The event; None when the message is no JSON object, or an empty one."""
    return fields_of(flat_of(line.document)) if line.document else None


def fields_of(pairs: Pairs) -> Fields:
    """What the pairs of any document say."""
    fields: Fields = {}
    when = _time(pairs)
    add_common(fields, pairs)
    fields.pop("@timestamp", None)
    if when is not None:
        fields["@timestamp"] = when
    if _UUID.match(str(fields.get("event.code", ""))):
        fields["canh.source.event_id"] = str(fields.pop("event.code"))
    if fields.get("event.outcome") == "unknown":
        del fields["event.outcome"]
    _add_status(fields, pairs)
    _add_addresses(fields, pairs)
    infer(fields, _words(pairs))
    return fields


def _time(pairs: Pairs) -> str | None:
    """The text of the event's own time."""
    best, found = _NO_TIME, None
    for key, value in pairs.items():
        rank = _rank(key)
        if rank < best and isinstance(value, str | int | float) and _IS_TIME.match(str(value)):
            best, found = rank, str(value)
    return found


@lru_cache(maxsize=8192)
def _rank(key: str) -> int:
    plain = re.sub(r"[^a-z0-9]", "", key.rpartition(".")[2].lower())
    rank = _RANKS.get(plain)
    if rank is None:
        rank = next((_RANKS[plain.removesuffix(s)] for s in _SUFFIXES if plain.removesuffix(s) in _RANKS), len(_TIMES))
    return 2 * rank + ("." in key)


def _add_status(fields: Fields, pairs: Pairs) -> None:
    """`status` and `code` are HTTP's where there is a request."""
    if "http.request.method" not in fields or "http.response.status_code" in fields:
        return
    for key, value in pairs.items():
        if key.rpartition(".")[2].lower() in ("status", "code") and str(value).isdecimal() and 100 <= int(value) < 600:
            put(fields, "http.response.status_code", value)
            return


def _add_addresses(fields: Fields, pairs: Pairs) -> None:
    """Addresses below keys of no known name: what the key says beside them, else the one who acted."""
    if "source.ip" in fields and "destination.ip" in fields:
        return
    known = set(fields.values())
    for key, address in _addresses(pairs):
        if address in known:
            continue
        lower = key.lower()
        field = (
            "destination.ip" if _DESTINATION.search(lower)
            else "source.ip" if _SOURCE.search(lower) or not _HOST.search(lower)
            else "host.ip"
        )  # fmt: skip
        fields.setdefault(field, address)


def _addresses(pairs: Pairs) -> Iterable[tuple[str, str]]:
    for key, value in pairs.items():
        one = value[0] if isinstance(value, list) and value else value
        if isinstance(one, str) and 2 < len(one) < 46 and (one.count(".") == 3 or one.count(":") > 1):
            address = ip_text(one)
            if address is not None:
                yield key, address


def _words(pairs: Pairs) -> str:
    return " ".join(
        str(value)[:LONGEST_WORD]
        for key, value in pairs.items()
        if isinstance(value, str) and _TELLS.search(key.rpartition(".")[2])
    )
