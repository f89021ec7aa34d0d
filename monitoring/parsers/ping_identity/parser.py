"""PingOne's events as JSON, and PingFederate's audit log: values between pipes, in the order its own settings have."""

from __future__ import annotations

from monitoring.parsers import Line, Pairs, flat_of

_COLUMNS = (
    "event", "subject", "ip", "app", "connection", "protocol", "host", "role", "status", "adapter", "description",
    "response_time",
)  # fmt: skip


def read(line: Line) -> Pairs | None:
    """The values by their names; None for a text that is no line of the audit log."""
    if line.document is not None:
        return flat_of(line.document)
    when, found, rest = line.text[:8192].partition("tid:")
    words = [word.strip() for word in rest.split("|")]
    if not found or len(words) < 4:
        return None
    time = when.strip(" |")
    return {"time": time, "tid": words[0], **dict(zip(_COLUMNS, words[1:], strict=False))}
