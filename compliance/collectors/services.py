"""Services: which run now, and which are started again after a reboot."""

from __future__ import annotations

from compliance.model import Facts

# A template ("getty@") is no service of its own. What has done its work and counts as on (nftables) is active.
COMMAND = """
systemctl list-unit-files --type=service --state=enabled --no-legend --plain | grep -v '@[.]service' |
  sed -n 's/[.]service .*/ enabled/p'
systemctl list-units --type=service --state=active --no-legend --plain | sed -n 's/[.]service .*/ active/p'
"""


def facts(output: str) -> Facts:
    """`services.enabled` and `services.active`, names without ".service"."""
    rows = [line.split() for line in output.splitlines() if line.strip()]
    if not rows or any(len(row) != 2 for row in rows):
        raise ValueError("this is not a list of services")
    return {
        "services.enabled": sorted(name for name, state in rows if state == "enabled"),
        "services.active": sorted(name for name, state in rows if state == "active"),
    }
