"""Who a device speaks to (BGP, OSPF, LLDP), and what changed since the last poll. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from monitoring.snmp.catalogue import object_of
from monitoring.snmp.profile import BGP_STATE, OSPF_STATE, Profile, text_of

Document = dict[str, Any]
Remote = tuple[str, str, str]  # chassis, port, name of the system
_UP = {"bgp": "established", "ospf": "full"}
# A pair of routers that are neither designated stays at two-way on a shared segment: no fault, no neighbour lost.
_OF_NO_ACCOUNT = {"ospf": frozenset({"two-way"})}


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """As last seen; None: never asked, so nothing can have changed."""

    bgp: Mapping[str, str] | None = None  # peer: state
    ospf: Mapping[str, str] | None = None
    lldp: Mapping[str, Remote] | None = None  # by local port


def compared(
    before: Neighbours,
    bgp: Mapping[str, int],
    ospf: Mapping[str, int],
    ospf_ids: Mapping[str, str],
    lldp: Mapping[str, Remote] | None,
    profile: Profile,
) -> tuple[list[Document], Neighbours]:
    """What changed, and who is there now. A device without a protocol has no neighbours by it."""
    bgp_now, ospf_now = _words(BGP_STATE, bgp), _words(OSPF_STATE, ospf)
    found = _routing("bgp", before.bgp, bgp_now, {}) + _routing("ospf", before.ospf, ospf_now, ospf_ids)
    if lldp is not None:
        found += _cables(before.lldp, lldp, profile.lldp_ports)
    return found, Neighbours(
        bgp=bgp_now if profile.has_bgp or before.bgp is not None else None,
        ospf=ospf_now if profile.has_ospf or before.ospf is not None else None,
        lldp=before.lldp if lldp is None else lldp,
    )


def remotes(names: Mapping[str, Any], chassis: Mapping[str, Any], ports: Mapping[str, Any]) -> dict[str, Remote]:
    """By local port, of three columns of lldpRemTable, whose index is time mark, local port, number."""
    found: dict[str, Remote] = {}
    for index, value in sorted(chassis.items()):
        _, _, rest = index.partition(".")
        local = rest.partition(".")[0]
        text = text_of(value) if not isinstance(value, bytes) or (value.isascii() and value.isalnum()) else value.hex()
        found.setdefault(local, (text, text_of(ports.get(index)), text_of(names.get(index))))
    return found


def _words(column: str, states: Mapping[str, int]) -> dict[str, str]:
    known = object_of(column)
    labels = known[0].labels if known else {}
    return {address: labels.get(state, str(state)) for address, state in states.items()}


def _routing(
    protocol: str, before: Mapping[str, str] | None, now: Mapping[str, str], ids: Mapping[str, str]
) -> list[Document]:
    """Neighbours that came up or went down; one that is gone went down."""
    if before is None:
        return []
    found = []
    for address in sorted({*before, *now}):
        was, state = before.get(address, ""), now.get(address, "")
        if state in _OF_NO_ACCOUNT.get(protocol, ()) or (was == _UP[protocol]) == (state == _UP[protocol]):
            continue
        found.append({"kind": "neighbour", "protocol": protocol, "ip": address, "id": ids.get(address, ""),
                      "was": was, "state": state or "gone", "is_up": state == _UP[protocol]})  # fmt: skip
    return found


def _cables(before: Mapping[str, Remote] | None, now: Mapping[str, Remote], ports: Mapping[str, str]) -> list[Document]:
    """Ports at whose other end something else is plugged in. One where nothing is any more is its link's affair."""
    if before is None:
        return []
    nobody: Remote = ("", "", "")
    found = []
    for local, remote in sorted(now.items()):
        was = before.get(local, nobody)
        if remote[0] != was[0] or remote[2] != was[2]:
            found.append({"kind": "lldp", "interface": ports.get(local, local), "name": remote[2], "id": remote[0],
                          "port": remote[1], "was": was[2] or was[0]})  # fmt: skip
    return found
