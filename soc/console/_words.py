"""The words of the console for the values of the domain: message ids, translated where they are shown."""

from __future__ import annotations

from collections.abc import Mapping

from inventory.model import Role as DeviceRole
from soc.alert import Level, Resolution, Status
from soc.users import Role


def N_(text: str) -> str:
    """Marks a message id for the catalogues."""
    return text


LEVELS: Mapping[Level, str] = {
    Level.CRITICAL: N_("Critical"),
    Level.HIGH: N_("High"),
    Level.MEDIUM: N_("Medium"),
    Level.LOW: N_("Low"),
    Level.INFORMATIONAL: N_("Info"),
}
LEVEL_CLASS: Mapping[Level, str] = {
    Level.CRITICAL: "crit",
    Level.HIGH: "high",
    Level.MEDIUM: "med",
    Level.LOW: "low",
    Level.INFORMATIONAL: "info",
}
STATUSES: Mapping[Status, str] = {
    Status.NEW: N_("New"),
    Status.ACKNOWLEDGED: N_("Acknowledged"),
    Status.CLOSED: N_("Closed"),
}
IN_PROGRESS = N_("In progress")  # a new alert that somebody has taken
RESOLUTIONS: Mapping[Resolution, str] = {
    Resolution.TRUE_POSITIVE: N_("True positive, handled"),
    Resolution.BENIGN: N_("True positive, benign"),
    Resolution.FALSE_POSITIVE: N_("False positive"),
}
ACTIONS: Mapping[str, str] = {
    "raised": N_("Rule matched, alert created"),
    "refired": N_("It happened again"),
    "acknowledged": N_("Acknowledged until %(until)s"),
    "returned": N_("Acknowledgement ended, back in the queue"),
    "assigned": N_("Assigned to %(to)s"),
    "unassigned": N_("Given back to the queue"),
    "noted": N_("Note"),
    "closed": N_("Closed: %(resolution)s"),
    "held": N_("Explained by the running change %(change)s: nobody is told yet"),
    "released": N_("The change %(change)s does not explain it any more: told now"),
    "recovered": N_("Came back with the change %(change)s: closed"),
}
ROLES: Mapping[Role, str] = {
    Role.ANALYST: N_("Analyst"),
    Role.ENGINEER: N_("Engineer"),
    Role.AUDITOR: N_("Auditor"),
    Role.ADMIN: N_("Administrator"),
}
DEVICE_ROLES: Mapping[DeviceRole, str] = {
    DeviceRole.CORE: N_("Core router"),
    DeviceRole.DISTRIBUTION: N_("Data-centre router"),
    DeviceRole.FIREWALL: N_("Firewall"),
    DeviceRole.CE: N_("Customer edge (CE)"),
    DeviceRole.APPLICATION: N_("Application host"),
    DeviceRole.SOC: N_("Monitoring host"),
    DeviceRole.WORKSTATION: N_("Workstation"),
}
# What an action refused says, by the code of its CaseError.
REFUSALS: Mapping[str, str] = {
    "short-reason": N_("Enter a reason (at least 10 characters) so that an auditor can follow this decision."),
    "long-reason": N_("The reason is too long (at most 4,000 characters)."),
    "bad-until": N_("Choose a time from now up to 7 days ahead."),
    "closed": N_("This alert is closed. Add a note instead."),
    "unknown": N_("This alert does not exist."),
}
