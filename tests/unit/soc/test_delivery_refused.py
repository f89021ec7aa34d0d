"""Telling people while one message is refused: it goes by itself, and the others go."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from soc.alert import Alert
from soc.cases import CaseStore
from soc.delivery import Deliverer, ways
from soc.delivery.message import Message
from soc.delivery.settings import Channel, DeadMan, Heartbeat, Rate, Settings
from soc.errors import DatabaseError, DeliveryError
from tests.unit.pace import eventually
from tests.unit.soc.alert_factory import NOW, alert
from tests.unit.soc.delivery_servers import PASSWORD, Tls, mail_server, tls_of, web_server
from tests.unit.soc.engine_support import ROOT
from tests.unit.soc.test_delivery import Desk, Sent, mail_settings, message, secret, settings_of


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return tls_of(tmp_path_factory.mktemp("tls"))


class Picky(Sent):
    """A way that refuses messages with a certain alert, or all."""

    def __init__(self, unwanted: Callable[[str], bool]) -> None:
        super().__init__()
        self.unwanted, self.refusals = unwanted, 0

    def __call__(self, channel: Channel, message: Message, data_dir: Path, at: datetime) -> None:
        if any(self.unwanted(one["id"]) for one in message.document["alerts"]):
            self.refusals += 1
            raise ways.Refused("answered 554 no")
        super().__call__(channel, message, data_dir, at)


def many(n: int) -> list[Alert]:
    return [alert(2, nonce=str(k), device=f"d{k}") for k in range(n)]


def picky(tmp_path: Path, unwanted: Callable[[str], bool], rate: int = 30) -> tuple[Desk, Picky]:
    desk = Desk(tmp_path, rate=Rate(most=rate, per=timedelta(hours=1)))
    desk.sent = sent = Picky(unwanted)
    desk.open()
    return desk, sent


def test_a_message_that_is_refused_for_what_it_says_holds_back_no_other(tmp_path: Path) -> None:
    alerts = many(50)
    desk, sent = picky(tmp_path, lambda id_: id_ == alerts[17].id)
    desk.raises(*alerts)
    assert {id_ for ids in sent.alerts() for id_ in ids} == {one.id for one in alerts} - {alerts[17].id}
    assert len(sent.messages) <= 6, "in halves, not one by one"
    assert desk.queue.counts() == {"c": {"sent": 49, "refused": 1}}
    assert desk.queue.errors() == {"c": "answered 554 no"}
    desk.now += timedelta(minutes=50)
    desk.raises(alert(3))
    assert sent.alerts()[-1] == [alert(3).id], "what was refused goes with nobody any more"


def test_what_was_refused_is_tried_again_by_itself(tmp_path: Path) -> None:
    alerts, refused = many(6), [True]
    desk, sent = picky(tmp_path, lambda id_: refused[0] and id_ == alerts[2].id)
    desk.raises(*alerts)
    before = sent.refusals
    for _ in range(5):
        desk.now += timedelta(hours=1, seconds=1)
        desk.turn()
    assert sent.refusals == before + 5, "once an hour"
    refused[0] = False
    desk.now += timedelta(hours=1, seconds=1)
    desk.turn()
    assert sent.alerts()[-1] == [alerts[2].id]


def test_what_is_refused_for_a_day_is_given_up(tmp_path: Path) -> None:
    desk, _ = picky(tmp_path, lambda id_: True)
    desk.raises(alert())
    for _ in range(30):
        desk.now += timedelta(hours=1, seconds=1)
        desk.turn()
    assert desk.queue.counts() == {"c": {"given-up": 1}}


def test_what_was_refused_and_taken_up_meanwhile_is_settled(tmp_path: Path) -> None:
    desk, _ = picky(tmp_path, lambda id_: True)
    desk.raises(alert())
    desk.cases.acknowledge(alert().id, actor="an", reason="looking into it", until=NOW + timedelta(hours=1), at=NOW)
    desk.turn()
    assert desk.queue.counts() == {"c": {"settled": 1}}


def test_a_server_that_refuses_everything_is_not_stormed(tmp_path: Path) -> None:
    desk, sent = picky(tmp_path, lambda id_: True)
    desk.raises(*many(300))
    assert sent.refusals <= 40
    for _ in range(60):
        desk.now += timedelta(minutes=1)
        desk.turn()
    assert sent.refusals <= 80


def test_the_parts_of_a_refused_message_keep_to_the_rate(tmp_path: Path) -> None:
    alerts = many(64)
    desk, sent = picky(tmp_path, lambda id_: id_ == alerts[40].id, rate=2)
    desk.raises(*alerts)
    assert len(sent.messages) == 2
    desk.now += timedelta(hours=1, seconds=1)
    desk.turn()
    desk.now += timedelta(hours=1, seconds=1)
    desk.turn()
    desk.now += timedelta(hours=1, seconds=1)
    desk.turn()
    assert len({id_ for ids in sent.alerts() for id_ in ids}) == 63


# ---- what servers mean by it


def test_a_mail_server_refuses_one_message_or_one_reader(tmp_path: Path, tls: Tls) -> None:
    secret(tmp_path, "smtp", PASSWORD)

    class Choosy:
        """Added to the server's handler."""

        async def handle_RCPT(
            self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
        ) -> str:
            if address.startswith("phong"):
                return "550 nobody of that name"
            envelope.rcpt_tos.append(address)
            return "250 OK"

    with mail_server(tls) as box:
        channel = mail_settings(tmp_path, box.port, tls).channels["duty"]
        box.refuse = "554 looks like spam"
        with pytest.raises(ways.Refused, match="554 looks like spam"):
            ways.send(channel, message(alert()), tmp_path, NOW)
        box.refuse = "451 come again later"
        with pytest.raises(ways.SendError, match="451") as told:
            ways.send(channel, message(alert()), tmp_path, NOW)
        assert not isinstance(told.value, ways.Refused)
        box.refuse = ""
        box.handle_RCPT = Choosy().handle_RCPT  # type: ignore[attr-defined]
        with pytest.raises(ways.Partly, match=r"refused for phong@thanhhoa.example.vn: 550 nobody"):
            ways.send(channel, message(alert()), tmp_path, NOW)
        assert len(box.mails) == 1


