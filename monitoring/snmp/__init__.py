"""SNMP: traps and informs received, devices polled; both become spool records of JSON.

Trap or inform (receiver "snmp-trap"; `example-trap.json`, one object, UTF-8, one line in the spool):
    version       "1", "2c", "3"
    kind          "trap", "inform", or "rejected": a message that proved no right to be heard; "engine-changed": an
                  address spoke with an engine it did not have before (a record of its own beside the trap's)
    request_id    of an inform: stays the same when its sender asks again
    reason        only when rejected: "unknown-user", "unknown-engine", "wrong-digest",
                  "unknown-community", "unsupported-level", "not-in-time-window", "decryption-error", "malformed"
    oid           snmpTrapOID, dotted, no leading dot ("" when rejected before it could be read)
    name          its name ("linkDown"), or the dotted OID again when we know none
    uptime_ms     sysUpTime of the sender in milliseconds, null when absent
    security      {"level": "noAuthNoPriv" | "authNoPriv" | "authPriv", "user": v3 user name or "",
                   "engine_id": hex of the sender's engine or ""}; never a community or password
    peer          the address the datagram came from (behind NAT not the agent's own: snmpTrapAddress)
    varbinds      in order, without sysUpTime.0 and snmpTrapOID.0; each
        oid       dotted, with the index
        name      name of the object without index ("ifOperStatus"), or "" when unknown
        index     what follows the object's OID ("3"), "" when the object is unknown
        type      "Integer32" "Counter32" "Counter64" "Gauge32" "TimeTicks" "OctetString" "Hex"
                  "ObjectIdentifier" "IpAddress" "Opaque" "Null"
        value     number; text; for "Hex" the octets as lower-case hex; TimeTicks in hundredths of a second
        label     only for an enumeration: its word ("down")

Poll (receiver "snmp-poll", peer = the address asked; `example-poll.ndjson`, one object a record):
    kind "system":     {"kind", "device", "is_up": true, "took_ms", "uptime_ms", "restarted": bool,
                        "system": {"descr", "object_id", "name", "contact", "location"}}
    kind "interface":  {"kind", "device", "index", "name", "alias", "type", "admin_status", "oper_status",
                        "change": "down" | "up" | "", "link": of the inventory, "contract_bps", "speed_bps",
                        "uptime_ms",
                        "counters": {"in_octets", "out_octets", "in_packets", "out_packets",
                        "in_errors", "out_errors", "in_discards", "out_discards"}, "counter_bits": 32 | 64,
                        "interval_s", "in_bps", "out_bps", "in_errors_per_s", "out_errors_per_s"};
                        every five minutes, and at once when a status changed (then without counters); the last five
                        are null at the first poll and when the device restarted in between
    kind "metric":     {"kind", "device", "name": "cpu_pct", "value", "instance": which of several, and where it is of
                        an interface "interface", "link"}
    kind "state":      {"kind", "device", "part": "fan", "instance", "state", "was", "action", "cleared": action when it
                        is well again}: when a part goes bad or is well again
    kind "neighbour":  {"kind", "device", "protocol": "bgp" | "ospf", "ip", "id", "was", "state", "is_up"}: on change
    kind "lldp":       {"kind", "device", "interface", "name", "id", "port", "was", "role", "link"}: on change
    kind "identity":   {"kind", "device", "what": "version" | "serial" | "engine", "was", "now"}: on change, the version
                        also when it is first seen
    kind "failure":    {"kind", "device", "is_up": false, "reason", "detail", "failures": polls missed in a row};
                        reason is "timeout", "authentication", "unreachable" or "error"
"""
