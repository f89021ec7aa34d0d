"""A real `canh serve` on loopback over a temporary data directory, and Debian's Chromium."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Response, sync_playwright

from soc.alert import Alert
from soc.cases import CaseStore
from soc.known import rules_in
from soc.users import Role, UserStore
from tests.unit.soc.alert_factory import lab_alerts
from tests.unit.soc.evidence_factory import write_run
from tests.unit.soc.stats_factory import receive

ROOT = Path(__file__).parent.parent.parent
CHROMIUM = "/usr/bin/chromium"
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP, PHONE = {"width": 1366, "height": 768}, {"width": 390, "height": 844}
PEOPLE = {
    "nhung": (Role.ANALYST, "Lê Thị Hồng Nhung"),
    "dat": (Role.ANALYST, "Nguyễn Tiến Đạt"),
    "khanh": (Role.ENGINEER, "Trần Quốc Khánh"),
    "mai": (Role.AUDITOR, "Phạm Tuyết Mai"),
    "root1": (Role.ADMIN, "Hoàng Văn Minh"),
}
PASSWORD = "mot-mat-khau-dai-de-thu"


@dataclass
class Served:
    """A running console and what it was made from."""

    url: str
    data: Path
    cases: CaseStore
    users: UserStore
    process: subprocess.Popen[str]
    log: Path


def known(alert: Alert) -> Alert:
    """The alert with the id its rule has in the library, so that its title and note are found."""
    ids = {rule.folder.name: id for id, rule in rules_in(ROOT / "soc_rules").items()}
    return replace(alert, rule_id=ids.get(alert.rule_id, alert.rule_id))


def start(data: Path, log: Path, listen: str = "127.0.0.1:0") -> tuple[subprocess.Popen[str], str]:
    """`canh serve`, and its address once it listens."""
    command = [sys.executable, "-m", "canh", "--data", str(data), "serve", "--listen", listen]
    with log.open("w") as stderr:
        process = subprocess.Popen(command, cwd=ROOT, stderr=stderr, stdout=subprocess.DEVNULL, text=True)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        if found := re.search(r"listens on (https://\S+)", log.read_text()):
            return process, found[1]
        time.sleep(0.05)
    process.kill()
    raise AssertionError(f"canh serve did not start: {log.read_text()}")


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    data = tmp_path_factory.mktemp("data")
    cases, users = CaseStore(data), UserStore(data)
    now = datetime.now(UTC)
    cases.deliver(known(alert) for alert in lab_alerts(now))
    for name, (role, full_name) in PEOPLE.items():
        users.add(name, role, at=now, full_name=full_name, password=PASSWORD)
    write_run(data, now)
    receive(data, now, {"10.250.0.1": 1511, "127.0.0.1": 40000}, bad=133)
    log = data / "serve.log"
    process, url = start(data, log)
    yield Served(url=url, data=data, cases=cases, users=users, process=process, log=log)
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0, log.read_text()
    assert "Traceback" not in log.read_text(), log.read_text()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.skip("Debian's chromium is not installed (apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield browser
        browser.close()


@dataclass
class Faults:
    """What must stay empty: console errors, refused content, failed requests."""

    lines: list[str] = field(default_factory=list)
    expected: set[int] = field(default_factory=set)  # HTTP statuses a test provokes
    may_lose_server: bool = False

    def watch(self, page: Page) -> None:
        page.on("console", self._message)
        page.on("pageerror", lambda error: self.lines.append(f"exception: {error}"))
        page.on("response", self._response)

    def _message(self, message: ConsoleMessage) -> None:
        provoked = any(f"status of {status}" in message.text for status in self.expected)
        provoked |= self.may_lose_server and "net::ERR_" in message.text
        if message.type in ("error", "warning") and not provoked:
            self.lines.append(f"{message.type}: {message.text}")

    def _response(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self.expected:
            self.lines.append(f"{response.status}: {response.url}")


Visit = Callable[..., Page]


@pytest.fixture
def faults() -> Iterator[Faults]:
    faults = Faults()
    yield faults
    assert not faults.lines, "\n".join(faults.lines)


@pytest.fixture
def visit(chromium: Browser, console: Served, faults: Faults) -> Iterator[Visit]:
    """A new browser profile, signed in as somebody unless `who` is empty, at a path."""
    contexts: list[BrowserContext] = []

    def go(
        path: str = "/",
        *,
        who: str = "nhung",
        size: dict[str, int] | None = None,
        lang: str = "",
        theme: str = "light",
    ) -> Page:
        context = chromium.new_context(
            viewport=size or DESKTOP,  # type: ignore[arg-type]
            ignore_https_errors=True,
            color_scheme=theme,  # type: ignore[arg-type]
            locale="vi-VN",
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        faults.watch(page)
        if lang:
            page.goto(f"{console.url}/lang/{lang}?next=/login")
        if who:
            sign_in(page, console.url, who)
        page.goto(console.url + path)
        return page

    yield go
    for context in contexts:
        context.close()


def sign_in(page: Page, url: str, who: str, password: str = PASSWORD) -> None:
    page.goto(f"{url}/login")
    page.fill("#u", who)
    page.fill("#p", password)
    page.press("#p", "Enter")
    page.wait_for_load_state()
