"""Laurel's objects, written as auditd writes them, with its records joined; what they mean is read by its parser."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from posixpath import normpath
from typing import Any

from monitoring.event import Value
from monitoring.parsers import Line, put
from monitoring.parsers.linux_auditd.parser import parse as parse_audit

_ID = re.compile(r"\d{9,11}\.\d{1,6}:\d{1,12}\Z")
_FIRST = ("USER_LOGIN", "USER_AUTH", "AVC", "USER_AVC", "SECCOMP", "SYSCALL")  # says most of what happened
_BESIDE = ("EXECVE", "PROCTITLE", "CWD", "PATH", "SOCKADDR", "FD_PAIR", "PARENT_INFO", "CONTAINER_INFO")
MOST_RECORDS = 16


def parse(line: Line) -> dict[str, Value] | None:
    """The event of an object; None when its id is none of the audit system."""
    document = line.document
    if document is None or _ID.match(str(document.get("ID", ""))) is None:
        return None
    records = dict(_records(document))
    name = next((one for one in _FIRST if one in records), "") or next(
        (one for one in records if one not in _BESIDE), next(iter(records), "")
    )
    if not name:
        return None
    parts = [_text(records.pop(name)), *(_text(one) for one in records.values())]
    fields = parse_audit(line._replace(text=f"type={name} msg=audit({document['ID']}): {' '.join(parts)}", app_name=""))
    if fields is None:
        return None
    put(fields, "host.name", document.get("NODE"))
    _add_command(fields, document)
    _add_file(fields, document)
    _add_parent(fields, document)
    return fields


def _records(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, value in list(document.items())[:MOST_RECORDS]:
        record = _last(value) if isinstance(value, list) and value else value
        if name.isupper() and isinstance(record, Mapping):
            yield name, record


def _last(records: list[Any]) -> Any:
    """What the call was about: of the paths the last that is not the folder it is in."""
    named = [one for one in records if isinstance(one, Mapping) and one.get("nametype") != "PARENT"]
    is_path = any("nametype" in one for one in named)
    return named[-1] if is_path else records[0]


def _text(record: Mapping[str, Any]) -> str:
    return " ".join(
        f'{key}="{value}"' if isinstance(value, str) else f"{key}={value}"
        for key, value in record.items()
        if isinstance(value, str | int) and '"' not in str(value)
    )


def _add_command(fields: dict[str, Value], document: Mapping[str, Any]) -> None:
    """The arguments, whole: a list of them, or one string."""
    for name in ("EXECVE", "PROCTITLE"):
        record = document.get(name)
        if isinstance(record, Mapping):
            written = record.get("ARGV") or record.get("ARGV_STR")
            if isinstance(written, list) and written:
                fields["process.args"] = tuple(map(str, written))
                written = " ".join(map(str, written))
            if isinstance(written, str):
                fields.setdefault("process.command_line", written)


def _add_file(fields: dict[str, Value], document: Mapping[str, Any]) -> None:
    """What a call on files was about, from the root: a name may be relative to the folder the process is in."""
    paths = document.get("PATH")
    if fields.get("event.category") != ("file",) or not isinstance(paths, list) or not paths:
        return
    record = _last(paths)
    name = record.get("name") if isinstance(record, Mapping) else None
    if not isinstance(name, str) or name == "(null)":
        return
    folder = document.get("CWD")
    place = folder.get("cwd") if isinstance(folder, Mapping) else None
    is_relative = not name.startswith("/") and isinstance(place, str)
    put(fields, "file.path", normpath(f"{place}/{name}") if is_relative else name)


def _add_parent(fields: dict[str, Value], document: Mapping[str, Any]) -> None:
    """The parent as Laurel remembers it: a record of its own, or below SYSCALL in newer versions."""
    call = document.get("SYSCALL")
    parent = document.get("PARENT_INFO") or (call.get("PPID") if isinstance(call, Mapping) else None)
    if isinstance(parent, Mapping):
        put(fields, "process.parent.name", parent.get("comm"))
        put(fields, "process.parent.executable", parent.get("exe"))
