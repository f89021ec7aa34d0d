"""CrowdStrike: what an audit event is about stands in a list of keys with values of several kinds."""

from __future__ import annotations

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, mapping_of, put
from monitoring.parsers._endpoint import add_names

_KEYS = {
    "target_name": "destination.user.name", "target_user": "destination.user.name",
    "user_name": "destination.user.name",
    "target_uuid": "user.target.id", "ip_address": "source.ip", "source_ip": "source.ip", "trace_id": "trace.id",
    "hostname": "host.name", "host_name": "host.name", "group_name": "group.name", "policy_name": "rule.name",
    "action_name": "canh.crowdstrike.audit_action", "email": "user.target.email",
}  # fmt: skip
MOST = 64  # pairs looked at


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """The event with what its audit pairs name, and the names that its paths end in."""
    audited = mapping_of((line.document or {}).get("event")).get("AuditKeyValues")
    for one in map(mapping_of, audited[:MOST] if isinstance(audited, list) else ()):
        name = _KEYS.get(str(one.get("Key", "")).lower())
        if name is not None and name not in fields:
            put(fields, name, one.get("ValueString"))
    if "destination.user.name" in fields:
        fields.setdefault("user.target.name", fields["destination.user.name"])
    add_names(fields)
    return fields
