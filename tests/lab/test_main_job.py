"""The main job, end to end: a real fault or attack, its alert, and an analyst who works it to closed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from canh.scenarios import SCENARIOS
from tests.lab.conftest import Canh

WITHIN_S = 10.0
CHROMIUM = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="module")
def outcomes(canh: Canh) -> dict[str, dict[str, Any]]:
    """Each scenario carried out once, in order."""
    done: dict[str, dict[str, Any]] = {}
    for name in SCENARIOS:
        result = canh("lab", "scenario", name, code=None)
        done[name] = json.loads(result.stdout) if result.returncode == 0 else {"error": result.stderr}
    return done


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", list(SCENARIOS))
def test_scenario_raises_its_alert(outcomes: dict[str, dict[str, Any]], name: str) -> None:
    outcome = outcomes[name]
    assert "error" not in outcome, outcome
    assert outcome["scenario"] == name
    assert outcome["seconds"] < WITHIN_S


@pytest.mark.parametrize("name", list(SCENARIOS))
def test_its_alert_keeps_the_raw_events(canh: Canh, outcomes: dict[str, dict[str, Any]], name: str) -> None:
    alert = json.loads(canh("alerts", "show", outcomes[name]["alert_id"]).stdout)
    assert alert["count"] >= 1
    assert alert["events"], alert
    for event in alert["events"]:
        assert event["event"]["original"]


def test_every_message_is_accounted_for(canh: Canh, outcomes: dict[str, dict[str, Any]]) -> None:
    assert outcomes
    canh("stats", code=0)


def test_an_analyst_works_the_alert_to_closed(
    canh: Canh, lab_state: dict[str, Any], lab_data: Path, outcomes: dict[str, dict[str, Any]]
) -> None:
    alert_id = outcomes["ssh-bruteforce"]["alert_id"]
    password = json.loads(canh("--json", "users", "reset", "analyst").stdout)["password"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
        try:
            # The console's certificate comes from the lab's own CA, which Chromium cannot be given for one run.
            page = browser.new_page(ignore_https_errors=True, viewport={"width": 1366, "height": 768})
            _log_in(page, lab_state["console"], password)
            page.goto(f"{lab_state['console']}/alerts/{alert_id}")
            _act(page, "e", "#dlg-ack", "Đang hỏi Sở Tài chính về máy này")
            expect(page.locator("body")).to_contain_text("Đang hỏi Sở Tài chính về máy này")
            _act(page, "c", "#dlg-close", "Diễn tập tấn công của phòng thí nghiệm")
            expect(page.locator("body")).to_contain_text("Diễn tập tấn công của phòng thí nghiệm")
        finally:
            browser.close()
    alert = json.loads(canh("alerts", "show", alert_id).stdout)
    assert alert["status"] == "closed"
    assert [entry["actor"] for entry in alert["history"] if entry["action"] == "closed"] == ["analyst"]


def _log_in(page: Page, console: str, password: str) -> None:
    page.goto(f"{console}/login")
    page.fill("#u", "analyst")
    page.fill("#p", password)
    page.click("button.pri")
    page.wait_for_url(f"{console}/")


def _act(page: Page, key: str, dialog: str, reason: str) -> None:
    """As a person does: the key opens the dialog, the reason is written, the button is pressed."""
    page.keyboard.press(key)
    page.fill(f"{dialog} textarea", reason)
    page.click(f"{dialog} footer button.pri")
    expect(page.locator(dialog)).not_to_be_visible()
