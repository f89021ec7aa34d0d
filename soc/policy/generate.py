"""From the inventory to Sigma documents. Pure: equal inventories give equal texts and ids.

A placeholder is one list for all; these are for what differs from one thing to the next:

    service-clients    a connection to a service of the inventory that no flow declares for its source
    account-hosts      a service's account logs in from a host it is not tied to
    account-hours      it does so at an hour it is not tied to

The folder of a kind holds what an analyst reads, `triage.md` and `triage.vi.md`. A tag `canh.owner.<who>`
says who answers for the thing; alerts carry it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import yaml

from inventory.lists import BoundAccount
from inventory.model import Province, Service

FOLDER = Path(__file__).parent
_SPACE = UUID("0b9c1f6e-3f52-5d0a-8a57-64a0c8a4d6f1")  # of these rules' ids
_STRICT_FROM = 3  # level of a system from which on an undeclared client wakes somebody
_DAY_S = 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """One rule. `path` names it in messages: there is no such file."""

    kind: str
    name: str
    rule_id: str
    title_vi: str
    text: str

    @property
    def path(self) -> str:
        return f"inventory/{self.kind}/{self.name}"

    @property
    def folder(self) -> Path:
        """Where the notes of its kind stand."""
        return FOLDER / self.kind


def documents(province: Province) -> tuple[Generated, ...]:
    """Every rule the inventory gives, by kind and name."""
    found = [
        *(_clients(province, service) for service in province.services.values()),
        *(_hosts(account) for account in province.accounts.values()),
        *_hours(province),
    ]
    return tuple(sorted(found, key=lambda made: made.path))


def _clients(province: Province, service: Service) -> Generated:
    flows = [flow for flow in province.flows.values() if flow.service == service.name]
    declared = "; ".join(f"{flow.source} ({flow.reason})" for flow in flows) or "nobody"
    return _made(
        "service-clients",
        service.name,
        title=f"Undeclared client of the service {service.name}",
        title_vi=f"Máy không được khai báo dùng dịch vụ {service.name}",
        description=f"A connection to {service.name} was let through from an address no flow declares. "
        f"Declared clients: {declared}.",
        level="high" if service.level >= _STRICT_FROM else "medium",
        owner=service.owner,
        tags=["attack.lateral-movement", "attack.t1021", "canh.policy"],
        category="firewall",
        detection={
            "selection": {
                "event.action": "connection-allowed",
                "canh.flow.service": service.name,
                "canh.flow.declared": False,
            },
            "condition": "selection",
        },
        group_by=["source.ip"],
        benign="A client the inventory does not declare yet",
    )


def _hosts(account: BoundAccount) -> Generated:
    return _made(
        "account-hosts",
        account.name,
        title=f"Service account {account.name} used from a host it is not tied to",
        title_vi=f"Tài khoản dịch vụ {account.name} đăng nhập từ máy không được gắn",
        description=f"{account.reason}. It logs in from {_listed(account)} only.",
        level="high",
        owner=account.owner,
        tags=["attack.lateral-movement", "attack.t1078"],
        category="authentication",
        detection={
            "selection": _login(account),
            "filter_hosts": {"source.ip|cidr": [*map(str, account.hosts), "127.0.0.0/8", "::1/128"]},
            "condition": "selection and not filter_hosts",
        },
        group_by=["user.name", "source.ip"],
        benign="The service moved and lists.yaml does not say so yet",
    )


def _hours(province: Province) -> Iterator[Generated]:
    for account in province.accounts.values():
        if account.hours is None:
            continue
        start, end = account.hours
        yield _made(
            "account-hours",
            account.name,
            title=f"Service account {account.name} used outside its hours",
            title_vi=f"Tài khoản dịch vụ {account.name} đăng nhập ngoài giờ quy định",
            description=f"{account.reason}. It logs in from {start}:00 to {end}:00 only.",
            level="medium",
            owner=account.owner,
            tags=["attack.persistence", "attack.t1078"],
            category="authentication",
            detection={
                "selection": _login(account),
                "filter_hours": {"@timestamp|re": _moments(account.hours, ZoneInfo(province.time_zone))},
                "condition": "selection and not filter_hours",
            },
            group_by=["user.name", "source.ip"],
            benign="A job started by hand after it failed in the night",
        )


def _login(account: BoundAccount) -> dict[str, Any]:
    return {
        "event.action": ["login", "db-login", "vpn-login"],
        "event.outcome": "success",
        "user.name": account.name,
        "source.ip|exists": True,
    }


def _listed(account: BoundAccount) -> str:
    return ", ".join(str(host) for host in account.hosts)


def _moments(hours: tuple[int, int], zone: ZoneInfo) -> str:
    """A pattern of `@timestamp`, which is UTC, for local hours [from, to): to the minute, for zones of half hours too.

    The zone's standard time counts: a summer time would move the hours by one.
    """
    offset = datetime(2026, 1, 1, tzinfo=zone).utcoffset() or timedelta()
    start, end = (round((hour * 3600 - offset.total_seconds()) % _DAY_S) // 60 for hour in hours)
    length = (end - start) % (_DAY_S // 60) or _DAY_S // 60
    minutes = [(start + minute) % (_DAY_S // 60) for minute in range(length)]
    by_hour: dict[int, list[int]] = {}
    for minute in minutes:
        by_hour.setdefault(minute // 60, []).append(minute % 60)
    whole = sorted(hour for hour, within in by_hour.items() if len(within) == 60)
    parts = [f"(?:{'|'.join(f'{hour:02}' for hour in whole)})"] if whole else []
    for hour, within in sorted(by_hour.items()):
        if len(within) < 60:
            parts.append(f"{hour:02}:(?:{'|'.join(f'{minute:02}' for minute in sorted(within))})")
    return f"T(?:{'|'.join(parts)})"


def _made(
    kind: str,
    name: str,
    *,
    title: str,
    title_vi: str,
    description: str,
    level: str,
    owner: str,
    tags: list[str],
    category: str,
    detection: dict[str, Any],
    group_by: list[str],
    benign: str,
) -> Generated:
    rule_id = str(uuid5(_SPACE, f"{kind} {name}"))
    document = {
        "title": title,
        "id": rule_id,
        "status": "test",
        "description": f"{description} Owner: {owner}." if owner else description,
        "author": "Canh",
        "tags": [*tags, *([f"canh.owner.{_slug(owner)}"] if owner else [])],
        "logsource": {"category": category},
        "detection": detection,
        "falsepositives": [benign],
        "level": level,
        "canh": {"title_vi": title_vi, "group-by": group_by},
    }
    text = yaml.safe_dump(document, allow_unicode=True, sort_keys=False)
    return Generated(kind=kind, name=name, rule_id=rule_id, title_vi=title_vi, text=text)


def _slug(owner: str) -> str:
    """Phòng Ứng dụng -> phong-ung-dung: what a tag may hold."""
    plain = unicodedata.normalize("NFD", owner.lower().replace("đ", "d"))
    letters = "".join(c for c in plain if not unicodedata.combining(c))
    return re.sub(r"[^a-z0-9]+", "-", letters).strip("-") or "unnamed"
