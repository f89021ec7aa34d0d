"""CyberArk: the vault's audit record as CEF, as XML, or as the JSON its translator makes of that."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

from monitoring.parsers import Line, Pairs, any_pairs, mapping_of

_ELEMENT = re.compile(r"<([A-Za-z]\w{1,40})>([^<]{1,4096})</")
_PROPERTY = re.compile(r'<CAProperty Name="([^"]{1,128})" Value="([^"]{0,1024})"')
_NAMES = {
    "MessageID": "cef.id", "Desc": "cef.name", "Message": "msg", "Issuer": "suser", "TargetUser": "duser",
    "SourceUser": "canh.source_user", "File": "fname", "Station": "shost", "Reason": "reason", "Action": "act",
    "Safe": "cs2", "Hostname": "dvchost", "IsoTimestamp": "IsoTimestamp", "GatewayStation": "GatewayStation",
    "Version": "Version", "Timestamp": "rt",
}  # fmt: skip


def read(line: Line) -> Pairs | None:
    """The pairs, by the names that CEF has for them."""
    if "<audit_record>" in line.text[:256]:
        text = line.text[:32768]
        found: dict[str, Any] = {name: html.unescape(value) for name, value in _ELEMENT.findall(text)}
        return _named(found, {name: html.unescape(value) for name, value in _PROPERTY.findall(text)})
    record = mapping_of(mapping_of((line.document or {}).get("syslog")).get("audit_record"))
    if record:
        properties = mapping_of(record.get("CAProperties")).get("CAProperty")
        objects = [mapping_of(one) for one in (properties if isinstance(properties, list) else [properties])]
        return _named(record, {str(one.get("Name")): one.get("Value") for one in objects if "Name" in one})
    return any_pairs(line)


def _named(record: Mapping[str, Any], properties: Mapping[str, Any]) -> Pairs:
    pairs: Pairs = {name: record[key] for key, name in _NAMES.items() if record.get(key)}
    if "cef.name" not in pairs and "msg" in pairs:
        pairs["cef.name"] = pairs["msg"]
    return pairs | {f"CAProperties.{key}": value for key, value in properties.items() if value}
