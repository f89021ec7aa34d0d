"""Pairs of any product, separated by spaces, commas, semicolons, tabs or bars."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, add_common, outcome_of, pairs_of, put
from monitoring.parsers._infer import infer
from monitoring.parsers.generic_json._reading import REQUEST
from monitoring.parsers.generic_text.parser import add_words

FEWEST = 4
_WORDS = ("action", "act", "status", "result", "outcome", "event", "eventtype", "type", "subtype", "msg", "message",
          "reason", "cat", "category", "name", "operation", "disposition")  # fmt: skip
_STOP = re.compile(r"=(?:\"[^\"]{0,512}\"|[^=\s,;|\t]{0,512})([,;|\t])[ ]?[\w.-]{1,64}=")
_ENDS = ("ip", "addr", "remote", "peer", "rhost", "rip", "from", "client", "remote_host", "host_ip")
_URIS = ("uri", "url", "path", "request_uri")
_DATE, _TIME = ("date", "day"), ("time", "clock")


def parse(line: Line) -> dict[str, Value] | None:
    """The pairs of a text; None when it has fewer than four."""
    text = line.text
    if text.count("=") < FEWEST:
        return None
    stop = _STOP.search(text)
    pairs = pairs_of(text if stop is None else text.replace(stop[1] + " ", stop[1]), " " if stop is None else stop[1])
    if len(pairs) < FEWEST:
        return None
    fields: dict[str, Value] = {}
    add_common(fields, pairs)
    _add_end(fields, pairs)
    _add_time(fields, pairs)
    lower = {key.lower(): value for key, value in pairs.items()}
    request = REQUEST.match(lower.get("request", ""))
    if request is not None:
        fields.pop("url.full", None)
        fields |= {"http.request.method": request[1], "network.protocol": "http"}
        lower["uri"] = request[2]
    status = lower.get("status", "")
    if "http.request.method" in fields and status.isdecimal():
        put(fields, "http.response.status_code", status)
    whole = next((str(value) for key, value in lower.items() if key in _URIS), "")
    if whole.startswith("/") and "http.request.method" in fields:
        if str(fields.get("url.full", "")).startswith("/"):
            del fields["url.full"]
        fields.setdefault("url.original", whole)
        put(fields, "url.path", whole.partition("?")[0])
        put(fields, "url.query", whole.partition("?")[2] or None)
    if "event.outcome" in fields:
        outcome = outcome_of(str(fields["event.outcome"]))
        if outcome == "unknown":
            del fields["event.outcome"]
    words = " ".join(str(lower[word]) for word in _WORDS if word in lower)
    add_words(fields, text.partition("=")[0].rpartition(" ")[0])
    infer(fields, words or text[:256])
    return fields


def _add_end(fields: dict[str, Value], pairs: Pairs) -> None:
    """Who it is about, where no key says whose address it is: only what is an address, with a port or not."""
    if "source.ip" in fields:
        return
    for key in _ENDS:
        found: dict[str, Value] = {}
        put(found, "source.ip", pairs.get(key))
        if "source.ip" in found:
            fields.update(found)
            return


def _add_time(fields: dict[str, Value], pairs: Pairs) -> None:
    """A date and a time of their own, and the zone that may stand beside them."""
    date = next((pairs[key] for key in _DATE if key in pairs), "")
    clock = next((pairs[key] for key in _TIME if key in pairs), "")
    if date and clock:
        fields["@timestamp"] = f"{date} {clock}"
    for key in ("tz", "timezone", "time_zone"):
        if key in pairs:
            put(fields, "event.timezone", pairs[key])
