"""Where the cluster is, how to log in, and how its indices are made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import BaseModel, Field, ValidationError

from monitoring.errors import StoreError

PORT = 9200
_PREFIX = r"[a-z][a-z0-9]{0,39}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ElasticSettings:
    """Nothing secret of it is ever in a repr, a log or an error."""

    hosts: tuple[str, ...]  # https://host:9200
    user: str = ""
    password: str = field(default="", repr=False)
    api_key: str = field(default="", repr=False)
    ca: Path | None = None  # certificates to trust; None for the system's
    prefix: str = "canh"  # of every name made in the cluster: letters and digits
    shards: int = 1
    replicas: int = 1

    def __str__(self) -> str:
        return f"Elasticsearch at {', '.join(self.hosts)}"


class ElasticDoc(BaseModel, extra="forbid"):
    """`elasticsearch:` of `<data>/store.yaml`."""

    hosts: list[str] = Field(min_length=1)
    user: str = ""
    password_file: Path | None = None
    api_key_file: Path | None = None
    ca: Path | None = None
    prefix: str = Field(default="canh", pattern=rf"^{_PREFIX}$")
    shards: int = Field(default=1, ge=1, le=64)
    replicas: int = Field(default=1, ge=0, le=5)

    def to_domain(self) -> ElasticSettings:
        """Raises OSError when a file with a secret cannot be read."""
        return ElasticSettings(
            hosts=tuple(host.rstrip("/") for host in self.hosts),
            user=self.user,
            password=_secret(self.password_file),
            api_key=_secret(self.api_key_file),
            ca=self.ca,
            prefix=self.prefix,
            shards=self.shards,
            replicas=self.replicas,
        )


def settings_of(url: str) -> ElasticSettings:
    """elasticsearch://[USER@]HOST[:PORT][,HOST...][/PREFIX][?password_file=F&api_key_file=F&ca=F&replicas=N&shards=N&tls=off]

    Raises StoreError without showing what may be a secret.
    """
    parts = urlsplit(url)
    login, _, hosts = parts.netloc.rpartition("@")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    scheme = "http" if options.pop("tls", "on") == "off" else "https"
    user, _, password = login.partition(":")
    document: dict[str, Any] = {
        "hosts": [f"{scheme}://{host if _has_port(host) else f'{host}:{PORT}'}" for host in hosts.split(",") if host],
        "user": unquote(user),
        **options,
    }
    if parts.path.strip("/"):
        document["prefix"] = parts.path.strip("/")
    return checked(document, where="the store's address", password=unquote(password))


def checked(document: Mapping[str, Any], *, where: object, password: str = "") -> ElasticSettings:
    """Settings out of a document. Raises StoreError naming the key at fault, never its value."""
    try:
        settings = ElasticDoc.model_validate(document).to_domain()
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = "/".join(map(str, first["loc"])) or "elasticsearch"
        raise StoreError(f"{place}: {first['msg']}", where=where, fix="see docs/guides/elasticsearch.md") from None
    except OSError as error:
        raise StoreError(f"{error.filename}: {error.strerror}", where=where, fix="make the file readable") from error
    if password:
        settings = replace(settings, password=password)
    _refuse_open_secrets(settings, where)
    return settings


def _refuse_open_secrets(settings: ElasticSettings, where: object) -> None:
    """A password does not cross a network in the clear."""
    for host in settings.hosts:
        parts = urlsplit(host)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise StoreError(
                f"{parts.hostname or 'a host'} is no address of a server", where=where, fix="https://HOST:9200"
            )
        if parts.scheme == "http" and (settings.password or settings.api_key) and not _is_loopback(parts.hostname):
            raise StoreError(
                f"{parts.hostname} would be sent a password without TLS", where=where, fix="use https, or tls=on"
            )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _has_port(host: str) -> bool:
    return re.search(r":\d+\Z", host) is not None and not host.endswith("]")


def _secret(path: Path | None) -> str:
    return "" if path is None else path.read_text("utf-8").strip()
