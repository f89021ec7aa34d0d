"""What single events say in their own way: positional parameters, DNS by numbers, pairs or sentences in a value."""

from __future__ import annotations

import re
from collections.abc import Callable

from monitoring.event import Value
from monitoring.parsers import put
from monitoring.parsers.generic_text.parser import add_words
from monitoring.parsers.windows._record import Record

Fields = dict[str, Value]
LONGEST_SENTENCE = 1024
_TYPES = {
    "1": "A", "2": "NS", "5": "CNAME", "6": "SOA", "12": "PTR", "15": "MX", "16": "TXT", "28": "AAAA", "33": "SRV",
    "43": "DS", "46": "RRSIG", "48": "DNSKEY", "64": "SVCB", "65": "HTTPS", "251": "IXFR", "252": "AXFR",
    "255": "ANY",
}  # fmt: skip
_CODES = {"0": "NOERROR", "1": "FORMERR", "2": "SERVFAIL", "3": "NXDOMAIN", "4": "NOTIMP", "5": "REFUSED"}
_CONTEXT = re.compile(
    r"(Host Application|HostApplication|User|UserId|Command Name|Script Name)\s{0,8}[=:]\s{0,8}([^\r\n]{1,4096})"
)
_CONTEXTS = {
    "Host Application": "process.command_line", "HostApplication": "process.command_line", "User": "user.name",
    "UserId": "user.name", "Command Name": "canh.powershell.command", "Script Name": "file.path",
}  # fmt: skip
_SQL_LOGIN = re.compile(r"for user '([^']{0,256})'|\[CLIENT: ([^\]]{1,64})\]")
_PREFIXED = re.compile(r"(?:container)?(?:file|webfile|process|regkey|behavior|CmdLine):_?(?:pid:\d{1,10}[^;]{0,64};)?")
# Providers whose events have sentences, not data.
_SPOKEN = frozenset(("sql", "adfs", "exchange", "application", "nps", "", "terminal_connection", "openssh", "winrm"))


def add_more(fields: Fields, record: Record, event_id: str, group: str) -> None:
    """Fill what the names of the data alone did not."""
    more = _MORE.get(group)
    if more is not None:
        more(fields, record, event_id)
    if group in _SPOKEN and "source.ip" not in fields and "user.name" not in fields:
        message = record.system.get("message", "")[:LONGEST_SENTENCE]
        add_words(fields, message)


def _dns(fields: Fields, record: Record, event_id: str) -> None:
    """The server's analytic events: the interface is the server's own end."""
    asked, told = record.get("Source"), record.get("Destination")
    put(fields, "source.ip", asked or record.get("InterfaceIP"))
    put(fields, "destination.ip", told if told else record.get("InterfaceIP"))
    if "Port" in record.data:
        put(fields, "source.port" if asked else "destination.port", record.get("Port"))
    number = record.get("QTYPE", "QueryType")
    if number in _TYPES:
        fields["dns.question.type"] = _TYPES[number]
    code = record.get("RCODE")
    if code:
        fields["dns.response_code"] = _CODES.get(code, code)
    if "TCP" in record.data:
        put(fields, "network.transport", "tcp" if record.data["TCP"] in ("1", "true") else "udp")
    if "dns.question.name" in fields:
        fields["network.protocol"] = "dns"


def _terminal(fields: Fields, record: Record, event_id: str) -> None:
    put(fields, "source.ip", record.get("Address", "ClientIP", "IpAddress"))
    if event_id == "1149":
        put(fields, "user.name", record.get("Param1", "param1"))
        put(fields, "user.domain", record.get("Param2", "param2"))
        put(fields, "source.ip", record.get("Param3", "param3"))
    if fields.get("source.domain") == "LOCAL":
        del fields["source.domain"]


def _powershell(fields: Fields, record: Record, event_id: str) -> None:
    told = record.get("ContextInfo", "param3", "Data", "Data_2") or record.system.get("message", "")
    for name, value in _CONTEXT.findall(told[:16384]):
        field = _CONTEXTS[name]
        if field not in fields or field == "user.name":
            put(fields, field, value.strip())


