"""Alerts as the lab raises them, for tests of cases and console: addresses, lines and rules of the lab province."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from monitoring.event import Event
from soc.alert import Alert, FieldMatch, Level

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SPACE = uuid.UUID("6f1f0f4e-7d3c-5b5e-9c1e-0d6a6a9b3c11")

# rule, title, level, device, site, tags, count, age in minutes, line, matches
LAB = (
    ("bruteforce-then-login", "SSH login succeeded after many failures", Level.CRITICAL, "dc-app1", "dc",
     ("attack.t1110",), 15, 17,
     "<38>{t} dc-app1 sshd[21811]: {v} password for quantri from 10.250.32.10 port 50122 ssh2",
     (("fail", "event.action", "login", "login"), ("fail", "source.ip", "10.250.32.10", "*"),
      ("not_mgmt", "user.name", "quantri", "%administrators%"))),
    ("config-without-change", "Configuration changed outside a plan", Level.HIGH, "hh-ce1", "hh",
     ("attack.t1601",), 2, 65,
     "<134>{t} hh-ce1 watchfrr[411]: configuration changed by netops",
     (("selection", "event.action", "config-changed", "config-changed"),)),
    ("port-scan", "Port scan towards the data centre", Level.HIGH, "dc-fw1", "dc", ("attack.t1046",), 1240, 38,
     "<4>{t} dc-fw1 ulogd[388]: canh:deny:forward IN=eth1 OUT=eth3 SRC=10.250.33.10 DPT=445",
     (("selection", "event.action", "connection-denied", "connection-denied"),
      ("selection", "source.ip", "10.250.33.10", "*"))),
    ("neighbor-down", "Routing neighbour down on a core link", Level.HIGH, "core1", "core", (), 3, 12,
     "<29>{t} core1 ospfd[502]: [M7Q4P-46WDR] AdjChg: Nbr 10.250.0.3 Full -> Down",
     (("selection", "event.action", "routing-neighbor-down", "routing-neighbor-down"),)),
    ("undeclared-host", "Address that is not in the inventory", Level.MEDIUM, "dc-fw1", "dc",
     ("attack.t1200",), 31, 123,
     "<4>{t} dc-fw1 ulogd[388]: canh:deny:forward IN=eth1 OUT=eth3 SRC=10.250.33.77 DPT=22",
     (("selection", "canh.src.known", "False", "false"), ("selection", "source.ip", "10.250.33.77", "10.250.33.0/24"))),
    ("logging-stopped", "Log source silent beyond its interval", Level.MEDIUM, "tx-pc1", "tx", (), 1, 200, "", ()),
    ("sudo-refused", "sudo refused for an ordinary account", Level.LOW, "stc-pc1", "stc", ("attack.t1548.003",), 4, 250,
     "<85>{t} stc-pc1 sudo: lan : user NOT in sudoers ; TTY=pts/0 ; COMMAND=/usr/bin/id",
     (("selection", "event.outcome", "failure", "failure"),)),
    ("login-succeeded", "Somebody signed in", Level.INFORMATIONAL, "dc-soc1", "dc", (), 3, 360, "", ()),
)  # fmt: skip


def lab_alerts(now: datetime = NOW) -> tuple[Alert, ...]:
    """One alert of every kind the lab raises."""
    return tuple(alert(n, now=now) for n in range(len(LAB)))


def alert(kind: int = 0, *, now: datetime = NOW, nonce: str = "", **changes: object) -> Alert:
    """The alert of a kind in `LAB`, raised as many minutes before `now` as its age there."""
    rule, title, level, device, site, tags, count, age, line, matches = LAB[kind]
    start = now - timedelta(minutes=age, seconds=20)
    values: dict[str, object] = {
        "id": str(uuid.uuid5(SPACE, f"{rule}/{device}/{nonce}")),
        "rule_id": rule,
        "title": title,
        "level": level,
        "tags": tags,
        "device": device,
        "site": site,
        "group": tuple((f, v) for _, f, v, _ in matches if f == "source.ip"),
        "count": count,
        "first_seen": start,
        "last_seen": start + timedelta(seconds=20),
        "raised_at": start + timedelta(seconds=21),
        "received_at": start + timedelta(seconds=20),
        "matches": tuple(FieldMatch(selection=s, field=f, value=v, pattern=p) for s, f, v, p in matches),
        "events": tuple(event(n, line, device, start, matches) for n in range(min(count, 6))) if line else (),
    }
    return Alert(**{**values, **changes})  # type: ignore[arg-type]


def event(n: int, line: str, device: str, start: datetime, matches: tuple[tuple[str, ...], ...]) -> Event:
    happened = start + timedelta(seconds=3 * n)
    at = happened.isoformat()
    verb = "Accepted" if n == 5 else "Failed"
    return Event(
        {
            "event.id": str(uuid.uuid5(SPACE, f"{device}/{line}/{n}")),
            "@timestamp": at,
            "event.ingested": at,
            "event.original": line.format(t=f"{happened:%b %d %H:%M:%S}", v=verb),
            "host.name": device,
            "host.ip": ("10.250.10.11",),
            **{field: value for _, field, value, _ in matches},
        }
    )
