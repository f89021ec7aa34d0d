"""Structured data of Junos, the neighbours' states, and messages that no rule knows."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, put, structured_pairs
from monitoring.parsers._fields import Fields
from monitoring.parsers._network import add_sentence

_UNKNOWN = frozenset(("UNKNOWN", "N/A", "None", "unknown", "No"))
_TAG = re.compile(r"(?:[\w./-]{1,64}(?:\[\d{1,8}\])?: {1,2})?[A-Z][A-Z0-9]{1,32}_[A-Z0-9_]{1,64}: {1,2}")
_FIELDS = {
    "source-address": "source.ip", "source-port": "source.port", "destination-address": "destination.ip",
    "destination-port": "destination.port", "nat-source-address": "source.nat.ip",
    "nat-source-port": "source.nat.port", "nat-destination-address": "destination.nat.ip",
    "nat-destination-port": "destination.nat.port", "protocol-id": "network.transport",
    "protocol-name": "network.transport", "protocol": "network.transport", "policy-name": "rule.name",
    "rule-name": "rule.id", "rulebase-name": "rule.ruleset", "attack-name": "rule.name",
    "source-zone-name": "observer.ingress.zone", "destination-zone-name": "observer.egress.zone",
    "source-zone": "observer.ingress.zone", "destination-zone": "observer.egress.zone",
    "source-interface-name": "observer.ingress.interface.name",
    "destination-interface-name": "observer.egress.interface.name",
    "packet-incoming-interface": "observer.ingress.interface.name",
    "interface-name": "observer.ingress.interface.name",
    "session-id-32": "canh.session.id", "session-id": "canh.session.id",
    "reason": "event.reason", "service-name": "canh.junos.service", "application": "canh.junos.application",
    "nested-application": "canh.junos.nested_application", "application-name": "canh.junos.application",
    "packets-from-client": "source.packets", "bytes-from-client": "source.bytes",
    "packets-from-server": "destination.packets", "bytes-from-server": "destination.bytes",
    "inbound-bytes": "source.bytes", "outbound-bytes": "destination.bytes", "inbound-packets": "source.packets",
    "outbound-packets": "destination.packets", "username": "user.name", "user-name": "user.name", "user": "user.name",
    "uid": "user.id", "command": "process.command_line", "url": "url.full", "obj": "url.path",
    "category": "rule.category", "profile-name": "canh.junos.profile", "profile": "canh.junos.profile",
    "action": "canh.junos.action", "threat-severity": "canh.junos.threat_severity", "hostname": "host.hostname",
    "host": "destination.domain", "http-host": "url.domain", "filename": "file.name", "file-name": "file.name",
    "file-hash-lookup": "file.hash.sha256", "sample-sha256": "file.hash.sha256", "client-ip": "source.ip",
    "client-ip-str": "source.ip", "server-ip": "destination.ip", "malware-info": "threat.indicator.name",
    "feed-name": "rule.ruleset", "sub-category": "canh.junos.sub_category", "verdict-number": "canh.junos.verdict",
    "peer-address": "destination.ip", "neighbor-address": "destination.ip", "vpn-name": "canh.vpn.name",
    "remote-address": "destination.ip", "local-address": "source.ip",
    "snmp-interface-index": "canh.interface.index", "operational-status": "canh.interface.oper",
    "class-name": "canh.user.class", "ssh-connection": "canh.junos.ssh_connection", "pid": "process.pid",
    "client-mode": "canh.config.source", "logical-system-name": "canh.junos.logical_system",
    "epoch-time": "canh.junos.epoch", "icmp-type": "canh.icmp.type",
    "src-nat-rule-name": "canh.junos.source_nat_rule", "dst-nat-rule-name": "canh.junos.destination_nat_rule",
    "repeat-count": "canh.repeated", "roles": "canh.user.roles", "elapsed-time": "canh.junos.elapsed",
    "source-name": "source.domain", "virus-name": "threat.indicator.name", "message": "message",
    "error-message": "event.reason", "peer-name": "canh.nbr.name", "old-state": "canh.nbr.before",
    "new-state": "canh.nbr.state",
}  # fmt: skip
Kind = tuple[str, tuple[str, ...], tuple[str, ...], str]  # action, category, type, outcome
_NETWORK: Kind = ("", ("network",), ("info",), "")
_TAGS: dict[str, Kind] = {
    "RT_FLOW_SESSION_CREATE": ("connection-allowed", ("network",), ("connection", "start", "allowed"), "success"),
    "RT_FLOW_SESSION_CLOSE": ("connection-allowed", ("network",), ("connection", "end", "allowed"), "success"),
    "RT_FLOW_SESSION_DENY": ("connection-denied", ("network",), ("connection", "denied"), "failure"),
    "APPTRACK_": ("connection-allowed", ("network",), ("connection", "allowed"), "success"),
    "IDP_ATTACK_LOG_EVENT": ("attack-detected", ("intrusion_detection", "network"), ("info",), ""),
    "RT_SCREEN_": ("attack-detected", ("intrusion_detection", "network"), ("denied",), "failure"),
    "WEBFILTER_URL_PERMITTED": ("http-request", ("web", "network"), ("access", "allowed"), "success"),
    "WEBFILTER_URL_": ("http-request", ("web", "network"), ("access", "denied"), "failure"),
    "AV_": ("malware-detected", ("malware", "network"), ("info",), ""),
    "ANTISPAM_": ("mail-rejected", ("email",), ("info",), ""),
    "CONTENT_FILTERING_": ("http-request", ("web", "network"), ("access", "denied"), "failure"),
    "SRX_AAMW_": ("malware-detected", ("malware", "network"), ("info",), ""),
    "AAMW_": ("malware-detected", ("malware", "network"), ("info",), ""),
    "SECINTEL_": ("attack-detected", ("intrusion_detection", "network"), ("info",), ""),
    "UI_LOGIN_EVENT": ("login", ("authentication", "session"), ("start",), "success"),
    "UI_LOGOUT_EVENT": ("logout", ("authentication", "session"), ("end",), "success"),
    "UI_AUTH_EVENT": ("login", ("authentication",), ("start",), "success"),
    "UI_CMDLINE_READ_LINE": ("config-command", ("process",), ("start",), "success"),
    "UI_COMMIT": ("config-changed", ("configuration",), ("change",), "success"),
    "UI_CFG_AUDIT": ("config-command", ("configuration",), ("change",), "success"),
    "UI_": ("", ("configuration",), ("info",), ""),
    "LOGIN_INFORMATION": ("login", ("authentication",), ("start",), "success"),
    "LOGIN_": ("login", ("authentication",), ("start",), "failure"),
    "SSHD_LOGIN": ("login", ("authentication",), ("start",), "failure"),
    "AUTHD_": ("", ("authentication",), ("info",), ""),
    "FWAUTH_": ("", ("authentication",), ("info",), ""),
    "SNMP_TRAP_LINK_DOWN": ("interface-down", ("network",), ("info", "change"), ""),
    "SNMP_TRAP_LINK_UP": ("interface-up", ("network",), ("info", "change"), ""),
    "SNMPD_AUTH_FAILURE": ("snmp-auth-failed", ("authentication",), ("start",), "failure"),
    "CHASSISD_": ("", ("host",), ("info",), ""),
    "CHASSISD_PSU_": ("power-supply-failed", ("host",), ("info",), ""),
    "CHASSISD_FAN_FAILURE": ("fan-failed", ("host",), ("info",), ""),
    "CHASSISD_BLOWERS_SPEED_FULL": ("fan-failed", ("host",), ("info",), ""),
    "CHASSISD_OVER_TEMP": ("temperature-alarm", ("host",), ("info",), ""),
    "CHASSISD_RE_OVER_TEMP": ("temperature-alarm", ("host",), ("info",), ""),
    "ESWD_BPDU_BLOCK_ERROR_DISABLED": ("stp-bpdu-guard", ("network",), ("info", "denied"), "failure"),
    "L2CPD_BPDU_BLOCK_ERROR_DISABLED": ("stp-bpdu-guard", ("network",), ("info", "denied"), "failure"),
    "PFED_": ("", ("host",), ("info",), ""),
    "JSRPD_": ("ha-state-changed", ("host",), ("change",), ""),
    "ALARMD_": ("", ("host",), ("info",), ""),
    "KMD_VPN_UP": ("vpn-tunnel-up", ("network", "session"), ("start",), "success"),
    "KMD_VPN_DOWN": ("vpn-tunnel-down", ("network", "session"), ("end",), ""),
    "KMD_PM_SA_ESTABLISHED": ("vpn-tunnel-up", ("network", "session"), ("start",), "success"),
    "L2ALD_MAC_MOVE": ("mac-moved", ("network",), ("info",), ""),
    "RPD_": ("", ("network",), ("info", "protocol"), ""),
    "BGP_": ("", ("network",), ("info", "protocol"), ""),
    "BFDD_": ("", ("network",), ("info", "protocol"), ""),
    "PKID_": ("", ("configuration",), ("info",), ""),
    "VRRPD_": ("redundancy-state-changed", ("network",), ("info", "change"), ""),
}
_ROUTING = re.compile(r"RPD_(OSPF|ISIS|LDP|RSVP|BGP|PIM|MSDP)_(?:NBR|ADJ|SESSION)(UP|DOWN)\Z")
_PINGS = frozenset(("1", "58", "icmp", "icmp6", "ipv6-icmp", "icmpv6", None))
_HARDWARE = frozenset(("alarmd", "craftd", "chassisd", "jlaunchd", "xntpd", "pfed", "cosd", "license-check"))
_CONFIGURES = (
    "set ",
    "delete ",
    "activate ",
    "deactivate ",
    "rename ",
    "insert ",
    "load ",
    "rollback",
    "replace ",
    "commit",
)
_PREFIXES = sorted(_TAGS, key=len, reverse=True)
_DENIED = frozenset(("BLOCK", "BLOCKED", "DROP", "DENY", "CLOSE_SESSION", "CLOSE", "DROP_PACKET", "SESSION_DROPPED"))


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value] | None:
    """Finish the fields that the rules found; None for another's line that only has one of our words in it."""
    if not (line.structured or fields or line.app_name.islower() or line.app_name.startswith("RT_")):
        return None
    if line.text.startswith(("User[", "AP[")):
        return None  # Ruckus names its program so too
    if "junos@2636" in line.structured:
        _add_structured(fields, structured_pairs(line.structured))
        if line.msgid:
            fields["event.code"] = line.msgid
    code = str(fields.get("event.code", ""))
    if "event.category" not in fields:
        _add_kind(fields, code, line)
    if code.startswith("UI_CFG_AUDIT") and "canh.config.verb" in fields:
        _add_audited(fields)
    _add_state(fields)
    _add_routing(fields, code)
    grave = str(fields.get("canh.junos.threat_severity", "")).lower()
    if grave in ("critical", "high", "medium", "low"):
        fields["canh.attack.severity"] = grave
    if code.startswith("AV_") and "junos@2636" in line.structured:
        put(fields, "threat.indicator.name", structured_pairs(line.structured).get("name"))
        if fields.get("url.full") == fields.get("threat.indicator.name"):
            fields.pop("url.full", None)
    if fields.get("network.iana_number", fields.get("network.transport")) not in _PINGS:
        fields.pop("canh.icmp.type", None)  # written of every protocol
    if fields.get("canh.nbr.name") == fields.get("destination.ip"):
        fields.pop("canh.nbr.name", None)
    if not code and line.app_name in _HARDWARE and fields.get("event.category") == ("network",):
        fields["event.category"] = ("host",)
    if str(fields.get("canh.junos.elapsed", "")).isdecimal():
        fields["event.duration"] = int(str(fields.pop("canh.junos.elapsed"))) * 1_000_000_000
    for name in [name for name, value in fields.items() if value in _UNKNOWN and name != "event.reason"]:
        del fields[name]
    if code.startswith(
        ("RT_FLOW", "RT_IDP", "RT_UTM", "RT_SCREEN", "IDP_", "WEBFILTER", "APPTRACK", "AV_", "AAMW", "SRX_")
    ):
        fields["observer.type"] = "firewall"
        if "user.name" in fields:
            fields.setdefault("source.user.name", fields["user.name"])
    for side in ("source", "destination"):
        translated = fields.get(side + ".nat.ip")
        if translated is not None and (translated == fields.get(side + ".ip") or str(translated).startswith("0.")):
            del fields[side + ".nat.ip"]
            fields.pop(side + ".nat.port", None)
    return fields


