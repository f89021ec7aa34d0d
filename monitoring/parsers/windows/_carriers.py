"""What carries events of Windows: JSON of agents, XML, Snare's tabs, pairs, RFC 5424's structured data, text."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from typing import Any

from monitoring.parsers import Line, Pairs, flat_of, pairs_of, structured_pairs
from monitoring.parsers.windows._record import Record, slot_of
from monitoring.parsers.windows._text import data_of

_SYSTEM = re.compile(
    r"<(EventID|Version|Level|Task|Opcode|Keywords|EventRecordID|Channel|Computer)(?: [^<>]{0,200})?>([^<]{0,512})</"
)
_ATTRIBUTE = re.compile(
    r"<(Provider|TimeCreated|Execution|Security)((?: [\w:]{1,32}=(?:'[^'<>]{0,256}'|\"[^\"<>]{0,256}\"))+)"
)
_PART = re.compile(r" ([\w:]{1,32})=(?:'([^']{0,256})'|\"([^\"]{0,256})\")")
_DATA = re.compile(r"<Data(?: Name=(?:'([^'<>]{1,128})'|\"([^\"<>]{1,128})\"))?\s?>([^<]{0,16384})(?:<|\Z)")
_LEAF = re.compile(r"<([A-Za-z_][\w.-]{0,63})(?: [^<>]{0,256})?>([^<]{1,4096})</\1>")
_RENDERED = re.compile(r"<(?:Message)>([^<]{1,16384})(?:<|\Z)")
_SNARE = re.compile(r"MSWinEventLog(?:\t|#011|\\t|,| )")
_TIME = r"(?:[A-Z][a-z]{2} )?[A-Z][a-z]{2} {1,2}\d{1,2} \d\d:\d\d:\d\d (?:\d{4}|[A-Z]{2,5} \d{4})"
_SNARE_SPACES = re.compile(
    rf"MSWinEventLog[ ,](\d)[ ,](.{{1,100}}?)[ ,](\d{{1,12}})[ ,]({_TIME})[ ,](\d{{1,6}})[ ,](.{{1,100}}?)[ ,]"
    r"(.{1,100}?)[ ,](User|N/A|Well Known Group|Computer|Alias|Group|Domain|Unknown SID|Deleted Account)[ ,]"
    r"(Success Audit|Failure Audit|Information|Warning|Error|Critical)[ ,](\S{1,255})[ ,](.*)\Z",
    re.DOTALL,
)
# Adiscon's EvntSLog, `[AUF] Sun Mar 01 10:00:00 2026: HOST/Security (4625) - "text"`.
_ADISCON = re.compile(
    rf"(?:EvntSLog[^\[]{{0,32}})?\[(\w{{3}})\] ({_TIME}): ([^/\s]{{1,255}})/(.{{1,100}}?) \((\d{{1,6}})\) - (.*)",
    re.DOTALL,
)
# eventlog-to-syslog, `4625: AUDIT_FAILURE text` after a tag that is the source.
_EVTSYS = re.compile(r"(?:([\w. -]{1,100}): )?(\d{1,5}): (?:(AUDIT_SUCCESS|AUDIT_FAILURE) )?(.*)\Z", re.DOTALL)
_KINDS = {"AUS": "Success Audit", "AUF": "Failure Audit", "INF": "Information", "WRN": "Warning", "ERR": "Error"}


FEWEST_DATA = 4  # named data; an agent that gives fewer gives none, and only the text tells


_XML_KEYS = (
    "RawXml",
    "EventXml",
    "xml",
    "Xml",
    "event.original",
    "Event",
    "message",
    "Message",
    "event",
    "log",
    "data",
)


def record_of(line: Line) -> Record | None:
    """The event; None when the message is none of Windows."""
    if line.document is not None:
        return _of_document(line.document)
    text = line.text
    if "<Event" in text and ("<System>" in text or "<EventID" in text):
        return of_xml(text)
    if "MSWinEventLog" in text:
        return _of_snare(text)
    if "AgentDevice=" in text:  # WinCollect
        return _of_pairs(pairs_of(text.replace("#011", "\t"), "\t"), text)
    told = _of_adiscon(text) or _of_evtsys(text, line.app_name)
    if told is not None:
        return told
    if line.structured:
        found = _of_pairs(structured_pairs(line.structured), text)
        if found is not None:
            if line.app_name != "-":  # NXLog puts the source there
                found.system.setdefault("provider", line.app_name.replace("_", " "))
            return found
    return _of_pairs(pairs_of(text), text)


def _of_document(document: Mapping[str, Any]) -> Record | None:
    for raw in _XML_KEYS:
        xml = document.get(raw)
        if isinstance(xml, str) and "<EventID" in xml:
            return _with_rest(of_xml(xml), document)
    inner = document.get("Event") or document.get("win") or document.get("properties") or document.get("data")
    if isinstance(inner, Mapping):
        if isinstance(inner.get("win"), Mapping):
            inner = inner["win"]
        if isinstance(inner.get("RawXml"), str) and "<EventID" in inner["RawXml"]:
            return _with_rest(of_xml(inner["RawXml"]), inner)
        if "System" in inner or "system" in inner:
            return _of_event(inner)
        if "EventId" in inner or "EventID" in inner:
            document = inner
    if "System" in document and isinstance(document["System"], Mapping):
        return _of_event(document)
    record = Record().add(_plain(document))
    return _with_text(record, document) if record.event_id else None


def _with_rest(record: Record | None, document: Mapping[str, Any]) -> Record | None:
    """What the envelope says besides the XML: the rendered text."""
    if record is not None:
        for key in ("Description", "Message", "message"):
            if isinstance(document.get(key), str):
                record.system.setdefault("message", document[key])
                break
    return record


def _plain(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The leaves of a flat document (`_` stands before the keys of GELF's own), of `EventData` too, text or object."""
    for key, value in document.items():
        if type(value) is str and (key not in ("EventData", "UserData") or not value.startswith("<")):
            yield key.lstrip("_"), value
        elif isinstance(value, str) and key in ("EventData", "UserData") and value.startswith("<"):
            yield from ((name, text) for name, text in _data_of_xml(value) if name)
        elif isinstance(value, Mapping):
            yield from flat_of({key: value}).items()
        elif not isinstance(value, list) or not value or not isinstance(value[0], Mapping):
            yield key.lstrip("_"), value


