"""Microsoft 365: what the document cannot say of a name."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed, put


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed | None:
    """A failed sign-in says "Success" of its own delivery; a name is a rule's only in alerts."""
    if pairs.get("Operation") == "UserLoginFailed":
        fields["event.outcome"] = "failure"
    if pairs.get("Workload") != "SecurityComplianceCenter" and "PolicyDetails.PolicyName" not in pairs:
        fields.pop("rule.name", None)
    if "event.action" in fields and line.document is not None:
        _add_parameters(fields, line.document.get("Parameters"))
    place = pairs.get("ObjectId")
    if isinstance(place, str) and place.startswith(("http://", "https://")):
        for name in ("url.domain", "url.path", "url.query", "url.scheme", "url.port"):
            fields.pop(name, None)
        put(fields, "url.full", place)
    elif isinstance(place, str) and "@" in place and pairs.get("Workload") == "AzureActiveDirectory":
        put(fields, "destination.user.name", place)
        fields.setdefault("user.target.name", place)
    return fields


_FORWARDS = ("ForwardTo", "RedirectTo", "ForwardAsAttachmentTo", "ForwardingSmtpAddress", "ForwardingAddress")
_HIDES = {"DeleteMessage": "delete", "MoveToFolder": "move", "MarkAsRead": "mark-read", "SoftDeleteMessage": "delete"}
_ADDRESS = re.compile(r"[\w.+%-]{1,64}@[\w.-]{1,255}")


def _add_parameters(fields: dict[str, Value], written: object) -> None:
    """What a command on mailboxes was given: where a rule sends mail, what it does with it, which rights are given."""
    if not isinstance(written, list):
        return
    given = {str(p.get("Name")): str(p.get("Value")) for p in written[:64] if isinstance(p, dict)}
    targets = [found for name in _FORWARDS for found in _ADDRESS.findall(given.get(name, "")[:2048])]
    if targets:
        put(fields, "canh.mail.rule_target", targets[0] if len(targets) == 1 else tuple(dict.fromkeys(targets)))
        fields |= {"event.action": "mail-rule-created", "canh.mail.rule_action": "forward"}
    elif fields.get("event.action") == "mail-rule-created":
        hides = [word for name, word in _HIDES.items() if given.get(name, "False") not in ("False", "")]
        if hides:
            fields["canh.mail.rule_action"] = hides[0]
        put(
            fields, "canh.mail.rule_words", given.get("SubjectOrBodyContainsWords") or given.get("SubjectContainsWords")
        )
    if fields.get("event.action") == "mailbox-permission-changed":
        put(fields, "canh.mail.permission", given.get("AccessRights", "")[:256])
        put(fields, "user.target.name", given.get("User") or given.get("Trustee"))