def _add_structured(fields: Fields, pairs: Pairs) -> None:
    put(fields, "rule.name", str(pairs.get("attack-name", "")).rstrip("!"))  # before the policy that found it
    for key, value in pairs.items():
        name = _FIELDS.get(key)
        if name is not None and name not in fields and value not in _UNKNOWN:
            put(fields, name, value)
    connection = str(fields.pop("canh.junos.ssh_connection", "")).split()
    if len(connection) == 4:
        for name, part in zip(
            ("source.ip", "source.port", "destination.ip", "destination.port"), connection, strict=True
        ):
            put(fields, name, part)
    if str(pairs.get("action", "")).upper() in _DENIED:
        fields["event.outcome"] = "failure"


def _add_kind(fields: Fields, code: str, line: Line) -> None:
    """What the tag says, and what the sentence names."""
    prefix = next((prefix for prefix in _PREFIXES if code.startswith(prefix)), None)
    action, category, types, outcome = _NETWORK if prefix is None else _TAGS[prefix]
    if prefix is not None:
        if action:
            fields["event.action"] = action
        if outcome:
            fields.setdefault("event.outcome", outcome)
        fields["event.category"], fields["event.type"] = category, types
        if "intrusion_detection" in category or "malware" in category:
            fields["event.kind"] = "alert"
    if not line.structured:
        tag = _TAG.match(line.text)
        add_sentence(fields, line.text if tag is None else line.text[tag.end() :])
    if code.startswith("UI_CMDLINE") or code in ("UI_NETCONF_CMD", "UI_JUNOSCRIPT_CMD"):
        _add_command(fields)
    if prefix is None and fields.get("event.category") == ("host",):
        fields["event.category"] = category
    fields.setdefault("event.category", category)
    fields.setdefault("event.type", types)