def _of_event(event: Mapping[str, Any]) -> Record:
    """The tree that XML gives when it is made JSON: attributes are `#attributes`, `@Name`, `_Name` or plain keys."""
    record = Record()
    system = event.get("System") or event.get("system") or {}
    for key, value in _leaves(system):
        name = re.sub(r"#attributes\.|[@#_]|\$\.|attributes\.|\.text\Z|\.value\Z", "", key)
        slot = slot_of(name) or _SYSTEM_PARTS.get(name.lower())
        if slot and value is not None:
            record.system.setdefault(slot, str(value))
    for key in ("EventData", "UserData", "eventdata", "userdata", "eventData"):
        for name, value in _data_leaves(event.get(key)):
            record.data.setdefault(name[:1].upper() + name[1:], "" if value is None else str(value))
    for name, value in _leaves(event.get("RenderingInfo") or {}):
        if name.rpartition(".")[2] == "Message":
            record.system.setdefault("message", str(value))
    return record


_SYSTEM_PARTS = {
    "provider.name": "provider", "timecreated.systemtime": "time", "execution.processid": "pid",
    "execution.threadid": "tid",
    "security.userid": "user_sid", "processid": "pid", "threadid": "tid", "eventid.text": "event_id",
    "severityvalue": "level", "providername": "provider",
}  # fmt: skip


