"""A fault within a change of ours: kept from paging while it runs, told when it is over and the fault is not."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.event import Event, Value
from monitoring.store import writer
from soc.alert import Alert, Level, Resolution, Status
from soc.cases import CaseStore
from soc.delivery import Deliverer, Queue
from soc.delivery import load as load_settings
from soc.detection import Detection
from soc.hold_keeper import HoldKeeper, query_of
from soc.holds import ENDS, LONGEST, SETTLE, Subject, Verdict, change_of, is_due, judge, latest_end, lost
from soc.outbox import Outbox
from soc.sigma.library import Scene
from tests.unit.soc.engine_support import lab, own_rules

T0 = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
PORT = Subject(device="hh-ce1", back="interface-up", field="observer.ingress.interface.name", value="eth1")
moments = st.integers(0, 5 * 3600).map(lambda s: T0 + timedelta(seconds=s))


def at(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


def down(minutes: float, change: str = "c1", **fields: Value) -> Event:
    made: dict[str, Value] = {
        "@timestamp": at(minutes).isoformat(),
        "event.id": f"e{minutes}",
        "event.action": "interface-down",
        "host.name": "hh-ce1",
        "observer.ingress.interface.name": "eth1",
    }
    return Event(made | ({"canh.change.id": change} if change else {}) | fields)


def alert(*events: Event, name: str = "a1", count: int | None = None) -> Alert:
    times = [event.timestamp for event in events]
    return Alert(
        id=name,
        rule_id="interface-down",
        title="x",
        level=Level.HIGH,
        tags=(),
        device="hh-ce1",
        site="hh",
        count=count or len(events),
        first_seen=min(times),
        last_seen=max(times),
        raised_at=min(times),
        received_at=min(times),
        matches=(),
        events=events,
    )


# What explains what


def test_only_a_lost_link_or_neighbour_can_be_held() -> None:
    assert set(ENDS) == {"interface-down", "routing-neighbor-down", "vpn-tunnel-down"}
    for action in ("login", "config-changed", "logging-stopped", "aaa-server-down", "connection-denied"):
        assert change_of([down(0, **{"event.action": action})]) == ""


@given(st.lists(st.sampled_from(["c1", "c2", ""]), min_size=1, max_size=5))
def test_a_change_explains_an_alert_only_when_it_explains_every_event(changes: list[str]) -> None:
    events = [down(n, change) for n, change in enumerate(changes)]
    assert change_of(events) == (changes[-1] if all(changes) else "")


def test_nothing_is_explained_without_events() -> None:
    assert change_of([]) == ""


# When what is decided

facts = st.fixed_dictionaries(
    {
        "raised_at": st.just(T0),
        "last_seen": moments,
        "ended": st.none() | moments,
        "lost_at": st.dictionaries(st.sampled_from([PORT]), moments, max_size=1),
        "back_at": st.dictionaries(st.sampled_from([PORT]), moments, max_size=1),
    }
)


@given(facts, moments, moments)
def test_once_decided_it_stays_decided(known: Mapping[str, object], one: datetime, other: datetime) -> None:
    first, second = sorted((one, other))
    before = judge(**known, now=first)  # type: ignore[arg-type]
    assert before is Verdict.HELD or judge(**known, now=second) is before  # type: ignore[arg-type]


@given(facts)
def test_nothing_is_held_longer_than_the_longest(known: Mapping[str, object]) -> None:
    assert judge(**known, now=latest_end(T0)) is not Verdict.HELD  # type: ignore[arg-type]


@given(facts, moments)
def test_what_did_not_come_back_is_never_closed(known: Mapping[str, object], now: datetime) -> None:
    if judge(**known, now=now) is Verdict.RECOVERED:  # type: ignore[arg-type]
        lost_at, back_at = known["lost_at"], known["back_at"]
        assert isinstance(lost_at, dict) and isinstance(back_at, dict)
        assert known["ended"] is not None and lost_at
        assert all(back_at[subject] >= when for subject, when in lost_at.items())


@given(facts, moments)
def test_it_is_held_while_its_change_runs(known: Mapping[str, object], now: datetime) -> None:
    open_change = {**known, "ended": None}
    if now < T0 + LONGEST:
        assert judge(**open_change, now=now) is Verdict.HELD  # type: ignore[arg-type]
        assert not is_due(raised_at=T0, ended=None, now=now)


# The case store and the journal


def journal(data_dir: Path, opened: datetime, closed: datetime | None, change: str = "c1") -> None:
    lines: list[dict[str, object]] = [
        {"event": "opened", "change_id": change, "at": opened.isoformat(), "devices": ["core1"], "operator": "minh"}
    ]
    if closed is not None:
        lines.append({"event": "closed", "at": closed.isoformat(), "result": "confirmed"})
    (data_dir / "changes").mkdir(exist_ok=True)
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (data_dir / "changes" / f"{change}.jsonl").write_text(text, "utf-8")


def keeper(data_dir: Path, back: Mapping[Subject, datetime]) -> HoldKeeper:
    return HoldKeeper(CaseStore(data_dir), data_dir, lambda _: back)


def told(store: CaseStore, seq: int) -> list[str]:
    """What delivery would take up as new."""
    return [c.id for c in store.since(seq) if c.created_seq > seq and c.held_until is None and c.is_open]


@pytest.fixture
def store(tmp_path: Path) -> CaseStore:
    made = CaseStore(tmp_path)
    journal(tmp_path, at(-1), None)
    made.deliver([alert(down(0))])
    return made


def test_a_held_alert_is_in_the_queue_and_told_to_nobody(store: CaseStore, tmp_path: Path) -> None:
    case = store.get("a1")
    assert (case.status, case.change_id, case.due_at) == (Status.NEW, "c1", None)
    assert case.held_until == at(0) + LONGEST + SETTLE
    assert [e.action for e in store.history("a1")] == ["raised", "held"]
    assert told(store, 0) == []
    assert keeper(tmp_path, {}).look(at(30)) == 0


def test_what_is_still_down_after_the_change_is_told_as_if_it_were_new(store: CaseStore, tmp_path: Path) -> None:
    seq = store.seq()
    journal(tmp_path, at(-1), at(10))
    assert keeper(tmp_path, {}).look(at(10.5)) == 0, "it may still settle"
    assert keeper(tmp_path, {}).look(at(12)) == 1
    case = store.get("a1")
    assert told(store, seq) == ["a1"]
    assert case.due_at == at(12) + timedelta(hours=2), "the clock begins when somebody can know"
    assert store.history("a1")[-1].action == "released"
    assert keeper(tmp_path, {}).look(at(13)) == 0, "once"


def test_what_came_back_is_closed_and_never_told(store: CaseStore, tmp_path: Path) -> None:
    journal(tmp_path, at(-1), at(10))
    assert keeper(tmp_path, {PORT: at(9)}).look(at(12)) == 1
    case = store.get("a1")
    assert (case.status, case.resolution, case.held_until) == (Status.CLOSED, Resolution.BENIGN, None)
    assert told(store, 0) == []
    assert store.history("a1")[-1].action == "recovered"


def test_two_who_look_at_once_decide_once(store: CaseStore, tmp_path: Path) -> None:
    journal(tmp_path, at(-1), at(10))
    assert store.recovered("a1", at=at(12)) is True
    assert store.released("a1", at=at(12)) is False, "the other asked a store that was away"
    assert store.recovered("a1", at=at(12)) is False
    assert store.deliver([alert(down(0))]) == 0, "nor does detection that comes again after a crash"
    assert store.get("a1").status is Status.CLOSED


def test_what_went_down_again_after_it_came_back_is_told(store: CaseStore, tmp_path: Path) -> None:
    journal(tmp_path, at(-1), at(10))
    store.deliver([alert(down(0), down(9.5))])
    keeper(tmp_path, {PORT: at(9)}).look(at(12))
    assert told(store, 0) == ["a1"]


def test_an_event_outside_of_the_change_tells_at_once(store: CaseStore) -> None:
    store.deliver([alert(down(0), down(3, ""))])
    assert told(store, 0) == ["a1"]


def test_what_was_closed_as_back_and_goes_down_again_is_told(store: CaseStore, tmp_path: Path) -> None:
    journal(tmp_path, at(-1), at(2))
    keeper(tmp_path, {PORT: at(1)}).look(at(4))
    store.deliver([alert(down(0), down(4.5, ""))])
    case = store.get("a1")
    assert (case.status, case.resolution) == (Status.NEW, None)
    assert told(store, 0) == ["a1"]


def test_what_was_closed_as_back_is_held_again_within_another_change(store: CaseStore, tmp_path: Path) -> None:
    journal(tmp_path, at(-1), at(2))
    keeper(tmp_path, {PORT: at(1)}).look(at(4))
    journal(tmp_path, at(4), None, "c2")
    store.deliver([alert(down(0), down(4.5, "c2"))])
    case = store.get("a1")
    assert (case.status, case.change_id) == (Status.NEW, "c2")
    assert case.held_until is not None
    journal(tmp_path, at(4), at(6), "c2")
    keeper(tmp_path, {PORT: at(1)}).look(at(8))
    assert told(store, 0) == ["a1"]


def test_what_a_person_closed_stays_closed(store: CaseStore, tmp_path: Path) -> None:
    why = "a known fault of this line"
    store.close("a1", actor="lan", resolution=Resolution.FALSE_POSITIVE, reason=why, at=at(1))
    journal(tmp_path, at(-1), at(10))
    keeper(tmp_path, {}).look(at(12))
    assert store.get("a1").status is Status.CLOSED
    assert told(store, 0) == []


@pytest.mark.parametrize("fault", ["no journal", "torn journal", "not understood"])
def test_a_change_that_cannot_be_read_explains_nothing(store: CaseStore, tmp_path: Path, fault: str) -> None:
    path = tmp_path / "changes/c1.jsonl"
    match fault:
        case "no journal":
            path.unlink()
        case "torn journal":
            path.write_text('{"event": "opened", "change')
        case _:
            path.write_text('{"event": "opened"}\n')
    assert keeper(tmp_path, {PORT: at(0)}).look(at(1)) == 1
    assert told(store, 0) == ["a1"]


def test_a_change_without_an_end_is_told_of_after_the_longest(store: CaseStore, tmp_path: Path) -> None:
    with (tmp_path / "changes/c1.jsonl").open("a") as file:  # it goes on and on
        file.write(json.dumps({"event": "sending", "at": at(90).isoformat()}) + "\n")
    assert keeper(tmp_path, {PORT: at(1)}).look(at(0) + LONGEST) == 0
    assert keeper(tmp_path, {PORT: at(1)}).look(latest_end(at(0))) == 1
    assert told(store, 0) == ["a1"]


def test_more_events_than_are_kept_cannot_be_shown_to_be_back(store: CaseStore, tmp_path: Path) -> None:
    store.deliver([alert(down(0), down(1), name="a2", count=150)])
    journal(tmp_path, at(-1), at(10))
    keeper(tmp_path, {PORT: at(9)}).look(at(12))
    assert told(store, 0) == ["a2"]


def test_a_name_that_leads_elsewhere_is_no_journal(tmp_path: Path) -> None:
    journal(tmp_path, at(-1), None)
    store = CaseStore(tmp_path)
    store.deliver([alert(down(0, "../changes/c1"))])
    keeper(tmp_path, {}).look(at(1))
    assert told(store, 0) == ["a1"]


def test_without_an_event_store_nothing_came_back(store: CaseStore, tmp_path: Path) -> None:
    journal(tmp_path, at(-1), at(10))
    HoldKeeper(store, tmp_path).look(at(12))
    assert told(store, 0) == ["a1"]


def test_delivery_tells_of_a_held_alert_when_it_is_released_and_not_before(store: CaseStore, tmp_path: Path) -> None:
    (tmp_path / "delivery.yaml").write_text(
        "console: https://soc.example.vn\nwebhook: {duty: {url: 'https://localhost/'}}\nroutes: {all: {to: [duty]}}\n"
    )
    now, settings = [at(0)], load_settings(tmp_path, lab())
    (tmp_path / "deliver.db").unlink(missing_ok=True)
    queue = Queue(tmp_path / "deliver.db")
    queue.take(0, [], [], at(0))
    deliverer = Deliverer(
        settings,
        lambda: CaseStore(tmp_path),
        tmp_path,
        threading.Event(),
        look_after_held=keeper(tmp_path, {}).look,
        clock=lambda: now[0],
    )
    deliverer.look()
    assert queue.waiting("duty", at(60)) == []
    journal(tmp_path, at(-1), at(10))
    now[0] = at(12)
    deliverer.look()
    assert queue.waiting("duty", at(60)) == ["a1"]


def test_the_event_store_is_asked_for_the_same_thing_of_the_same_device() -> None:
    (subject,) = lost([down(0), down(1)])
    assert subject == PORT
    asked = 'event.action:interface-up AND host.name:"hh-ce1" AND observer.ingress.interface.name:"eth1"'
    assert query_of(subject) == asked
    neighbour = down(0, **{"event.action": "routing-neighbor-down", "canh.nbr.id": "10.0.0.1"})
    assert next(iter(lost([neighbour]))).field == "canh.nbr.id"


# From raw lines to the case


def raised(tmp_path: Path, scene: str) -> CaseStore:
    """What the shipped rules make of raw lines, delivered; the events are stored too."""
    case = tmp_path / "x.hit.log"
    case.write_text(scene, "utf-8")
    events = Scene(case, lab(), tmp_path).events()
    with closing(writer(tmp_path)) as sink:
        sink.write(events)
        sink.commit({})
    outbox, detection = Outbox(tmp_path / "detect.db"), Detection(own_rules(), timedelta(seconds=2))
    outbox.restore(detection)
    detection.take(events, events[-1].received)
    detection.flush(events[-1].received)
    outbox.commit(detection, {}, {}, {})
    store = CaseStore(tmp_path)
    store.deliver(outbox.undelivered())
    outbox.close()
    return store


LOST = "<29>1 {at} {device} ospfd 1 - - [Y05P2-YJVXY] AdjChg: Nbr {nbr}, NbrIP {ip} (default) on eth1:{ip}: {how}"
LOGIN = "<38>1 2026-03-02T10:00:04.000000+07:00 hh-ce1 sshd 8 - -  Accepted password for quantri from {ip} port 4 ssh2"
DOWN, UP = "Full -> Deleted (InactivityTimer)", "Loading -> Full (LoadingDone)"


def line(second: int, how: str, device: str = "hh-ce1") -> str:
    at = f"2026-03-02T10:00:{second:02}.000000+07:00"
    return f"# from: {device}\n" + LOST.format(at=at, device=device, nbr="10.250.0.1", ip="10.250.1.12", how=how) + "\n"


def test_a_neighbour_lost_in_the_radius_is_held_and_closed_when_the_store_has_it_back(tmp_path: Path) -> None:
    store = raised(tmp_path, "# radius: hh-ce1\n" + line(1, DOWN) + line(3, UP))
    (case,) = store.held()
    assert (case.alert.title, case.change_id) == ("Routing neighbour lost", "case")
    end = closed(tmp_path)
    assert HoldKeeper(store, tmp_path).look(end + timedelta(minutes=2)) == 1
    assert store.get(case.id).status is Status.CLOSED


def test_a_neighbour_that_did_not_come_back_is_told(tmp_path: Path) -> None:
    store = raised(tmp_path, "# change: hh-ce1\n" + line(1, UP) + line(3, DOWN))
    (case,) = store.held()
    assert HoldKeeper(store, tmp_path).look(closed(tmp_path) + timedelta(minutes=2)) == 1
    assert told(store, 0) == [case.id]


@pytest.mark.parametrize(("lines", "is_told"), [((DOWN, UP, DOWN), True), ((DOWN, UP), False)], ids=["down", "up"])
def test_within_one_second_what_was_received_last_counts(tmp_path: Path, lines: tuple[str, ...], is_told: bool) -> None:
    store = raised(tmp_path, "# change: hh-ce1\n" + "".join(line(3, how) for how in lines))
    (case,) = store.held()
    assert HoldKeeper(store, tmp_path).look(closed(tmp_path) + timedelta(minutes=2)) == 1
    assert told(store, 0) == ([case.id] if is_told else [])


def test_what_was_held_while_our_clock_was_ahead_is_told_when_it_is_put_back(store: CaseStore, tmp_path: Path) -> None:
    assert keeper(tmp_path, {}).look(at(-24 * 60)) == 1
    assert told(store, 0) == ["a1"]


def test_a_login_from_elsewhere_within_a_change_is_told_at_once(tmp_path: Path) -> None:
    scene = "# change: hh-ce1\n" + line(1, DOWN) + "# from: hh-ce1\n" + LOGIN.format(ip="10.250.65.10") + "\n"
    store = raised(tmp_path, scene)
    titles = {case.alert.title for case in store.list() if case.held_until is None}
    assert "Login to network equipment from outside the management network" in titles
    assert [case.alert.title for case in store.held()] == ["Routing neighbour lost"]


def test_many_neighbours_lost_by_one_change_are_one_held_alert_beside_their_own(tmp_path: Path) -> None:
    devices = ("hh-ce1", "stc-ce1", "tx-ce1")
    scene = f"# radius: {', '.join(devices)}\n" + "".join(line(n, DOWN, d) for n, d in enumerate(devices, 1))
    held = {case.alert.title for case in raised(tmp_path, scene).held()}
    assert held == {"Routing neighbour lost", "Several sites lose their neighbours at once"}


def closed(data_dir: Path) -> datetime:
    """End the change of the scene ten minutes after it began."""
    end = datetime(2026, 3, 2, 3, 10, tzinfo=UTC)
    with (data_dir / "changes/case.jsonl").open("a") as file:
        file.write(json.dumps({"event": "closed", "at": end.isoformat()}) + "\n")
    return end
