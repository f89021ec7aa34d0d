"""Barracuda's mail gateway: which numbers say what it did with a message, and why."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Parsed, put

_LINE = re.compile(
    r"(?P<domain>[^\s\[]{0,253})\[(?P<ip>[\da-fA-F.:]{3,45})\] (?P<id>[\w-]{8,64}) \d{9,10} (?P<time>\d{9,10}) "
    r"(?P<service>RECV|SCAN|SEND) "
    r"(?:(?:ENC|-) )?(?P<rest>.{0,4096})",
    re.DOTALL,
)
_MAIL = re.compile(
    r"(?P<sender>\S{1,320}) (?P<recipient>\S{1,320}) (?:(?P<score>-|-?\d{1,4}\.\d{1,6}) )?"
    r"(?P<action>\d{1,2}) (?P<reason>\d{1,3})(?: (?P<extra>.{0,2048}))?",
    re.DOTALL,
)
_SENT = re.compile(r"(?P<action>\d) (?P<queue>\S{1,64})(?: (?P<answer>.{0,1024}))?", re.DOTALL)
_SUBJECT = re.compile(r"(?:\A| )SUBJ?:(?P<subject>.{1,1024})", re.IGNORECASE | re.DOTALL)
_ACTIONS = {
    "0": "mail-allowed", "1": "mail-aborted", "2": "mail-blocked", "3": "mail-quarantined", "4": "mail-tagged",
    "5": "mail-deferred", "6": "mail-quarantined", "7": "mail-allowed", "8": "mail-encrypted", "9": "mail-redirected",
    "10": "mail-allowed",
}  # fmt: skip
_SENDING = {"1": "mail-delivered", "2": "mail-rejected", "3": "mail-deferred", "4": "mail-expired"}
_REASONS = {
    "1": "Virus", "2": "Banned attachment", "3": "RBL match", "4": "Rate control", "5": "Too many message in session",
    "6": "Timeout exceeded", "7": "No such domain", "8": "No such user", "9": "Subject filter match",
    "11": "Client IP", "12": "Recipient address rejected", "13": "No plain text", "14": "Sender domain",
    "15": "Bad message", "17": "Sender email address", "18": "RCPT TO", "19": "Quota", "21": "Recipient verification",
    "22": "SMTP protocol", "24": "Score", "26": "Intent", "27": "Fingerprint", "29": "Body filter",
    "30": "Header filter",
    "34": "Bayesian", "36": "Invalid HELO", "43": "SPF", "70": "Spam",
}  # fmt: skip


def parse(line: Line) -> Parsed | None:
    match = _LINE.match(line.text)
    if match is None:
        return None
    fields: dict[str, Value] = {"event.code": match["service"], "event.type": ("info",)}
    for name, group in (("source.ip", "ip"), ("email.local_id", "id"), ("@timestamp", "time")):
        put(fields, name, match[group])
    if match["domain"] not in ("", "unknown", "user"):
        put(fields, "source.domain", match["domain"])
    if match["service"] == "SEND":
        _add_sending(fields, match["rest"])
        return fields
    mail = _MAIL.match(match["rest"])
    if mail is None:
        return fields
    for name, group in (("email.from.address", "sender"), ("email.to.address", "recipient")):
        if mail[group] not in ("-", "<>"):
            put(fields, name, mail[group])
    extra = str(mail["extra"] or "")
    subject = _SUBJECT.search(extra)
    if subject is not None:
        put(fields, "email.subject", subject["subject"].strip())
        extra = extra[: subject.start()].partition("SZ:")[0]
    known = _REASONS.get(mail["reason"])
    put(fields, "event.reason", known if match["service"] == "SCAN" and known else extra.strip(" -") or known)
    fields["event.action"] = _ACTIONS.get(mail["action"], "mail-received")
    is_stopped = mail["action"] in ("1", "2", "3", "6")
    fields["event.outcome"] = "failure" if is_stopped else "success"
    fields["event.type"] = ("info", "denied") if is_stopped else ("info", "allowed")
    if mail["reason"] == "1" and is_stopped:
        fields["event.kind"], fields["event.category"] = "alert", ("email", "malware")
    return fields


def _add_sending(fields: dict[str, Value], rest: str) -> None:
    sent = _SENT.match(rest)
    if sent is not None:
        fields["event.action"] = _SENDING.get(sent["action"], "mail-sent")
        fields["event.outcome"] = "success" if sent["action"] == "1" else "failure"
        put(fields, "event.reason", (sent["answer"] or "").strip())
