"""Which receivers of streams a collector has: from settings to sockets.

`PORTS` are those `canh collect` listens on unless told otherwise. Clear text without a word of who sends it
is off for JSON: whoever wants it, asks for it.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from monitoring.receivers.bulk_http import bulk_connection
from monitoring.receivers.intake import Intake
from monitoring.receivers.relp import RelpConnection
from monitoring.receivers.sockets import Listen
from monitoring.receivers.streams import JsonLines, StreamConnection, StreamReceiver
from monitoring.receivers.tls import Clients, TlsKeys
from pki import Tokens

PORTS: Mapping[str, int] = {"syslog-tls": 6514, "relp-tcp": 2514, "relp-tls": 2515, "json-tls": 5171, "bulk": 9243}
NAMES = ("syslog-tls", "relp-tcp", "relp-tls", "json-tcp", "json-tls", "bulk")
WITHOUT_TLS = ("relp-tcp", "json-tcp")
JSON_OCTETS = 256 * 1024  # of a document in a line; each connection may hold one
_JSON = ("json-tcp", "json-tls")


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSettings:
    """Where to receive what, by the names in NAMES. What is absent is off."""

    listen: Mapping[str, tuple[Listen, ...]] = field(default_factory=dict)
    clients: Clients = Clients.OPTIONAL  # whether senders over TLS show a certificate

    @property
    def all(self) -> tuple[tuple[str, Listen], ...]:
        return tuple((name, listen) for name in NAMES for listen in self.listen.get(name, ()))

    @property
    def need_keys(self) -> bool:
        return any(name not in WITHOUT_TLS for name, _ in self.all)


def stream_receivers(
    settings: StreamSettings,
    intake: Intake,
    *,
    pki: Path,
    keys: TlsKeys | None,
    limit: int,
    most: int,
    bound: Callable[[Listen], socket.socket | None],
) -> Iterator[StreamReceiver]:
    """All of them, bound. Raises ReceiverError.

    pki: where the tokens of agents are; limit: octets kept of a syslog message; most: connections of all;
    bound: the socket that was bound before, if any.
    """
    kinds: Mapping[str, Callable[[StreamReceiver], StreamConnection]] = {
        "syslog-tls": StreamConnection,
        "relp-tcp": RelpConnection,
        "relp-tls": RelpConnection,
        "json-tcp": JsonLines,
        "json-tls": JsonLines,
        "bulk": bulk_connection(Tokens(pki)),
    }
    for name, listen in settings.all:
        yield StreamReceiver(
            name,
            kinds[name],
            listen,
            intake,
            limit=max(limit, JSON_OCTETS) if name in _JSON else limit,
            keys=None if name in WITHOUT_TLS else keys,
            most=max(1, most // len(settings.all)),
            sock=bound(listen),
        )
