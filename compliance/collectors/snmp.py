"""The SNMP agent's access: only version 3 with authentication and privacy. Passphrases are masked on the machine."""

from __future__ import annotations

from compliance.model import Facts

COMMAND = r"""
cat /etc/snmp/snmpd.conf /etc/snmp/snmpd.conf.d/*.conf 2>/dev/null |
  sed -E 's/^(\s*(createUser|rocommunity6?|rwcommunity6?|com2sec6?|trapsess|trap2?sink)\b).*/\1 (masked)/'
"""
_COMMUNITIES = ("rocommunity", "rwcommunity", "com2sec", "rocommunity6", "rwcommunity6", "com2sec6")


def facts(output: str) -> Facts:
    """`snmp.communities`: directives that let v1 or v2c in; `snmp.users`: "name level"; `snmp.writers`."""
    lines = [line.split() for line in output.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if not lines:
        raise ValueError("snmpd has no configuration")
    users = [f"{row[1]} {row[2] if len(row) > 2 else 'auth'}" for row in lines if row[0] in ("rouser", "rwuser")]
    communities = sorted({row[0] for row in lines if row[0] in _COMMUNITIES})
    if not users and not communities:
        raise ValueError("snmpd lets nobody in, or this is not its configuration")
    return {
        "snmp.communities": communities,
        "snmp.users": sorted(users),
        "snmp.weak_users": sorted(user for user in users if user.split()[1] not in ("priv", "authpriv")),
        "snmp.writers": sorted(row[1] for row in lines if row[0] == "rwuser"),
    }
