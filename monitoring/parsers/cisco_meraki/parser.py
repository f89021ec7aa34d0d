"""The kind of a Meraki message, its pairs, and what its tails and sentences say, as pairs."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, pairs_of, put
from monitoring.parsers._network import add_sentence

_KIND = re.compile(
    r"(?:\A|.{0,160}? )(?:1 )?(?:(\d{9,10}\.\d{1,9}) )?(?:([\w.-]{1,64}(?: [\w.()-]{1,32}){0,3}?) )?"
    r"(urls|flows|(?:\w{1,40}_)?firewall|events|security_event|ids-alerts|airmarshal_events|"
    r"ip_flow_start|ip_flow_end)(?: |\Z)"
)
_TAIL = re.compile(r" (request|pattern|message|decision): ?(.*)\Z", re.DOTALL)
_REQUEST = re.compile(r"([A-Z]{3,16}) (\S{1,2048})")
_LINK = re.compile(r" events (?P<name>Cellular|[Uu]plink \w{1,16}|WAN ?\d) connection (?P<state>up|down)")
_PEER = re.compile(r"Peer (?:IP|port)=([\w.:]{1,45})")
_SENTENCES = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        ("client_vpn_connect", r"client_vpn_connect user id '(?P<user>[^']{0,128})' local ip (?P<local_ip>\S+) "
                               r"connected from (?P<src>\S+)"),
        ("client_vpn_disconnect", r"client_vpn_disconnect user id '(?P<user>[^']{0,128})' local ip (?P<local_ip>\S+)"),
        ("dhcp_lease", r"dhcp lease of ip (?P<ip>\S+) from (?:server mac (?P<dhost>\S+?)|mx mac (?P<mx>\S+?)) "
                       r"for client mac (?P<client_mac>\S+)"
                       r"(?: with hostname (?P<hostname>\S+))?(?: from router (?P<server>\S+))?"),
        ("dhcp_no_offers", r"dhcp no offers for mac (?P<client_mac>\S+)(?: host = (?P<ip>\S+))?"),
        ("vpn_established", r"Site-to-site VPN: IPsec-SA established: \S+ (?P<src>[^\s\[]+)\[(?P<sport>\d+)\]->"
                            r"(?P<dst>[^\s\[]+)\[(?P<dport>\d+)\]"),
        ("vpn_expired", r"Site-to-site VPN: IPsec-SA (?:expired|deleted|request for \S+ queued).{0,64}?"
                        r"(?P<src>[\d.]+)\[(?P<sport>\d+)\]->(?P<dst>[\d.]+)\[(?P<dport>\d+)\]"),
        ("dhcp_blocked", r"Blocked DHCP server response from (?P<client_mac>\S+)(?: on VLAN (?P<vlan_id>\d+))?"),
        ("port_down", r"[Pp]ort (?P<port>\w+) status changed from \S+ to down"),
        ("port_up", r"[Pp]ort (?P<port>\w+) status changed from \S+ to \S+"),
    )
)  # fmt: skip


def read(line: Line) -> Pairs | None:
    """The pairs; None when the message is of no kind that Meraki has."""
    match = _KIND.match(line.text)
    if match is None:
        return None
    epoch, device, kind = match.groups()
    rest = line.text[match.end() :]
    found: Pairs = {"kind": "firewall" if kind.endswith("firewall") else kind, "when": epoch, "observer": device}
    tail = _TAIL.search(rest)
    if tail is not None:
        found[tail[1]] = tail[2].strip()
        rest = rest[: tail.start()]
    first = rest.partition(" ")[0]
    if first and "=" not in first:
        _add_word(found, kind, first, rest)
    if first.startswith("anyconnect_vpn_"):
        found.update(zip(("src", "sport"), _PEER.findall(rest), strict=False))
    for key, value in pairs_of(rest).items():
        if key == "type" and kind not in ("events", "airmarshal_events"):
            key = "icmp_type"
        found.setdefault(key, value.strip("'") if isinstance(value, str) else value)
    if "request" in found:
        request = _REQUEST.match(found["request"])
        if request is not None:
            found["method"], found["url"] = request.groups()
    found["verdict"] = _verdict(str(found.get("pattern", "")), first)
    return found


def _add_word(found: Pairs, kind: str, first: str, rest: str) -> None:
    """A word before the pairs: the type of the event, or the whole is a sentence."""
    for name, pattern in _SENTENCES:
        match = pattern.match(rest)
        if match is not None:
            found["type"] = name
            found.update({key: value.rstrip(",") for key, value in match.groupdict().items() if value})
            return
    if "_" in first or kind == "security_event":
        found["type"] = first


def _verdict(pattern: str, first: str) -> str:
    """`allow all`, `deny all`; older firmware writes 0 for allowed and 1 for denied."""
    word = (pattern or first).split(" ", 1)[0].lower()
    return {"allow": "allowed", "0": "allowed", "deny": "denied", "1": "denied"}.get(word, "")


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """Finish the fields: the time, the device, messages of no known type."""
    if pairs.get("when"):
        fields["@timestamp"] = pairs["when"]
    if pairs.get("observer"):
        fields["observer.name"] = pairs["observer"]
    if pairs["kind"] == "airmarshal_events":  # its ends are radios
        put(fields, "source.mac", pairs.get("src"))
        put(fields, "destination.mac", pairs.get("dst"))
    if str(pairs.get("type", "")).startswith("anyconnect_vpn_"):
        fields.pop("observer.ingress.interface.name", None)
    link = _LINK.search(line.text[:512])
    if link is not None:
        fields |= {"event.category": ("network",), "event.type": ("info", "change"),
                   "event.action": f"interface-{link['state'].lower()}"}  # fmt: skip
        put(fields, "observer.egress.interface.name", link["name"].lower())
    if "event.category" not in fields:
        add_sentence(fields, line.text.partition(str(pairs["kind"]))[2])
        if fields["event.category"] == ("host",):
            fields["event.category"] = ("network",)
    fields.setdefault("event.code", str(pairs.get("type") or pairs["kind"]))
    return fields
