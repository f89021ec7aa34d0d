"""What commands tell colleagues: a line on the syslog socket, understood by the parser of it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from canh import audit
from tests.unit.monitoring.lab import pipeline, record


def test_what_is_said_arrives_as_an_event_that_names_who_did_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_USER", "quantri")
    place = tmp_path / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(place))
        journal.settimeout(60)
        audit.say("search-exported", socket=place, events=250_000, query='user.name:"lan"', file="/tmp/all.csv")
        line = journal.recv(65536)
    event = pipeline().event_of(record(line))
    assert event.fields["event.action"] == "search-exported" and event.fields["user.name"] == "quantri"
    assert event.fields["canh.export.events"] == 250_000 and event.fields["canh.export.query"] == 'user.name:"lan"'


def test_without_a_journal_nothing_is_said_and_nothing_fails(tmp_path: Path) -> None:
    audit.say("user-added", socket=tmp_path / "none", account="lan")
    (tmp_path / "file").touch()
    audit.say("user-added", socket=tmp_path / "file", account="lan")
