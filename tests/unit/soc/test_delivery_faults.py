"""Telling people while things go wrong: servers that answer rubbish, full disks, clocks put back, storms, restores."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import pytest

from soc.alert import Alert
from soc.cases import CaseStore
from soc.delivery import ways
from soc.delivery.deadman import Pulse, Watchman
from soc.delivery.settings import Channel, DeadMan, Heartbeat, Rate, Webhook
from soc.errors import DatabaseError
from soc.known import rules_in
from tests.unit.soc.alert_factory import NOW, alert
from tests.unit.soc.test_delivery import Desk, message, secret

RATE = Rate(most=9, per=timedelta(hours=1))
DEAD = DeadMan(to=("c",), after=timedelta(minutes=2), again=timedelta(hours=1))


def hook(url: str, token: str = "") -> Channel:
    how = Webhook(url=url, form="text", add=(), token_file=token, key_file="")
    return Channel(name="c", how=how, language="en", rate=RATE)


@contextmanager
def answers(octets: bytes) -> Iterator[str]:
    """A server that says this to whatever it is told."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            connection.settimeout(60)
            connection.recv(65536)
            connection.sendall(octets)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
    finally:
        thread.join(60)
        server.close()


RUBBISH = (b"rubbish\r\n\r\n", b"", b"HTTP/1.1 200 OK\r\na: " + b"x" * 70_000 + b"\r\n\r\n")


@pytest.mark.parametrize("said", RUBBISH, ids=["no HTTP", "nothing", "too long"])
def test_a_server_that_answers_rubbish_is_one_that_could_not_be_told(tmp_path: Path, said: bytes) -> None:
    with answers(said) as url, pytest.raises(ways.SendError):
        ways.send(hook(url), message(alert()), tmp_path, NOW)
    with answers(said) as url, pytest.raises(ways.SendError):
        ways.beat(Heartbeat(url=url, every=timedelta(minutes=1)), tmp_path)


def test_what_was_taken_is_not_sent_again_for_an_answer_that_breaks_off(tmp_path: Path) -> None:
    with answers(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort") as url:
        ways.send(hook(url), message(alert()), tmp_path, NOW)


def test_a_server_that_answers_letter_by_letter_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ways, "WHOLE_S", 1.0)
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nx: ")
                while not over.wait(0.1):
                    connection.sendall(b"a")

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        with pytest.raises(ways.SendError, match="no answer in time"):  # without it, the drip never ends
            ways.send(hook(f"http://127.0.0.1:{server.getsockname()[1]}/"), message(alert()), tmp_path, NOW)
        over.set()
        thread.join(60)


@pytest.mark.parametrize("token", ["s3cret-one\ns3cret-two", "s3cret-ạ"])
def test_a_token_that_cannot_be_sent_is_not_shown(tmp_path: Path, token: str) -> None:
    secret(tmp_path, "token", token)
    with pytest.raises(ways.SendError, match="the secret token is no token") as told:
        ways.send(hook("http://127.0.0.1:9/", "token"), message(alert()), tmp_path, NOW)
    assert "s3cret" not in str(told.value) and "1ea1" not in str(told.value)


