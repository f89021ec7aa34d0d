"""Azure: a container's log stands whole below `properties.log`."""

from __future__ import annotations

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed
from monitoring.parsers.json_wrapped.parser import of_message


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed | None:
    """The event; of the control plane of a cluster what its own line says."""
    if str(pairs.get("uri", "")).startswith("\\\\"):  # a share, no URL
        for name in ("url.full", "url.domain", "url.path"):
            fields.pop(name, None)
        fields["file.directory"] = str(pairs["uri"])
    if fields.get("http.response.status_code") == 0:
        del fields["http.response.status_code"]
    log = pairs.get("properties.log")
    if not isinstance(log, str) or not log.strip():
        return fields
    inner = of_message(line, log.strip())
    return fields | {name: value for name, value in inner.items() if name != "canh.parser"}
