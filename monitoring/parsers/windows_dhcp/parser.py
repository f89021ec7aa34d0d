"""Windows DHCP: date and time are two columns, month first; IPv6 lines have their columns elsewhere."""

from __future__ import annotations

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, ip_text, put


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """The event with its time; a DUID in the place of a hardware address is kept as it is."""
    fields["@timestamp"] = f"{pairs['date']} {pairs['time']}"
    if str(pairs["id"]).startswith("110") and len(str(pairs["id"])) == 5:
        for name in ("source.mac", "user.name", "event.reason"):  # error, length and bytes of the DUID, then the user
            fields.pop(name, None)
        put(fields, "canh.dhcp.client_id", pairs.get("transaction", ""))
        put(fields, "user.name", pairs.get("result", ""))
    address = str(fields.get("source.ip", ""))
    if address and ip_text(address) is None:
        del fields["source.ip"]
    return fields
