"""Entries of QAUDJRN: CEF, or `JRN PW P USER(LAN) JOB(...) IP(192.0.2.5)`."""

from __future__ import annotations

import re

from monitoring.parsers import Line, Pairs, cef_of

_ENTRY = re.compile(r"(?:JRN|TYPE)[ =:]{1,2}([A-Z]{2})\b")
_PART = re.compile(r"\b(USER|USRPRF|IP|RMTADR|OBJ|OBJECT)(?:\(([^)]{1,128})\)|=(\S{1,128}))")
_PLACES = {"USER": "journal_user", "USRPRF": "journal_user", "IP": "journal_address", "RMTADR": "journal_address",
           "OBJ": "journal_object", "OBJECT": "journal_object"}  # fmt: skip


def read(line: Line) -> Pairs | None:
    """The pairs; `code` is the entry's type, `name` what is said of it. None when it is neither form."""
    found = cef_of(line.text)
    if found is not None:
        code = str(found.get("cef.id", "")).rpartition("-")[2].rpartition("_")[2]
        return {**found, "code": code[-2:] if len(code) > 2 else code, "name": str(found.get("cef.name", "")).lower()}
    entry = _ENTRY.search(line.text[:1024])
    if entry is None:
        return {"code": "", "name": ""} if line.app_name in ("QHST", "QSYSOPR", "QAUDJRN") else None
    pairs: Pairs = {"code": entry[1], "journal_type": entry[1], "name": line.text.lower()}
    for key, boxed, plain in _PART.findall(line.text[:4096]):
        pairs.setdefault(_PLACES[key], (boxed or plain).strip())
    return pairs