def _add_routing(fields: Fields, code: str) -> None:
    """RPD_OSPF_NBRDOWN, RPD_ISIS_ADJUP, RPD_LDP_SESSIONDOWN: the protocol and what became of the neighbour."""
    match = _ROUTING.match(code)
    if match is not None:
        fields.setdefault("network.protocol", match[1].lower())
        fields.setdefault("event.action", "routing-neighbor-down" if match[2] == "DOWN" else "routing-neighbor-up")


def _add_command(fields: Fields) -> None:
    if str(fields.get("process.command_line", "")).startswith(_CONFIGURES):
        fields["event.category"], fields["event.type"] = ("configuration",), ("change",)
    else:
        fields["event.action"] = "show-command"


def _add_audited(fields: Fields) -> None:
    """`set: [system host-name] r1 -> "r2"` as one would have typed it: `set system host-name r1 -> "r2"`."""
    path, _, value = str(fields.get("process.command_line", "")).removeprefix("[").partition("]")
    fields["process.command_line"] = " ".join(f"{fields['canh.config.verb']} {path} {value}".split())


def _add_state(fields: Fields) -> None:
    if "canh.bgp.code" in fields:
        fields["canh.bgp.error"] = f"{fields.pop('canh.bgp.code')}/{fields.pop('canh.bgp.subcode', 0)}"
    if "destination.ip" in fields and str(fields.get("event.action", "")).startswith("routing-"):
        fields["canh.nbr.ip"] = fields["destination.ip"]
    if "canh.nbr.state" not in fields:
        return
    before, after = str(fields.get("canh.nbr.before", "")), str(fields["canh.nbr.state"])
    if after in ("Full", "Established", "Up"):
        fields["event.action"] = "routing-neighbor-up"
    elif before in ("Full", "Established", "Up") or after == "Down":
        fields["event.action"] = "routing-neighbor-down"
    if "destination.ip" in fields:
        fields["canh.nbr.ip"] = fields["destination.ip"]