def test_one_that_has_grown_before_it_was_looked_at_is_told(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    many = [alert(2, nonce=str(n), device=f"d{n}") for n in range(1100)]
    desk.cases.deliver(many)
    first = many[0]
    desk.raises(replace(first, count=first.count + 5, last_seen=first.last_seen + timedelta(seconds=9)))
    assert desk.queue.counts() == {"c": {"sent": 1100}}
    desk.open()
    desk.raises(replace(first, count=first.count + 6, last_seen=first.last_seen + timedelta(seconds=10)))
    assert len(desk.sent.messages) == 1


def test_a_storm_is_told_without_holding_its_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk, held = Desk(tmp_path), []

    def title(one: Alert, language: str) -> str:
        held.append(len(one.events))
        return one.title

    monkeypatch.setattr(desk.deliverer, "_title_of", title)
    desk.raises(alert())
    assert held == [0] and len(alert().events) > 0


def test_a_row_is_not_given_up_for_the_days_we_were_switched_off(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.sent.broken = True
    desk.raises(alert())
    desk.now += timedelta(days=3)
    desk.open()
    desk.turn()  # after a power cut the network comes later than we do
    desk.sent.broken = False
    desk.now += timedelta(minutes=20)
    desk.turn()
    assert len(desk.sent.messages) == 1


def test_a_clock_that_was_ahead_silences_nothing_when_it_is_put_back(tmp_path: Path) -> None:
    desk = Desk(tmp_path, rate=Rate(most=2, per=timedelta(hours=1)))
    desk.now += timedelta(days=300)
    desk.raises(alert(nonce="1"))
    desk.raises(alert(2, nonce="1"))
    desk.now -= timedelta(days=300)
    desk.raises(alert(nonce="2"))  # like one that was told, but in a year
    assert len(desk.sent.messages) == 3


def test_an_older_case_store_put_back_is_followed_from_where_it_is(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.raises(*[alert(2, nonce=str(n), device=f"d{n}") for n in range(20)])
    (tmp_path / "backup").mkdir()
    desk.cases = CaseStore(tmp_path / "backup")
    desk.cases.deliver([alert()])
    desk.open()
    desk.turn()
    desk.raises(alert(3))
    assert desk.sent.alerts()[1:] == [[alert(3).id]]


# ---- the dead man


def full(*_: object) -> NoReturn:
    raise DatabaseError("database or disk is full")


def test_the_dead_man_is_told_of_when_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(tmp_path, dead=DEAD)
    monkeypatch.setattr(desk.cases, "since", full)
    monkeypatch.setattr(desk.deliverer._queue, "note", full)
    for _ in range(4):
        desk.now += timedelta(minutes=3)
        desk.deliverer._tick()
    assert [told.document["kind"] for _, told in desk.sent.messages] == ["detection-stopped"]
    assert json.loads((tmp_path / "stats/deliver.json").read_text())["trouble"]["delivery"]


def test_held_alerts_nobody_can_look_after_keep_back_no_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(tmp_path)
    monkeypatch.setattr(desk.deliverer, "_look_after_held", lambda now: [][0])
    desk.raises(alert())
    assert len(desk.sent.messages) == 1


def test_a_second_stand_still_is_told_though_the_first_try_fails(tmp_path: Path) -> None:
    desk = Desk(tmp_path, dead=DEAD)
    desk.now += timedelta(minutes=3)
    desk.deliverer.vigil.watch()
    (tmp_path / "stats").mkdir()
    said = {"at": desk.now.isoformat(), "octets_behind": 0, "events": 1}
    (tmp_path / "stats/detect.json").write_text(json.dumps(said))
    desk.deliverer.vigil.watch()
    desk.sent.broken = True
    desk.now += timedelta(minutes=5)
    desk.deliverer.vigil.watch()
    desk.sent.broken = False
    desk.now += timedelta(minutes=1)
    desk.deliverer.vigil.watch()
    kinds = [told.document["kind"] for _, told in desk.sent.messages]
    assert kinds == ["detection-stopped", "detection-back", "detection-stopped"]


def test_one_that_died_before_the_clock_was_put_back_is_dead() -> None:
    watchman, said = Watchman(NOW, DEAD.after), Pulse(at=NOW + timedelta(hours=5), behind=0, events=5)
    assert watchman.look(said, NOW + timedelta(hours=5)) is None
    assert watchman.look(said, NOW) is None
    assert watchman.look(said, NOW + timedelta(minutes=2)) == NOW


# ---- titles


@pytest.mark.parametrize("wrong", [b"date: 2026-13-45\n", b"author: Nguy\xe9n\n", b"x: " + b"[" * 3000 + b"]" * 3000])
def test_a_rule_file_that_cannot_be_read_hides_no_title_of_others(tmp_path: Path, wrong: bytes) -> None:
    for name, more in (("bad", wrong), ("good", b"")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "rule.yml").write_bytes(b"title: T\nid: " + name.encode() + b"\n" + more)
    assert "good" in rules_in(tmp_path)
