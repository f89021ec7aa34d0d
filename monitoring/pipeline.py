"""From a spooled message to an `Event`: header, parser, inventory, in this order.

One record gives exactly one event, whatever its bytes: what cannot be understood is an event with
`error.message`. Nothing is read per event but, when an event is newer than the last look, the
change journal. A pipeline holds plain values only: it can be pickled and survives a fork.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import orjson

from inventory.model import Province
from monitoring.changes import Changes
from monitoring.ends import Ends
from monitoring.enrich import Sources, peer_text
from monitoring.event import Event, Value
from monitoring.hours import Hours
from monitoring.parsers import Found, Index, Line, document_in, load
from monitoring.sessions import STEP, ConfigSessions
from monitoring.spool import SpoolRecord
from monitoring.syslog import Header, header_of
from monitoring.times import Reading, moment_of, zone_of

log = logging.getLogger("canh.parsers")
AHEAD = timedelta(seconds=5)  # a clock this far ahead is wrong; less is the jitter NTP leaves
BEFORE = datetime(2001, 1, 1, tzinfo=UTC)  # a clock before is one that was never set
HALF_HOUR, WIDEST = timedelta(minutes=30), timedelta(hours=14)  # what zones differ by: in steps of, and at most
WRITING = timedelta(seconds=2)  # between the time a program writes and the time its line is sent with
LONGEST_PARSED = 32768  # characters a parser is shown; `event.original` keeps all
_CONNECTIONS = frozenset({"connection-allowed", "connection-denied"})
_REPEATED = re.compile(r"message repeated (\d{1,9}) times: \[ ?(.*)\]\Z", re.DOTALL)


class Pipeline:
    """Parses and enriches. Made once, used for every record."""

    def __init__(self, province: Province, data_dir: Path, *, relays: Iterable[str] = ()) -> None:
        """relays: addresses of syslog relays beside the inventory's, whose word on the host name counts."""
        self._sources = Sources(province, frozenset(relays))
        self._ends = Ends(province)
        self._hours = Hours(province)
        self._changes = Changes(Path(data_dir) / "changes")
        self._sessions = ConfigSessions()
        self._zone = ZoneInfo(province.time_zone)
        self._index: Index = load()
        for error in self._index.refused:
            log.error("%s", error)

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name != "_index"}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._index = load()

    def event_of(self, record: SpoolRecord) -> Event:
        """The event of a record; never raises."""
        return self.followed(self.fields_of(record))

    def fields_of(self, record: SpoolRecord) -> dict[str, Value]:
        """What the record says by itself, without the lines before it: any process may work it out."""
        peer = peer_text(record.peer)
        fields = self._fields(record.raw, record.received, record.receiver, peer, "")
        fields["event.id"] = record.event_id_text
        if record.cut:
            fields["canh.truncated_octets"] = record.cut
            _add_error(fields, f"message longer than allowed: {record.cut} octets cut")
        return fields

    def followed(self, fields: dict[str, Value]) -> Event:
        """The event of such fields; to be asked in the order of the records, because a session has a memory."""
        if STEP in fields:
            self._sessions.follow(fields, str(fields.get("host.name", "")))
        return Event(fields)

    def knows_hint(self, hint: str) -> bool:
        """A parser has this name, or answers to it; case and punctuation do not matter."""
        return self._index.knows_hint(hint)

    def document_of(self, raw: bytes, *, received: datetime, hint: str = "") -> Event:
        """The event of a line of a file: no peer is known, so its host name and its clock are believed."""
        fields = self._fields(raw, received, "", None, hint)
        if STEP in fields:
            self._sessions.follow(fields, "")
        host = fields.get("log.syslog.hostname")
        if host is not None:
            fields.setdefault("host.name", host)
            if "observer.type" in fields:
                fields.setdefault("observer.name", host)
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
        text = original.rstrip("\r\n\0")
        if "\0" in text:
            text = text.replace("\0", " ")
        header, found = self._whole(text, received, receiver, hint)
        fields = header.fields
        claimed = str(fields.get("log.syslog.hostname", ""))
        device = "" if peer is None else self._sources.device_of(peer, claimed)
        fields["event.original"] = original
        fields["message"] = header.message
        fields["event.ingested"] = _text(received)
        fields["event.kind"] = "event"
        fields["event.module"] = "syslog"
        fields["event.dataset"] = "syslog.other"
        stated = self._parse(fields, header, found, received, receiver, hint, device)
        if error:
            _add_error(fields, error)
        elif not original.strip():
            _add_error(fields, "empty message")
        when = _set_time(fields, header, stated, received, is_live=peer is not None)
        if peer is not None:
            fields["canh.receiver"] = receiver
            fields.update(self._sources.facts_of(peer, device, claimed))
            minute = str(fields["@timestamp"])[:16]
            fields["canh.time.class"] = self._hours.by_minute.get(minute) or self._hours.class_of(minute)
            if device:
                fields.update(self._changes.facts_of(device, when, received))
                if "canh.change.id" in fields:
                    self._add_window(fields, minute)
                port = self._sources.ports.get((device, fields.get("observer.ingress.interface.name")))
                if port is not None:
                    fields.update(port)
        self._add_ends(fields, is_live=peer is not None)
        return fields

    def _add_window(self, fields: dict[str, Value], minute: str) -> None:
        """Whether an open change is within the hours the province agreed on for changes."""
        is_agreed = self._hours.allows_change(minute)
        if is_agreed is not None and fields["canh.change.state"] == "open":
            fields["canh.change.in_window"] = is_agreed

    def _add_ends(self, fields: dict[str, Value], *, is_live: bool) -> None:
        """Who the two ends are; of a live connection also what the inventory says of it."""
        source, destination = fields.get("source.ip"), fields.get("destination.ip")
        known = self._ends.by_address
        if source is not None:
            a = known.get(source) or self._ends.of(str(source))
            fields.update(a.source)
        if destination is None:
            return
        b = known.get(destination) or self._ends.of(str(destination))
        fields.update(b.destination)
        if source is None or not is_live:
            return
        if a.site and b.site:
            fields["canh.flow.inter_site"] = a.site != b.site
            fields["canh.flow.inter_unit"] = a.unit != b.unit
        if fields.get("event.action") in _CONNECTIONS:
            port = fields.get("destination.port")
            if type(port) is int:
                service = (fields.get("network.transport"), port)
                # Most pairs have no flow at all between them: nothing more is asked then.
                fields["canh.flow.declared"] = bool(
                    (a.begins & b.ends or b.begins & a.ends)
                    and self._ends.is_declared(a, b, service, fields.get("source.port"))
                )
                if b.offered and service in b.offered:
                    fields["canh.flow.service"] = b.offered[service]

    def _whole(self, text: str, received: datetime, receiver: str, hint: str) -> tuple[Header, Found | None]:
        """The header; a text that is known to have none is a message as it is, with what its parser says."""
        takes_whole = self._index.takes_whole(receiver)
        whole = Header({}, None, "", text, "", takes_whole)
        if takes_whole or text[:1] == "{":
            return whole, None
        if text and not text.startswith("<", 0, 1) and not hint:
            try:
                found = self._index.parse_whole(Line(text[:LONGEST_PARSED], "", received))
            except Exception:  # told by the second try, with the message's header
                found = None
            if found is not None:
                return whole, found
        return header_of(text, received=received, zone=self._zone), None

    def _parse(
        self,
        fields: dict[str, Value],
        header: Header,
        found: Found | None,
        received: datetime,
        receiver: str,
        hint: str,
        device: str,
    ) -> Reading | None:
        """Add what a parser says of the message; returns the time it states."""
        if found is None:
            text = header.message[:LONGEST_PARSED]
            if text.startswith("message repeated "):  # rsyslog says once what was said often
                repeated = _REPEATED.match(text)
                if repeated is not None:
                    fields["canh.repeated"] = int(repeated[1])
                    text = repeated[2]
            line = Line(
                text,
                header.app_name,
                received,
                self._sources.platform_of(device),
                document_in(header.message),
                str(fields.get("log.syslog.msgid", "")),
                str(fields.get("log.syslog.structured_data", "")),
            )
            try:
                found = self._index.parse(line, receiver=receiver, hint=hint)
            except Exception as fault:  # a parser's defect must not lose the message
                _add_error(fields, f"parser failed: {type(fault).__name__}: {fault}")
                return None
        if found is None:
            if not header.is_syslog:
                _add_error(fields, "no syslog header and no known format")
            return None
        parser, parsed = found
        fields["canh.parser"] = parser.name
        fields.update(parser.fields)
        if "" in parsed.values():  # said of nothing; what is empty is left out
            parsed = {name: value for name, value in parsed.items() if value != ""}
        fields.update(parsed)
        stated = fields.pop("@timestamp", None)
        if stated is None and header.when is None:
            stated = fields.get("event.start")  # the line has no time of its own
        if stated is None:
            return None
        zone = zone_of(str(fields.get("event.timezone", ""))) or self._zone
        reading = moment_of(str(stated), received=received, zone=zone)
        if reading is not None and "event.timezone" in fields:
            return Reading(reading.when, "line", reading.end)
        return reading


