"""A change on eight routers: it reaches intended or leaves everything as it was, and the journal says which."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from network import backup, journal
from network.change import carry_out, carry_out_now
from network.check import Adjacency, Verdict, wait_for
from network.diff import commands
from network.errors import DeviceBusy, DeviceUnreachable, NetworkError, StalePlan
from network.lock import locked
from network.operations import apply_plan, drift, make_plan, rollback
from network.plan import Plan, Reading, load_plan, plan_of, reading_of, routers, to_inventory
from network.tree import parse
from network.work import Outcome, Work
from tests.unit.network.devices import START, FileLab


@dataclass(frozen=True)
class Says:
    """A check that says what it is told to; `verdicts` are taken one a run, the last one for good."""

    verdicts: list[bool]
    name: str = "hh-pc1 reaches app-https"

    def run(self, *, within: timedelta) -> Verdict:
        assert within >= timedelta()
        ok = self.verdicts[0] if len(self.verdicts) == 1 else self.verdicts.pop(0)
        return Verdict(name=self.name, ok=ok, detail="as told")


def pushed(lab: FileLab, data_dir: Path, **more: object) -> Outcome:
    work = lab.work(data_dir, **more)
    return carry_out_now(work, routers(lab.province), to_inventory(lab.province), kind="push")


def is_intended(lab: FileLab, name: str) -> bool:
    return not reading_of(lab.province, name, lab.text(name)).difference


def means_day_0(lab: FileLab, name: str) -> bool:
    return not commands(
        parse(lab.text(name), lab.platform),
        parse(f"hostname {name}\nlog syslog informational\n", lab.platform),
        lab.platform,
    )


def events(data_dir: Path, change_id: str | None) -> list[str]:
    return [str(e["event"]) for e in journal.find(data_dir / "changes", change_id or "")]


def test_a_push_brings_every_router_to_intended_and_saves_it(lab: FileLab, data_dir: Path) -> None:
    outcome = pushed(lab, data_dir, checks=[Says([True])])
    assert outcome.result == "confirmed"
    assert all(is_intended(lab, name) for name in routers(lab.province))
    assert all(lab.saved(name) == lab.text(name) for name in routers(lab.province))
    seen = events(data_dir, outcome.change_id)
    assert (seen[0], seen[-1]) == ("opened", "closed")
    assert (
        seen.index("backed-up")
        < seen.index("sending")
        < seen.index("sent")
        < seen.index("verified")
        < seen.index("saved")
    )


def test_a_second_push_changes_nothing_and_writes_nothing(lab: FileLab, data_dir: Path) -> None:
    pushed(lab, data_dir)
    before = sorted(p for p in data_dir.rglob("*") if p.is_file())
    outcome = pushed(lab, data_dir)
    assert outcome.result == "nothing"
    assert sorted(p for p in data_dir.rglob("*") if p.is_file()) == before


def test_a_failed_check_takes_everything_back(lab: FileLab, data_dir: Path) -> None:
    outcome = pushed(lab, data_dir, checks=[Says([False])])
    assert outcome.result == "reverted"
    assert "hh-pc1 reaches app-https" in outcome.reason
    assert all(means_day_0(lab, name) for name in routers(lab.province))
    last = journal.find(data_dir / "changes", outcome.change_id or "")[-1]
    assert (last["event"], last["result"]) == ("closed", "reverted")


def test_a_neighbour_on_show_is_believed_only_after_its_dead_interval() -> None:
    adjacency = frozenset([Adjacency(device="hh-ce1", neighbour="core1", interface="eth1")])
    time_s = [0.0]

    def sleep(seconds: float) -> None:
        time_s[0] += seconds

    def shown() -> frozenset[Adjacency]:
        return adjacency if time_s[0] < 4 else frozenset()  # lost at 0 s, on show until 4 s

    def verdict(hold_s: int) -> Verdict:
        time_s[0] = 0.0
        hold, within = timedelta(seconds=hold_s), timedelta(seconds=9)
        return wait_for(adjacency, shown, within=within, hold=hold, sleep=sleep, clock=lambda: time_s[0])

    assert verdict(hold_s=0).ok and not verdict(hold_s=5).ok


def test_a_line_taken_and_forgotten_takes_everything_back(lab: FileLab, data_dir: Path) -> None:
    lab.swallowed = {"ip ospf area 0"}
    outcome = pushed(lab, data_dir)
    assert (
        outcome.result == "reverted"
        and "took every line and still lacks: interface eth1; ip ospf area 0" in outcome.reason
    )
    assert all(means_day_0(lab, name) for name in routers(lab.province))


def test_a_neighbour_that_does_not_come_up_takes_everything_back(lab: FileLab, data_dir: Path) -> None:
    pushed(lab, data_dir)
    lab.type("hh-ce1", "no log commands")
    work = lab.work(data_dir)
    plan, _ = make_plan(work, ["hh"])
    before = lab.text("hh-ce1")
    lab.on_send = lambda: lab.type(
        "core1", "interface eth3", "ip ospf hello-interval 5", "exit"
    )  # meanwhile, elsewhere
    outcome = apply_plan(work, plan)
    assert outcome.result == "reverted" and "not up after 0 s: hh-ce1 eth1 to core1" in outcome.reason
    assert commands(parse(lab.text("hh-ce1"), lab.platform), parse(before, lab.platform), lab.platform) == ()


def test_a_refused_line_takes_everything_back_and_is_named(lab: FileLab, data_dir: Path) -> None:
    lab.refused = {"ip ospf cost 100"}  # only stc-ce1 and core2 have a backup uplink
    outcome = pushed(lab, data_dir)
    assert outcome.result == "reverted"
    assert "refused the line 'ip ospf cost 100'" in outcome.reason
    assert all(means_day_0(lab, name) for name in routers(lab.province))


def test_a_router_lost_in_the_middle_leaves_the_change_open_until_it_is_back(lab: FileLab, data_dir: Path) -> None:
    work = lab.work(data_dir)
    plan, _ = make_plan(work, ["hh"])
    lab.on_send = lambda: lab.unreachable.add("hh-ce1")
    with pytest.raises(NetworkError, match="not reverted everywhere"):
        apply_plan(work, plan)
    assert len(journal.open_changes(data_dir / "changes")) == 1
    with pytest.raises(NetworkError, match="cannot be ended yet"):
        drift(work, ["hh"])
    lab.unreachable.clear()
    found, errors = drift(work, ["hh"])
    assert not errors and found[0].is_drifted
    assert journal.open_changes(data_dir / "changes") == ()
    assert means_day_0(lab, "hh-ce1")


def test_nothing_is_sent_when_one_router_cannot_be_reached(lab: FileLab, data_dir: Path) -> None:
    work = lab.work(data_dir)
    plan, _ = make_plan(work)
    lab.unreachable = {"tx-ce1"}
    with pytest.raises(DeviceUnreachable):
        apply_plan(work, plan)
    assert all(means_day_0(lab, name) for name in routers(lab.province))
    assert not (data_dir / "changes").exists()


def test_a_plan_of_a_router_that_moved_is_refused(lab: FileLab, data_dir: Path) -> None:
    work = lab.work(data_dir)
    plan, _ = make_plan(work, ["hh"])
    lab.type("hh-ce1", "ip route 10.250.9.0/24 blackhole")
    with pytest.raises(StalePlan, match="configuration of hh-ce1 moved"):
        apply_plan(work, plan)


def test_a_plan_of_an_inventory_that_moved_is_refused(lab: FileLab, data_dir: Path) -> None:
    work = lab.work(data_dir)
    plan, _ = make_plan(work, ["hh"])

    reading = reading_of(lab.province, "hh-ce1", lab.text("hh-ce1"))
    moved = replace(reading, intended=parse("hostname other\n", lab.platform))
    with pytest.raises(StalePlan, match="the inventory moved"):
        carry_out(work, plan, lambda _name, _text: moved)


def test_a_held_router_is_not_changed_by_another(lab: FileLab, data_dir: Path) -> None:
    work = lab.work(data_dir)
    plan, _ = make_plan(work, ["hh"])
    with locked(data_dir, ["hh-ce1"], change_id="other"), pytest.raises(DeviceBusy, match="hh-ce1 is being changed"):
        apply_plan(work, plan)
    assert apply_plan(work, plan).result == "confirmed"


def test_waves_hold_each_router_once_and_begin_with_one(lab: FileLab, data_dir: Path) -> None:
    pushed(lab, data_dir)
    for name in routers(lab.province):
        lab.type(name, "no log commands")
    plan, _ = make_plan(lab.work(data_dir))
    assert sorted(n for wave in plan.waves for n in wave) == sorted(routers(lab.province))
    assert len(plan.waves[0]) == 1
    assert not any({"core1", "core2"} <= set(wave) or {"dc-r1", "dc-r2"} <= set(wave) for wave in plan.waves)
    assert apply_plan(lab.work(data_dir), plan).result == "confirmed"


def test_a_canary_that_fails_keeps_the_rest_untouched(lab: FileLab, data_dir: Path) -> None:
    pushed(lab, data_dir)
    for name in routers(lab.province):
        lab.type(name, "no log commands")
    plan, _ = make_plan(lab.work(data_dir))
    outcome = apply_plan(lab.work(data_dir, checks=[Says([True, False])]), plan)  # well before, not after wave 1
    assert outcome.result == "reverted"
    sent = {e["device"] for e in journal.find(data_dir / "changes", outcome.change_id or "") if e["event"] == "sending"}
    assert sent == set(plan.waves[0])


def test_both_ends_of_a_link_change_in_one_wave_when_they_must_agree(lab: FileLab, data_dir: Path) -> None:
    pushed(lab, data_dir)
    for name, interface in (("core1", "eth3"), ("hh-ce1", "eth1")):
        lab.type(name, f"interface {interface}", "ip ospf hello-interval 2", "exit")
    plan, _ = make_plan(lab.work(data_dir))
    assert plan.waves == (("core1", "hh-ce1"),)
    assert apply_plan(lab.work(data_dir), plan).result == "confirmed"


def test_a_check_that_failed_before_is_not_held_against_a_reviewed_change(lab: FileLab, data_dir: Path) -> None:
    pushed(lab, data_dir)
    lab.type("hh-ce1", "no log commands")
    work = lab.work(data_dir, checks=[Says([False])])
    plan, _ = make_plan(work, ["hh"])
    assert apply_plan(work, plan).result == "confirmed"


def test_a_neighbour_that_was_down_before_is_not_held_against_a_change_elsewhere(lab: FileLab, data_dir: Path) -> None:
    pushed(lab, data_dir)
    lab.type("tx-ce1", "interface eth1", "ip ospf hello-interval 9", "exit")
    lab.type("core2", "no log commands")
    work = lab.work(data_dir)
    plan, _ = make_plan(work, ["core2"])
    assert apply_plan(work, plan).result == "confirmed"


def test_a_rollback_returns_to_the_backup_and_can_be_rolled_back(lab: FileLab, data_dir: Path) -> None:
    first = pushed(lab, data_dir)
    back = rollback(lab.work(data_dir, checks=[Says([False])]), first.change_id or "")
    assert back.result == "confirmed"  # no neighbours and no reachability, as it was before the first change
    assert all(means_day_0(lab, name) for name in routers(lab.province))
    assert rollback(lab.work(data_dir), back.change_id or "").result == "confirmed"
    assert all(is_intended(lab, name) for name in routers(lab.province))


def test_a_rollback_of_a_router_changed_since_is_refused(lab: FileLab, data_dir: Path) -> None:
    first = pushed(lab, data_dir)
    lab.type("hh-ce1", "no log commands")
    with pytest.raises(StalePlan, match="hh-ce1 was changed again"):
        rollback(lab.work(data_dir), first.change_id or "")


def test_only_a_confirmed_change_can_be_rolled_back(lab: FileLab, data_dir: Path) -> None:
    reverted = pushed(lab, data_dir, checks=[Says([False])])
    with pytest.raises(NetworkError, match="nothing to take back"):
        rollback(lab.work(data_dir), reverted.change_id or "")


def test_no_secret_is_written_anywhere_and_all_come_back(lab: FileLab, data_dir: Path) -> None:
    lab.type("hh-ce1", "password opensesame", "interface eth1", "ip ospf message-digest-key 1 md5 hidden", "exit")
    work = lab.work(data_dir)
    plan, _ = make_plan(work, ["hh"])
    found, _ = drift(work, ["hh"])
    outcome = apply_plan(work, plan)
    assert outcome.result == "confirmed"
    written = "".join(p.read_text(encoding="utf-8") for p in data_dir.rglob("*") if p.is_file())
    told = plan.as_json() + repr(plan) + repr(found) + repr(outcome)
    assert "<masked>" in written and "<masked>" in plan.as_json()
    assert "opensesame" not in written + told and "hidden" not in written + told


def test_secrets_survive_a_change_that_is_taken_back(lab: FileLab, data_dir: Path) -> None:
    lab.type("hh-ce1", "password opensesame")
    outcome = pushed(lab, data_dir, checks=[Says([False])])
    assert outcome.result == "reverted"
    assert "password opensesame" in lab.text("hh-ce1")


def test_a_rollback_says_which_secret_it_does_not_put_back(lab: FileLab, data_dir: Path) -> None:
    lab.type("hh-ce1", "password opensesame")
    first = pushed(lab, data_dir)
    said: list[str] = []
    assert rollback(lab.work(data_dir, say=said.append), first.change_id or "").result == "confirmed"
    assert said.count("hh-ce1: not put back, as secrets are not kept (type by hand): password <masked>") == 1
    assert means_day_0(lab, "hh-ce1")


def test_a_rollback_says_which_secret_was_replaced_since_its_backup(lab: FileLab, data_dir: Path) -> None:
    first = pushed(lab, data_dir)
    key = ("interface eth1", "ip ospf message-digest-key 1 md5 {}", "exit")
    lab.type("hh-ce1", *(line.format("oldkey") for line in key))
    with_key = parse(lab.text("hh-ce1").replace("oldkey", "newkey"), lab.platform)

    def goal(name: str, text: str) -> Reading:
        running = parse(text, lab.platform)
        return Reading(device=name, platform=lab.platform, text=text, running=running, intended=with_key)

    second = carry_out_now(lab.work(data_dir), ["hh-ce1"], goal, kind="push")
    assert (first.result, second.result) == ("confirmed", "confirmed")
    said: list[str] = []
    rollback(lab.work(data_dir, say=said.append), second.change_id or "")
    assert any("not put back" in text and "message-digest-key 1 md5 <masked>" in text for text in said)


def test_planning_twice_gives_the_same_file(lab: FileLab, data_dir: Path) -> None:
    one, _ = make_plan(lab.work(data_dir))
    two, _ = make_plan(lab.work(data_dir))
    assert one == two == load_plan(data_dir, one.plan_id[:8])
    assert [p.stem for p in (data_dir / "plans").iterdir()] == [one.plan_id]


def test_a_plan_reads_back_as_written(lab: FileLab, data_dir: Path) -> None:
    plan, _ = make_plan(lab.work(data_dir), ["stc", "core1"], wave_size=1)
    assert load_plan(data_dir, plan.plan_id) == plan
    assert json.loads(plan.as_json())["devices"][0]["blast_radius"]["devices"] == ["hh-ce1", "hh-pc1"]


def test_a_plan_leaves_out_what_cannot_be_read_and_says_so(lab: FileLab, data_dir: Path) -> None:
    lab.unreachable = {"hh-ce1"}
    plan, survey = make_plan(lab.work(data_dir))
    assert "hh-ce1" not in {d.device for d in plan.devices}
    assert [e.what for e in survey.errors] == ["hh-ce1 cannot be reached"]


def test_a_router_as_intended_is_in_no_plan(lab: FileLab, data_dir: Path) -> None:
    pushed(lab, data_dir)
    plan = plan_of(lab.province, [reading_of(lab.province, n, lab.text(n)) for n in routers(lab.province)])
    assert plan == Plan(plan_id=plan.plan_id, province="lab", devices=(), waves=(), blast_radius=plan.blast_radius)


def test_the_newest_backup_is_what_the_router_runs(lab: FileLab, data_dir: Path) -> None:
    pushed(lab, data_dir)
    stored = parse(backup.latest(data_dir, "core1").read_text(encoding="utf-8"), lab.platform)
    running = parse(lab.text("core1"), lab.platform)
    assert backup.digest(stored, lab.platform) == backup.digest(running, lab.platform)
    assert backup.age(data_dir, "core1", now=START) is not None
    assert backup.age(data_dir, "nobody", now=START) is None


def test_a_journal_that_cannot_be_written_leaves_no_router_half_way(lab: FileLab, data_dir: Path) -> None:
    work = lab.work(data_dir)
    plan, _ = make_plan(work, ["hh"])
    asked = iter(range(100))

    def full_disk() -> object:
        if next(asked) > 6:  # opened, backed up, sending: then the disk is full
            raise OSError(28, "No space left on device")
        return START

    with pytest.raises(NetworkError, match="data directory cannot be written: No space left"):
        apply_plan(Work(**{**work.__dict__, "now": full_disk}), plan)
    assert means_day_0(lab, "hh-ce1")
