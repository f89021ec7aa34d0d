"""Telling people: what goes to whom and when, over real servers on loopback; and when detection is dead."""

from __future__ import annotations

import hashlib
import hmac
import json
import signal
import subprocess
import sys
import textwrap
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.syslog import header_of
from soc.alert import Alert, Level, Resolution
from soc.cases import Case, CaseStore
from soc.delivery import Deliverer, Queue, Settings, load, ways
from soc.delivery.deadman import Pulse, Watchman
from soc.delivery.message import Message, Told, clean, of_alerts
from soc.delivery.settings import Channel, DeadMan, Quiet, Rate, Route, Webhook
from soc.errors import DeliveryError
from tests.unit.pace import eventually
from tests.unit.soc.alert_factory import NOW, alert
from tests.unit.soc.delivery_servers import PASSWORD, Tls, free_port, mail_server, syslog_server, tls_of, web_server
from tests.unit.soc.engine_support import ROOT, lab

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
HOOK = Webhook(url="https://localhost/", form="document", add=(), token_file="", key_file="")


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return tls_of(tmp_path_factory.mktemp("tls"))


def settings_of(tmp_path: Path, text: str) -> Settings:
    (tmp_path / "delivery.yaml").write_text(textwrap.dedent(text), "utf-8")
    return load(tmp_path, lab())


def secret(data_dir: Path, name: str, text: str, mode: int = 0o600) -> None:
    path = data_dir / "secrets" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", "utf-8")
    path.chmod(mode)


def message(*alerts: Alert, language: str = "vi") -> Message:
    told = [Told(alert=one, title=one.title) for one in alerts]
    return of_alerts(told, channel="c", language=language, console="https://soc.example.vn", zone=HANOI)


# ---- the ways


def mail_settings(tmp_path: Path, port: int, tls: Tls, more: str = "") -> Settings:
    return settings_of(
        tmp_path,
        f"""
        console: https://soc.example.vn
        mail:
          duty:
            server: localhost
            port: {port}
            user: canh
            password: smtp
            from: canh@thanhhoa.example.vn
            to: [truc@thanhhoa.example.vn, phong@thanhhoa.example.vn]
            ca_file: {tls.ca_file}
        routes:
          all: {{to: [duty], at_least: low}}
        {more}
        """,
    )


def test_a_mail_reaches_a_server_that_asks_for_tls_and_a_login(tmp_path: Path, tls: Tls) -> None:
    secret(tmp_path, "smtp", PASSWORD)
    with mail_server(tls) as box:
        channel = mail_settings(tmp_path, box.port, tls).channels["duty"]
        one = message(alert(title="Đăng nhập được sau nhiều lần sai"))
        ways.send(channel, one, tmp_path, NOW)
        ways.send(channel, one, tmp_path, NOW)
    mail = box.mails[0]
    assert mail["To"] == "truc@thanhhoa.example.vn, phong@thanhhoa.example.vn"
    assert str(mail["Subject"]) == "[nghiêm trọng] Đăng nhập được sau nhiều lần sai (dc-app1)"
    assert "Thiết bị: dc-app1" in mail.get_content() and "https://soc.example.vn/alerts/" in mail.get_content()
    assert (mail["Auto-Submitted"], mail["Importance"]) == ("auto-generated", "high")
    assert box.ids[0] == box.ids[1]


def test_a_server_with_another_ca_is_not_told(tmp_path: Path, tls: Tls) -> None:
    secret(tmp_path, "smtp", PASSWORD)
    with mail_server(tls) as box:
        channel = replace(mail_settings(tmp_path, box.port, tls).channels["duty"], ca_file="")
        with pytest.raises(ways.SendError, match=r"(?i)certificate"):
            ways.send(channel, message(alert()), tmp_path, NOW)
    assert not box.mails