def _leaves(node: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            if isinstance(value, Mapping):
                yield from _leaves(value, f"{prefix}{key}.")
            elif not isinstance(value, list):
                yield f"{prefix}{key}", value


def _data_leaves(node: Any) -> Iterator[tuple[str, Any]]:
    """Named data: plain keys, or a list of objects each with a name and its text."""
    if isinstance(node, str):
        yield from ((name, text) for name, text in _data_of_xml(node) if name)
    elif isinstance(node, list):
        for one in node:
            yield from _data_leaves(one)
    elif isinstance(node, Mapping):
        name = node.get("@Name") or node.get("Name") or node.get("_Name") or _attribute(node)
        text = next(
            (node[key] for key in ("#text", "_", "text", "Value", "value", "content", "_value_1") if key in node), None
        )
        if isinstance(name, str) and (text is not None or len(node) <= 2):
            yield name, text
            return
        for key, value in node.items():
            if isinstance(value, Mapping | list):
                yield from _data_leaves(value)
            elif not key.startswith(("#", "@")):
                yield key, value


def _attribute(node: Mapping[str, Any]) -> Any:
    attributes = node.get("#attributes") or node.get("$") or {}
    return attributes.get("Name") if isinstance(attributes, Mapping) else None


def of_xml(text: str) -> Record | None:
    """<Event>, whole or cut."""
    record = Record()
    head, _, tail = text.partition("</System>")
    for name, value in _SYSTEM.findall(head):
        slot = "record_id" if name == "EventRecordID" else slot_of(name)
        if slot:
            record.system.setdefault(slot, html.unescape(value.strip()))
    for element, attributes in _ATTRIBUTE.findall(head):
        for name, single, double in _PART.findall(attributes):
            slot = _SYSTEM_PARTS.get(f"{element}.{name}".lower())
            if slot:
                record.system.setdefault(slot, html.unescape(single or double))
    for name, value in _data_of_xml(tail):
        if name:
            record.data.setdefault(name, value)
    rendered = _RENDERED.search(tail)
    if rendered is not None:
        record.system.setdefault("message", html.unescape(rendered[1]))
    return record if record.event_id else None


def _data_of_xml(text: str) -> Iterator[tuple[str, str]]:
    body = text.partition("<RenderingInfo")[0]
    unnamed = 0
    for single, double, value in _DATA.findall(body):
        unnamed += not (single or double)
        yield single or double or f"param{unnamed}", html.unescape(value).strip()
    for name, value in _LEAF.findall(body):
        if name != "Data":
            yield name, html.unescape(value).strip()


def _of_snare(text: str) -> Record | None:
    match = _SNARE.search(text)
    if match is None:
        return None
    body = text[match.start() :].replace("#011", "\t").replace("\\t", "\t")
    columns = body.split("\t")
    if len(columns) > 11:
        return _of_columns(columns[1:11], columns[11:])
    spaced = _SNARE_SPACES.match(body)
    return None if spaced is None else _of_columns(list(spaced.groups()[:-1]), [spaced[11]])


def _of_columns(columns: list[str], rest: list[str]) -> Record:
    """Criticality, log, count, time, id, source, user, kind of user, type, computer; then category, data, text."""
    _, channel, count, time, event_id, source, user, _, kind, computer = columns
    task = rest[0] if len(rest) > 1 else ""
    text = max(rest[1:] or rest, key=len)
    record = Record()
    record.system |= {
        "channel": channel, "record_id": count, "time": time, "event_id": event_id, "provider": source,
        "event_type": kind,
        "computer": computer, "message": text, "task": task,
    }  # fmt: skip
    if user not in ("N/A", "Unknown User", "Unknown", ""):
        record.system["user"] = user
    record.data |= data_of(text)
    return record


def _of_adiscon(text: str) -> Record | None:
    match = _ADISCON.match(text)
    if match is None:
        return None
    kind, time, computer, source, event_id, message = match.groups()
    record = Record()
    record.system |= {
        "event_type": _KINDS.get(kind, kind), "time": time, "computer": computer, "event_id": event_id,
        "message": message.strip('" '),
    }  # fmt: skip
    record.system["channel" if source in ("Security", "System", "Application") else "provider"] = source
    record.data |= data_of(message)
    return record


def _of_evtsys(text: str, app_name: str) -> Record | None:
    match = _EVTSYS.match(text)
    if match is None:
        return None
    source, event_id, audit, message = match.groups()
    source = (source or app_name).replace("_", " ").rstrip(".")
    if not audit and "security" not in source.lower() and "service control" not in source.lower():
        return None
    record = Record()
    record.system |= {"provider": source, "event_id": event_id, "event_type": audit or "", "message": message}
    if audit:
        record.system["channel"] = "Security"
    record.data |= data_of(message)
    return record


def _of_pairs(pairs: Pairs, text: str) -> Record | None:
    """key=value, or the attributes of RFC 5424, with the rendered text behind or in `Message`."""
    record = Record().add(pairs.items())
    if not record.event_id:
        return None
    if not record.system.get("channel") and not record.system.get("provider"):
        return None
    at = text.find("Message=")
    if at >= 0:
        record.system["message"] = text[at + 8 :].strip('" ')
    elif "message" not in record.system:
        record.system["message"] = text
    for name, value in data_of(record.system["message"]).items():
        record.data.setdefault(name, value)
    return record


def _with_text(record: Record, document: Mapping[str, Any]) -> Record:
    """Data that only the rendered text has (agents that give no names)."""
    if len(record.data) < FEWEST_DATA:
        for name, value in data_of(record.system.get("message", "")).items():
            record.data.setdefault(name, value)
    return record
