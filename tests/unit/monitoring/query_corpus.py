"""A few thousand events of every shape a query can be about: some written by hand, the rest by a fixed seed."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any
from unicodedata import normalize

import yaml

from monitoring.event import Event, Value

START = datetime(2026, 3, 1, tzinfo=UTC)
MADE = 3000
USERS = (
    "root",
    "Root",
    "ansible",
    "lan.huong",
    "Lan Hương",
    normalize("NFD", "Lan Hương"),
    "đạt",
    "svc-backup",
    "a*b",
    "",
)
ACTIONS = ("login", "logout", "connection-denied", "connection-allowed", "config-changed")
WORDS = ("Failed password", "ĐĂNG NHẬP thất bại", normalize("NFD", "Đăng nhập thành công"), "link DOWN", "100% done",
         'said "no"', "C:\\Windows\\System32", "a_b_c",
         "tab\there", "naïve café",
         "Straße", "50 %", "x=1;y=2", "(root) CMD")  # fmt: skip
QUERIES = yaml.safe_load(Path(__file__).with_name("queries.yaml").read_text("utf-8"))


def corpus() -> list[Event]:
    chance = random.Random(20260301)
    return [_hand_written(n, fields) for n, fields in enumerate(HAND)] + [
        _made(n, chance) for n in range(len(HAND), len(HAND) + MADE)
    ]


def _event(number: int, at: datetime, fields: dict[str, Value]) -> Event:
    stamp = at.isoformat(timespec="microseconds")[:26] + "Z"
    message = str(fields.get("message", f"nothing of note {number}"))
    base: dict[str, Value] = {
        "@timestamp": stamp,
        "event.ingested": f"{stamp[:10]}T23:59:59.000000Z",  # a day's came late, and together
        "event.id": f"00000000-0000-5000-8000-{number:012x}",
        "event.original": f"<13>Mar  1 h{number % 7} app: {message}",
        "message": message,
        "host.name": f"h{number % 7}",
    }
    return Event({**base, **fields})


def _hand_written(number: int, fields: dict[str, Value]) -> Event:
    return _event(number, START + timedelta(hours=number), fields)


def _made(number: int, chance: random.Random) -> Event:
    at = START + timedelta(seconds=chance.randrange(10 * 86400), microseconds=chance.randrange(10**6))
    fields: dict[str, Value] = {"message": f"{chance.choice(WORDS)} {number} from {chance.choice(WORDS)}"}
    if chance.random() < 0.7:
        fields["user.name"] = chance.choice(USERS)
    if chance.random() < 0.6:
        fields["source.ip"] = _address(chance)
        fields["source.port"] = chance.choice((22, 53, 443, 1023, 1024, 40000, 65535))
    if chance.random() < 0.5:
        fields["event.action"] = chance.choice(ACTIONS)
        fields["event.category"] = tuple(chance.sample(("authentication", "network", "session"), chance.randint(1, 2)))
    if chance.random() < 0.3:
        fields["canh.src.known"] = chance.random() < 0.5
    if chance.random() < 0.3:
        fields["canh.clock.offset_ms"] = chance.choice((-1.5, 0.0, 2.25, 1e9))
    if chance.random() < 0.3:
        fields["canh.unlisted.name"] = chance.choice(("x", "X", "x y", "đ", "x*", "value-1", "value-22"))
        fields["canh.unlisted.number"] = chance.choice((1, 22, 333, True, 2.5))
    if chance.random() < 0.2:
        fields["canh.unlisted.list"] = tuple(chance.sample(("one", "two", "three"), 2))
    if chance.random() < 0.2:
        fields["event.severity"] = chance.choice((1, 3, 7, 10))
        fields["event.created"] = (at - timedelta(seconds=5)).isoformat(timespec="microseconds")[:26] + "Z"
        fields["tags"] = tuple(chance.sample(("t1", "t2", "t-3"), 2))
    return _event(number, at, fields)


def _address(chance: random.Random) -> str:
    kind = chance.random()
    if kind < 0.5:
        return f"10.{chance.choice((0, 1, 250))}.{chance.randrange(4)}.{chance.randrange(256)}"
    if kind < 0.7:
        return f"192.168.{chance.randrange(3)}.{chance.randrange(256)}"
    return f"2001:db8:{chance.choice(('a', 'b'))}::{chance.randrange(1, 20):x}"


HAND: list[dict[str, Value]] = [
    {"message": "", "event.original": ""},
    {"message": "a message of its own", "event.original": "another line"},
    {"user.name": "ROOT"},
    {"user.name": 'x" OR 1=1 --'},
    {"user.name": "with\\backslash"},
    {"user.name": "line\nbreak"},
    {"user.name": "AND"},
    {"source.port": "http"},  # not of the field's type: kept, not found by it
    {"source.ip": "not-an-address"},
    {"event.category": ()},
    {"event.severity": "7"},
    {"canh.src.known": "true"},
    {"canh.unlisted.list": ()},
    {"canh.unlisted": "parent"},
    {"message": "needle-4f2a in the hay", "event.original": "needle-4f2a in the hay"},
    {"message": "xneedle-4f2ax"},
    {"message": "ĐĂNG NHẬP THẤT BẠI: Nguyễn Thị Ánh"},
    {"message": normalize("NFD", "đăng nhập thất bại: nguyễn thị ánh")},
    {"source.ip": "::ffff:10.9.9.9"},
    {"source.ip": "255.255.255.255", "destination.ip": "0.0.0.0"},
    {"process.command_line": "powershell -enc " + "QQ" * 2000, "process.pid": 2**31},
    {"url.path": "/a/b*c?d[e]{f}(g)|h^i$j.k+l"},
    {"rule.name": "100%_forward"},
    {"rule.name": "100xyforward"},
]


def matching(events: list[Event], means: str) -> set[str]:
    """Ids of the events a Python expression is true of: what a query should find, told without a store."""
    code = compile(means, means, "eval")
    return {e.id for e in events if eval(code, {**_NAMES, "e": _Fields(dict(e.fields))})}


class _Fields(dict[str, Any]):
    """The fields of an event; what is missing, or not of the asked type, equals nothing."""

    def has(self, name: str, kind: type | None = None) -> bool:
        return name in self and self[name] != () and (kind is None or type(self[name]) is kind)

    def of(self, name: str) -> tuple[Any, ...]:
        value = self.get(name, ())
        return value if isinstance(value, tuple) else (value,)

    def number(self, name: str) -> float:
        value = self.get(name)
        return value if type(value) in (int, float) else float("nan")

    def within(self, name: str, prefix: str) -> bool:
        try:
            address, network = ip_address(self.get(name, "")), ip_network(prefix)
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return (mapped or address) in network

    def folded(self, name: str) -> str:
        return normalize("NFC", str(self.get(name, ""))).lower()

    def says(self, words: str) -> bool:
        return any(normalize("NFC", words).lower() in self.folded(name) for name in ("message", "event.original"))


_NAMES: dict[str, Any] = {"nfc": lambda text: normalize("NFC", text), "re": __import__("re")}