def test_those_who_have_a_mail_do_not_get_it_again_for_one_who_is_refused(tmp_path: Path) -> None:
    desk = Desk(tmp_path)

    def send(channel: Channel, message: Message, data_dir: Path, at: datetime) -> None:
        sent(channel, message, data_dir, at)
        raise ways.Partly("refused for a@b: 550 gone")

    sent, desk.sent = desk.sent, send  # type: ignore[assignment]
    desk.open()
    desk.raises(alert())
    for _ in range(4):
        desk.now += timedelta(hours=1)
        desk.turn()
    assert len(sent.messages) == 1
    assert desk.queue.counts() == {"c": {"partly": 1}}
    assert desk.deliverer._trouble == {"c": "refused for a@b: 550 gone"}


@pytest.mark.parametrize(("answer", "is_refused"), [(400, True), (413, True), (422, True), (404, False), (500, False)])
def test_a_web_server_refuses_a_body_or_has_a_trouble_of_its_own(
    tmp_path: Path, tls: Tls, answer: int, is_refused: bool
) -> None:
    with web_server(tls) as hook:
        text = f"webhook: {{chat: {{url: '{hook.url}', ca_file: '{tls.ca_file}', form: text}}}}"
        channel = settings_of(tmp_path, text).channels["chat"]
        hook.answer = answer
        with pytest.raises(ways.SendError) as told:
            ways.send(channel, message(alert()), tmp_path, NOW)
    assert isinstance(told.value, ways.Refused) is is_refused


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
    other = started()
    assert other.wait(120) == 2
    assert other.stderr is not None and "another delivery works on this data directory" in other.stderr.read()
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
