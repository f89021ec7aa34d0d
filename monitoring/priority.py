"""The priority of a syslog message (RFC 5424, 6.2.1): facility and severity, as numbers and as words."""

from __future__ import annotations

from functools import lru_cache

from monitoring.event import Value

FACILITIES = (
    *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp"),
    *("security", "console", "solaris-cron"),
    *(f"local{number}" for number in range(8)),
)
SEVERITIES = ("emergency", "alert", "critical", "error", "warning", "notice", "informational", "debug")
LARGEST = 191  # local7.debug


@lru_cache(maxsize=1024)
def priority_fields(digits: str) -> dict[str, Value]:
    """The fields of a priority; shared, so copy before use. A larger one is kept as it is, and said to be wrong."""
    priority = int(digits)
    if priority > LARGEST:
        return {"log.syslog.priority": priority, "error.message": f"malformed priority: {priority}"}
    facility, severity = divmod(priority, 8)
    return {
        "log.syslog.priority": priority,
        "log.syslog.facility.code": facility,
        "log.syslog.facility.name": FACILITIES[facility],
        "log.syslog.severity.code": severity,
        "log.syslog.severity.name": SEVERITIES[severity],
        "log.level": SEVERITIES[severity],
    }
