"""From a spooled message to an `Event`: header, parser, inventory, in this order.

One record gives exactly one event, whatever its bytes: what cannot be understood is an event with
`error.message`. Nothing is read per event but, when an event is newer than the last look, the
change journal. A pipeline holds plain values only: it can be pickled and survives a fork.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from inventory.model import Province
from monitoring.changes import Changes
from monitoring.enrich import Sources, peer_text
from monitoring.errors import ParserError
from monitoring.event import Event, Value
from monitoring.parsers import Index, Line, load
from monitoring.sessions import STEP, ConfigSessions
from monitoring.spool import SpoolRecord
from monitoring.syslog import Header, header_of

AHEAD = timedelta(seconds=5)  # a clock this far ahead is wrong; less is the jitter NTP leaves
BEFORE = datetime(2001, 1, 1, tzinfo=UTC)  # a clock before is one that was never set
LONGEST_PARSED = 32768  # characters a parser is shown; `event.original` keeps all
_REPEATED = re.compile(r"message repeated (\d{1,9}) times: \[ ?(.*)\]\Z", re.DOTALL)


class Pipeline:
    """Parses and enriches. Made once, used for every record."""

    def __init__(self, province: Province, data_dir: Path, *, relays: Iterable[str] = ()) -> None:
        """relays: addresses of syslog relays, whose word on the host name counts."""
        self._sources = Sources(province, frozenset(relays))
        self._changes = Changes(Path(data_dir) / "changes")
        self._sessions = ConfigSessions()
        self._zone = ZoneInfo(province.time_zone)
        self._index: Index = load()

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name != "_index"}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._index = load()

    def event_of(self, record: SpoolRecord) -> Event:
        """The event of a record; never raises."""
        peer = peer_text(record.peer)
        fields = self._fields(record.raw, record.received, record.receiver, peer, "")
        fields["event.id"] = str(record.event_id)
        if record.cut:
            fields["canh.truncated_octets"] = record.cut
            _add_error(fields, f"message longer than allowed: {record.cut} octets cut")
        return Event(fields)

    def check_hint(self, hint: str) -> None:
        """Raises ParserError when `hint` names no parser; "" is no hint."""
        if hint and hint not in self._index.parsers:
            names = ", ".join(self._index.parsers)
            raise ParserError(f"there is no parser called {hint!r}", where="--source", fix=f"one of {names}")

    def document_of(self, raw: bytes, *, received: datetime, hint: str = "") -> Event:
        """The event of a line of a file: no peer is known, so its host name and its clock are believed."""
        fields = self._fields(raw, received, "", None, hint)
        host = fields.get("log.syslog.hostname")
        if host is not None:
            fields.setdefault("host.name", host)
        return Event(fields)

    def _fields(self, raw: bytes, received: datetime, receiver: str, peer: str | None, hint: str) -> dict[str, Value]:
        """peer: None when nobody sent it (a line of a file)."""
        try:
            original, error = raw.decode("utf-8"), ""
        except UnicodeDecodeError as fault:
            original, error = (
                raw.decode("utf-8", "backslashreplace"),
                f"not UTF-8: {fault.reason} at octet {fault.start}",
            )
        header = self._header(original, received, receiver)
        fields = header.fields
        device = "" if peer is None else self._sources.device_of(peer, str(fields.get("log.syslog.hostname", "")))
        fields["event.original"] = original
        fields["message"] = header.message
        fields["event.ingested"] = _text(received)
        fields["event.kind"] = "event"
        fields["event.module"] = "syslog"
        fields["event.dataset"] = "syslog.other"
        stated = self._parse(fields, header, received, receiver, hint, device)
        if error:
            _add_error(fields, error)
        elif not original.strip():
            _add_error(fields, "empty message")
        when = _set_time(fields, header, stated, received, is_live=peer is not None)
        if peer is not None:
            fields["canh.receiver"] = receiver
            fields.update(self._sources.facts_of(peer, device))
            if device:
                fields.update(self._changes.facts_of(device, when, received))
        if STEP in fields:
            self._sessions.follow(fields, device or peer or "")
        if "source.ip" in fields:
            fields.update(self._sources.end("src", str(fields["source.ip"])))
        if "destination.ip" in fields:
            fields.update(self._sources.end("dst", str(fields["destination.ip"])))
        return fields

    def _header(self, original: str, received: datetime, receiver: str) -> Header:
        text = original.rstrip("\r\n\0")
        if "\0" in text:
            text = text.replace("\0", " ")
        if self._index.takes_whole(receiver):
            return Header({}, None, "", text, "", True)
        return header_of(text, received=received, zone=self._zone)

    def _parse(
        self, fields: dict[str, Value], header: Header, received: datetime, receiver: str, hint: str, device: str
    ) -> str:
        """Add what a parser says of the message; returns the time it states, "" when none."""
        text = header.message[:LONGEST_PARSED]
        if text.startswith("message repeated "):  # rsyslog says once what was said often
            repeated = _REPEATED.match(text)
            if repeated is not None:
                fields["canh.repeated"] = int(repeated[1])
                text = repeated[2]
        line = Line(text, header.app_name, received, self._sources.platform_of(device))
        try:
            found = self._index.parse(line, receiver=receiver, hint=hint)
        except Exception as fault:  # a parser's defect must not lose the message
            _add_error(fields, f"parser failed: {type(fault).__name__}: {fault}")
            return ""
        if found is None:
            if not header.is_syslog:
                _add_error(fields, "no syslog header and no known format")
            return ""
        parser, parsed = found
        fields["canh.parser"] = parser.name
        fields.update(parser.fields)
        fields.update(parsed)
        return str(fields.pop("@timestamp", ""))


def _set_time(fields: dict[str, Value], header: Header, stated: str, received: datetime, *, is_live: bool) -> datetime:
    """Set `@timestamp` (the header's time, else the one the message states, else when it was received)."""
    when, zone_from = header.when, header.zone_from
    if when is None and stated:
        when, zone_from = _stated(stated), "line"
    if when is None:
        when, zone_from = received, "received"
    elif is_live and (when > received + AHEAD or when < BEFORE):
        fields["canh.clock.corrected"] = True
        fields["canh.clock.offset_ms"] = round((when - received).total_seconds() * 1000)
        when, zone_from = received, "received"
    fields["@timestamp"] = _text(when)
    fields["canh.time.zone_from"] = zone_from
    return when


def _stated(text: str) -> datetime | None:
    try:
        when = datetime.fromisoformat(text)
        return None if when.tzinfo is None else when.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _text(when: datetime) -> str:
    """A moment as all events have it: UTC, microseconds, Z; text order is time order."""
    return when.isoformat(timespec="microseconds")[:26] + "Z"


def _add_error(fields: dict[str, Value], message: str) -> None:
    before = fields.get("error.message")
    fields["error.message"] = f"{before}; {message}" if before else message
