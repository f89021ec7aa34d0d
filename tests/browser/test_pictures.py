"""Pictures of the console. `CANH_PICTURES=docs/images` retakes those of the README; else they are temporary."""

from __future__ import annotations

import os
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import DESKTOP, PHONE, Served, Visit
from tests.unit.soc.alert_factory import alert

WHY = "Đã gọi phòng Tài chính: không ai đang đăng nhập máy chủ ứng dụng"
ALL = [("login", "/login"), ("overview", "/"), ("alerts", "/alerts"), ("alert", f"/alerts/{alert(0).id}"),
       ("controls", "/controls")]  # fmt: skip


@pytest.fixture(scope="module")
def worked(console: Served) -> Served:
    """The console in the middle of a shift."""
    cases, now = console.cases, datetime.now(UTC)
    cases.assign(alert(0).id, actor="nhung", to="nhung", at=now - timedelta(minutes=14))
    cases.note(alert(0).id, actor="nhung", reason=WHY, at=now - timedelta(minutes=6))
    cases.assign(alert(2).id, actor="dat", to="dat", at=now - timedelta(minutes=20))
    until = now + timedelta(minutes=45)
    cases.acknowledge(alert(3).id, actor="dat", reason="Nhà mạng đang kiểm tra tuyến quang", until=until, at=now)
    return console


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = Path(os.environ.get("CANH_PICTURES", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def take(page: Page, path: Path) -> None:
    page.wait_for_load_state()
    page.mouse.move(0, 0)
    page.wait_for_timeout(600)
    page.screenshot(path=str(path))
    size = page.viewport_size
    assert size and struct.unpack(">II", path.read_bytes()[16:24]) == (size["width"], size["height"])


def test_the_readmes_pictures_are_taken(visit: Visit, worked: Served, folder: Path) -> None:
    page = visit("/alerts")
    take(page, folder / "console-alerts.png")
    page.goto(f"{worked.url}/alerts/{alert(0).id}")
    take(page, folder / "console-alert.png")


@pytest.mark.skipif(
    "CANH_PICTURES_ALL" not in os.environ, reason="CANH_PICTURES_ALL=folder takes every page to look at"
)
@pytest.mark.parametrize("lang", ["vi", "en"])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_every_page_is_taken_to_look_at(
    visit: Visit, worked: Served, lang: str, theme: str, size: dict[str, int]
) -> None:
    folder = Path(os.environ["CANH_PICTURES_ALL"])
    folder.mkdir(parents=True, exist_ok=True)
    kind = "phone" if size is PHONE else "desktop"
    page = visit("/login", who="", lang=lang, theme=theme, size=size)
    take(page, folder / f"login-{kind}-{theme}-{lang}.png")
    page = visit("/", lang=lang, theme=theme, size=size)
    for name, path in ALL[1:]:
        page.goto(worked.url + path)
        take(page, folder / f"{name}-{kind}-{theme}-{lang}.png")
