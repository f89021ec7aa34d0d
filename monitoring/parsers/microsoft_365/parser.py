"""Microsoft 365: what the document cannot say of a name."""

from __future__ import annotations

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed, put


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed | None:
    """A failed sign-in says "Success" of its own delivery; a name is a rule's only in alerts."""
    if pairs.get("Operation") == "UserLoginFailed":
        fields["event.outcome"] = "failure"
    if pairs.get("Workload") != "SecurityComplianceCenter" and "PolicyDetails.PolicyName" not in pairs:
        fields.pop("rule.name", None)
    place = pairs.get("ObjectId")
    if isinstance(place, str) and place.startswith(("http://", "https://")):
        for name in ("url.domain", "url.path", "url.query", "url.scheme", "url.port"):
            fields.pop(name, None)
        put(fields, "url.full", place)
    elif isinstance(place, str) and "@" in place and pairs.get("Workload") == "AzureActiveDirectory":
        put(fields, "destination.user.name", place)
        fields.setdefault("user.target.name", place)
    return fields
