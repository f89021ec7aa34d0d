"""What the address plan has given out, and the text it is kept as: `allocations.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

HEADER = """\
# What the address plan has given out. Written by `canh validate --allocate`; keep it in git.
# An entry stays when its site goes, so that nothing is given out twice; `--release` frees such entries.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocations:
    """What has been given out. Ports are keyed "device/link" or "device/segment"."""

    loopbacks: Mapping[str, IPv4Address]
    management: Mapping[str, IPv4Address]
    transit: Mapping[str, IPv4Network]
    segments: Mapping[str, IPv4Network]
    ports: Mapping[str, int]


def text_of(allocations: Allocations) -> str:
    """The allocation file: each part sorted by what was given out, so that a new entry is one new line."""
    parts = [HEADER]
    for kind in Allocations.__slots__:
        entries = getattr(allocations, kind)
        parts.append(f"\n{kind}:" if entries else f"\n{kind}: {{}}")
        key_of = _port_order if kind == "ports" else _value_order
        parts.extend(f"  {name}: {value}" for name, value in sorted(entries.items(), key=key_of))
    return "\n".join(parts).replace("\n\n\n", "\n\n") + "\n"


def _value_order(entry: tuple[str, IPv4Address | IPv4Network]) -> tuple[int, str]:
    value = entry[1]
    return int(value if isinstance(value, IPv4Address) else value.network_address), entry[0]


def _port_order(entry: tuple[str, int]) -> tuple[str, int]:
    return entry[0].partition("/")[0], entry[1]
