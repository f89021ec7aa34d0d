"""The PDU of a notification as the document the spool keeps: names for OIDs, words for enumerations."""

from __future__ import annotations

from typing import Any

from monitoring.snmp import ber
from monitoring.snmp.ber import BerError, Element
from monitoring.snmp.catalogue import Object, object_of, trap_name

TRAP_V1, INFORM, TRAP = 0xA4, 0xA6, 0xA7
UP_TIME, TRAP_OID = "1.3.6.1.2.1.1.3.0", "1.3.6.1.6.3.1.1.4.1.0"
STANDARD_TRAPS = "1.3.6.1.6.3.1.1.5"
TRAP_ADDRESS, TRAP_ENTERPRISE = "1.3.6.1.6.3.18.1.3.0", "1.3.6.1.6.3.1.1.4.3.0"
MOST_VARBINDS = 1000  # a datagram holds more only when it is made to hurt
TYPES = {
    ber.INTEGER: "Integer32",
    ber.OCTETS: "OctetString",
    ber.OID: "ObjectIdentifier",
    ber.IP_ADDRESS: "IpAddress",
    ber.COUNTER32: "Counter32",
    ber.GAUGE32: "Gauge32",
    ber.TIME_TICKS: "TimeTicks",
    ber.OPAQUE: "Opaque",
    ber.COUNTER64: "Counter64",
}


def read_pdu(octets: bytes, pdu: Element) -> dict[str, Any]:
    """kind, oid, name, uptime_ms and varbinds of a notification; of an inform its request_id. Raises BerError."""
    if pdu.tag == TRAP_V1:
        return _read_v1(octets, pdu)
    if pdu.tag not in (TRAP, INFORM):
        raise BerError(f"PDU {pdu.tag:#04x} is no notification")
    request = ber.expect(octets, pdu.start, pdu.end, ber.INTEGER)
    offset = request.end
    for _ in range(2):  # error-status and error-index
        offset = ber.expect(octets, offset, pdu.end, ber.INTEGER).end
    varbinds = _varbinds(octets, ber.expect(octets, offset, pdu.end, ber.SEQUENCE))
    by_oid = {v["oid"]: v["value"] for v in varbinds[:2]}
    oid, uptime = str(by_oid.get(TRAP_OID, "")), by_oid.get(UP_TIME)
    kind = {"kind": "inform", "request_id": ber.integer(octets, request)} if pdu.tag == INFORM else {"kind": "trap"}
    return {
        **kind,
        "oid": oid,
        "name": trap_name(oid),
        "uptime_ms": uptime * 10 if isinstance(uptime, int) else None,
        "varbinds": [v for v in varbinds if v["oid"] not in (UP_TIME, TRAP_OID)],
    }


def _read_v1(octets: bytes, pdu: Element) -> dict[str, Any]:
    """An SNMPv1 trap in the terms of v2 (RFC 3584 section 3.1)."""
    enterprise = ber.expect(octets, pdu.start, pdu.end, ber.OID)
    agent = ber.expect(octets, enterprise.end, pdu.end, ber.IP_ADDRESS)
    generic = ber.expect(octets, agent.end, pdu.end, ber.INTEGER)
    specific = ber.expect(octets, generic.end, pdu.end, ber.INTEGER)
    ticks = ber.expect(octets, specific.end, pdu.end, ber.TIME_TICKS)
    varbinds = _varbinds(octets, ber.expect(octets, ticks.end, pdu.end, ber.SEQUENCE))
    number = ber.integer(octets, generic)
    if 0 <= number <= 5:
        oid = f"{STANDARD_TRAPS}.{number + 1}"
    else:
        oid = f"{ber.oid(octets, enterprise)}.0.{ber.integer(octets, specific)}"
    address = _varbind(TRAP_ADDRESS, ber.IP_ADDRESS, octets[agent.start : agent.end])
    kind = _varbind(TRAP_ENTERPRISE, ber.OID, octets[enterprise.start : enterprise.end])
    return {
        "kind": "trap",
        "oid": oid,
        "name": trap_name(oid),
        "uptime_ms": _unsigned(octets[ticks.start : ticks.end]) * 10,
        "varbinds": [*varbinds, address, kind],
    }


def _varbinds(octets: bytes, bindings: Element) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    offset = bindings.start
    while offset < bindings.end:
        if len(found) == MOST_VARBINDS:
            raise BerError(f"more than {MOST_VARBINDS} varbinds")
        binding = ber.expect(octets, offset, bindings.end, ber.SEQUENCE)
        name = ber.expect(octets, binding.start, binding.end, ber.OID)
        value = ber.element(octets, name.end, binding.end)
        found.append(_varbind(ber.oid(octets, name), value.tag, octets[value.start : value.end]))
        offset = binding.end
    return found


def _varbind(oid: str, tag: int, content: bytes) -> dict[str, Any]:
    known = object_of(oid)
    kind, value = _value(tag, content, is_octets=known is not None and known[0].is_octets)
    if known is None:
        return {"oid": oid, "name": "", "index": "", "type": kind, "value": value}
    if known[0].is_secret:
        value = ""
    varbind: dict[str, Any] = {"oid": oid, "name": known[0].name, "index": known[1], "type": kind, "value": value}
    if label := _label(known[0], kind, value):
        varbind["label"] = label
    return varbind


def _label(known: Object, kind: str, value: int | str | None) -> str:
    """The word of an enumeration; one whose values are OIDs goes by their last arc (upsAlarmDescr)."""
    if not known.labels or value is None:
        return ""
    if kind == "ObjectIdentifier":
        value = int(str(value).rpartition(".")[2])
    return known.labels.get(value, "") if isinstance(value, int) else ""


def _value(tag: int, content: bytes, *, is_octets: bool) -> tuple[str, int | str | None]:
    kind = TYPES.get(tag, "Null")
    whole = Element(tag, 0, 0, len(content))
    if tag == ber.INTEGER:
        return kind, ber.integer(content, whole)
    if tag in (ber.COUNTER32, ber.GAUGE32, ber.TIME_TICKS, ber.COUNTER64):
        return kind, _unsigned(content)
    if tag == ber.OID:
        return kind, ber.oid(content, whole)
    if tag == ber.IP_ADDRESS and len(content) == 4:
        return kind, ".".join(map(str, content))
    if tag == ber.OCTETS and not is_octets:
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            return "Hex", content.hex()
        return (kind, text) if text.replace("\n", "").replace("\t", "").isprintable() else ("Hex", content.hex())
    return ("Null", None) if kind == "Null" else ("Hex", content.hex())


def _unsigned(content: bytes) -> int:
    """Some agents leave out the zero octet before a set high bit: always read as unsigned."""
    if not 1 <= len(content) <= 9:
        raise BerError("counter of a wrong length")
    return int.from_bytes(content, "big")
