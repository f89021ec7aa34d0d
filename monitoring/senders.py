"""Senders that are not simply a declared device: strangers, other names, many names behind one address.

The worker counts what `monitoring.enrich` said of each event (`canh.source.kind`, `.claimed`) by peer
address; `canh stats` shows it. Bounded: the rest counts together under "other".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOST_PEERS = 2000
MOST_NAMES = 16  # of one peer; more are counted, not named
OTHER = "other"
ORDINARY = frozenset({"declared", ""})


class Senders:
    """Counts by peer; what they come to is `suspicion_of`."""

    def __init__(self, saved: Mapping[str, Any] | None = None) -> None:
        """saved: as `document` gave it."""
        self._peers: dict[str, dict[str, Any]] = {}
        for peer, known in (saved or {}).items():
            if isinstance(known, Mapping):
                self._peers[peer] = {
                    "receivers": list(known.get("receivers", ())),
                    "kinds": dict(known.get("kinds", {})),
                    "names": dict(known.get("names", {})),
                    "unnamed": int(known.get("unnamed", 0)),
                }

    def add(self, receiver: str, peer: str, kind: str, claimed: str, n: int = 1) -> None:
        """`n` events; ordinary ones are not for here."""
        known = self._peers.get(peer)
        if known is None:
            if len(self._peers) >= MOST_PEERS:
                peer = OTHER
            known = self._peers.setdefault(peer, {"receivers": [], "kinds": {}, "names": {}, "unnamed": 0})
        if receiver not in known["receivers"]:
            known["receivers"].append(receiver)
        known["kinds"][kind] = known["kinds"].get(kind, 0) + n
        if claimed:
            names = known["names"]
            if claimed in names or len(names) < MOST_NAMES:
                names[claimed] = names.get(claimed, 0) + n
            else:
                known["unnamed"] += n

    def document(self) -> dict[str, Any]:
        """By peer: {"receivers", "kinds": {kind: n}, "names": {claimed: n}, "unnamed": n}."""
        return {
            peer: {
                **known,
                "receivers": list(known["receivers"]),
                "kinds": dict(known["kinds"]),
                "names": dict(known["names"]),
            }
            for peer, known in self._peers.items()
        }


def suspicion_of(sender: Mapping[str, Any]) -> str:
    """What a sender's counts come to, in a word; "" when there is nothing to suspect.

    nat-or-relay      one address under several names: a relay or an address translation nobody declared
    forged            over UDP, which proves no address, under the name of a device that is another
    other-name        the same over a connection, which cannot be forged: renumbered, misnamed, or behind NAT
    undeclared        an address of no device
    """
    kinds = sender.get("kinds", {})
    if kinds.get("relayed") or kinds.get("relayed-undeclared"):
        return ""
    if len(sender.get("names", {})) > 1:
        return "nat-or-relay"
    if kinds.get("claims-other") or kinds.get("undeclared-claims"):
        return "forged" if any(r.endswith("-udp") for r in sender.get("receivers", ())) else "other-name"
    if kinds.get("undeclared"):
        return "undeclared"
    return "other-name" if kinds.get("renamed") else ""
