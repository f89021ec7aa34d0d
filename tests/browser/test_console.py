"""The console in Debian's Chromium, as an analyst uses it."""

from __future__ import annotations

import re
import shutil
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from soc.alert import Resolution, Status
from tests.browser.conftest import PASSWORD, PHONE, Faults, Served, Visit, known, sign_in, start
from tests.unit.soc.alert_factory import alert

WHY = "Đã gọi đồng chí phụ trách, xác nhận là thật"
CRITICAL, SCAN, NEIGHBOUR = alert(0).id, alert(2).id, alert(3).id
PAGES = ("/login", "/", "/alerts", f"/alerts/{CRITICAL}", "/controls")


# ---- signing in
def test_a_wrong_password_is_explained_and_five_lock_the_account(visit: Visit, console: Served, faults: Faults) -> None:
    faults.expected.add(401)
    page = visit("/login", who="")
    sign_in(page, console.url, "dat", "wrong")
    expect(page.get_by_role("alert")).to_contain_text("Còn 4 lần thử")
    expect(page.locator("#u")).to_have_value("dat")
    expect(page.locator("#p")).to_be_focused()
    for _ in range(4):
        sign_in(page, console.url, "dat", "wrong")
    expect(page.get_by_role("alert")).to_contain_text("Tài khoản bị khoá đến")
    sign_in(page, console.url, "dat")
    expect(page.get_by_role("alert")).to_contain_text("Tài khoản bị khoá đến")
    console.users.reset("dat", PASSWORD)
    sign_in(page, console.url, "dat")
    expect(page.get_by_role("heading", level=1)).to_have_text("Tổng quan")


def test_signing_out_by_hand_and_by_the_administrator(visit: Visit, console: Served) -> None:
    page = visit("/alerts")
    page.locator("details.me summary").click()
    page.get_by_role("button", name="Đăng xuất").click()
    expect(page).to_have_url(re.compile("/login$"))
    page = visit("/alerts", who="dat")
    console.users.reset("dat", PASSWORD)
    expect(page).to_have_url(re.compile("/login$"), timeout=15_000)


# ---- working an alert
def test_an_alert_is_worked_to_closed(visit: Visit, console: Served, faults: Faults) -> None:
    faults.expected.add(422)
    page = visit("/alerts")
    page.get_by_role("link", name="Đăng nhập được sau nhiều lần sai").click()
    expect(page.locator("mark").first).to_be_visible()
    expect(page.locator(".raw mark", has_text="10.250.32.10").first).to_be_visible()
    expect(page.locator(".md")).not_to_be_empty()
    page.get_by_role("button", name="Nhận", exact=True).click()
    expect(page.locator(".toast")).to_contain_text("Đã giao")
    page.keyboard.press("e")
    page.get_by_label("Đang làm gì?").fill(WHY)
    page.get_by_role("button", name=re.compile("Xác nhận đến")).click()
    expect(page.locator(".big-clk")).to_contain_text("đến")
    page.keyboard.press("c")
    page.locator("#why-close").fill("ngắn")
    page.locator("#dlg-close .btn.pri").click()
    expect(page.locator("#dlg-close .refused")).to_contain_text("ít nhất 10 ký tự")
    page.locator("#why-close").fill(WHY)
    page.locator("#dlg-close .btn.pri").click()
    expect(page.locator(".toast")).to_contain_text("Đã đóng cảnh báo")
    expect(page.locator(".tl", has_text=WHY).first).to_contain_text("Lê Thị Hồng Nhung")
    assert page.get_by_role("button", name="Đóng…").count() == 0
    case = console.cases.get(CRITICAL)
    assert (case.status, case.resolution) == (Status.CLOSED, Resolution.TRUE_POSITIVE)
    assert [e.action for e in console.cases.history(CRITICAL)] == ["raised", "assigned", "acknowledged", "closed"]


def test_somebody_elses_edit_is_told_and_the_text_is_kept(visit: Visit, console: Served, faults: Faults) -> None:
    faults.expected.add(409)
    page = visit(f"/alerts/{SCAN}")
    page.keyboard.press("c")
    page.locator("#why-close").fill(WHY)
    console.cases.assign(SCAN, actor="dat", to="dat", at=datetime.now(UTC))
    expect(page.locator("#news")).to_be_visible()
    page.locator("#dlg-close .btn.pri").click()
    expect(page.locator("#dlg-close .refused")).to_contain_text("Nguyễn Tiến Đạt vừa xử lý cảnh báo này")
    expect(page.locator("#why-close")).to_have_value(WHY)
    assert console.cases.get(SCAN).is_open


