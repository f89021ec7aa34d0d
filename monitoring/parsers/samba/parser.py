"""Samba: `user|address|machine|share|operation|ok|path` of full_audit; JSON of the authentication audit."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, flat_of, ip_text, put
from monitoring.parsers._infer import infer
from monitoring.parsers.generic_text.parser import add_words

_KINDS = {
    "open": "access", "openat": "access", "pread": "access", "read": "access", "opendir": "access", "write": "change",
    "pwrite": "change", "rename": "change", "renameat": "change", "unlink": "deletion", "unlinkat": "deletion",
    "rmdir": "deletion", "mkdir": "creation", "mkdirat": "creation", "create_file": "access", "chmod": "change",
    "fchmod": "change", "chown": "change",
}  # fmt: skip
_END = re.compile(r"ipv[46]:\[?([0-9A-Fa-f.:]{2,45}?)\]?:(\d{1,5})\Z")
_CLIENT = re.compile(r"\(ipv[46]:\[?([0-9A-Fa-f.:]{2,45}?)\]?:(\d{1,5})\)")
_KEYS = {
    "timestamp": "@timestamp", "Authentication.clientAccount": "user.name", "Authentication.mappedAccount": "user.name",
    "Authentication.clientDomain": "user.domain", "Authentication.workstation": "source.domain",
    "Authentication.status":
    "event.reason", "Authentication.eventId": "event.code", "Authentication.authDescription": "canh.auth.method",
    "Authorization.account": "user.name", "Authorization.domain": "user.domain",
    "dsdbChange.operation": "canh.ldap.operation",
    "dsdbChange.dn": "canh.ldap.dn", "passwordChange.dn": "canh.ldap.dn", "passwordChange.action": "event.reason",
}  # fmt: skip


_HEAD = re.compile(
    r"\[(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?), {1,4}\d{1,2}(?:, pid=(\d{1,10}))?[^\]]{0,128}\]"
    r"(?: \S{0,255}\(\w{0,64}\))? ?(.*)",
    re.DOTALL,
)
# auth_audit: [protocol,service] user [DOMAIN]\[name] at [time] ... status [..] ... remote host [..] ... local host [..]
_AUTH = re.compile(
    r"(?:Auth|Successful AuthZ): \[([^\]]{0,64})\] user \[([^\]]{0,255})\]\\\[([^\]]{0,255})\](?: \[S-[\d-]{1,180}\])? "
    r"at \[([^\]]{1,64})\](?: with \[[^\]]{0,64}\])?(?: status \[([A-Z_0-9]{1,64})\])?"
    r"(?: workstation \[([^\]]{0,255})\])?(?:.{0,64}?[Rr]emote host \[([^\]]{0,80})\])?"
    r"(?:.{0,255}?local host \[([^\]]{0,80})\])?",
    re.DOTALL,
)
_AUDIT_END = re.compile(r"ipv[46]:\[?([0-9A-Fa-f.:]{2,45}?)\]?:(\d{1,5})")


def _auth(match: re.Match[str]) -> dict[str, Value]:
    service, domain, user, when, status, machine, remote, local = match.groups()
    fields: dict[str, Value] = {"@timestamp": when.partition(", ")[2] or when, "canh.auth.service": service}
    for name, value in (("user.name", user), ("user.domain", domain), ("event.reason", status),
                        ("source.domain", machine)):  # fmt: skip
        put(fields, name, value)
    for side, written in (("source", remote), ("destination", local)):
        end = _AUDIT_END.match(written or "")
        if end is not None:
            put(fields, f"{side}.ip", end[1])
            put(fields, f"{side}.port", end[2])
    if status is None:
        return fields | {"event.category": ("session",), "event.type": ("start",), "event.outcome": "success"}
    outcome = "success" if status == "NT_STATUS_OK" else "failure"
    return fields | {"event.action": "login", "event.category": ("authentication",), "event.type": ("start",),
                     "event.outcome": outcome}  # fmt: skip


def parse(line: Line) -> dict[str, Value] | None:
    """What a user did with a file or who logged in; the daemons' words otherwise."""
    if line.document is not None:
        return _json(flat_of(line.document))
    head = _HEAD.match(line.text)
    if head is not None:
        found = _said(line._replace(text=head[3]))
        found["@timestamp"] = found.get("@timestamp", head[1])
        put(found, "process.pid", head[2])
        return found
    return _said(line)


def _said(line: Line) -> dict[str, Value]:
    auth = _AUTH.search(line.text[:2048])
    if auth is not None:
        return _auth(auth)
    parts = line.text.split("|")
    if len(parts) >= 3:
        at = next((n for n, part in enumerate(parts) if part in ("ok",) or part.startswith("fail")), -1)
        if at >= 1:
            return _audit(parts, at)
    fields: dict[str, Value] = {"event.category": ("process",)}
    end = _CLIENT.search(line.text[:512])
    if end is not None:
        put(fields, "source.ip", end[1])
        put(fields, "source.port", end[2])
    add_words(fields, line.text)
    if "user.name" in fields or "source.ip" in fields:
        del fields["event.category"]
        infer(fields, line.text)
    return fields


def _audit(parts: list[str], at: int) -> dict[str, Value]:
    operation = parts[at - 1]
    fields: dict[str, Value] = {
        "event.code": operation,
        "event.action": f"file-{operation}",
        "event.type": (_KINDS.get(operation, "info"),),
        "event.outcome": "success" if parts[at] == "ok" else "failure",
    }
    if operation in ("connect", "disconnect"):
        fields |= {"event.category": ("session",), "event.type": ("start" if operation == "connect" else "end",)}
    names = [part for part in parts[: at - 1] if part]
    for part in names:
        if ip_text(part) is not None:
            put(fields, "source.ip", part)
    rest = [part for part in names if ip_text(part) is None]
    for name, value in zip(("user.name", "source.domain", "canh.smb.share"), rest, strict=False):
        put(fields, name, value)
    if len(parts) > at + 1:
        put(fields, "file.path", parts[-1])
    return fields


def _json(pairs: dict[str, object]) -> dict[str, Value]:
    fields: dict[str, Value] = {}
    for key, field in _KEYS.items():
        if field not in fields:
            put(fields, field, pairs.get(key))
    kind = str(pairs.get("type", ""))
    for side, key in (("source", "remoteAddress"), ("destination", "localAddress")):
        end = _END.match(str(pairs.get(f"{kind}.{key}", "")))
        if end is not None:
            put(fields, f"{side}.ip", end[1])
            put(fields, f"{side}.port", end[2])
    if kind == "Authentication":
        good = pairs.get("Authentication.status") == "NT_STATUS_OK"
        fields |= {"event.action": "login", "event.category": ("authentication",), "event.type": ("start",),
                   "event.outcome": "success" if good else "failure"}  # fmt: skip
    elif kind == "Authorization":
        fields |= {"event.category": ("session",), "event.type": ("start",)}
    else:
        fields |= {"event.category": ("iam",), "event.type": ("change",)}
    return fields