def _set_time(
    fields: dict[str, Value], header: Header, stated: Reading | None, received: datetime, *, is_live: bool
) -> datetime:
    """Set `@timestamp`: when the event was by its own word, else by its header's, else when it was received."""
    when, zone_from = header.when, header.zone_from
    if stated is not None and (when is None or when.replace(microsecond=0) != stated.when):  # it may only be finer
        apart = _zones_apart(stated, header)
        when, zone_from = stated.when + apart, "line" if apart else stated.zone_from
    if when is None:
        when, zone_from = received, "received"
    elif is_live and (when > received + AHEAD or when < BEFORE):
        fields["canh.clock.corrected"] = True
        fields["canh.clock.offset_ms"] = round((when - received).total_seconds() * 1000)
        when, zone_from = received, "received"
    fields["@timestamp"] = _text(when)
    fields["canh.time.zone_from"] = zone_from
    return when


def _zones_apart(stated: Reading, header: Header) -> timedelta:
    """By how much the zone the inventory knows is not the one a time without a zone was written in.

    A program that writes UTC on a machine of another zone: its own time and the header's, which states a zone, are
    whole half hours apart, as zones are. That a line was held back for just as long is left to chance.
    """
    if stated.zone_from != "inventory" or header.zone_from != "line" or header.when is None:
        return timedelta(0)
    late = header.when - stated.when
    apart = round(late / HALF_HOUR) * HALF_HOUR
    return apart if abs(late - apart) <= WRITING and abs(apart) <= WIDEST else timedelta(0)


def _text(when: datetime) -> str:
    """A moment as all events have it: UTC, microseconds, Z; text order is time order."""
    written = orjson.dumps(when, option=orjson.OPT_UTC_Z).decode()  # a quarter of what `isoformat` takes
    return written[1:-1] if when.microsecond else f"{written[1:-2]}.000000Z"


def _add_error(fields: dict[str, Value], message: str) -> None:
    before = fields.get("error.message")
    fields["error.message"] = f"{before}; {message}" if before else message
