"""`<province>/delivery.yaml` as it is written: who is told of alerts, by which way, when."""

from __future__ import annotations

import re
from datetime import time, timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from soc.alert import Level
from soc.delivery.settings import Channel, DeadMan, Heartbeat, Mail, Quiet, Rate, Route, Syslog, Webhook

_SPAN = re.compile(r"(\d{1,6})(s|m|h|d)")
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST = timedelta(days=366)
_NAME = r"^[a-z0-9][a-z0-9-]{0,62}$"
Name = Annotated[str, Field(pattern=_NAME)]
Owner = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,199}$")]  # of a name as long as an inventory takes
Levels = Literal["low", "medium", "high", "critical"]


def _span(text: str) -> str:
    if not _SPAN.fullmatch(text):
        raise ValueError(f'"{text}" is no span of time: 90s, 10m, 4h or 1d')
    if not timedelta() < span_of(text) <= _LONGEST:
        raise ValueError(f'"{text}" is outside 1s to {_LONGEST.days}d')
    return text


def _clock(text: str) -> str:
    try:
        has_zone = time.fromisoformat(text).tzinfo is not None
    except ValueError:
        raise ValueError(f'"{text}" is no time of day: 22:00') from None
    if has_zone:
        raise ValueError(f'"{text}" names a zone: write 22:00, in the time of the province')
    return text


def _address(text: str) -> str:
    local, _, domain = text.rpartition("@")
    if not local or not domain or any(c.isspace() or not c.isprintable() or c in "<>,;" for c in text):
        raise ValueError(f'"{text}" is no mail address: name@domain')
    return text


def _url(text: str) -> str:
    if not re.fullmatch(r"https?://[^\s@]{1,2000}", text):
        raise ValueError("this is no address of a web hook: https://host/path, without a password")
    return text


Span = Annotated[str, AfterValidator(_span)]
Clock = Annotated[str, AfterValidator(_clock)]
MailAddress = Annotated[str, Field(max_length=254), AfterValidator(_address)]
Url = Annotated[str, AfterValidator(_url)]
SecretFile = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")]  # a name in <data>/secrets/, never the secret


def span_of(text: str) -> timedelta:
    """ "10m" as a span."""
    found = _SPAN.fullmatch(text)
    assert found is not None
    return timedelta(seconds=int(found[1]) * _UNIT_S[found[2]])


class _Doc(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class RateDoc(_Doc):
    most: int = Field(ge=1, le=10_000)
    per: Span

    def to_domain(self) -> Rate:
        return Rate(most=self.most, per=span_of(self.per))


class _ChannelDoc(_Doc):
    language: Literal["vi", "en"] = "vi"
    rate: RateDoc = RateDoc(most=30, per="1h")
    ca_file: str = Field(default="", max_length=500)


class MailDoc(_ChannelDoc):
    server: str = Field(min_length=1, max_length=253)
    port: int = Field(default=587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str = Field(default="", max_length=200)
    password: SecretFile | None = None
    sender: MailAddress = Field(alias="from")
    to: list[MailAddress] = Field(min_length=1, max_length=100)

    def to_domain(self, name: str) -> Channel:
        how = Mail(
            server=self.server,
            port=self.port,
            security=self.security,
            user=self.user,
            password_file=self.password or "",
            sender=self.sender,
            to=tuple(self.to),
        )
        return Channel(name=name, how=how, language=self.language, rate=self.rate.to_domain(), ca_file=self.ca_file)


class WebhookDoc(_ChannelDoc):
    url: Url
    form: Literal["document", "text"] = "document"  # text: {"text": ...}, as chat services take it
    add: dict[str, str | int | bool] = Field(default={}, max_length=20)  # further keys of the body
    token: SecretFile | None = None
    signing_key: SecretFile | None = None

    def to_domain(self, name: str) -> Channel:
        how = Webhook(
            url=self.url,
            form=self.form,
            add=tuple(self.add.items()),
            token_file=self.token or "",
            key_file=self.signing_key or "",
        )
        return Channel(name=name, how=how, language=self.language, rate=self.rate.to_domain(), ca_file=self.ca_file)


class SyslogDoc(_ChannelDoc):
    server: str = Field(min_length=1, max_length=253)
    port: int = Field(default=6514, ge=1, le=65535)
    transport: Literal["tls", "tcp", "udp"] = "tls"
    language: Literal["vi", "en"] = "en"
    rate: RateDoc = RateDoc(most=6000, per="1h")

    def to_domain(self, name: str) -> Channel:
        how = Syslog(server=self.server, port=self.port, transport=self.transport)
        return Channel(name=name, how=how, language=self.language, rate=self.rate.to_domain(), ca_file=self.ca_file)


class QuietDoc(_Doc):
    start: Clock = Field(alias="from")
    end: Clock = Field(alias="to")
    but: Levels = "critical"  # from this level on people are woken

    def to_domain(self) -> Quiet:
        return Quiet(start=time.fromisoformat(self.start), end=time.fromisoformat(self.end), but=Level(self.but))


class RouteDoc(_Doc):
    to: list[Name] = Field(min_length=1)
    at_least: Levels = "medium"
    sites: list[str] = []
    units: list[str] = []
    rules: list[str] = []  # ids
    owners: list[Owner] = []  # as in the tag canh.owner.<who>
    quiet: QuietDoc | None = None
    again_after: Span = "1h"  # an episode of the same rule, device and group sooner than this is not told again

    def to_domain(self, name: str) -> Route:
        return Route(
            name=name,
            to=tuple(self.to),
            at_least=Level(self.at_least),
            sites=frozenset(self.sites),
            units=frozenset(self.units),
            rules=frozenset(self.rules),
            owners=frozenset(self.owners),
            quiet=None if self.quiet is None else self.quiet.to_domain(),
            again_after=span_of(self.again_after),
        )


class DeadManDoc(_Doc):
    to: list[Name] = Field(min_length=1)
    after: Span = "2m"
    again: Span = "1h"

    @field_validator("after")
    @classmethod
    def _long_enough(cls, value: str) -> str:
        if span_of(value) < timedelta(seconds=10):
            raise ValueError(f'"{value}" is too short: 10s or more, detection says each second that it lives')
        return value

    @field_validator("again")
    @classmethod
    def _seldom_enough(cls, value: str) -> str:
        if span_of(value) < timedelta(minutes=1):
            raise ValueError(f'"{value}" is too often: 1m or more')
        return value

    def to_domain(self) -> DeadMan:
        return DeadMan(to=tuple(self.to), after=span_of(self.after), again=span_of(self.again))


class HeartbeatDoc(_Doc):
    url: Url
    every: Span = "1m"
    token: SecretFile | None = None
    ca_file: str = Field(default="", max_length=500)

    def to_domain(self) -> Heartbeat:
        return Heartbeat(url=self.url, every=span_of(self.every), token_file=self.token or "", ca_file=self.ca_file)


class DeliveryDoc(_Doc):
    """The file. `console`: the address people open, for links."""

    console: Url | None = None
    mail: dict[Name, MailDoc] = {}
    webhook: dict[Name, WebhookDoc] = {}
    syslog: dict[Name, SyslogDoc] = {}
    routes: dict[Name, RouteDoc] = {}
    dead_man: DeadManDoc | None = None
    heartbeat: HeartbeatDoc | None = None

    def channels(self) -> dict[str, Channel]:
        made = [doc.to_domain(name) for kind in (self.mail, self.webhook, self.syslog) for name, doc in kind.items()]
        return {channel.name: channel for channel in made}
