"""Configuration sessions: which of them changed something.

A router tells each line a person types; that configuration was changed is only known when the
person leaves configuration mode. Parsers say how a session goes on (`canh.config.step`), this
remembers between the lines. After a restart a session whose beginning was not seen counts as one
that changed something: a needless look is better than a missed change.
"""

from __future__ import annotations

from monitoring.event import Value

STEP = "canh.config.step"
_REMEMBERED = 4096  # sessions; the oldest is forgotten first
_Key = tuple[str, ...]


class ConfigSessions:
    """State between the lines of a session, by device, program, process and session."""

    def __init__(self) -> None:
        self._changed: dict[_Key, bool] = {}

    def follow(self, fields: dict[str, Value], device: str) -> None:
        """Take the step of an event; leaving after a change makes it `config-changed`."""
        key = (device, *(str(fields.get(n, "")) for n in ("process.name", "log.syslog.procid", "canh.session.id")))
        step = fields[STEP]
        if step == "left":
            if self._changed.pop(key, True):
                fields |= _CHANGED
            self._changed[key] = False
            return
        if len(self._changed) >= _REMEMBERED:
            del self._changed[next(iter(self._changed))]
        if step == "changed":
            self._changed[key] = True
        elif step == "loaded" or key not in self._changed:
            self._changed[key] = False


_CHANGED: dict[str, Value] = {
    "event.action": "config-changed",
    "event.category": ("configuration",),
    "event.type": ("change",),
    "event.outcome": "success",
    "canh.config.source": "cli",
}
