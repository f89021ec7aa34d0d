"""Services of the baseline: running now, and started again after a reboot."""

from __future__ import annotations

from compliance.model import Facts

# A template ("getty@") is no service of its own, so it has no state.
COMMAND = """
for unit in $(systemctl list-unit-files --type=service --state=enabled --no-legend --plain | cut -d' ' -f1); do
  case $unit in *@.service) continue ;; esac
  printf '%s enabled %s\\n' "${unit%.service}" "$(systemctl is-active "$unit")"
done
"""


def facts(output: str) -> Facts:
    """`services.active`: enabled services that run (one that finished its work counts); `services.enabled`."""
    rows = [line.split() for line in output.splitlines() if line.strip()]
    if not rows or any(len(row) != 3 for row in rows):
        raise ValueError("no service is enabled, which no machine of ours can be")
    return {
        "services.enabled": sorted(row[0] for row in rows),
        "services.active": sorted(row[0] for row in rows if row[2] == "active"),
    }
