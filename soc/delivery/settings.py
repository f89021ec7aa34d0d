"""Who is told of alerts, by which way, when: the settings as the code uses them.

Secrets are files in `<data>/secrets/`, named here and read when they are needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from soc.alert import Level


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    server: str
    port: int
    security: str  # starttls, tls, none
    user: str
    password_file: str  # "" for none
    sender: str
    to: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    url: str
    form: str  # document, text
    add: tuple[tuple[str, str | int | bool], ...]
    token_file: str
    key_file: str  # of the body's HMAC; "" for none


@dataclass(frozen=True, slots=True, kw_only=True)
class Syslog:
    server: str
    port: int
    transport: str  # tls, tcp, udp


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """At most so many messages in any span of that length; what is more is told together in one."""

    most: int
    per: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    name: str
    how: Mail | Webhook | Syslog
    language: str  # vi, en
    rate: Rate
    ca_file: str = ""  # "" for the system's


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """Hours in which only `but` and above is told; the rest is told together when they end. Local time."""

    start: time
    end: time
    but: Level

    def until(self, now: datetime, zone: ZoneInfo) -> datetime | None:
        """When the quiet that `now` lies in ends, None when it does not. now: aware."""
        local = now.astimezone(zone)
        clock = local.time()
        is_quiet = self.start <= clock < self.end if self.start <= self.end else clock >= self.start or clock < self.end
        if not is_quiet:
            return None
        day = local.date() + timedelta(days=1) if clock >= self.end else local.date()
        return datetime.combine(day, self.end, zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Which alerts go to which channels. Empty sets are any."""

    name: str
    to: tuple[str, ...]
    at_least: Level
    sites: frozenset[str]
    units: frozenset[str]
    rules: frozenset[str]
    owners: frozenset[str]  # as in the tag canh.owner.<who>
    quiet: Quiet | None
    again_after: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadMan:
    """Who is told when detection itself stands still for `after`, and how often while it does."""

    to: tuple[str, ...]
    after: timedelta
    again: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """A watchdog elsewhere that is told while all is well, so that it speaks when this machine cannot."""

    url: str
    every: timedelta
    token_file: str = ""
    ca_file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    channels: Mapping[str, Channel] = field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    dead_man: DeadMan | None = None
    heartbeat: Heartbeat | None = None
    console: str = ""  # for links; "" for none
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Asia/Ho_Chi_Minh"))
    units: Mapping[str, str] = field(default_factory=dict)  # site -> unit
