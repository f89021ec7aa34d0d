"""Certificates as the collector looks after them: renewed and revocations signed in time, and told once a day.

Each certificate that is in use is a message a day, `certificate-checked`, with the days it has left; so
what nears its end, or has reached it, is seen by rules as anything else is. The day that was told
is kept: a restart tells nothing twice, a crash in between tells it again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from monitoring.durable import read_json, replace_json
from monitoring.receivers import Intake
from monitoring.receivers.tls import SERVICE
from monitoring.spool import Received
from monitoring.usage import message
from pki import Authority, PkiError
from pki.register import days_left
from pki.x509 import fingerprint_of

LOOK_S = 600.0
LIST_NEAR_END = timedelta(days=3)  # of a CA elsewhere; lists live for a week or more
TOLD_AFTER_END = timedelta(days=30)  # then whoever let it expire has heard it

log = logging.getLogger("canh.collect")


class Certificates:
    """Those of a pki directory."""

    def __init__(self, data_dir: Path, names: Sequence[str], *, serves: bool) -> None:
        """serves: the collector itself shows a certificate for `names`, which is to be renewed in time."""
        self._authority = Authority(data_dir / "pki")
        self._file = data_dir / "stats" / "certificates.json"
        self._names = names
        self._serves = serves

    async def watch(self, intake: Intake) -> None:
        """For ever. What cannot be done is said and tried again."""
        while True:
            try:
                now = datetime.now(UTC)
                told = await asyncio.to_thread(self.check, now)
                if told and await intake.put_all_kept(told):
                    self.note(now)
            except (PkiError, OSError) as error:
                log.error("certificates: %s", error)
            await asyncio.sleep(LOOK_S)

    def check(self, now: datetime) -> tuple[Received, ...]:
        """Renew what is ours, and what is to be told today. Raises PkiError."""
        if not self._authority.certificate.exists():
            return ()
        self._authority.ensure(now)
        if self._serves and self._authority.ensure_server(SERVICE, self._names, now):
            log.info("the collector's certificate was renewed")
        if read_json(self._file).get("told") == f"{now:%Y-%m-%d}":
            return ()
        return tuple(self._messages(now))

    def note(self, now: datetime) -> None:
        """That today's is told. Raises OSError."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        replace_json(self._file, {"told": f"{now:%Y-%m-%d}"})

    def _messages(self, now: datetime) -> Iterator[Received]:
        ca = self._authority.load()
        yield _message("ca", "authority", ca.not_valid_after_utc, fingerprint_of(ca), now)
        for one in self._authority.trust.all():
            sha256 = fingerprint_of(one.ca)
            yield _message(f"trusted {one.id}", "authority", one.ca.not_valid_after_utc, sha256, now)
            until = one.listed_until or now
            if not one.may_issue_here and until - now <= LIST_NEAR_END:  # nobody here signs it anew
                yield _message(f"list of {one.id}", "revocation-list", until, sha256, now)
        for entry in self._authority.entries():
            if entry.is_current and now - entry.expires < TOLD_AFTER_END:
                yield _message(entry.name, str(entry.purpose), entry.expires, entry.sha256, now)


def _message(name: str, purpose: str, expires: datetime, sha256: str, now: datetime) -> Received:
    facts: dict[str, str | int | float] = {
        "name": name,
        "purpose": purpose,
        "days_left": days_left(expires, now),
        "expires": f"{expires:%Y-%m-%dT%H:%M:%S}.000000Z",
        "sha256": sha256,
    }
    return message("certificate-checked", facts)
