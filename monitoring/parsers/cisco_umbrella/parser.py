"""Which of Umbrella's logs a line is of, and its columns by name."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, csv_of, ip_text

_DNS = ("when", "identity", "identities", "internal", "external", "action", "query_type", "response", "domain",
        "categories", "identity_type", "identity_types", "blocked_categories", "rule")  # fmt: skip
_PROXY = ("when", "identity", "internal", "external", "destination", "content_type", "action", "url", "referer",
          "agent", "status", "request_size", "response_size", "body_size", "sha256", "categories", "detections", "puas",
          "disposition", "malware", "score", "identity_type", "blocked_categories", "identities", "identity_types",
          "method", "dlp", "certificate_errors", "file", "ruleset", "rule")  # fmt: skip
_FIREWALL = ("when", "origin", "identity", "identity_type", "direction", "protocol", "size", "source", "source_port",
             "destination", "destination_port", "data_center", "rule", "verdict")  # fmt: skip
_IP = ("when", "identity", "source", "source_port", "destination", "destination_port", "categories", "identity_type")
_AUDIT = ("id", "when", "email", "user", "type", "audit", "address", "before", "after")
_WHEN = re.compile(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\Z")
_RECORD = re.compile(r"\d{1,5} \(\w{1,16}\)\Z")
_ACTIONS = frozenset(("allowed", "blocked", "proxied"))


def read(line: Line) -> Pairs | None:
    """The columns by name; None when the line is of none of the logs."""
    values = csv_of(line.text.strip())
    kind, names = _kind(values)
    if not names:
        return None
    found: Pairs = {name: value for name, value in zip(names, values, strict=False) if value}
    found["kind"] = kind
    return found


def _kind(values: list[str]) -> tuple[str, tuple[str, ...]]:
    count = len(values)
    if count >= 7 and _WHEN.match(values[1]) and not _WHEN.match(values[0]):
        return "audit", _AUDIT
    if count < 6 or not _WHEN.match(values[0]):
        return "", ()
    if count >= 9 and values[5].lower() in _ACTIONS and _RECORD.match(values[6]):
        return "dns", _DNS
    if count >= 8 and values[6].lower() in _ACTIONS:
        return "proxy", _PROXY
    if count >= 14 and values[4] in ("INBOUND", "OUTBOUND"):
        return "firewall", _FIREWALL
    if values[3].isdecimal() and values[5].isdecimal() and ip_text(values[2]) and ip_text(values[4]):
        return "ip", _IP
    return "", ()


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """Finish the fields: the type of the record without its number; an end that has no inner address."""
    kind = str(fields.get("dns.question.type", ""))
    if "(" in kind:
        fields["dns.question.type"] = kind.partition("(")[2].rstrip(")")
    if "source.ip" not in fields and "source.nat.ip" in fields:
        fields["source.ip"] = fields.pop("source.nat.ip")
    return fields
