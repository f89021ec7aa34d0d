"""CloudGen Firewall: pairs or positions between bars, the verdict in the words before them."""

from __future__ import annotations

import re

from monitoring.parsers import Line, Pairs, any_pairs

_COLUMNS = (
    "type", "proto", "srcIF", "srcIP", "srcPort", "srcMAC", "dstIP", "dstPort", "dstService", "dstIF", "rule", "info",
    "srcNAT", "dstNAT", "duration", "count", "receivedBytes", "sentBytes", "receivedPackets", "sentPackets", "user",
    "protocol", "application", "target", "content", "urlcat",
)  # fmt: skip
_HEAD = re.compile(
    r"(?:.{0,128}?\b(?:Info|Security|Warning|Error|Notice|Fatal|Panic)\s{1,4})?(?:(\S{1,64})\s{1,4})?"
    r"([A-Z]\w{2,24}(?: \w{2,16})?): ?\Z",
    re.DOTALL,
)
_START = re.compile(r"(?:type=)?(?:FWD|LIN|LOUT|LB|IPS|PROXY|PXY|LFWD|STREAM|BRIDGE|-)\|")


def read(line: Line) -> Pairs | None:
    text = line.text
    if "CEF:" in text:
        return any_pairs(line)
    start = _START.search(text, 0, 512)
    if start is None:
        return None
    parts = text[start.start() :].split("|")
    if "=" in parts[0]:
        pairs: Pairs = {key: value for key, sign, value in (part.partition("=") for part in parts) if sign and value}
    else:
        pairs = {key: value for key, value in zip(_COLUMNS, parts, strict=False) if value}
    head = _HEAD.match(text[: start.start()])
    if head is not None:
        pairs["action"] = head[2]
        if head[1] is not None:
            pairs["host"] = head[1]
    return pairs