def test_a_wrong_password_is_told_without_the_password(tmp_path: Path, tls: Tls) -> None:
    secret(tmp_path, "smtp", "hunter2-hunter2")
    with mail_server(tls) as box:
        channel = mail_settings(tmp_path, box.port, tls).channels["duty"]
        with pytest.raises(ways.SendError, match="answered 535") as told:
            ways.send(channel, message(alert()), tmp_path, NOW)
    assert "hunter2" not in str(told.value)


@pytest.mark.parametrize(
    ("mode", "there", "why"), [(0o644, True, "others may read the secret smtp"), (0, False, "cannot be read")]
)
def test_a_secret_others_may_read_or_that_is_missing_is_not_used(
    tmp_path: Path, tls: Tls, mode: int, there: bool, why: str
) -> None:
    if there:
        secret(tmp_path, "smtp", PASSWORD, mode)
    with mail_server(tls) as box:
        channel = mail_settings(tmp_path, box.port, tls).channels["duty"]
        with pytest.raises(ways.SendError, match=why):
            ways.send(channel, message(alert()), tmp_path, NOW)
    assert not box.mails


def test_a_web_hook_gets_a_document_it_can_verify(tmp_path: Path, tls: Tls) -> None:
    secret(tmp_path, "token", "t0ken")
    secret(tmp_path, "key", "signing key")
    with web_server(tls) as hook:
        how = Webhook(url=hook.url, form="document", add=(("room", 7),), token_file="token", key_file="key")
        channel = Channel(
            name="c", how=how, language="en", rate=Rate(most=9, per=timedelta(hours=1)), ca_file=str(tls.ca_file)
        )
        one = message(alert(), language="en")
        ways.send(channel, one, tmp_path, NOW)
        headers, body = hook.posts[0]
        hook.answer = 500
        with pytest.raises(ways.SendError, match="answered 500"):
            ways.send(channel, one, tmp_path, NOW)
        hook.answer = 302
        with pytest.raises(ways.SendError, match="answered 302"):  # a token must not follow
            ways.send(channel, one, tmp_path, NOW)
    assert len(hook.posts) == 3
    document = json.loads(body)
    assert document["alerts"][0]["device"] == "dc-app1"
    assert (document["room"], document["id"], headers["Idempotency-Key"]) == (7, one.id, one.id)
    assert headers["Authorization"] == "Bearer t0ken"
    assert headers["X-Canh-Signature"] == "sha256=" + hmac.new(b"signing key", body, hashlib.sha256).hexdigest()


def test_a_chat_service_gets_its_text(tmp_path: Path, tls: Tls) -> None:
    with web_server(tls) as hook:
        how = Webhook(url=hook.url, form="text", add=(("chat_id", "-100"),), token_file="", key_file="")
        rate = Rate(most=9, per=timedelta(hours=1))
        ways.send(
            Channel(name="c", how=how, language="vi", rate=rate, ca_file=str(tls.ca_file)),
            message(alert()),
            tmp_path,
            NOW,
        )
    assert set(hook.documents[0]) == {"text", "chat_id"}
    assert hook.documents[0]["text"].startswith("[nghiêm trọng]")


@pytest.mark.parametrize("transport", ["tls", "tcp", "udp"])
def test_a_syslog_line_is_one_another_collector_understands(tmp_path: Path, tls: Tls, transport: str) -> None:
    with syslog_server(transport, tls) as (port, came):
        channel = settings_of(
            tmp_path,
            f"syslog: {{siem: {{server: localhost, port: {port}, transport: {transport}, ca_file: {tls.ca_file}}}}}",
        ).channels["siem"]
        told = message(alert(title='A "quoted" [title]\nnext', device='x"]y'), language="en")
        ways.send(channel, told, tmp_path, NOW)
    octets = came[0]
    if transport != "udp":
        length, _, octets = octets.partition(b" ")
        assert int(length) == len(octets)
    header = header_of(octets.decode(), received=NOW, zone=HANOI)
    assert header.app_name == "canh" and header.when == NOW
    assert header.fields["log.syslog.severity.code"] == 2
    assert 'device="x\\"\\]y"' in str(header.fields["log.syslog.structured_data"])
    assert header.message.lstrip("\ufeff").startswith('[critical] A "quoted" [title] next')


