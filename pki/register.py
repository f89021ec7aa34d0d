"""What the CA has issued: `register.json` of a pki directory, and how it reads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pki.errors import PkiError
from pki.files import PUBLIC, replace
from pki.x509 import Purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One certificate that was issued."""

    name: str  # of its files and its common name
    serial: str  # hexadecimal
    purpose: Purpose
    names: tuple[str, ...]
    issued: datetime
    expires: datetime
    sha256: str
    revoked: datetime | None = None  # None: it is not
    reason: str = ""
    is_replaced: bool = False  # by a later one of the same name

    @property
    def is_current(self) -> bool:
        return self.revoked is None and not self.is_replaced

    def days_left(self, now: datetime) -> int:
        """Days until it expires, begun ones counted; zero or less: it has."""
        return days_left(self.expires, now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """Everything issued, oldest first."""

    entries: tuple[Entry, ...] = ()
    crl_number: int = 0
    is_imported: bool = False  # the CA is the province's own: it is never replaced by one of ours

    def current(self, name: str) -> Entry | None:
        return next((e for e in reversed(self.entries) if e.name == name and e.is_current), None)


def days_left(expires: datetime, now: datetime) -> int:
    """Days until then, begun ones counted; zero or less: it is past."""
    return -((now - expires) // timedelta(days=1))


def read(path: Path) -> Register:
    """Empty when there is none. Raises PkiError: without it nobody knows what was revoked."""
    try:
        document = json.loads(path.read_bytes())
        return Register(
            entries=tuple(_entry(one) for one in document["certificates"]),
            crl_number=int(document["crl_number"]),
            is_imported=bool(document["imported"]),
        )
    except FileNotFoundError:
        return Register()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PkiError(
            "the register of certificates cannot be read", where=path, fix="restore it from a backup"
        ) from error


def write(path: Path, register: Register) -> None:
    """Raises OSError."""
    document = {
        "format": 1,
        "imported": register.is_imported,
        "crl_number": register.crl_number,
        "certificates": [_document(e) for e in register.entries],
    }
    replace(path, json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n", PUBLIC)


def documents(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """For programs."""
    return [_document(e) for e in entries]


def _document(entry: Entry) -> dict[str, Any]:
    times = {"issued": entry.issued.isoformat(), "expires": entry.expires.isoformat()}
    return asdict(entry) | times | {"revoked": None if entry.revoked is None else entry.revoked.isoformat()}


def _entry(document: dict[str, Any]) -> Entry:
    revoked = document["revoked"]
    return Entry(
        name=str(document["name"]),
        serial=str(document["serial"]),
        purpose=Purpose(document["purpose"]),
        names=tuple(document["names"]),
        issued=datetime.fromisoformat(document["issued"]),
        expires=datetime.fromisoformat(document["expires"]),
        sha256=str(document["sha256"]),
        revoked=None if revoked is None else datetime.fromisoformat(revoked),
        reason=str(document["reason"]),
        is_replaced=bool(document["is_replaced"]),
    )
