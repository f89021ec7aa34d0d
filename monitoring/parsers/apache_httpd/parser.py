"""Apache httpd: access lines and error lines, in files of their own or under one tag."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, put
from monitoring.parsers._access import access_of

_ERROR = re.compile(
    r"(?:\[(?P<when>[A-Z][a-z]{2} [A-Z][a-z]{2} {1,2}\d{1,2} [\d:.]{8,15} \d{4})\] )?"
    r"\[(?:(?P<module>[\w-]{0,64}):)?(?P<level>emerg|alert|crit|error|warn|notice|info|debug|trace\d)\] "
    r"(?:\[pid (?P<pid>\d{1,10})(?::tid (?P<tid>\d{1,20}))?\] )?(?P<rest>.*)",
    re.DOTALL,
)
_CLIENT = re.compile(
    r"\[(?:client|remote) (?:\[([0-9A-Fa-f:.%]{2,64})\]:(\d{1,5})|([0-9A-Fa-f.:%\w-]{2,255}?)(?::(\d{1,5}))?)\] "
)
_CODE = re.compile(r"(?:\(\w{1,12}\)[^:]{1,200}: )?(AH\d{5})(?:: )?")
_MODSECURITY = re.compile(r'\[(id|msg|severity|uri|unique_id|hostname|client) "?([^"\]]*)"?\]')
_REFERER = re.compile(r", referer: (\S{1,2048})\Z")
_PATH = re.compile(r"(?:: |: `|'|\bscript |not exist: )(/[^\s,']{1,1024})")
_TRAEFIK = re.compile(r' \d+ "[^"]*" "[^"]*" \d+ms\Z')
# What collectors put before a container's line, or the host and program of a header without time; `program_line`
# takes it off.
_COLLECTED = re.compile(
    r"@[0-9a-f]{24} |\[pod/[\w./-]{1,512}\] |[a-z][\w.-]{0,63} {1,32}\| "
    r"|(?:[A-Za-z\d][\w.-]{0,254} )?[A-Za-z][\w./-]{0,63}\[\d{1,10}\]: "
)
_BACKEND = re.compile(r"attempt to connect to \[?([0-9A-Fa-f.:]{3,45}?)\]?:(\d{1,5}) \(")
_USER = re.compile(
    r"\buser [`']?([^\s'`:]{1,128})'?:?(?= (?:not found|in realm|password mismatch|authentication failure|"
    r"authorization failure|to access))"
)


def parse(line: Line) -> dict[str, Value] | None:
    """The request or the error; other words of the server have only their message."""
    error = _ERROR.match(line.text)
    if error is not None:
        return _error(error)
    access = access_of(line.text) if _COLLECTED.match(line.text) is None else None
    if access is not None:
        return None if _TRAEFIK.search(line.text) else {"event.dataset": "apache.access"} | access
    if line.app_name in ("", "httpd") or line.document is not None:  # many a device has an httpd of its own
        return None
    return {"event.dataset": "apache.error", "event.category": ("web",), "event.type": ("info",)}


def _error(match: re.Match[str]) -> dict[str, Value]:
    level, rest = match["level"], match["rest"]
    fields: dict[str, Value] = {
        "event.dataset": "apache.error",
        "event.category": ("web",),
        "event.type": ("error",) if level in ("error", "crit", "alert", "emerg") else ("info",),
        "log.level": level,
    }
    put(fields, "@timestamp", match["when"])
    put(fields, "canh.apache.module", match["module"])
    put(fields, "process.pid", match["pid"])
    put(fields, "process.thread.id", match["tid"])
    backend = _BACKEND.search(rest[:512])
    if backend is not None:
        put(fields, "destination.ip", backend[1])
        put(fields, "destination.port", backend[2])
    client = _CLIENT.search(rest[:256])
    if client is not None:
        address, port = client[1] or client[3], client[2] or client[4]
        if match["pid"] is None and port and ":" in address:  # before 2.4 there was no port: it is the address's end
            address, port = f"{address}:{port}", None
        put(fields, "source.ip", address)
        put(fields, "source.port", port)
        rest = rest[: client.start()] + rest[client.end() :]
    code = _CODE.match(rest)
    if code is not None:
        fields["event.code"] = code[1]
    fields["message"] = rest
    referer = _REFERER.search(rest)
    if referer is not None:
        fields["http.request.referrer"] = referer[1]
    if "ModSecurity" in rest:
        _add_rule(fields, rest)
        return fields
    path, user = _PATH.search(rest), _USER.search(rest)
    if path is not None:
        fields["file.path"] = path[1]
    if user is not None:
        put(fields, "user.name", user[1])
        fields |= {"event.action": "login", "event.category": ("web", "authentication"),
                   "event.type": ("error", "start"),
                   "event.outcome": "failure"}  # fmt: skip
    elif "denied by server configuration" in rest:
        fields["event.outcome"] = "failure"
    return fields


def _add_rule(fields: dict[str, Value], text: str) -> None:
    found = dict(_MODSECURITY.findall(text[:16384]))
    for key, field in (("id", "rule.id"), ("msg", "rule.name"), ("uri", "url.path"), ("hostname", "url.domain"),
                       ("client", "source.ip"), ("unique_id", "http.request.id")):  # fmt: skip
        if field not in fields:
            put(fields, field, found.get(key))
    if "id" in found or "denied" in text:
        is_denied = "denied" in text
        fields |= {
            "event.category": ("web", "intrusion_detection"),
            "event.type": ("info", "denied") if is_denied else ("info",),
            "event.action": "attack-detected",
            "event.kind": "alert",
        }
        if is_denied:
            fields["event.outcome"] = "failure"
