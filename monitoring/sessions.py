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
        self._state: dict[_Key, str] = {}  # entered, changed, or unentered: lines without a beginning

    def follow(self, fields: dict[str, Value], device: str) -> None:
        """Take the step of an event; leaving after a change makes it `config-changed`.

        A line of a session that nobody entered is the device reading its own file (or a session that began
        before we listened): its `canh.config.source` is then `file`, so that a start is no intrusion.
        """
        key = (device, *(str(fields.get(n, "")) for n in ("process.name", "log.syslog.procid", "canh.session.id")))
        match fields[STEP]:
            case "left":
                if self._state.pop(key, "unentered") != "entered":
                    fields |= _CHANGED
                self._state[key] = "entered"  # one more `end` is no second change
            case "changed" if self._state.get(key, "unentered") == "unentered":
                self._remember(key, "unentered")
                fields["canh.config.source"] = "file"
            case "changed":
                self._state[key] = "changed"
            case "loaded":
                self._remember(key, "entered")
            case _ if self._state.get(key) != "changed":
                self._remember(key, "entered")

    def _remember(self, key: _Key, state: str) -> None:
        if len(self._state) >= _REMEMBERED:
            del self._state[next(iter(self._state))]
        self._state[key] = state


_CHANGED: dict[str, Value] = {
    "event.action": "config-changed",
    "event.category": ("configuration",),
    "event.type": ("change",),
    "event.outcome": "success",
    "canh.config.source": "cli",
}
