"""`canh alerts`, `users` and `pki` as a person or a program calls them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from canh.cli import main
from soc.alert import Status
from soc.cases import CaseStore
from soc.pki import Pki
from soc.users import Role, User, UserStore
from tests.unit.soc.alert_factory import alert, lab_alerts

WHY = "called the person in charge, on the way"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    CaseStore(tmp_path).deliver(lab_alerts(datetime.now(UTC)))
    return tmp_path


def canh(data: Path, *arguments: str) -> int:
    return main(["--data", str(data), *arguments])


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_list_is_ndjson_by_deadline_and_narrows(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert canh(data, "alerts", "list") == 0
    listed = lines(capsys)
    due = [str(a["due_at"]) for a in listed if a["due_at"]]
    assert len(listed) == 8 and due == sorted(due)
    assert canh(data, "alerts", "list", "--rule", "port-scan", "--since", "-2h", "--status", "new") == 0
    assert [a["rule_id"] for a in lines(capsys)] == ["port-scan"]
    assert canh(data, "alerts", "list", "--since", "-1m") == 0
    assert lines(capsys) == [], "nothing found is no error"


def test_an_alert_is_shown_acknowledged_and_closed(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    id = alert().id
    assert canh(data, "alerts", "ack", id, "--reason", WHY, "--minutes", "45", "--by", "nhung") == 0
    assert canh(data, "alerts", "close", id, "--reason", WHY, "--as", "false-positive", "--by", "nhung") == 0
    assert [a["status"] for a in lines(capsys)] == ["acknowledged", "closed"]
    assert canh(data, "alerts", "show", id) == 0
    shown = lines(capsys)[0]
    assert isinstance(shown["history"], list) and [e["action"] for e in shown["history"]][-1] == "closed"
    assert shown["events"] and CaseStore(data).get(id).status is Status.CLOSED


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "nope"), "canh alerts: no alert has the id nope\n  fix: take an id from `canh alerts list`\n"),
        (
            ("close", alert().id, "--reason", "short", "--as", "false-positive"),
            "canh alerts: the reason has 5 characters, at least 10 are needed\n"
            "  fix: say what you saw and why you decide so; an auditor will read it\n",
        ),
    ],
)
def test_a_refusal_says_what_and_how_to_fix(
    data: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert canh(data, "alerts", *arguments) == 2
    assert capsys.readouterr().err == said


def test_first_accounts_are_printed_once(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", str(data), "--json", "users", "bootstrap"]) == 0
    made = {str(a["name"]): str(a["password"]) for a in lines(capsys)}
    assert set(made) == {"analyst", "engineer", "auditor", "admin"}
    assert canh(data, "users", "bootstrap") == 0
    assert capsys.readouterr().out == ""
    assert isinstance(UserStore(data).authenticate("analyst", made["analyst"], datetime.now(UTC)), User)


def test_accounts_are_added_listed_and_reset(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert canh(data, "users", "add", "lan", "--role", "auditor", "--full-name", "Lan") == 0
    first = capsys.readouterr().out.split()[1]
    assert canh(data, "users", "reset", "lan") == 0
    second = capsys.readouterr().out.split()[1]
    assert first != second and UserStore(data).get("lan").role is Role.AUDITOR
    assert canh(data, "users", "list") == 0
    listed = capsys.readouterr().out
    assert "lan" in listed and "auditor" in listed and second not in listed
    assert canh(data, "users", "add", "lan", "--role", "auditor") == 2
    assert "there is already a user lan" in capsys.readouterr().err


def test_the_ca_is_shown_once_there_is_one(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert canh(data, "pki") == 2
    assert "cannot be read" in capsys.readouterr().err
    Pki(data / "pki").ensure(["soc"], datetime.now(UTC))
    assert main(["--data", str(data), "--json", "pki"]) == 0
    shown = lines(capsys)
    assert [c["kind"] for c in shown] == ["ca", "console"] and str(data) in str(shown[0]["path"])


@pytest.mark.parametrize("address", ["x:y", "1.2.3.4:99999", "127.0.0.1", ""])
def test_an_address_that_is_none_is_a_usage_error(data: Path, address: str) -> None:
    with pytest.raises(SystemExit):
        canh(data, "serve", "--listen", address)
