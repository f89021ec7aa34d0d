"""What agents show that ship over HTTP: `<data>/pki/tokens.json`, a name and the hash of a token each.

A token is 256 random bits and is shown once, when it is made. Nobody can read it back, so a copied
data directory gives none away; a plain SHA-256 is enough for a secret that cannot be guessed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from pki.errors import PkiError
from pki.files import OWNER_ONLY, replace, writing

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


class Tokens:
    """The tokens of a pki directory; a change by another process is seen at the next question."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / "tokens.json"
        self._seen: tuple[int, int] | None = None
        self._held: Mapping[str, Mapping[str, str]] = {}

    def add(self, name: str, now: datetime) -> str:
        """Make one; the only time it is seen. Raises PkiError."""
        if not _NAME.fullmatch(name):
            raise PkiError(
                f"{name!r} is no name for a token", fix="letters, digits, dot, dash and underscore, at most 63"
            )
        token = secrets.token_urlsafe(32)
        with writing(self.folder):
            held = dict(self.list())
            if name in held:
                raise PkiError(
                    f"there is already a token {name}", where=self.path, fix="remove it first, or name another"
                )
            held[name] = {"sha256": _hash(token), "made": now.isoformat()}
            self._write(held)
        return token

    def remove(self, name: str) -> None:
        """From now on it opens nothing. Raises PkiError."""
        with writing(self.folder):
            held = dict(self.list())
            if name not in held:
                raise PkiError(f"there is no token {name}", where=self.path, fix="see `canh pki token list`")
            del held[name]
            self._write(held)

    def list(self) -> Mapping[str, Mapping[str, str]]:
        """By name: "sha256" and "made". Raises PkiError."""
        try:
            found = self.path.stat()
            seen = (found.st_mtime_ns, found.st_ino)
            if seen != self._seen:
                self._held, self._seen = json.loads(self.path.read_bytes())["tokens"], seen
        except FileNotFoundError:
            self._held, self._seen = {}, None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise PkiError(
                "the tokens cannot be read", where=self.path, fix="remove the file and make them anew"
            ) from error
        return self._held

    def owner_of(self, authorization: str) -> str:
        """The name of the token an `Authorization` header shows; "" when it shows none of ours.

        Bearer <token>, ApiKey <base64 of name:token>, Basic <base64 of name:token>. Raises PkiError.
        """
        scheme, _, shown = authorization.strip().partition(" ")
        scheme, shown, claimed = scheme.lower(), shown.strip(), ""
        if scheme in ("apikey", "basic"):
            try:
                claimed, _, shown = base64.b64decode(shown, validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                return ""
        elif scheme != "bearer":
            return ""
        hashed, owner = _hash(shown), ""
        for name, one in self.list().items():  # all of them: the time taken tells nothing
            if hmac.compare_digest(hashed, one["sha256"]) and claimed in ("", name):
                owner = name
        return owner

    def _write(self, held: Mapping[str, Mapping[str, str]]) -> None:
        replace(self.path, json.dumps({"tokens": held}, indent=1).encode() + b"\n", OWNER_ONLY)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