# ---- the queue
def test_the_queue_is_worked_by_keyboard(visit: Visit, console: Served) -> None:
    page = visit("/alerts")
    row = page.locator(f"#r-{NEIGHBOUR}")
    for _ in range(12):
        page.keyboard.press("j")
        if page.evaluate("document.activeElement.id") == f"r-{NEIGHBOUR}":
            break
    expect(row).to_be_focused()
    page.keyboard.press("x")
    expect(row).to_have_attribute("aria-selected", "true")
    expect(page.locator(".tool.bulk")).to_be_visible()
    page.keyboard.press("a")
    expect(page.locator("#dlg-assign")).to_be_visible()
    page.locator("#dlg-assign .btn.pri").click()
    expect(page.locator(".toast")).to_contain_text("Đã giao 1 cảnh báo cho Lê Thị Hồng Nhung")
    expect(row).to_contain_text("Đang xử lý")
    expect(row).to_be_focused()
    assert console.cases.get(NEIGHBOUR).assignee == "nhung"
    page.keyboard.press("d")
    assert "compact" in (page.locator("html").get_attribute("class") or "")
    page.reload()
    assert "compact" in (page.locator("html").get_attribute("class") or ""), "density is remembered"
    page.keyboard.press("?")
    expect(page.locator("#dlg-keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.type("jx")  # keys are text in a field
    expect(page.locator("#q")).to_have_value("jx")
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("k")
    expect(page).to_have_url(re.compile("/controls$"))


def test_a_facet_narrows_without_leaving_and_stays_in_the_address(visit: Visit, console: Served) -> None:
    page = visit("/alerts")
    page.get_by_label("Trung bình").check()
    expect(page).to_have_url(re.compile(r"level=medium"))
    expect(page.locator("tr[data-row]")).to_have_count(console.cases.count("level")["medium"])
    expect(page.locator(".chip")).to_contain_text("Trung bình")
    expect(page.get_by_label("Trung bình")).to_be_focused()
    page.locator(".chip a").click()
    expect(page.locator(".chip")).to_have_count(0)


def test_new_alerts_wait_until_asked_for_and_nothing_moves(visit: Visit, console: Served) -> None:
    page = visit("/alerts")
    page.keyboard.press("j")
    page.keyboard.press("j")
    held = page.evaluate("document.activeElement.id")
    count = page.locator("tr[data-row]").count()
    now = datetime.now(UTC)
    fresh = known(alert(2, now=now, nonce="live", raised_at=now, device="dc-r1"))
    console.cases.deliver([fresh])
    expect(page.locator(".live")).to_contain_text("Cảnh báo mới: 1")
    assert page.locator("tr[data-row]").count() == count
    console.cases.deliver(
        [known(alert(2, now=now, nonce="live", raised_at=now, device="dc-r1", count=5000, last_seen=now))]
    )
    page.wait_for_timeout(800)
    page.keyboard.press("n")
    row = page.locator(f"#r-{fresh.id}")
    expect(row).to_have_class(re.compile("new"))
    expect(row.locator(".cnt")).to_have_text("5.000")
    assert page.locator("tr[data-row]").count() == count + 1
    assert page.evaluate("document.activeElement.id") == held
    order = page.eval_on_selector_all("tr[data-row]", "rows => rows.map(r => +r.dataset.s)")
    assert order == sorted(order), "it stands where its deadline puts it"


def test_rows_change_in_place_and_one_that_left_stays_until_the_next_load(visit: Visit, console: Served) -> None:
    now = datetime.now(UTC)
    own = known(alert(6, now=now, nonce="place"))
    console.cases.deliver([own])
    page = visit("/alerts")
    row = page.locator(f"#r-{own.id}")
    row.locator("input").check()
    console.cases.deliver([known(alert(6, now=now, nonce="place", count=77, last_seen=now))])
    expect(row.locator(".cnt")).to_have_text("77")
    expect(row).to_have_attribute("aria-selected", "true")
    console.cases.close(own.id, actor="dat", resolution=Resolution.BENIGN, reason=WHY, at=now)
    expect(row).to_have_class(re.compile("gone"))
    expect(row).to_contain_text("không còn thuộc chế độ xem này")
    page.reload()
    expect(row).to_have_count(0)


def test_clocks_run_and_turn_overdue_by_themselves(visit: Visit, console: Served) -> None:
    now = datetime.now(UTC)
    soon = known(alert(0, now=now, nonce="soon", raised_at=now - timedelta(minutes=15) + timedelta(seconds=6)))
    console.cases.deliver([soon])
    page = visit("/alerts")
    clock = page.locator(f"#r-{soon.id} .clk")
    expect(clock).to_have_class(re.compile("over"), timeout=12_000)
    expect(clock).to_contain_text("quá 00:00:0")


# ---- roles and languages
def test_an_auditor_reads_and_has_nothing_to_press(visit: Visit) -> None:
    page = visit("/alerts", who="mai")
    expect(page.locator("tr[data-row] input")).to_have_count(0)
    page.keyboard.press("j")
    page.keyboard.press("e")
    page.keyboard.press("c")
    expect(page.locator("dialog[open]")).to_have_count(0)
    page.goto(page.url.replace("/alerts", f"/alerts/{SCAN}"))
    expect(page.locator(".acts, .note-form")).to_have_count(0)


def test_english_and_back(visit: Visit) -> None:
    page = visit("/alerts", who="khanh")
    page.get_by_role("link", name="Switch to English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Alerts")
    assert page.locator("html").get_attribute("lang") == "en"
    assert not re.search(
        "[ạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]",
        page.locator(".tool, thead, .facets summary").first.inner_text(),
    )
    page.get_by_role("link", name="Chuyển sang tiếng Việt").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Cảnh báo")


def test_the_theme_is_remembered_before_the_first_paint(visit: Visit) -> None:
    page = visit("/")
    page.get_by_role("button", name="Đổi giao diện sáng, tối").click()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert 'data-theme="dark"' in page.request.get(page.url).text()


# ---- every size
def faults_of_layout(page: Page) -> list[str]:
    """What leaves the page, is cut off without a way to it, or is too small to press."""
    found: list[str] = page.evaluate(Path(__file__).with_name("layout.js").read_text())
    return found


@pytest.mark.parametrize("lang", ["vi", "en"])
@pytest.mark.parametrize("who", ["nhung", "root1"])
def test_nothing_overflows_from_320_to_2560(visit: Visit, console: Served, lang: str, who: str) -> None:
    paths = [*PAGES[1:], "/users"] if who == "root1" else PAGES[1:]
    page = visit("/", who=who, lang=lang)
    found = []
    for path in paths:
        page.goto(console.url + path)
        for width in (320, 390, 768, 1024, 1366, 1920, 2560):
            page.set_viewport_size({"width": width, "height": 800})
            found += [f"{path} {width}: {fault}" for fault in faults_of_layout(page)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_login_fits_every_size(visit: Visit, lang: str) -> None:
    page = visit("/login", who="", lang=lang)
    for width in (320, 390, 1024, 2560):
        page.set_viewport_size({"width": width, "height": 800})
        assert not faults_of_layout(page)


@pytest.mark.parametrize("width", [320, 390, 1100])
def test_the_search_that_is_only_a_glass_opens_where_it_is_touched(visit: Visit, width: int) -> None:
    """Its field was four pixels at the edge of the glass: a finger never met it."""
    page = visit("/")
    page.set_viewport_size({"width": width, "height": 800})
    for part in (0.2, 0.5, 0.9):
        page.evaluate("document.activeElement.blur()")
        glass = page.locator("form.find").bounding_box()
        assert glass is not None and glass["width"] < 60
        page.mouse.click(glass["x"] + glass["width"] * part, glass["y"] + glass["height"] / 2)
        assert page.evaluate("document.activeElement.id") == "q"
    page.keyboard.type("dc-app1")
    page.keyboard.press("Enter")
    page.wait_for_url("**/alerts?q=dc-app1*")


def test_on_a_phone_the_queue_is_cards_and_an_alert_can_be_worked(visit: Visit, console: Served) -> None:
    now = datetime.now(UTC)
    own = known(alert(1, now=now, nonce="phone"))
    console.cases.deliver([own])
    page = visit("/alerts", size=PHONE)
    expect(page.locator(".nav")).to_be_in_viewport()
    row = page.locator(f"#r-{own.id}")
    assert row.bounding_box()["height"] > 80  # type: ignore[index]
    row.locator("a.t").click()
    page.get_by_role("button", name="Đóng…").click()
    page.get_by_label("Báo động giả").check()
    page.locator("#why-close").fill(WHY)
    page.locator("#dlg-close .btn.pri").click()
    expect(page.locator(".al-h")).to_contain_text("Báo động giả")


# ---- accessibility
@pytest.mark.parametrize("path", PAGES)
def test_pages_are_usable_without_seeing_them(visit: Visit, path: str) -> None:
    page = visit(path, who="" if path == "/login" else "nhung")
    found = page.evaluate(Path(__file__).with_name("names.js").read_text())
    assert not found, "\n".join(found)


def test_the_first_tab_skips_to_the_content_and_focus_is_seen(visit: Visit) -> None:
    page = visit("/alerts")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.url.endswith("#main")
    page.locator(".tabs a").first.focus()
    page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_text_stands_out_from_its_ground(visit: Visit, path: str, theme: str) -> None:
    page = visit(path, who="" if path == "/login" else "nhung", theme=theme)
    found = page.evaluate(Path(__file__).with_name("contrast.js").read_text())
    assert not found, "\n".join(found)


# ---- the connection
def test_a_lost_server_is_said_with_its_time_and_its_return_too(
    visit: Visit, console: Served, faults: Faults, tmp_path: Path
) -> None:
    faults.may_lose_server = True
    data = tmp_path / "data"
    shutil.copytree(console.data, data)
    process, url = start(data, data / "serve.log")
    page = visit("/alerts", who="")
    sign_in(page, url, "nhung")
    page.goto(f"{url}/alerts")
    expect(page.locator("#live-state")).to_have_text("Trực tiếp")
    page.wait_for_timeout(1500)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.wait(10)
    assert time.monotonic() - began < 5, "an open stream holds up the end"
    expect(page.locator("#live-state")).to_contain_text("Mất kết nối từ", timeout=20_000)
    process, _ = start(data, data / "serve.log", listen=url.removeprefix("https://"))
    expect(page.locator("#live-state")).to_have_text("Trực tiếp", timeout=20_000)
    process.send_signal(signal.SIGTERM)
    process.wait(10)
