"""Values put into fields in the form ECS wants, by the name of the field. None of these raises.

Devices write an address with its port, a protocol as a number, a user with his domain, a URL in one piece: `put`
takes any of them, so that no parser does it again. All are native (`native/src/fields.rs`), because every value of
every line goes through them.
"""

from __future__ import annotations

from collections.abc import Callable

import canh_native

from monitoring.event import Value

Fields = dict[str, Value]
NOTHING = frozenset(canh_native.NOTHING)  # words that stand for no value

# (fields, name, value): set a field from what a device wrote; what is no value of that field is left out.
put: Callable[[Fields, str, object], None] = canh_native.put
# success, failure or unknown
outcome_of: Callable[[str], str] = canh_native.outcome_of
# A transport in ECS's words ("tcp", "ipv6-icmp") from a name or number; "" when it is none.
transport_of: Callable[[str], str] = canh_native.transport_of
# An address in its usual form (no zone, IPv4 where it is one); None when it is no address.
ip_text: Callable[[str], str | None] = canh_native.ip_text
