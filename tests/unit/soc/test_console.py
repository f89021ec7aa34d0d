"""The console as a browser meets it: who gets in, who may do what, and that nothing hostile gets out."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from inventory import load
from monitoring.event import Event
from soc._database import Database
from soc.alert import FieldMatch, Resolution, Status
from soc.cases import CaseStore
from soc.console._console import Console, console_for
from soc.console._live import Live
from soc.console._security import COOKIE, HEADERS, MAX_BODY, Throttle
from soc.console._sight import Watch
from soc.console.app import ROUTERS, create_app
from soc.console.server import bind, names_of
from soc.console.sessions import IDLE, LIFE, SessionStore
from soc.errors import ServeError
from soc.users import MAX_FAILURES, Role, UserStore
from tests.unit.soc.alert_factory import NOW, alert, lab_alerts
from tests.unit.soc.evidence_factory import write_run
from tests.unit.soc.stats_factory import receive

ROOT = Path(__file__).parents[3]
PASSWORD = "mot-mat-khau-dai-de-thu"
WHY = "called the person in charge, on the way"
ROLES = {"nhung": Role.ANALYST, "dat": Role.ANALYST, "khanh": Role.ENGINEER, "mai": Role.AUDITOR, "minh": Role.ADMIN}
PAGES = ("/", "/alerts", f"/alerts/{alert().id}", "/controls")
DATA = ("/overview.json", "/alerts.json", f"/alerts/{alert().id}.json", "/controls.json")


@dataclass
class Clock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Bench:
    """A console and browsers for it."""

    console: Console
    app: FastAPI
    clock: Clock

    def browser(self, who: str = "") -> TestClient:
        client = TestClient(self.app, base_url="https://console.test", follow_redirects=False)
        if who:
            assert sign_in(client, who).headers["location"] == "/"
        return client


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A console with accounts, alerts, counters and an audit run; only ever copied."""
    data = tmp_path_factory.mktemp("pristine")
    console = console_for(load(ROOT / "inventory/provinces/lab"), data, [ROOT / "soc_rules"], now=Clock())
    console.cases.deliver(lab_alerts())
    for name, role in ROLES.items():
        console.users.add(name, role, at=NOW, full_name=f"Người {name}", password=PASSWORD)
    console.users.database.close()
    write_run(data, NOW)
    receive(data, NOW, {"10.250.0.1": 9})
    return Bench(console, create_app(console), Clock())


def copy_of(pristine: Bench, data: Path) -> Bench:
    """Another console over a copy of the data; templates and catalogues are shared, they never change."""
    shutil.copytree(pristine.console.data_dir, data)
    clock, database = Clock(), Database(data)
    cases = CaseStore(database)
    console = replace(
        pristine.console,
        data_dir=data,
        cases=cases,
        users=UserStore(database),
        sessions=SessionStore(database),
        live=Live(cases, clock),
        throttle=Throttle(),
        watch=Watch(pristine.console.province, data, NOW),
        now=clock,
    )
    return Bench(console, create_app(console), clock)


