"""How single values are written in the inventory's documents: names, addresses, bandwidths, spans, moments.

A value that is written wrongly raises ValueError as pydantic wants it: what it is, then how to write it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Network
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field

MOMENT = "%Y-%m-%d %H:%M"
_UNITS_BPS = {"k": 10**3, "M": 10**6, "G": 10**9}


def _address_like(kind: Callable[[str], Any], example: str) -> BeforeValidator:
    def read(value: Any) -> Any:
        # ipaddress reads the integer 10 as 0.0.0.10, and YAML reads 1.10 as the number 1.1
        if isinstance(value, str):
            try:
                return kind(value)
            except ValueError:
                if around := _network_around(value):
                    raise ValueError(f"{value} is an address inside a network: the network, {around}") from None
        raise ValueError(f"{value} is not a prefix or address: text like {example}")

    return BeforeValidator(read, json_schema_input_type=str)


def _network_around(value: str) -> IPv4Network | None:
    try:
        return IPv4Network(value, strict=False)
    except ValueError:
        return None


def _slug(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,30}[a-z0-9]|[a-z]", value):
        raise ValueError(f'"{value}" is not a name: lower-case letters, digits and hyphens, at most 32, a letter first')
    return value


def _bandwidth_bps(value: Any) -> Any:
    match = re.fullmatch(r"([1-9][0-9]{0,5})([kMG])", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{value!r} is not a bandwidth: a number and k, M or G bits per second, like 100M")
    return int(match[1]) * _UNITS_BPS[match[2]]


_SPAN_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _span(value: object) -> object:
    match = re.fullmatch(r"([1-9][0-9]{0,5})([smhd])", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{value!r} is not a span of time: a number and s, m, h or d, like 30m")
    return timedelta(seconds=int(match[1]) * _SPAN_UNITS[match[2]])


def _time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f'"{value}" is not a time zone of the IANA database: a name like Asia/Ho_Chi_Minh') from None
    return value


def _moment(value: object) -> object:
    try:
        return datetime.strptime(str(value), MOMENT)
    except ValueError:
        raise ValueError(f"{value} is not a moment: local time like 2026-11-20 22:00") from None


Text = Annotated[str, Field(min_length=1, max_length=500)]
Slug = Annotated[str, AfterValidator(_slug)]
Prefix = Annotated[IPv4Network, _address_like(IPv4Network, "10.1.0.0/24")]
Address = Annotated[IPv4Address, _address_like(IPv4Address, "10.1.0.1")]
AddressInPrefix = Annotated[IPv4Interface, _address_like(IPv4Interface, "10.1.0.1/24")]
Prefix6 = Annotated[IPv6Network, _address_like(IPv6Network, "fd00::/32")]
Span = Annotated[timedelta, BeforeValidator(_span, json_schema_input_type=str)]
Moment = Annotated[datetime, BeforeValidator(_moment, json_schema_input_type=str)]  # of the province's own time
Bandwidth = Annotated[int, BeforeValidator(_bandwidth_bps, json_schema_input_type=str)]
# One name may stand without its brackets: `from: mgmt`.
OneOrMore = Annotated[
    list[Slug],
    BeforeValidator(lambda v: [v] if isinstance(v, str) else v, json_schema_input_type=list[Slug] | Slug),
]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
Hour = Annotated[int, Field(ge=0, le=24)]