@given(st.text())
@settings(max_examples=200)
def test_no_control_character_leaves_in_a_subject(text: str) -> None:
    subject = message(alert(title=text, device=text)).subject
    assert subject.isprintable() or not any(ord(c) < 32 or c in "\x7f\u2028\u2029\u202e" for c in subject)
    assert "\n" not in clean(text)


# ---- what, to whom, when


class Sent:
    """A way that remembers, and fails when told."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, Message]] = []
        self.broken = False

    def __call__(self, channel: Channel, message: Message, data_dir: Path, at: datetime) -> None:
        if self.broken:
            raise ways.SendError("the line is down")
        self.messages.append((channel.name, message))

    def alerts(self, channel: str = "c") -> list[list[str]]:
        """Ids of each message."""
        return [[a["id"] for a in m.document.get("alerts", [])] for name, m in self.messages if name == channel]


class Desk:
    """A case store, a clock, a way, and a deliverer over them."""

    def __init__(self, tmp_path: Path, *routes: Route, rate: Rate | None = None, dead: DeadMan | None = None) -> None:
        rate = rate or Rate(most=30, per=timedelta(hours=1))
        channels = {n: Channel(name=n, how=HOOK, language="vi", rate=rate) for n in ("c", "d")}
        self.settings = Settings(channels=channels, routes=routes or (route(),), dead_man=dead, units={"dc": "stttt"})
        self.cases, self.now, self.sent, self.data_dir = CaseStore(tmp_path), NOW, Sent(), tmp_path
        self.open()

    def open(self) -> None:
        """As after a restart."""
        self.deliverer = Deliverer(
            self.settings,
            lambda: self.cases,
            self.data_dir,
            threading.Event(),
            clock=lambda: self.now,
            send=self.sent,
        )
        self.queue = Queue(self.data_dir / "deliver.db")

    def raises(self, *alerts: Alert) -> None:
        self.cases.deliver(alerts)
        self.turn()

    def turn(self) -> None:
        self.deliverer.look()
        for channel in self.settings.channels.values():
            self.deliverer.pass_on(channel, self.queue, self.cases)


def route(**changes: object) -> Route:
    values: dict[str, object] = {
        "name": "all",
        "to": ("c",),
        "at_least": Level.MEDIUM,
        "sites": frozenset(),
        "units": frozenset(),
        "rules": frozenset(),
        "owners": frozenset(),
        "quiet": None,
        "again_after": timedelta(hours=1),
    }
    return Route(**{**values, **changes})  # type: ignore[arg-type]


def test_an_alert_is_told_once_however_often_it_grows(tmp_path: Path) -> None:
    desk, one = Desk(tmp_path), alert()
    desk.raises(one)
    for n in range(1, 4):
        desk.raises(replace(one, count=one.count + n, last_seen=one.last_seen + timedelta(minutes=n)))
    desk.open()
    desk.turn()
    assert desk.sent.alerts() == [[one.id]]


def test_what_was_raised_before_delivery_was_set_up_is_not_told(tmp_path: Path) -> None:
    CaseStore(tmp_path).deliver([alert()])
    desk = Desk(tmp_path)
    desk.turn()
    assert not desk.sent.messages
    desk.raises(alert(2))
    assert len(desk.sent.messages) == 1


def test_routes_choose_by_level_site_unit_and_rule(tmp_path: Path) -> None:
    desk = Desk(
        tmp_path,
        route(at_least=Level.HIGH, units=frozenset({"stttt"})),
        route(name="hh", to=("d",), at_least=Level.LOW, sites=frozenset({"hh"})),
    )
    dc, hh, low = alert(0), alert(1), alert(6)
    desk.raises(dc, hh, low)
    assert desk.sent.alerts("c") == [[dc.id]]
    assert desk.sent.alerts("d") == [[hh.id]]


def test_a_route_may_be_for_one_owner(tmp_path: Path) -> None:
    desk = Desk(tmp_path, route(owners=frozenset({"phong-ha-tang"})))
    theirs = alert(nonce="theirs", tags=("attack.t1078", "canh.owner.phong-ha-tang"))
    desk.raises(theirs, alert(1, tags=("canh.owner.van-phong",)), alert(2))
    assert desk.sent.alerts() == [[theirs.id]]


def test_an_alert_two_routes_want_on_one_channel_is_told_once(tmp_path: Path) -> None:
    desk = Desk(tmp_path, route(), route(name="too"))
    desk.raises(alert())
    assert len(desk.sent.messages) == 1


def test_the_same_on_the_same_device_is_not_told_again_too_soon(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.raises(alert(nonce="1"))
    desk.now += timedelta(minutes=50)
    desk.raises(alert(nonce="2"))
    assert len(desk.sent.messages) == 1
    assert desk.queue.counts() == {"c": {"sent": 1, "repeated": 1}}
    desk.raises(alert(nonce="3", device="dc-fw1"))
    assert len(desk.sent.messages) == 2
    desk.now += timedelta(minutes=61)
    desk.raises(alert(nonce="4"))
    assert len(desk.sent.messages) == 3


def test_a_storm_is_one_message_that_names_the_worst_first(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    storm = [alert(n % 3 + 2, nonce=str(n), device=f"d{n}") for n in range(80)]
    desk.raises(*storm)
    ((_, told),) = desk.sent.messages
    assert told.document["count"] == 80 and len(told.document["alerts"]) == 50
    assert "80 cảnh báo" in told.subject and "và 30 cảnh báo nữa" in told.text
    levels = [Level(a["level"]).rank for a in told.document["alerts"]]
    assert levels == sorted(levels, reverse=True)
    assert desk.queue.counts() == {"c": {"sent": 80}}


def test_no_more_messages_go_out_than_the_rate_allows_and_the_rest_goes_together(tmp_path: Path) -> None:
    desk = Desk(tmp_path, rate=Rate(most=3, per=timedelta(minutes=10)))
    for n in range(20):
        desk.raises(alert(1, nonce=str(n), device=f"d{n}"))
        desk.now += timedelta(seconds=10)
    assert [len(ids) for ids in desk.sent.alerts()] == [1, 1, 1]
    desk.now += timedelta(minutes=10)
    desk.turn()
    assert [len(ids) for ids in desk.sent.alerts()] == [1, 1, 1, 17]


def test_quiet_hours_hold_back_what_is_not_critical_and_tell_it_together_afterwards(tmp_path: Path) -> None:
    quiet = Quiet(start=datetime(1, 1, 1, 22).time(), end=datetime(1, 1, 1, 6).time(), but=Level.CRITICAL)
    desk = Desk(tmp_path, route(quiet=quiet))
    desk.now = datetime(2026, 11, 22, 23, 30, tzinfo=HANOI).astimezone(UTC)
    critical, *others = alert(0), *(alert(1, nonce=str(n), device=f"d{n}") for n in range(6))
    desk.raises(critical, *others)
    assert desk.sent.alerts() == [[critical.id]]
    desk.now = datetime(2026, 11, 23, 5, 59, tzinfo=HANOI).astimezone(UTC)
    desk.turn()
    assert len(desk.sent.messages) == 1
    desk.now = datetime(2026, 11, 23, 6, 0, tzinfo=HANOI).astimezone(UTC)
    desk.turn()
    assert sorted(desk.sent.alerts()[1]) == sorted(a.id for a in others)


@given(start=st.integers(0, 23), end=st.integers(0, 23), hour=st.integers(0, 23), minute=st.integers(0, 59))
@settings(max_examples=200)
def test_quiet_ends_at_its_end_and_is_over_then(start: int, end: int, hour: int, minute: int) -> None:
    quiet = Quiet(start=datetime(1, 1, 1, start).time(), end=datetime(1, 1, 1, end).time(), but=Level.HIGH)
    now = datetime(2026, 11, 22, hour, minute, tzinfo=HANOI)
    until = quiet.until(now, HANOI)
    inside = start <= hour < end if start <= end else hour >= start or hour < end
    assert (until is not None) is inside
    if until is not None:
        assert now < until <= now + timedelta(days=1) and until.hour == end
        assert start == end or quiet.until(until, HANOI) is None


def test_what_somebody_took_up_meanwhile_is_not_told(tmp_path: Path) -> None:
    desk, one = Desk(tmp_path), alert()
    desk.sent.broken = True
    desk.raises(one)
    assert desk.queue.errors() == {"c": "the line is down"}
    why = "looked at it, it was a drill"
    desk.cases.close(one.id, actor="lan", resolution=Resolution.BENIGN, reason=why, at=desk.now)
    desk.sent.broken = False
    desk.now += timedelta(hours=1)
    desk.turn()
    assert not desk.sent.messages
    assert desk.queue.counts() == {"c": {"settled": 1}}


class _Still:
    """A case store in which nothing moves: a day of tries asks it thousands of times."""

    def __init__(self, case: Case) -> None:
        self.case = case

    def get(self, alert_id: str) -> Case:
        return self.case


def test_what_cannot_be_sent_is_tried_again_with_growing_pauses_and_given_up_after_a_day(tmp_path: Path) -> None:
    desk, one = Desk(tmp_path), alert()
    desk.sent.broken = True
    desk.raises(one)
    desk.cases = cast(CaseStore, _Still(desk.cases.get(one.id)))
    tries = []
    while desk.queue.counts()["c"] == {"waiting": 1}:
        before = desk.queue._db.execute("SELECT tries FROM due").fetchone()[0]
        desk.now += timedelta(seconds=15)
        desk.deliverer.pass_on(desk.settings.channels["c"], desk.queue, desk.cases)
        if desk.queue._db.execute("SELECT tries FROM due").fetchone()[0] != before:
            tries.append((desk.now - NOW).total_seconds())
        assert desk.now < NOW + timedelta(days=2)
    pauses = [b - a for a, b in pairwise(tries)]
    assert pauses[0] <= 30 and max(pauses) <= 930 and 90 < len(tries) < 120
    assert desk.queue.counts() == {"c": {"given-up": 1}}


def test_a_kill_between_sending_and_writing_it_down_sends_the_same_id_again(tmp_path: Path) -> None:
    desk, one = Desk(tmp_path), alert()
    desk.cases.deliver([one])
    done, Queue.done = Queue.done, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)  # type: ignore[method-assign]
    try:
        with pytest.raises(KeyboardInterrupt):
            desk.turn()
    finally:
        Queue.done = done  # type: ignore[method-assign]
    desk.open()
    desk.turn()
    first, second = (m.id for _, m in desk.sent.messages)
    assert first == second


# ---- detection itself


def pulse(at: datetime, behind: int = 0, events: int = 5) -> Pulse:
    return Pulse(at=at, behind=behind, events=events)


def test_detection_stands_still_when_it_says_nothing_or_takes_nothing_of_what_waits() -> None:
    watchman = Watchman(NOW, timedelta(minutes=2))
    assert watchman.look(None, NOW + timedelta(seconds=119)) is None
    assert watchman.look(None, NOW + timedelta(seconds=120)) == NOW
    later = NOW + timedelta(minutes=10)
    assert watchman.look(pulse(later), later) is None
    assert watchman.look(pulse(later), later + timedelta(seconds=121)) == later  # its word is old
    idle = later + timedelta(minutes=20)
    for minute in range(10):  # nothing to take is no standstill
        now = idle + timedelta(minutes=minute)
        assert watchman.look(pulse(now), now) is None
    stuck = idle + timedelta(minutes=10)
    since = [
        watchman.look(pulse(stuck + timedelta(minutes=m), behind=9), stuck + timedelta(minutes=m)) for m in range(5)
    ]
    assert since[0] is None and since[-1] is not None
    assert watchman.look(pulse(stuck + timedelta(minutes=6), 9, 6), stuck + timedelta(minutes=6)) is None


def test_the_dead_man_is_told_once_again_each_hour_and_when_it_lives_again(tmp_path: Path) -> None:
    dead = DeadMan(to=("c", "d"), after=timedelta(minutes=2), again=timedelta(hours=1))
    desk = Desk(tmp_path, dead=dead)

    def says(**changes: object) -> None:
        (tmp_path / "stats").mkdir(exist_ok=True)
        said = {"at": desk.now.isoformat(), "octets_behind": 0, "events": 1, **changes}
        (tmp_path / "stats" / "detect.json").write_text(json.dumps(said))

    says()
    for _ in range(130):
        desk.now += timedelta(minutes=1)
        desk.deliverer.vigil.watch()
        if desk.now == NOW + timedelta(minutes=70):
            desk.open()  # a restart of ours says nothing twice
    kinds = [(name, m.document["kind"]) for name, m in desk.sent.messages]
    assert kinds == [("c", "detection-stopped"), ("d", "detection-stopped")] * 3
    assert desk.sent.messages[0][1].level is Level.CRITICAL
    says()
    desk.deliverer.vigil.watch()
    desk.now += timedelta(seconds=30)
    says()
    desk.deliverer.vigil.watch()
    assert [m.document["kind"] for _, m in desk.sent.messages[6:]] == ["detection-back"] * 2


def test_the_watchdog_elsewhere_hears_nothing_when_detection_is_dead(tmp_path: Path, tls: Tls) -> None:
    with web_server(tls) as hook:
        found = settings_of(
            tmp_path,
            f"""
            webhook: {{chat: {{url: "{hook.url}", ca_file: {tls.ca_file}}}}}
            dead_man: {{to: [chat], after: 10s}}
            heartbeat: {{url: "{hook.url}/beat", every: 10s, ca_file: {tls.ca_file}}}
            """,
        )
        now = [NOW]
        deliverer = Deliverer(found, lambda: CaseStore(tmp_path), tmp_path, threading.Event(), clock=lambda: now[0])
        (tmp_path / "stats").mkdir()
        for second in range(60):
            now[0] = NOW + timedelta(seconds=second)
            if second < 30:
                said = {"at": now[0].isoformat(), "octets_behind": 0, "events": second}
                (tmp_path / "stats" / "detect.json").write_text(json.dumps(said))
            deliverer._tick()
    beats = [body for _, body in hook.posts if body == b""]
    assert len(beats) == 4  # at 0, 10, 20, 30 s; at 39 s detection was dead
    assert [d["kind"] for d in (json.loads(b) for _, b in hook.posts if b)] == ["detection-stopped"]


# ---- the settings

WRONG = {
    "an unknown channel": ("routes: {a: {to: [duty]}}", 'there is no channel "duty"'),
    "an unknown site": (
        "syslog: {s: {server: x}}\nroutes: {a: {to: [s], sites: [nowhere]}}",
        'there is no "nowhere"',
    ),
    "a span": ("syslog: {s: {server: x}}\nroutes: {a: {to: [s], again_after: soon}}", '"soon" is no span of time'),
    "an hour": (
        "syslog: {s: {server: x}}\nroutes: {a: {to: [s], quiet: {from: '25:00', to: '06:00'}}}",
        "is no time of day",
    ),
    "a password in the file": ("webhook: {w: {url: 'https://user:pw@host/'}}", "is no address of a web hook"),
    "a secret's path": ("webhook: {w: {url: 'https://host/', token: ../x}}", "/webhook/w/token"),
    "an unknown key": ("mail: {}\nroute: {}", 'the key "route" is unknown'),
    "two of one name": (
        "syslog: {s: {server: x}}\nwebhook: {s: {url: 'https://host/'}}",
        'two channels are called "s"',
    ),
    "a dead man too soon": ("syslog: {s: {server: x}}\ndead_man: {to: [s], after: 1s}", "is too short"),
    "no mail address": (
        "mail: {m: {server: x, from: a, to: ['b@c.vn']}}",
        '"a" is no mail address',
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_settings_that_cannot_be_used_say_where_and_what(tmp_path: Path, case: str) -> None:
    text, says = WRONG[case]
    with pytest.raises(DeliveryError) as told:
        settings_of(tmp_path, text)
    assert says in str(told.value) and "delivery.yaml:" in str(told.value)


def test_without_a_file_nobody_is_told(tmp_path: Path) -> None:
    assert not load(tmp_path, lab()).channels


# ---- the process


@pytest.mark.timeout(300)
def test_the_process_tells_an_alert_and_after_a_kill_nothing_twice(
    tmp_path: Path, tls: Tls, request: pytest.FixtureRequest
) -> None:
    province, data = tmp_path / "province", tmp_path / "data"
    subprocess.run(["cp", "-r", str(ROOT / "inventory/provinces/lab"), str(province)], check=True)
    secret(data, "smtp", PASSWORD)
    cases, port = CaseStore(data), free_port()
    mail_settings(province, port, tls)
    (data / "stats").mkdir()

    def started() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "canh", "--province", str(province), "--data", str(data), "deliver"]
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
        request.addfinalizer(process.kill)
        return process

    def until(what: str, holds: object) -> None:
        eventually(holds, what)  # type: ignore[arg-type]

    def said() -> Any:
        return json.loads((data / "stats/deliver.json").read_text())

    def receivers() -> list[int]:
        return [len(str(mail["To"]).split(",")) for mail in box.mails]

    process = started()
    until("it said nothing", lambda: (data / "stats/deliver.json").exists())
    cases.deliver([alert(nonce="while the server is away")])
    until("it did not try", lambda: "duty" in said()["waits_because"])
    with mail_server(tls, port) as box:
        until("no mail came", lambda: len(box.mails) == 1)
        until("it did not keep that it was told", lambda: said()["channels"]["duty"] == {"sent": 1})
        process.kill()
        process.wait()
        cases.deliver([alert(1, nonce="while it is dead")])
        process = started()
        until("no second mail came", lambda: len(box.mails) == 2)
        text = (province / "delivery.yaml").read_text().replace(", phong@thanhhoa.example.vn", "")
        (province / "delivery.yaml").write_text(text)
        told: list[int] = []

        def is_changed() -> bool:
            """It looks once a second; what it tells before goes to both."""
            told.append(len(box.mails))
            cases.deliver([alert(len(told) + 1, nonce=f"with other settings {len(told)}")])
            until("no further mail came", lambda: len(box.mails) > told[-1])
            return receivers()[-1] == 1

        until("the settings were not read again", is_changed)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert len(set(box.ids)) == len(box.ids) == 2 + len(told)
    assert receivers() == [2] * (len(box.mails) - 1) + [1]


def test_the_guide_s_example_can_be_used_as_it_stands(tmp_path: Path) -> None:
    text = (ROOT / "docs/guides/deliver-alerts.md").read_text("utf-8")
    found = settings_of(tmp_path, text.partition("```yaml\n")[2].partition("```")[0])
    assert set(found.channels) == {"duty", "chat", "national"}
    assert [r.name for r in found.routes] == ["everything-to-siem", "duty", "finance"]
    assert found.dead_man is not None and found.heartbeat is not None


@pytest.mark.timeout(300)
def test_a_slip_in_the_settings_is_waited_for_and_ends_nothing(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    province, data = tmp_path / "province", tmp_path / "data"
    subprocess.run(["cp", "-r", str(ROOT / "inventory/provinces/lab"), str(province)], check=True)
    (province / "delivery.yaml").write_text("routes: {a: {to: [nobody]}}")
    command = [sys.executable, "-m", "canh", "--province", str(province), "--data", str(data), "deliver"]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    request.addfinalizer(process.kill)
    assert process.stderr is not None
    assert "nobody is told of alerts" in process.stderr.readline()
    (province / "delivery.yaml").write_text("syslog: {s: {server: 127.0.0.1, port: 9, transport: udp}}")
    eventually(lambda: (data / "stats/deliver.json").exists() or process.poll() is not None)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    process.stderr.close()