@pytest.fixture(scope="module")
def shared(pristine: Bench, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """One console for tests that change nothing in it."""
    return copy_of(pristine, tmp_path_factory.mktemp("shared") / "data")


@pytest.fixture
def bench(pristine: Bench, tmp_path: Path) -> Bench:
    return copy_of(pristine, tmp_path / "data")


def token_in(html: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', html)
    assert found
    return found[1]


def sign_in(client: TestClient, who: str, password: str = PASSWORD):  # type: ignore[no-untyped-def]
    form = client.get("/login").text
    return client.post("/login", data={"csrf": token_in(form), "name": who, "password": password})


def act(client: TestClient, action: str, **fields: object):  # type: ignore[no-untyped-def]
    """Post an action the way a page's form does."""
    csrf = token_in(client.get("/").text)
    fields = {"csrf": csrf, "alert": f"{alert().id}:", "reason": WHY, **fields}
    return client.post(f"/alerts/act/{action}", data=fields, headers={"hx-request": "true"})


def routes(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Every method and path of the console, with values for its parameters."""
    for router in ROUTERS:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            path = route.path.replace("{alert_id}", alert().id).replace("{code}", "en")
            yield from ((method, path) for method in route.methods)


def all_routes(app: FastAPI) -> list[tuple[str, str]]:
    assert len(app.routes) == len(ROUTERS) + 1, "beside the routers there is only /static"
    found = list(routes(app))
    assert len(found) >= 20, "the walk over the routes found too few"
    return found


# ---- who gets in
def test_nothing_but_login_and_language_is_served_without_a_session(shared: Bench) -> None:
    client = shared.browser()
    for method, path in all_routes(shared.app):
        reply = client.request(method, path, headers={"content-length": "0"} if method == "POST" else {})
        if path == "/login" and method == "GET":
            assert reply.status_code == 200
        elif path == "/login":
            assert reply.status_code == 403, "a login without its token"
        elif path == "/lang/en":
            assert reply.status_code == 303
        elif path == "/live":
            assert reply.text == "event: signed-out\ndata: {}\n\n"
        elif path.endswith(".json"):
            assert reply.status_code == 401, path
        else:
            assert (reply.status_code, reply.headers.get("location")) == (303, "/login"), path


def test_every_change_needs_the_sessions_token(shared: Bench) -> None:
    client, other = shared.browser("minh"), shared.browser("nhung")
    stolen = token_in(other.get("/").text)
    for method, path in all_routes(shared.app):
        if method == "POST" and path != "/login":
            for token in ("", "x", stolen):
                reply = client.post(path, data={"csrf": token, "name": "dat", "disabled": "true"})
                assert reply.status_code == 403, (path, token)
    assert not shared.console.users.get("dat").disabled


def test_the_token_is_looked_up_beside_the_event_loop(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that is busy must not stop every other page."""
    browser, find, on_loop = bench.browser("nhung"), SessionStore.find, []

    def finding(*args: Any, **named: Any) -> Any:
        with suppress(RuntimeError):
            on_loop.append(asyncio.get_running_loop())
        return find(*args, **named)

    monkeypatch.setattr(SessionStore, "find", finding)
    assert act(browser, "note").status_code == 200
    assert not on_loop


def test_a_form_from_another_site_is_refused(shared: Bench) -> None:
    client = shared.browser("nhung")
    csrf = token_in(client.get("/").text)
    for headers in ({"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}):
        assert client.post("/logout", data={"csrf": csrf}, headers=headers).status_code == 403


MATRIX = {
    "/users": {Role.ADMIN},
    "/users.json": {Role.ADMIN},
    **{path: set(Role) for path in (*PAGES, *DATA)},
}


@pytest.mark.parametrize("who", ["nhung", "khanh", "mai", "minh"])
def test_pages_open_to_the_roles_they_are_for(shared: Bench, who: str) -> None:
    client = shared.browser(who)
    for path, roles in MATRIX.items():
        wanted = 200 if ROLES[who] in roles else 403
        assert client.get(path).status_code == wanted, path


@pytest.mark.parametrize("who", ["khanh", "mai", "minh"])
@pytest.mark.parametrize("action", ["acknowledge", "assign", "close", "note"])
def test_only_analysts_act_on_alerts(shared: Bench, who: str, action: str) -> None:
    before = shared.console.cases.get(alert().id)
    client = shared.browser(who)
    assert act(client, action, resolution="false-positive", to="dat").status_code == 403
    assert shared.console.cases.get(alert().id) == before
    page = client.get(f"/alerts/{alert().id}").text
    assert "/alerts/act/" not in page, "no button for what is not allowed"


@pytest.mark.parametrize("who", ["nhung", "khanh", "mai"])
@pytest.mark.parametrize("action", ["add", "reset", "disable"])
def test_only_administrators_manage_accounts(shared: Bench, who: str, action: str) -> None:
    client = shared.browser(who)
    csrf = token_in(client.get("/").text)
    data = {"csrf": csrf, "name": "dat", "role": "admin", "disabled": "true"}
    assert client.post(f"/users/{action}", data=data).status_code == 403
    assert not shared.console.users.get("dat").disabled
    assert sign_in(shared.browser(), "dat").status_code == 303


# ---- login, sessions
def test_the_cookie_cannot_be_read_or_sent_elsewhere_and_changes_at_login(bench: Bench) -> None:
    client = bench.browser()
    first = sign_in(client, "nhung").headers.get_list("set-cookie")
    session = next(line for line in first if line.startswith(f"{COOKIE}="))
    for part in ("Secure", "HttpOnly", "SameSite=strict", "Path=/"):
        assert part in session
    assert "Domain" not in session
    old = client.cookies[COOKIE]
    client.cookies.delete(COOKIE)
    client.cookies.set(COOKIE, old, domain="console.test", path="/")
    csrf = client.get("/login")
    assert csrf.headers["location"] == "/", "already signed in"
    fixed = bench.browser()
    fixed.cookies.set(COOKIE, "chosen-by-an-attacker")
    sign_in(fixed, "nhung")
    assert fixed.get("/", headers={"cookie": f"{COOKIE}=chosen-by-an-attacker"}).status_code == 303


def test_logging_out_ends_the_session_on_the_server(bench: Bench) -> None:
    client = bench.browser("nhung")
    cookie = client.cookies[COOKIE]
    client.post("/logout", data={"csrf": token_in(client.get("/").text)})
    assert bench.browser().get("/", headers={"cookie": f"{COOKIE}={cookie}"}).status_code == 303


def test_the_database_alone_lets_nobody_in(bench: Bench) -> None:
    client = bench.browser("nhung")
    with bench.console.users.database.read() as connection:
        stored = connection.exec_driver_sql("select token_hash from sessions").scalar_one()
    assert stored != client.cookies[COOKIE]
    assert bench.browser().get("/", headers={"cookie": f"{COOKIE}={stored}"}).status_code == 303


def test_a_session_ends_when_idle_and_in_any_case(bench: Bench) -> None:
    client = bench.browser("nhung")
    bench.clock.now += IDLE - timedelta(seconds=1)
    assert client.get("/").status_code == 200
    bench.clock.now += IDLE
    assert client.get("/").status_code == 303
    client = bench.browser("nhung")
    step = IDLE * 0.9
    for _ in range(int(LIFE / step)):
        bench.clock.now += step
        assert client.get("/").status_code == 200
    bench.clock.now += step
    assert client.get("/").status_code == 303


def test_the_live_stream_does_not_keep_a_session_alive(bench: Bench) -> None:
    client = bench.browser("nhung")
    cookie = client.cookies[COOKIE]
    bench.clock.now += IDLE - timedelta(seconds=1)
    assert bench.console.sessions.find(cookie, bench.clock.now, touch=False)
    bench.clock.now += timedelta(seconds=2)
    assert bench.console.sessions.find(cookie, bench.clock.now) is None


def test_a_stream_without_a_session_is_told_so_as_a_stream(shared: Bench) -> None:
    reply = shared.browser().get("/live?seq=0")
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert reply.text == "event: signed-out\ndata: {}\n\n"


def test_disabling_an_account_throws_it_out_at_once(bench: Bench) -> None:
    client = bench.browser("nhung")
    bench.console.users.disable("nhung")
    assert client.get("/").status_code == 303


def test_five_wrong_passwords_lock_the_account_and_say_until_when(bench: Bench) -> None:
    client = bench.browser()
    for _ in range(MAX_FAILURES - 1):
        assert "Còn" in sign_in(client, "nhung", "wrong").text
    locked = sign_in(client, "nhung", "wrong")
    assert locked.status_code == 401 and "bị khoá đến 19:15" in locked.text
    assert sign_in(client, "nhung").status_code == 401
    bench.clock.now += timedelta(minutes=15)
    assert sign_in(client, "nhung").status_code == 303


def test_a_source_that_tries_many_accounts_is_slowed(bench: Bench) -> None:
    client = bench.browser()
    for _ in range(28):
        bench.console.throttle.failed("testclient", NOW)
    for n in range(2):
        assert sign_in(client, f"guess{n}", "wrong").status_code == 401
    assert sign_in(client, "nhung").status_code == 429
    bench.clock.now += timedelta(minutes=5)
    assert sign_in(client, "nhung").status_code == 303


def test_logins_are_in_the_audit_log_without_secrets(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "canh.audit")
    client = bench.browser("nhung")
    client.post("/logout", data={"csrf": token_in(client.get("/").text)})
    sign_in(client, "mat-khau-go-nham-o", "wrong")
    for _ in range(MAX_FAILURES):
        sign_in(client, "dat", "wrong")
    act(bench.browser("mai"), "close")
    lines = [json.loads(record.getMessage()) for record in caplog.records if record.name == "canh.audit"]
    events = [(line["event"], line.get("user")) for line in lines]
    assert events[:3] == [("login", "nhung"), ("logout", "nhung"), ("login-failed", "(unknown)")]
    assert events[3:8] == [("login-failed", "dat")] * 4 + [("locked-out", "dat")]
    assert events[-1] == ("refused", "mai")
    assert all(line["source"] for line in lines)
    assert PASSWORD not in caplog.text and "mat-khau-go-nham-o" not in caplog.text


# ---- headers, sizes, errors
@pytest.mark.parametrize("path", ["/login", "/", "/static/canh.css", "/nowhere", "/alerts/none.json"])
def test_every_answer_carries_the_security_headers(shared: Bench, path: str) -> None:
    for client in (shared.browser(), shared.browser("nhung")):
        headers = client.get(path).headers
        for name, value in HEADERS.items():
            assert headers[name] == value
        assert ("no-store" in headers.get("cache-control", "")) is not path.startswith("/static")
        assert "server" not in headers


def test_the_policy_allows_no_inline_code() -> None:
    policy = HEADERS["content-security-policy"]
    assert "unsafe" not in policy and "default-src 'none'" in policy and "frame-ancestors 'none'" in policy


@pytest.mark.parametrize("path", ["/login", *PAGES, "/users"])
def test_pages_hold_no_inline_style_script_or_handler(shared: Bench, path: str) -> None:
    html = (shared.browser("minh") if path != "/login" else shared.browser()).get(path).text
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|<script(?! src=\"/static/)", html)


def test_a_body_too_large_or_of_unknown_length_is_refused(shared: Bench) -> None:
    client = shared.browser("nhung")
    assert client.post("/logout", content=b"x" * (MAX_BODY + 1)).status_code == 413
    assert client.post("/logout", content=iter([b"csrf=x"])).status_code == 413


def test_an_unknown_alert_is_a_page_that_helps(shared: Bench) -> None:
    reply = shared.browser("nhung").get("/alerts/not-there")
    assert reply.status_code == 404 and "Không có cảnh báo này" in reply.text and "Về tổng quan" in reply.text


def test_a_defect_shows_a_reference_and_no_details(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    client = TestClient(bench.app, base_url="https://console.test", raise_server_exceptions=False)
    sign_in(client, "nhung")
    bench.console.cases.list = None  # type: ignore[assignment,method-assign]
    reply = client.get("/alerts")
    reference = re.search(r"<code>([0-9a-f]{8})</code>", reply.text)
    assert reply.status_code == 500 and reference and reference[1] in caplog.text
    assert "NoneType" not in reply.text and "Traceback" not in reply.text


# ---- what a log brings stays text
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7*7 }}\x00'


def test_hostile_text_is_shown_as_text_everywhere(bench: Bench) -> None:
    line = Event({**alert().events[0].fields, "event.original": HOSTILE, "user.name": HOSTILE})
    match = FieldMatch(selection=HOSTILE, field=HOSTILE, value=HOSTILE, pattern=HOSTILE)
    hostile = alert(
        nonce="x", rule_id=HOSTILE, title=HOSTILE, device=HOSTILE, site=HOSTILE, matches=(match,), events=(line,),
        group=((HOSTILE, HOSTILE),), tags=(f"attack.t1{HOSTILE}",),
    )  # fmt: skip
    bench.console.cases.deliver([hostile])
    bench.console.cases.note(hostile.id, actor="nhung", reason=HOSTILE, at=NOW)
    client, quoted = bench.browser("nhung"), quote(HOSTILE)
    for path in ("/", "/alerts?view=all", f"/alerts/{hostile.id}", "/alerts", f"/alerts?q={quoted}&site={quoted}"):
        html = client.get(path).text
        assert "<script>alert" not in html and "<img" not in html and "49" not in re.findall(r"\b49\b", html), path
    assert "&lt;script&gt;" in client.get(f"/alerts/{hostile.id}").text


def test_a_hostile_name_on_the_login_page_is_text(shared: Bench) -> None:
    assert "<script>alert" not in sign_in(shared.browser(), HOSTILE.replace("\x00", ""), "x").text


# ---- working alerts
def test_an_alert_is_worked_from_new_to_closed(bench: Bench) -> None:
    client, id = bench.browser("nhung"), alert().id
    assert act(client, "assign", to="nhung", back="view=todo").status_code == 200
    assert act(client, "acknowledge", pause="120").status_code == 200
    assert bench.console.cases.get(id).until == NOW + timedelta(hours=2)
    closed = act(client, "close", resolution="true-positive", back=f"/alerts/{id}")
    assert closed.headers["hx-redirect"] == f"/alerts/{id}?done=close"
    case = bench.console.cases.get(id)
    assert (case.status, case.resolution) == (Status.CLOSED, Resolution.TRUE_POSITIVE)
    page = client.get(f"/alerts/{id}").text
    assert WHY in page and "Đóng: Đúng, đã xử lý" in page and "Người nhung" in page


def test_who_closes_an_alert_about_himself_is_in_the_audit_log(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "canh.audit")
    about = Event({**alert().events[0].fields, "user.name": "THANHHOA\\Nhung"})
    bench.console.cases.deliver([alert(nonce="own", events=(about,))])
    for who, one in (("nhung", alert(nonce="own")), ("dat", alert())):
        assert act(bench.browser(who), "close", alert=f"{one.id}:", resolution="false-positive").status_code == 200
    said = [json.loads(r.getMessage()) for r in caplog.records if r.name == "canh.audit"]
    closed = [(s["user"], s["own"], s["resolution"]) for s in said if s["event"] == "alert-closed"]
    assert closed == [("nhung", "yes", "false-positive"), ("dat", "no", "false-positive")]


def test_a_shared_value_is_said_once(bench: Bench) -> None:
    match = FieldMatch(selection="group-by", field="source.ip", value="10.250.32.10", pattern="")
    grouped = alert(nonce="g", matches=(match,), group=(("source.ip", "10.250.32.10"),))
    bench.console.cases.deliver([grouped])
    html = bench.browser("nhung").get(f"/alerts/{grouped.id}").text
    assert html.count("cùng một giá trị ở cả 15 sự kiện") == 1


def test_a_short_reason_comes_back_into_the_dialog(bench: Bench) -> None:
    reply = act(bench.browser("nhung"), "close", resolution="false-positive", reason="ngắn")
    assert reply.status_code == 422 and reply.headers["hx-retarget"] == "#dlg-close .refused"
    assert "ít nhất 10 ký tự" in reply.text and bench.console.cases.get(alert().id).is_open


def test_the_second_analyst_is_told_who_came_first(bench: Bench) -> None:
    id = alert().id
    bench.console.cases.assign(id, actor="dat", to="dat", at=NOW)
    reply = act(bench.browser("nhung"), "close", alert=f"{id}:0", resolution="false-positive")
    assert reply.status_code == 409 and "Người dat vừa xử lý cảnh báo này lúc 19:00:00" in reply.text
    assert bench.console.cases.get(id).is_open


def test_a_selection_is_done_where_it_can_be(bench: Bench) -> None:
    first, second = alert(0).id, alert(1).id
    bench.console.cases.assign(second, actor="dat", to="dat", at=NOW)
    reply = act(bench.browser("nhung"), "acknowledge", alert=[f"{first}:0", f"{second}:0"])
    assert reply.status_code == 200 and json.loads(reply.headers["hx-trigger"])
    assert "Đã xác nhận 1 cảnh báo" in reply.text and "giữ nguyên" in reply.text
    assert bench.console.cases.get(first).status is Status.ACKNOWLEDGED
    assert bench.console.cases.get(second).assignee == "dat"


@pytest.mark.parametrize("fields", [{"pause": "999999"}, {"pause": "-5"}, {"pause": "x"}, {"pause": "9999999999"}])
def test_a_pause_that_is_none_is_refused(bench: Bench, fields: dict[str, str]) -> None:
    assert act(bench.browser("nhung"), "acknowledge", **fields).status_code == 422


def test_a_version_that_is_no_number_is_no_defect(bench: Bench) -> None:
    browser = bench.browser("nhung")
    for version in ("²", "9" * 5000):
        assert act(browser, "note", alert=f"{alert().id}:{version}").status_code == 200


def test_alerts_are_assigned_to_analysts_only(bench: Bench) -> None:
    for to in ("mai", "nobody"):
        assert act(bench.browser("nhung"), "assign", to=to).status_code == 422
    assert bench.console.cases.get(alert().id).assignee == ""


# ---- the rest of the pages
@pytest.mark.parametrize("path", DATA)
def test_each_page_has_its_data(shared: Bench, path: str) -> None:
    reply = shared.browser("mai").get(path)
    assert reply.status_code == 200 and reply.json()


def test_the_queue_narrows_and_counts(shared: Bench) -> None:
    client = shared.browser("nhung")
    assert client.get("/alerts.json?level=critical&level=low").json()["total"] == 2
    assert client.get("/alerts.json?q=port").json()["total"] == 1
    assert "Không có cảnh báo nào khớp bộ lọc" in client.get("/alerts?q=nothing-like-this").text
    assert "Không có gì ở chế độ xem này" in client.get("/alerts?view=mine").text


def test_english_and_vietnamese_are_chosen_and_remembered(bench: Bench) -> None:
    client = bench.browser("nhung")
    assert '<html lang="vi"' in client.get("/").text
    assert client.get("/lang/en?next=/alerts").headers["location"] == "/alerts"
    assert "Sorted by deadline" in client.get("/alerts").text
    assert "Sorted by deadline" in bench.browser("nhung").get("/alerts").text, "the account remembers"
    assert client.get("/lang/en?next=//evil.example").headers["location"] == "/"
    assert "Sắp theo hạn xử lý" in bench.browser("dat").get("/alerts").text


def test_an_administrator_makes_an_account_and_sees_its_password_once(bench: Bench) -> None:
    client = bench.browser("minh")
    csrf = token_in(client.get("/users").text)
    made = client.post("/users/add", data={"csrf": csrf, "name": "lan", "role": "analyst", "full_name": "Lan"})
    password = re.search(r'class="secret">([^<]+)<', made.text)
    assert password and password[1] not in client.get("/users").text
    assert sign_in(bench.browser(), "lan", password[1]).status_code == 303
    taken = client.post("/users/add", data={"csrf": csrf, "name": "lan", "role": "analyst"})
    assert taken.status_code == 422 and "chưa thay đổi" in taken.text


# ---- starting
def test_a_port_in_use_is_a_clear_error() -> None:
    taken = bind("127.0.0.1", 0)
    port = taken.getsockname()[1]
    with pytest.raises(ServeError, match="already in use") as caught:
        bind("127.0.0.1", port)
    assert f"127.0.0.1:{port}" in str(caught.value) and "--listen" in str(caught.value)
    taken.close()


def test_an_address_that_is_not_ours_is_a_clear_error() -> None:
    with pytest.raises(ServeError, match="cannot listen there"):
        bind("203.0.113.77", 0)


def test_the_certificate_names_the_soc_host(shared: Bench) -> None:
    soc = shared.console.province.soc
    assert names_of(shared.console.province) == (soc.name, *(str(a) for a in soc.addresses))


def test_a_held_alert_says_so_in_both_languages(bench: Bench) -> None:
    down = Event(
        {
            "@timestamp": NOW.isoformat(),
            "event.id": "e1",
            "event.action": "interface-down",
            "host.name": "hh-ce1",
            "observer.ingress.interface.name": "eth1",
            "canh.change.id": "0a1b2c3d-long",
            "canh.change.operator": "netops",
        }
    )
    held = alert(3, nonce="held", events=(down,), count=1, raised_at=NOW, first_seen=NOW, last_seen=NOW)
    bench.console.cases.deliver([held])
    browser = bench.browser("nhung")
    pages = {}
    for language in ("vi", "en"):
        browser.get(f"/lang/{language}")
        pages[language] = browser.get(f"/alerts/{held.id}").text
    assert "Tạm giữ: thay đổi 0a1b2c3d đang thực hiện." in pages["vi"] and "netops" in pages["vi"]
    assert "Held: the change 0a1b2c3d is under way." in pages["en"] and "Held by a change" in pages["en"]
    assert "Held by a change" in browser.get("/alerts").text
    bench.console.cases.released(held.id, at=NOW)
    assert "told now" in browser.get(f"/alerts/{held.id}").text
    document = browser.get(f"/alerts/{held.id}.json").json()
    assert (document["change_id"], document["held_until"]) == ("0a1b2c3d-long", None)
