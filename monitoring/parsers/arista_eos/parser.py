"""What the rules leave: the direction of an adjacency, and messages that no rule knows, as for IOS."""

from __future__ import annotations

from monitoring.event import Value
from monitoring.parsers import Line, Pairs
from monitoring.parsers.cisco_ios.parser import refine as refine_ios


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """Finish the fields that the rules found."""
    state = fields.get("canh.nbr.state")
    if state == "Established":
        fields["event.action"] = "routing-neighbor-up"
    elif fields.get("canh.nbr.before") == "Established":
        fields["event.action"] = "routing-neighbor-down"
    protocol = str(fields.get("network.protocol", ""))
    if protocol in ("sshd", "telnetd", "login"):  # the service that asked
        fields["network.protocol"] = protocol.removesuffix("d")
    fields = refine_ios(line, fields, pairs)
    fields.pop("observer.product", None)
    return fields
