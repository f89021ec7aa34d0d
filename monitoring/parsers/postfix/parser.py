"""Postfix: its daemons' names are others' too, so a message is its own by its tag or by what it says."""

from __future__ import annotations

import re
import unicodedata
from email.errors import HeaderParseError
from email.header import decode_header, make_header

from monitoring.event import Value
from monitoring.parsers import Line, Pairs

_CLIENTS = frozenset(("smtp", "lmtp", "error", "qmgr", "bounce", "tlsmgr", "scache"))
_COMPANIONS = frozenset(("policyd-spf", "policy-spf", "postgrey", "opendkim", "opendmarc"))


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value] | None:
    """The event; None for another's daemon of the same name."""
    name = line.app_name.lower()
    written = fields.get("canh.mail.header_from")
    if isinstance(written, str) and "=?" in written:
        fields["canh.mail.header_from"] = _decoded(written)
    if "source.ip" in fields and "destination.ip" not in fields and name.rpartition("/")[2] in _CLIENTS:
        fields["destination.ip"] = fields.pop("source.ip")  # the far end of what this host sends
        if "source.port" in fields:
            fields["destination.port"] = fields.pop("source.port")
    if name.startswith("post") or name in _COMPANIONS or "event.action" in fields:
        return fields
    return None


def _decoded(written: str) -> str:
    """A header as a person reads it (RFC 2047), its letters composed; as it is when it cannot be read."""
    try:
        read = str(make_header(decode_header(re.sub(r"\?=\s+=\?", "?==?", written[:1024]))))
    except (HeaderParseError, LookupError, UnicodeError, ValueError):
        return written
    return unicodedata.normalize("NFC", read)
