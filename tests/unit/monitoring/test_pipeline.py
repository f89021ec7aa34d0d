"""From a spooled message to an event: who sent it, when, in which change."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from inventory import load
from monitoring import parsers
from monitoring.event import Event
from monitoring.parsers import Line
from monitoring.pipeline import Pipeline
from tests.unit.monitoring.lab import RECEIVED, ROOT, ROUTER, SERVER, SPOOL, pipeline, record
from tests.unit.pace import is_within

LOGIN = "<38>1 2026-11-22T03:19:58.5Z {host} sshd 1 - -  Failed password for root from 10.250.65.10 port 50112 ssh2"


def test_the_peer_says_who_sent_it_and_the_name_inside_does_not() -> None:
    event = pipeline().event_of(record(LOGIN.format(host="core1"), peer=SERVER))
    assert event.text("host.name") == "dc-app1"
    assert event.text("log.syslog.hostname") == "core1"
    assert event.get("canh.source.known") is True
    assert (event.text("canh.site"), event.text("canh.role")) == ("dc", "application")
    assert "observer.name" not in event.fields


def test_a_router_is_an_observer() -> None:
    event = pipeline().event_of(record(LOGIN.format(host="dc-r1"), peer=ROUTER))
    assert (event.text("observer.name"), event.text("observer.type")) == ("dc-r1", "router")
    assert event.text("host.ip") == ROUTER


def test_an_unknown_peer_is_shown_by_its_address() -> None:
    event = pipeline().event_of(record(LOGIN.format(host="dc-app1"), peer="::ffff:10.250.65.99"))
    assert event.get("canh.source.known") is False
    assert event.text("host.name") == event.text("host.ip") == "10.250.65.99"
    assert "canh.site" not in event.fields and "canh.change.state" not in event.fields


def test_a_declared_relay_is_believed_about_the_sender() -> None:
    relay = pipeline(relays=(SERVER,))
    assert relay.event_of(record(LOGIN.format(host="core1"), peer=SERVER)).text("host.name") == "core1"
    assert relay.event_of(record(LOGIN.format(host="nobody"), peer=SERVER)).text("host.name") == "dc-app1"


def test_both_ends_of_a_connection_are_looked_up() -> None:
    packet = "canh:deny:forward IN=eth1 OUT=eth3 SRC=10.250.65.10 DST=8.8.8.8 PROTO=TCP SPT=1 DPT=2"
    packet = f"<134>1 2026-11-22T03:19:58Z dc-fw1 ulogd 1 - - {packet}"
    event = pipeline().event_of(record(packet))
    assert event.get("canh.src.known") is True and event.text("canh.src.site") == "stc"
    assert event.get("canh.dst.known") is False and "canh.dst.site" not in event.fields


def test_the_engineers_workstation_is_a_known_end_but_no_source() -> None:
    login = "<38>1 2026-11-22T03:19:58Z h sshd 1 - - Accepted publickey for ansible from 10.250.255.1 port 5 ssh2"
    assert pipeline().event_of(record(login)).get("canh.src.known") is True
    assert pipeline().event_of(record(login, peer="10.250.255.1")).get("canh.source.known") is False


@pytest.mark.parametrize("ahead_s", [6, 3600, 86400 * 400])
def test_a_clock_in_the_future_is_corrected_and_flagged(ahead_s: int) -> None:
    stamp = (RECEIVED + timedelta(seconds=ahead_s)).isoformat()
    event = pipeline().event_of(record(f"<38>1 {stamp} dc-r1 sshd 1 - - x"))
    assert event.timestamp == RECEIVED
    assert event.get("canh.clock.corrected") is True
    assert event.get("canh.clock.offset_ms") == ahead_s * 1000


def test_the_jitter_of_a_good_clock_is_left_alone() -> None:
    stamp = RECEIVED + timedelta(seconds=2)
    event = pipeline().event_of(record(f"<38>1 {stamp.isoformat()} dc-r1 sshd 1 - - x"))
    assert event.timestamp == stamp and "canh.clock.corrected" not in event.fields


def test_a_message_that_waited_keeps_its_time() -> None:
    stamp = RECEIVED - timedelta(days=3)
    assert pipeline().event_of(record(f"<38>1 {stamp.isoformat()} dc-r1 sshd 1 - - x")).timestamp == stamp


def test_a_clock_that_was_never_set_is_corrected() -> None:
    event = pipeline().event_of(record("<38>1 1970-01-01T00:00:09Z dc-r1 sshd 1 - - x"))
    assert event.timestamp == RECEIVED and event.get("canh.clock.corrected") is True


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"", "empty message"),
        (b" \r\n", "empty message"),
        (b"hello", "no syslog header and no known format"),
        (b"<13>Nov 22 10:15:04 h a: \xff", "not UTF-8: invalid start byte at octet 25"),
    ],
)
def test_what_is_not_understood_is_an_event_with_its_reason(raw: bytes, error: str) -> None:
    event = pipeline().event_of(record(raw))
    assert error in event.text("error.message")
    assert event.get("canh.source.known") is True


@pytest.mark.parametrize("header", ["<999>1 2026-11-22T03:19:58Z h sshd 1 - -", "<192>Nov 22 10:19:58 h sshd[1]:"])
def test_a_priority_that_cannot_be_is_said_and_the_line_is_understood(header: str) -> None:
    line = f"{header} Failed password for root from 10.250.65.10 port 50112 ssh2"
    event = pipeline().event_of(record(line, cut=7))
    said = "malformed priority: {}; message longer than allowed: 7 octets cut"
    assert event.text("error.message") == said.format(header[1:4])
    assert (event.original, event.text("event.action")) == (line, "login")
    assert "error.message" not in pipeline().event_of(record("<191>Nov 22 10:19:58 h sshd[1]: x")).fields


@pytest.mark.parametrize("key", ["event", "source"])
def test_a_document_after_words_does_not_stand_for_them(key: str) -> None:
    words = "2026-03-02 10:00:00,123 WARN app.orders"
    event = pipeline().event_of(record(f'<30>1 2026-03-02T10:00:00+07:00 h java 8 - - {words} {{"{key}": "x"}}'))
    assert (event.text("canh.parser"), event.text("log.level")) == ("text_java", "warn")
    assert event.text("message") == f'app.orders {{"{key}": "x"}}'


def test_what_a_parser_leaves_empty_is_what_the_header_says() -> None:
    line = "<134>1 2026-03-02T10:00:00+07:00 h java 8 - - "
    event = pipeline().event_of(record(line + '{"type": "server", "timestamp": "2026-03-02T10:00:00,000Z", '
                                       '"level": "", "component": "o.e.n.Node", "message": "started"}'))  # fmt: skip
    assert (event.text("canh.parser"), event.text("log.level")) == ("text_java", "informational")
    assert "" not in event.fields.values()


def test_a_message_cut_by_the_receiver_says_so() -> None:
    event = pipeline().event_of(record(LOGIN.format(host="x"), cut=1200))
    assert event.text("error.message") == "message longer than allowed: 1200 octets cut"
    assert event.get("canh.truncated_octets") == 1200
    assert event.text("event.action") == "login"


def test_a_defect_in_a_parser_does_not_lose_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    made = pipeline()

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(parsers.Index, "parse", broken)
    event = made.event_of(record(LOGIN.format(host="x")))
    assert event.text("error.message") == "parser failed: ZeroDivisionError: oh"
    assert event.text("host.name") == "dc-r1"


def test_the_same_record_gives_the_same_event_and_id() -> None:
    first, second = pipeline(), pipeline()
    one = record(LOGIN.format(host="x"), position=41)
    assert first.event_of(one) == second.event_of(one)
    assert first.event_of(one).id == str(record("", position=41).event_id)
    assert str(SPOOL) not in first.event_of(one).id


def test_a_pipeline_can_be_sent_to_another_process() -> None:
    made = pipeline()
    made.event_of(record(LOGIN.format(host="x")))
    again = pickle.loads(pickle.dumps(made))
    assert again.event_of(record(LOGIN.format(host="x"))) == made.event_of(record(LOGIN.format(host="x")))


def test_a_hint_is_known_however_it_is_written() -> None:
    assert pipeline().knows_hint("Linux-SSHD") and not pipeline().knows_hint("no such thing")


def test_parsing_what_was_parsed_gives_the_same() -> None:
    made = pipeline()
    event = made.document_of(LOGIN.format(host="x").encode(), received=RECEIVED)
    assert made.document_of(event.original.encode(), received=RECEIVED) == event


# Changes


def _journal(folder: Path, change_id: str, opened: datetime, closed: datetime | None, torn: str = "") -> None:
    lines = [
        {
            "event": "opened",
            "change_id": change_id,
            "at": opened.isoformat(),
            "operator": "ansible",
            "devices": ["dc-r1"],
            "blast_radius": {"devices": ["dc-r1", "dc-app1"], "sites": ["dc"]},
        },
        {"event": "sent", "device": "dc-r1"},
    ]
    if closed is not None:
        lines.append({"event": "closed", "at": closed.isoformat(), "result": "confirmed"})
    folder.mkdir(exist_ok=True)
    text = "".join(json.dumps(line) + "\n" for line in lines) + torn
    (folder / f"{change_id}.jsonl").write_text(text, "utf-8")


def _change(made: Event) -> tuple[str, str, bool]:
    return made.text("canh.change.state"), made.text("canh.change.id"), made.get("canh.change.in_radius") is True


def _event(data_dir: Path, peer: str, at: datetime) -> Event:
    return pipeline(data_dir).event_of(record(f"<38>1 {at.isoformat()} h sshd 1 - - x", peer=peer, received=at))


def test_an_event_knows_the_open_change_of_its_device(tmp_path: Path) -> None:
    _journal(tmp_path / "changes", "c1", RECEIVED, None)
    assert _change(_event(tmp_path, ROUTER, RECEIVED + timedelta(hours=1))) == ("open", "c1", False)
    assert _change(_event(tmp_path, ROUTER, RECEIVED - timedelta(seconds=1))) == ("none", "", False)
    assert _change(_event(tmp_path, SERVER, RECEIVED + timedelta(hours=1))) == ("none", "c1", True)


def test_a_closed_change_is_open_for_five_seconds_more(tmp_path: Path) -> None:
    _journal(tmp_path / "changes", "c1", RECEIVED, RECEIVED + timedelta(minutes=1))
    assert _change(_event(tmp_path, ROUTER, RECEIVED + timedelta(seconds=64)))[0] == "open"
    assert _change(_event(tmp_path, ROUTER, RECEIVED + timedelta(seconds=66)))[0] == "none"


def test_a_killed_change_is_open_for_two_hours_after_its_last_word(tmp_path: Path) -> None:
    said, restored, week = RECEIVED + timedelta(hours=1), RECEIVED + timedelta(days=1), timedelta(days=7)
    _journal(tmp_path / "changes", "c1", RECEIVED, None)
    with (tmp_path / "changes/c1.jsonl").open("a") as file:
        file.write(json.dumps({"event": "sending", "at": said.isoformat()}) + "\n")
    state = {at: _change(_event(tmp_path, ROUTER, RECEIVED + timedelta(minutes=at)))[0] for at in (1, 119, 179, 181)}
    assert state == {1: "open", 119: "open", 179: "open", 181: "none"}
    assert _change(_event(tmp_path, ROUTER, RECEIVED + week))[0] == "none"
    with (tmp_path / "changes/c1.jsonl").open("a") as file:  # a later command ends it
        file.write(json.dumps({"event": "reverted", "at": restored.isoformat()}) + "\n")
        file.write(json.dumps({"event": "closed", "at": (restored + timedelta(minutes=1)).isoformat()}) + "\n")
    made = {s: _change(_event(tmp_path, ROUTER, restored + timedelta(seconds=s)))[0] for s in (-1, 1, 64, 66)}
    assert made == {-1: "none", 1: "open", 64: "open", 66: "none"}
    assert _change(_event(tmp_path, ROUTER, said))[0] == "open"


def test_a_change_opened_after_the_last_look_is_seen_by_the_next_event(tmp_path: Path) -> None:
    made = pipeline(tmp_path)
    now = datetime.now(UTC)
    before = record(f"<38>1 {now.isoformat()} h sshd 1 - - x", received=now)
    assert _change(made.event_of(before))[0] == "none"
    opened = datetime.now(UTC)
    _journal(tmp_path / "changes", "c1", opened, None)
    after = record(f"<38>1 {datetime.now(UTC).isoformat()} h sshd 1 - - x", received=datetime.now(UTC))
    assert _change(made.event_of(after))[0] == "open"
    assert _change(made.event_of(before))[0] == "none"


def _now(made: Pipeline) -> tuple[str, str, bool]:
    now = datetime.now(UTC)
    return _change(made.event_of(record(f"<38>1 {now.isoformat()} h sshd 1 - - x", received=now)))


def test_changes_that_come_at_once_are_all_seen_by_the_very_next_event(tmp_path: Path) -> None:
    made, folder, hour = pipeline(tmp_path), tmp_path / "changes", timedelta(hours=1)
    folder.mkdir()
    for number in range(200):
        (folder / f"c{number}.jsonl").touch()  # it is there before its first line is
        assert _now(made)[0] == "none"
        _journal(folder, f"c{number}", datetime.now(UTC), None)
        assert _now(made)[:2] == ("open", f"c{number}")
        _journal(folder, f"c{number}", datetime.now(UTC) - hour, datetime.now(UTC) - hour)
        assert _now(made)[0] == "none"


def test_a_change_that_leaves_the_time_of_its_folder_as_it_was_is_seen(tmp_path: Path) -> None:
    """As within one tick of a clock that ticks every 10 ms."""
    made, folder, tick = pipeline(tmp_path), tmp_path / "changes", time.time_ns()
    _journal(folder, "c1", RECEIVED, RECEIVED)
    os.utime(folder, ns=(tick, tick))
    assert _now(made)[0] == "none"
    _journal(folder, "c2", datetime.now(UTC), None)
    os.utime(folder, ns=(tick, tick))
    assert _now(made)[:2] == ("open", "c2")


def test_many_old_changes_cost_an_event_nothing(tmp_path: Path) -> None:
    """Every live event looks: what is long closed is neither listed, nor asked about, nor compared."""
    folder, old = tmp_path / "changes", datetime.now(UTC) - timedelta(days=300)
    for number in range(2000):
        at = old + timedelta(hours=number)
        _journal(folder, f"c{number}", at, at + timedelta(minutes=1))
    os.utime(folder, (time.time() - 60, time.time() - 60))  # the last one was made a minute ago
    made = pipeline(tmp_path)
    assert _now(made)[0] == "none"
    assert is_within(0.2, lambda: [_now(made) for _ in range(100)])
    _journal(folder, "fresh", datetime.now(UTC), None)
    assert _now(made)[:2] == ("open", "fresh")
    assert _change(made.event_of(record(f"<38>1 {(old + timedelta(seconds=9)).isoformat()} h sshd 1 - - x")))[1] == "c0"


def test_a_damaged_journal_stops_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "changes"
    _journal(folder, "c1", RECEIVED, None, torn='{"event": "clos')
    (folder / "c2.jsonl").write_text("not json\n")
    (folder / "c3.jsonl").write_text('{"event": "opened"}\n')
    (folder / "c4.jsonl").write_bytes(b"\xff\xff\n")
    assert _change(_event(tmp_path, ROUTER, RECEIVED))[0] == "open"


# Configuration sessions


def _typed(*lines: str) -> list[str]:
    """The actions of what one session types on a router."""
    made = pipeline()
    texts = [f"<29>1 2026-11-22T03:19:58Z dc-r1 zebra 5 - -  [M7Q4P-46WDR] vty[9]@{line}" for line in lines]
    return [made.event_of(record(text, position=n)).text("event.action") for n, text in enumerate(texts)]


def test_leaving_after_a_change_is_config_changed() -> None:
    actions = _typed(
        "# conf t", "(config)# interface eth1", "(config-if)# shutdown", "(config-if)# end", "# conf t", "(config)# end"
    )
    assert actions == ["", "", "config-command", "config-changed", "", ""]


def test_looking_around_changes_nothing() -> None:
    assert _typed("# configure terminal", "(config)# do show run", "(config)# exit") == ["", "", ""]


def test_loading_the_file_at_start_is_no_change_of_a_person() -> None:
    assert _typed("(config)# ip route 10.0.0.0/8 Null0", "(config)# XFRR_end_configuration", "(config)# end") == [
        "config-command",
        "",
        "",
    ]


def test_a_session_whose_beginning_was_not_seen_counts_as_a_change() -> None:
    assert _typed("(config)# end") == ["config-changed"]


def test_sessions_of_two_routers_are_apart() -> None:
    made = pipeline()
    text = "<29>1 2026-11-22T03:19:58Z r zebra 5 - -  vty[9]@{}"
    made.event_of(record(text.format("# conf t"), peer="10.250.0.4"))
    made.event_of(record(text.format("(config)# hostname x"), peer=ROUTER))
    assert made.event_of(record(text.format("(config)# end"), peer="10.250.0.4")).text("event.action") == ""


def test_a_line_is_shown_to_a_parser_without_its_header() -> None:
    index = parsers.load()
    found = index.parse(Line("Accepted password for x from 10.0.0.1 port 5 ssh2", "/usr/sbin/sshd", RECEIVED))
    assert found is not None and found[0].name == "linux_sshd"


CORE1 = "10.250.0.1"


@pytest.mark.parametrize(
    ("peer", "claimed", "kind", "host"),
    [
        (SERVER, "dc-app1", "declared", "dc-app1"),
        (SERVER, "DC-App1.thanhhoa.example", "declared", "dc-app1"),
        (SERVER, "-", "declared", "dc-app1"),
        (SERVER, SERVER, "declared", "dc-app1"),
        (SERVER, "printer7", "renamed", "dc-app1"),
        (SERVER, "core1", "claims-other", "dc-app1"),
        (SERVER, CORE1, "claims-other", "dc-app1"),
        ("10.250.64.171", "printer7", "undeclared", "10.250.64.171"),
        ("10.250.64.171", "-", "undeclared", "10.250.64.171"),
        ("10.250.64.171", "core1", "undeclared-claims", "10.250.64.171"),
        (ROUTER, "core1", "relayed", "core1"),
        (ROUTER, "printer7", "relayed-undeclared", "dc-r1"),
        (ROUTER, "dc-r1", "declared", "dc-r1"),
    ],
)
def test_who_sent_it_is_told_apart_from_what_it_calls_itself(peer: str, claimed: str, kind: str, host: str) -> None:
    event = pipeline(relays=(ROUTER,)).event_of(record(LOGIN.format(host=claimed), peer=peer))
    assert (event.text("canh.source.kind"), event.text("host.name")) == (kind, host)
    own = claimed == "-" or kind == "declared"
    assert event.get("canh.source.claimed") == (None if own else claimed)


def test_a_relay_of_the_inventory_is_believed(tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    shutil.copytree(ROOT / "inventory/provinces/lab", folder)
    site = folder / "sites/dc.yaml"
    site.write_text(site.read_text("utf-8") + "log_relays: [app1]\n", "utf-8")
    made = Pipeline(load(folder), tmp_path)
    event = made.event_of(record(LOGIN.format(host="core1"), peer=SERVER))
    assert (event.text("host.name"), event.text("canh.source.kind")) == ("core1", "relayed")


@pytest.mark.parametrize(
    ("header", "written", "at", "zone_from"),
    [  # the lab's machines are declared to be of UTC+7
        ("2026-11-22T03:19:58.6Z", "2026-11-22 03:19:58,447", "2026-11-22T03:19:58.447000Z", "line"),
        ("2026-11-22T03:19:58.6Z", "2026-11-22 08:49:57,447", "2026-11-22T03:19:57.447000Z", "line"),
        ("2026-11-22T03:19:58.6Z", "2026-11-22 10:19:57,447", "2026-11-22T03:19:57.447000Z", "inventory"),
        ("2026-11-22T03:19:58.6Z", "2026-11-22 10:01:00,000", "2026-11-22T03:01:00.000000Z", "inventory"),
        ("2026-11-22T03:19:58.6Z", "2026-11-22 03:09:00,000", "2026-11-21T20:09:00.000000Z", "inventory"),
        ("2026-11-22T03:19:58.6Z", "2026-11-21 03:19:58,000", "2026-11-20T20:19:58.000000Z", "inventory"),
    ],
)
def test_a_time_without_a_zone_beside_one_with(header: str, written: str, at: str, zone_from: str) -> None:
    """A program that writes UTC on a machine of another zone; a line that was held back keeps its own time."""
    event = pipeline().event_of(
        record(f"<30>1 {header} dc-app1 python3 1 - - {written} INFO app it works", peer=SERVER)
    )
    assert (event.text("@timestamp"), event.text("canh.time.zone_from")) == (at, zone_from)
