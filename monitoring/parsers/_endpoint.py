"""What agents on endpoints leave to the reader: the name of a process or a file is the end of its path.

`refine` of a parser that needs nothing else: `from monitoring.parsers._endpoint import refine`.
"""

from __future__ import annotations

from monitoring.event import Value
from monitoring.parsers._fields import Fields
from monitoring.parsers._formats import Pairs
from monitoring.parsers._line import Line

__all__ = ["add_names", "refine"]
_PATHS = (
    ("process.executable", "process.name"),
    ("process.parent.executable", "process.parent.name"),
    ("file.path", "file.name"),
)


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """The event with the names that its paths end in."""
    add_names(fields)
    return fields


def add_names(fields: Fields) -> None:
    """Fill names from paths, and paths from names that are written with theirs."""
    for path, name in _PATHS:
        written = str(fields.get(name, ""))
        if "\\" in written or "/" in written:
            fields.setdefault(path, written)
            fields[name] = _end(written)
        elif not written and path in fields:
            end = _end(str(fields[path]))
            if end:
                fields[name] = end


def _end(path: str) -> str:
    return path.replace("\\", "/").rstrip("/").rpartition("/")[2]
