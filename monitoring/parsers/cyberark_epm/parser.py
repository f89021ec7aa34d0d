"""CyberArk EPM: who acts is `domain\\user`, with a dot for the machine itself; a hash of any length."""

from __future__ import annotations

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, put
from monitoring.parsers._endpoint import add_names

_HASHES = {32: "file.hash.md5", 64: "file.hash.sha256"}


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """The event with its process where the file is one that was run."""
    if fields.get("user.domain") == ".":
        del fields["user.domain"]
    digest = str(fields.get("file.hash.sha1", ""))
    if len(digest) in _HASHES:
        fields[_HASHES[len(digest)]] = fields.pop("file.hash.sha1")
    if "process" in (fields.get("event.category") or ()):  # type: ignore[operator]
        put(fields, "process.executable", fields.get("file.path"))
        put(fields, "process.name", fields.get("file.name"))
    add_names(fields)
    return fields
