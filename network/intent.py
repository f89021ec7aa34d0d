"""What a router shall do, in no vendor's words: derived from the inventory, rendered by a platform.

Addresses are not here: a machine gets them on its first day (systemd-networkd), so that it can be
reached before it is configured; see docs/decisions/0002-network-owns-routing.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address

from inventory.model import Device, Interface, Link, Province
from network.errors import RenderError, UnknownTarget

AREA = 0  # one backbone area: 166 communes are far below what one area carries
HELLO = timedelta(seconds=1)  # a point-to-point neighbour answers the next hello: up within 2 s
DEAD = timedelta(seconds=4)  # gone within 4 s also where the carrier stays up
# The first database description often meets a neighbour that is not ready for it; its repetition decides
# how long two routers take to become neighbours (the lab's: 5.5 s at the default of 5 s, 1.1 s at this).
RETRANSMIT = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ospf:
    """How one interface takes part. `passive` announces its network and speaks to nobody."""

    area: int
    passive: bool
    cost: int | None = None  # None: passive, nothing is sent through it as transit
    hello: timedelta = HELLO
    dead: timedelta = DEAD
    retransmit: timedelta = RETRANSMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class InterfaceIntent:
    name: str
    description: str
    ospf: Ospf | None  # None: not routed (management)


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """A routing neighbour the inventory expects on `interface`."""

    device: str
    router_id: IPv4Address
    interface: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """Everything a router's configuration is rendered from."""

    hostname: str
    router_id: IPv4Address
    interfaces: tuple[InterfaceIntent, ...]  # sorted by name, loopback last
    neighbours: tuple[Neighbour, ...]


def intent_of(province: Province, device: str) -> Intent:
    """What the inventory wants of the router `device`.

    Raises UnknownTarget when it is no router, RenderError when a text of it cannot stand in a line.
    """
    kit = province.devices.get(device)
    if kit is None or not kit.is_router or kit.loopback is None:
        raise UnknownTarget(f"{device!r} is no router of this province", fix="see canh show devices")
    interfaces = tuple(_interface(province, kit, i) for i in sorted(kit.interfaces, key=lambda i: i.name))
    loopback = InterfaceIntent(name="lo", description="", ospf=Ospf(area=AREA, passive=True))
    return Intent(
        hostname=kit.name,
        router_id=kit.loopback,
        interfaces=(*interfaces, loopback),
        neighbours=neighbours_of(province, device),
    )


def neighbours_of(province: Province, device: str) -> tuple[Neighbour, ...]:
    """The routers `device` shall have as neighbours: the far ends of its links to routers."""
    found = []
    for link in province.links.values():
        for near, far in ((link.a, link.b), (link.b, link.a)):
            kit = province.devices[far.device]
            if near.device == device and _is_transit(link) and kit.is_router and kit.loopback is not None:
                found.append(Neighbour(device=kit.name, router_id=kit.loopback, interface=near.interface))
    return tuple(sorted(found, key=lambda n: n.interface))


def _interface(province: Province, kit: Device, interface: Interface) -> InterfaceIntent:
    link = province.links[interface.link] if interface.link else None
    ospf = None
    if link is not None and _is_transit(link):
        ospf = Ospf(area=AREA, passive=False, cost=link.cost)
    elif interface.name != "mgmt0":
        ospf = Ospf(area=AREA, passive=True)
    description = _one_line(interface.description, f"{kit.name} {interface.name} description")
    return InterfaceIntent(name=interface.name, description=description, ospf=ospf)


def _is_transit(link: Link) -> bool:
    return link.segment is None


def _one_line(text: str, where: str) -> str:
    """`text` as one configuration line carries it: a line break would be a command of its own."""
    if not text.isprintable():
        raise RenderError(
            f"{text!r} holds a character that cannot stand in a configuration line",
            where=where,
            fix="use printable characters on one line",
        )
    return " ".join(text.split())