def _restart(fields: Fields, record: Record, event_id: str) -> None:
    if event_id == "1074":
        put(fields, "user.name", record.get("param7"))
        image = record.get("param1").rpartition(" (")[0]
        if image:
            fields["process.executable"] = image
            fields["process.name"] = re.split(r"[\\/]", image)[-1]
        put(fields, "event.reason", record.get("param3"))


def _sql(fields: Fields, record: Record, event_id: str) -> None:
    for user, client in _SQL_LOGIN.findall(record.system.get("message", "")[:LONGEST_SENTENCE]):
        put(fields, "user.name", user)
        put(fields, "source.ip", client)
    _add_audit(fields, record.system.get("message", "")[:16384])


_AUDIT = re.compile(
    r"(?:\A|[\s;])(action_id|succeeded|server_principal_name|client_ip|statement|object_name):([^\r\n]{1,1024})"
)
_AUDIT_ADDRESS = re.compile(r"<address>([^<]{1,64})</address>")


def _add_audit(fields: Fields, text: str) -> None:
    """An audit of SQL Server, 33205: what was done and whether it worked."""
    if "action_id:" not in text:
        return
    told = dict(_AUDIT.findall(text))
    put(fields, "event.outcome", told.get("succeeded", "").strip())
    put(fields, "user.name", told.get("server_principal_name"))
    put(fields, "source.ip", told.get("client_ip"))
    address = _AUDIT_ADDRESS.search(text)
    if address is not None:
        put(fields, "source.ip", address[1])
    if told.get("action_id", "").strip() in ("LGIF", "LGIS", "DBAF", "DBAS"):
        fields["event.category"], fields["event.type"] = ("database", "authentication"), ("start", "access")
        fields["event.action"] = "db-login"


def _defender(fields: Fields, record: Record, event_id: str) -> None:
    put(fields, "user.name", record.get("Detection User", "User"))
    path = fields.get("file.path")
    if isinstance(path, str):
        fields["file.path"] = _PREFIXED.sub("", path, count=1).partition("; ")[0]


def _applocker(fields: Fields, record: Record, event_id: str) -> None:
    """The user is an id here."""
    target = record.get("TargetUser")
    if target.startswith("S-1-"):
        fields.pop("user.target.name", None)
        fields["user.id"] = target
    put(fields, "process.pid", record.get("TargetProcessId"))


def _radius(fields: Fields, record: Record, event_id: str) -> None:
    """Network policy server: the client of its own is a switch or an access point; the station is who asks."""
    if "CallingStationID" in record.data:
        station = record.get("CallingStationID")
        put(fields, "source.mac", station)
        if station.count(".") == 3:
            put(fields, "source.ip", station)
        put(fields, "rule.name", record.get("NetworkPolicyName", "ProxyPolicyName"))


_AUDITED = re.compile(
    r"<(UserId|UPN|IpAddress|ForwardedIpAddress|Server|UserAgentString|Endpoint|FailureType|RelyingParty)>([^<]{1,1024})<"
)
_AUDIT_FIELDS = {
    "UserId": "user.name", "UPN": "user.name", "IpAddress": "source.ip", "ForwardedIpAddress": "network.forwarded_ip",
    "UserAgentString": "user_agent.original", "Endpoint": "url.path", "FailureType": "event.reason",
    "RelyingParty": "service.name",
}  # fmt: skip


def _adfs(fields: Fields, record: Record, event_id: str) -> None:
    """An audit of AD FS holds XML in its sentence, or in one of its data."""
    told = f"{record.system.get('message', '')} {' '.join(record.data.values())}"
    for element, value in _AUDITED.findall(told[:16384]):
        name = _AUDIT_FIELDS.get(element)
        if name is not None and (name not in fields or element == "UserId"):
            put(fields, name, value)


def _services(fields: Fields, record: Record, event_id: str) -> None:
    if event_id in ("7036", "7040", "7035"):
        put(fields, "service.name", record.get("param1"))
        put(fields, "event.reason", record.get("param2"))


_MORE: dict[str, Callable[[Fields, Record, str], None]] = {
    "dns_server": _dns, "terminal_session": _terminal, "terminal_connection": _terminal, "powershell": _powershell,
    "restart": _restart, "sql": _sql, "defender": _defender, "applocker": _applocker, "security": _radius,
    "services": _services, "adfs": _adfs,
}  # fmt: skip
