"""Telling people while one message is refused: it goes by itself, and the others go."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from soc.alert import Alert
from soc.delivery import ways
from soc.delivery.message import Message
from soc.delivery.settings import Channel, Rate
from tests.unit.soc.alert_factory import NOW, alert
from tests.unit.soc.delivery_servers import PASSWORD, Tls, mail_server, tls_of, web_server
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
