"""Values as ECS wants them, from whatever a message or someone's JSON holds. None of these raises."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Any

LONGEST_ADDRESS = 64  # characters, zone included; longer text is not kept in a cache


def ip_text(text: str) -> str | None:
    """An address in its usual form (no zone, IPv4 where it is one); None when it is no address."""
    return _ip_text(text) if len(text) <= LONGEST_ADDRESS else None


@lru_cache(maxsize=65536)
def _ip_text(text: str) -> str | None:
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def mac_text(text: str) -> str:
    """A MAC address as ECS wants it, 00-00-5E-00-53-23, however it is grouped."""
    digits = text.replace(":", "").replace("-", "").replace(".", "").upper()
    return "-".join(digits[at : at + 2] for at in range(0, len(digits), 2))


def text_of(value: object) -> str:
    """A JSON value as text, "" for null."""
    return "" if value is None else value if isinstance(value, str) else str(value)


def number_of(value: object) -> int | float | None:
    """A JSON number; None for anything else (true and NaN are no numbers)."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and value == value
    return value if is_number else None  # type: ignore[return-value]


def mapping_of(value: object) -> dict[str, Any]:
    """A JSON object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}
