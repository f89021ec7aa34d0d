"""BIG-IP: the level and program that it writes before its own number, and the sentences of each number."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Parsed, pairs_of, put
from monitoring.parsers._network import add_sentence

_HEAD = re.compile(
    r"(?:(?:emerg|alert|crit|err|error|warning|warn|notice|info|debug) )?(?:logger: )?"
    r"(?:([\w./-]{1,48}(?:\(pam_audit\))?)(?:\[(\d{1,10})\])?: )?(?:([0-9a-f]{8}):(\d): ?)?",
)
_RULE_KEYS = {  # what iRules of logging add-ons write: `f5_irule=...,src_ip=...,vip=...`
    "src_ip": "source.ip", "src_port": "source.port", "client_ip": "source.ip", "vip": "destination.ip",
    "vip_port": "destination.port", "http_method": "http.request.method", "http_host": "url.domain",
    "http_uri": "url.original", "http_user_agent": "user_agent.original", "http_referrer": "http.request.referrer",
    "http_referer": "http.request.referrer", "user": "user.name", "http_status": "http.response.status_code",
    "node": "canh.pool.member.ip", "node_port": "canh.pool.member.port", "bytes_in": "source.bytes",
    "bytes_out": "destination.bytes", "virtual_server": "rule.name", "f5_irule": "canh.f5.irule",
    "dns_query": "dns.question.name", "query_name": "dns.question.name",
    "lb_server": "canh.pool.member.ip", "protocol": "network.transport", "username": "user.name",
}  # fmt: skip
_SESSION = re.compile(r"(?:(/[\w./-]{1,128}?)(?::[\w.-]{1,64})?:)?([0-9a-f]{8}): ")
_AUDIT = re.compile(
    r"AUDIT - (?:pid=\d{1,10} )?(?:client ([\w.-]{1,64}), )?(?:user ([^\s,]{1,128})(?: - |, )|user="
    r"([^\s,]{1,128}) )?(.{0,8192})",
    re.DOTALL,
)
_PAIR = re.compile(
    r"\b(user|host|tty|start|end|partition|level|attempts|folder|status|from|ip)=(?:\[([^\]]*)\]|\"([^\"]*)\"|(\S+))"
)
_ACCESS = re.compile(
    r"\[ssl_(?:acc|req)\]\s{0,3}(?:\[([^\]]{10,40})\] )?([0-9A-Fa-f.:]{3,45}) (?:(-) (\S{1,128}) )?"
    r"(?:\[([^\]]{10,40})\] )?(?:(TLS\S{1,8}) (\S{1,64}) )?\"(?:([A-Z]{3,10}) )?([^\s\"]{1,2048})[^\"]{0,16}\""
    r"(?: (\d{3}) )?"
)
_MEMBER_END = re.compile(r"(?:/Common/)?(\d{1,3}(?:\.\d{1,3}){3})[:.](\d{1,5})")
_CLIENT = re.compile(r"(?:client IP|Client IP|client ip|from|clientip|IP:?) ([0-9A-Fa-f.:]{3,45})(?:\s|,|\Z)")
_VIP = re.compile(r"VIP ([0-9A-Fa-f.:]{3,45}) Listener (\S{1,128})")
_USERNAME = re.compile(
    r"[Uu]sername '([^']{1,128})'|Username: ([^\s,]{1,128})|user(?:name)?[:=] ?'?\"?([^\s'\",]{1,128})"
)
_STATE = re.compile(r"monitor status (\w+)|status (\w+)\.|is (now )?(up|down|available)")
_PROGRAMS = frozenset(
    ("mcpd", "tmm", "bigd", "apmd", "tmsh", "iControlPortal.cgi", "sod", "big3d", "gtmd", "mprov", "scriptd", "alertd",
     "iprepd", "icrd_child", "apm_websso", "rba", *(f"tmm{number}" for number in range(16)))
)  # fmt: skip
_MARKS = ("AUDIT - ", "pam_audit", "[ssl_acc]", "[ssl_req]", "Rule /Common/")
_LOGIN: dict[str, Value] = {"event.category": ("authentication",), "event.type": ("start",), "event.action": "login"}
_KINDS: dict[str, dict[str, Value]] = {
    "01490500": {"event.category": ("session", "network"), "event.type": ("start",), "event.action": "vpn-login"},
    "01490501": {"event.category": ("session", "network"), "event.type": ("end",), "event.action": "logout"},
    "01490502": {"event.category": ("session", "network"), "event.type": ("end",), "event.action": "logout"},
    "01490521": {"event.category": ("session", "network"), "event.type": ("end",),
    "event.action": "session-statistics"},
    "01490549": {"event.category": ("session", "network"), "event.type": ("start",), "event.action": "vpn-tunnel-up"},
    "01490010": {**_LOGIN},
    "01490102": {"event.category": ("authentication",), "event.type": ("start",), "event.action": "vpn-login"},
    "01490005": {"event.category": ("authentication",), "event.type": ("info",)},
    "01490019": {**_LOGIN, "event.outcome": "success"},
    "01490107": {**_LOGIN, "event.outcome": "failure"},
    "01490113": {"event.category": ("session",), "event.type": ("info",)},
    "01490248": {"event.category": ("session",), "event.type": ("info",)},
    "01490128": {"event.category": ("session",), "event.type": ("info",)},
    "01490142": {"event.category": ("network",), "event.type": ("info",)},
    "01490544": {"event.category": ("session",), "event.type": ("info",)},
    "01490506": {"event.category": ("session",), "event.type": ("info",)},
    "01580002": {"event.category": ("network",), "event.type": ("connection", "allowed"), "event.outcome": "success",
                 "event.action": "connection-allowed"},
    "01580005": {"event.category": ("network",), "event.type": ("connection", "denied"), "event.outcome": "failure",
                 "event.action": "connection-denied"},
    "01420002": {"event.category": ("process",), "event.type": ("start",), "event.action": "config-command"},
    "01070417": {"event.category": ("configuration",), "event.type": ("change",), "event.action": "config-changed"},
    "010c0018": {"event.category": ("host",), "event.type": ("change",), "event.action": "ha-state-changed"},
    "010c0019": {"event.category": ("host",), "event.type": ("change",), "event.action": "ha-state-changed"},
    "01260009": {"event.category": ("network",), "event.type": ("info",), "event.outcome": "failure",
                 "event.action": "tls-handshake"},
    "01260013": {"event.category": ("network",), "event.type": ("info",), "event.outcome": "failure",
                 "event.action": "tls-handshake"},
}  # fmt: skip


def parse(line: Line) -> Parsed | None:
    if "f5_irule=" in line.text[:256]:
        return _of_rule(line.text)
    head = _HEAD.match(line.text)
    if head is None:
        return None
    program, pid, code, _ = head.groups()
    text = line.text[head.end() :]
    if text.count('="') > 3 and code is None:
        return None  # pairs: the application and the network firewall's
    name = program or line.app_name
    if (
        code is None
        and name not in _PROGRAMS
        and "pam_audit" not in name
        and not any(mark in line.text[:256] for mark in _MARKS)
    ):
        return None
    fields: dict[str, Value] = {}
    if program:
        put(fields, "process.name", program)
        put(fields, "process.pid", pid)
    if code:
        fields["event.code"] = code
        fields |= _KINDS.get(code, {})
    if "pam_audit" in (program or line.app_name) or "(pam_audit)" in text[:64]:
        fields |= _LOGIN
        _add_login(fields, text)
    elif text.startswith("AUDIT - ") or ": AUDIT - " in text[:96]:
        _add_audit(fields, text[text.index("AUDIT - ") :])
    elif "[ssl_" in text[:16]:
        _add_access(fields, text)
    elif code is not None:
        _add_session(fields, text)
    _add_state(fields, text)
    add_sentence(fields, text.replace("/Common/", ""))
    return fields


def _pairs(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, bracketed, quoted, plain in _PAIR.findall(text[:8192]):
        found.setdefault(key, bracketed or quoted or plain)
    return found


def _add_login(fields: dict[str, Value], text: str) -> None:
    pairs = _pairs(text)
    put(fields, "user.name", pairs.get("user", "").partition("(")[0])
    put(fields, "source.ip", pairs.get("host"))
    put(fields, "canh.auth.tty", pairs.get("tty", "").strip("()"))
    if "end" in pairs:
        fields |= {"event.type": ("end",), "event.action": "logout"}
    fields["event.outcome"] = (
        "failure" if "fail" in text.lower() or ("attempts=" in text and "start=" not in text) else "success"
    )


def _add_audit(fields: dict[str, Value], text: str) -> None:
    match = _AUDIT.match(text)
    pairs = _pairs(text)
    if match is not None:
        put(fields, "user.name", match[2] or match[3] or pairs.get("user", ""))
        put(fields, "canh.auth.method", match[1] or "")
    _, _, typed = text.partition("cmd_data=")
    command = typed.strip() or ("" if match is None or "status=" in text else match[4])
    put(fields, "process.command_line", command)
    status = pairs.get("status", "")
    if status:
        fields["event.outcome"] = "success" if "OK" in status or "completed" in status.lower() else "failure"
    put(fields, "source.ip", pairs.get("host") or pairs.get("ip"))


def _add_session(fields: dict[str, Value], text: str) -> None:
    session = _SESSION.match(text)
    if session is not None:
        put(fields, "canh.session.id", session[2])
        put(fields, "rule.ruleset", session[1])
    client, virtual, user = _CLIENT.search(text[:2048]), _VIP.search(text[:2048]), _USERNAME.search(text[:2048])
    if client is not None:
        put(fields, "source.ip", client[1].rstrip(".:"))
    if virtual is not None:
        put(fields, "destination.ip", virtual[1])
        put(fields, "canh.f5.virtual_server", virtual[2])
    if user is not None:
        put(fields, "user.name", user[1] or user[2] or user[3])
    if fields.get("event.code") == "01490102":
        fields["event.outcome"] = "failure" if "deny" in text.lower() or "denied" in text.lower() else "success"


def _add_access(fields: dict[str, Value], text: str) -> None:
    """The web server of its own interface."""
    match = _ACCESS.match(text)
    if match is None:
        return
    names = ("@timestamp", "source.ip", "", "user.name", "@timestamp", "tls.version", "tls.cipher",
             "http.request.method", "url.original", "http.response.status_code")  # fmt: skip
    for name, value in zip(names, match.groups(), strict=True):
        if name and value:
            put(fields, name, value)
    fields |= {"event.category": ("web",), "event.type": ("access",), "event.action": "http-request"}


def _add_state(fields: dict[str, Value], text: str) -> None:
    """A pool member, a node or a virtual server that goes up or down."""
    if "monitor status" not in text[:512] and "is now" not in text[:512]:
        return
    fields.setdefault("event.category", ("network",))
    fields.setdefault("event.type", ("info",))
    match = _MEMBER_END.search(text)
    if match is not None:
        put(fields, "destination.ip", match[1])
        put(fields, "destination.port", match[2])
    state = _STATE.search(text)
    if state is not None:
        fields["event.action"] = "pool-member-" + ("up" if "up" in state[0] or "available" in state[0] else "down")


def _of_rule(text: str) -> Parsed:
    """A request as an iRule tells it."""
    start = text.find("f5_irule=")
    pairs = pairs_of(text[start:], ",")
    fields: dict[str, Value] = {
        "event.category": ("web", "network"),
        "event.type": ("access",),
        "event.action": "http-request",
    }
    put(fields, "observer.ip", text[:start].strip(" ,"))
    for key, name in _RULE_KEYS.items():
        if name not in fields:
            put(fields, name, pairs.get(key))
    host, _, port = str(fields.get("url.domain", "")).partition(":")
    if host:
        fields["url.domain"] = host
        put(fields, "url.port", port.strip())
        fields["url.full"] = f"{'https' if port.strip() == '443' else 'http'}://{host}{fields.get('url.original', '')}"
        fields["network.protocol"] = "http"
    if "dns.question.name" in fields:
        fields |= {"event.category": ("network",), "event.type": ("protocol", "info"), "network.protocol": "dns"}
    status = fields.get("http.response.status_code")
    if isinstance(status, int):
        fields["event.outcome"] = "success" if status < 400 else "failure"
    return fields
