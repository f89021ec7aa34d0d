"""The head of a message of ScreenOS, its pairs, and messages that no rule knows."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs
from monitoring.parsers._network import add_sentence

_HEAD = re.compile(
    r"(?:.{0,128}?[Nn]et[Ss]creen device_id=(?P<device>\S*) {1,3})?(?:.{0,64}?\[(?P<system>[^\]]{0,64})\])?"
    r"system[- ](?P<level>\w{1,16})-(?P<code>\d{3,6})(?:\((?P<kind>\w{1,32})\))?: ?",
    re.DOTALL,
)
_WHEN = re.compile(r"\((\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\)\s?\Z")
_PAIR = re.compile(
    r"(?:\A| )((?:src|dst) zone|(?:src|dst)-xlated ip|icmp (?:type|code)|policy id|[a-z][\w-]{1,24})="
    r"(?:\"([^\"]{0,256})\"|"
    r"(\S*(?: (?![a-z][\w-]{1,24}=|(?:src|dst) zone=|(?:src|dst)-xlated ip=|icmp )[^\s=]+(?!=))*))"
)


def read(line: Line) -> Pairs | None:
    """The pairs; None when the message is not of ScreenOS."""
    head = _HEAD.match(line.text)
    if head is None:
        return None
    found: Pairs = {"device_id": head["device"], "code": head["code"], "kind": head["kind"] or ""}
    rest = line.text[head.end() :]
    if "=" not in rest.partition(" ")[0]:
        found["text"] = rest
        when = _WHEN.search(rest[-64:])
        if when is not None:
            found["start_time"] = when[1]
        return found
    last = ""
    for name, quoted, plain in _PAIR.findall(rest):
        if name == "port" and last.endswith("-xlated ip"):
            name = last.replace(" ip", " port")  # `src-xlated ip=a port=b`
        last = name
        found.setdefault(name, (quoted or plain).removesuffix("<000>").strip("()"))
    return found


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """Finish the fields that pairs and rules found."""
    if "event.category" not in fields:
        add_sentence(fields, str(pairs.get("text", line.text)))
        if fields["event.category"] == ("host",):
            fields["event.category"] = ("network",) if "observer.ingress.interface.name" in fields else ("host",)
    if line.app_name and line.app_name == pairs.get("device_id"):  # `<134>ns1: NetScreen ...`: no host but this
        fields["host.name"] = line.app_name
    duration = str(fields.pop("canh.screenos.duration", ""))
    if duration.isdecimal():
        fields["event.duration"] = int(duration) * 1_000_000_000
    if "network.protocol" in fields:  # `msrpc Endpoint Mapper(tcp)`
        fields["network.protocol"] = str(fields["network.protocol"]).partition("(")[0]
    for side in ("source", "destination"):
        if fields.get(side + ".nat.ip") == fields.get(side + ".ip"):
            fields.pop(side + ".nat.ip", None)
            fields.pop(side + ".nat.port", None)
    return fields
