"""kill -9 at every step of a change: at the next command every router is old or new, and the journal says which."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from inventory.model import Province
from network import journal
from network.change import carry_out_now
from network.diff import commands
from network.errors import SecretLost
from network.operations import drift, make_plan
from network.plan import Reading, reading_of, to_inventory
from network.recovery import recover
from network.tree import parse
from tests.unit.network.devices import START, FileLab, Fuse

PAIR = ("core1", "hh-ce1")  # two routers and the link between them
STEPS = 97  # a few more than the change has: the last ones let it end


def change(lab: FileLab, data_dir: Path) -> None:
    carry_out_now(lab.work(data_dir), PAIR, to_inventory(lab.province), kind="push")


def in_a_process_that_dies(lab: FileLab, data_dir: Path, step: int) -> bool:
    """Carry the change out in a child that is killed at `step`; whether it was."""
    child = os.fork()
    if child == 0:
        lab.fuse = Fuse(blows_at=step)
        try:
            change(lab, data_dir)
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def state(lab: FileLab, name: str, old: str) -> str:
    running = parse(lab.text(name), lab.platform)
    if not commands(running, parse(old, lab.platform), lab.platform):
        return "old"
    return "new" if not reading_of(lab.province, name, lab.text(name)).difference else "neither"


@pytest.fixture(scope="module")
def at_rest(province: Province, tmp_path_factory: pytest.TempPathFactory) -> FileLab:
    """All routers as intended but for the pair, which is on its first day."""
    lab = FileLab(tmp_path_factory.mktemp("rest"), province)
    lab.boot()
    day_0 = {name: lab.text(name) for name in PAIR}
    names = tuple(d.name for d in province.devices.values() if d.is_router)
    carry_out_now(lab.work(tmp_path_factory.mktemp("var")), names, to_inventory(province), kind="push")
    for name, text in day_0.items():
        lab.put(name, text)
    return lab


@pytest.mark.parametrize("step", range(1, STEPS, 4))
def test_whatever_step_it_is_killed_at_every_router_is_old_or_new(at_rest: FileLab, tmp_path: Path, step: int) -> None:
    lab = FileLab(tmp_path / "routers", at_rest.province)
    lab.boot()
    for file in at_rest.folder.glob("*.conf"):
        lab.put(file.stem, file.read_text(encoding="utf-8"))
    old = {name: lab.text(name) for name in PAIR}
    data_dir = tmp_path / "var"
    was_killed = in_a_process_that_dies(lab, data_dir, step)

    ended = recover(lab.work(data_dir))

    states = {state(lab, name, old[name]) for name in PAIR}
    assert states in ({"old"}, {"new"})
    assert journal.open_changes(data_dir / "changes") == ()
    results = [journal.entries(p)[-1]["result"] for p in (data_dir / "changes").glob("*.jsonl")]
    assert results in ([], ["confirmed"], ["reverted"])
    if results:
        assert states == ({"new"} if results == ["confirmed"] else {"old"})
        assert was_killed or results == ["confirmed"]
    assert len(ended) <= 1
    assert recover(lab.work(data_dir)) == ()


def test_killed_when_all_was_sent_and_verified_is_finished(at_rest: FileLab, tmp_path: Path) -> None:
    def fresh(name: str) -> FileLab:
        lab = FileLab(tmp_path / name, at_rest.province)
        lab.boot()
        for file in at_rest.folder.glob("*.conf"):
            lab.put(file.stem, file.read_text(encoding="utf-8"))
        return lab

    rehearsal, lab = fresh("rehearsal"), fresh("routers")
    change(rehearsal, tmp_path / "other")
    assert in_a_process_that_dies(lab, tmp_path / "var", rehearsal.fuse.steps)  # before `closed` is written
    assert [o.result for o in recover(lab.work(tmp_path / "var"))] == ["confirmed"]
    assert all(lab.saved(name) == lab.text(name) for name in PAIR)


def test_killed_while_recovering_is_recovered_again(at_rest: FileLab, tmp_path: Path) -> None:
    lab = FileLab(tmp_path / "routers", at_rest.province)
    lab.boot()
    old = {name: lab.text(name) for name in PAIR}
    data_dir = tmp_path / "var"
    assert in_a_process_that_dies(lab, data_dir, 40)  # while lines are sent
    for step in range(1, 12):
        child = os.fork()
        if child == 0:
            lab.fuse = Fuse(blows_at=step)
            try:
                recover(lab.work(data_dir))
            finally:
                os._exit(0)
        os.waitpid(child, 0)
    recover(lab.work(data_dir))
    assert {state(lab, name, old[name]) for name in PAIR} == {"old"}
    assert journal.open_changes(data_dir / "changes") == ()


def test_a_change_that_is_alive_is_left_alone(lab: FileLab, data_dir: Path) -> None:
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(write_end)
        lab.on_send = lambda: os.read(read_end, 1)  # until the parent has looked
        try:
            change(lab, data_dir)
        finally:
            os._exit(0)
    os.close(read_end)
    while not any(b'"sending"' in p.read_bytes() for p in (data_dir / "changes").glob("*.jsonl")):
        pass
    assert recover(lab.work(data_dir)) == ()
    os.close(write_end)
    os.waitpid(child, 0)
    assert journal.open_changes(data_dir / "changes") == ()


def test_every_verb_ends_an_interrupted_change_first(lab: FileLab, data_dir: Path) -> None:
    assert in_a_process_that_dies(lab, data_dir, 40)
    said: list[str] = []
    make_plan(lab.work(data_dir, say=said.append))
    assert any("was interrupted: ending it" in text for text in said) and any(": reverted" in text for text in said)
    assert in_a_process_that_dies(lab, data_dir, 40)
    found, _ = drift(lab.work(data_dir))
    assert all(d.is_drifted for d in found)


def test_a_secret_that_is_gone_is_named_and_the_change_stays_open(lab: FileLab, data_dir: Path) -> None:
    lab.type("hh-ce1", "password opensesame")
    assert in_a_process_that_dies(lab, data_dir, 70)
    if "password" in lab.text("hh-ce1"):
        lab.type("hh-ce1", "no password")
    with pytest.raises(Exception, match="lacks the secret of 'password <masked>'") as refused:
        recover(lab.work(data_dir))
    assert isinstance(refused.value.__cause__, SecretLost)
    lab.type("hh-ce1", "password opensesame")  # as it says: typed by hand
    assert [o.result for o in recover(lab.work(data_dir))] == ["reverted"]


@pytest.mark.parametrize(("secret", "result"), [("oldsecret", "reverted"), ("newsecret", "confirmed")])
def test_a_secret_that_is_neither_old_nor_new_is_noticed(
    lab: FileLab, data_dir: Path, monkeypatch: pytest.MonkeyPatch, secret: str, result: str
) -> None:
    """Old and new differ in the secret only, which no backup holds: the masked lines are the same."""
    lab.type("hh-ce1", "password oldsecret")
    old = lab.text("hh-ce1")
    new = parse(old.replace("oldsecret", "newsecret"), lab.platform)

    def goal(name: str, text: str) -> Reading:
        running = parse(text, lab.platform)
        return Reading(device=name, platform=lab.platform, text=text, running=running, intended=new)

    child = os.fork()
    if child == 0:
        lab.fuse = Fuse(blows_at=7)  # while lines are sent
        try:
            carry_out_now(lab.work(data_dir), ["hh-ce1"], goal, kind="push")
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    (path,) = (data_dir / "changes").glob("*.jsonl")
    assert journal.entries(path)[-1]["event"] == "sending"
    monkeypatch.setattr("network.recovery.expected", lambda *_: frozenset())  # the secret alone decides
    lab.put("hh-ce1", old.replace("oldsecret", "another"))
    with pytest.raises(Exception, match="lacks the secret of 'password <masked>'"):
        recover(lab.work(data_dir))
    lab.put("hh-ce1", old.replace("oldsecret", secret))
    assert [o.result for o in recover(lab.work(data_dir))] == [result]
    assert f"password {secret}" in lab.text("hh-ce1")
    assert b"oldsecret" not in path.read_bytes() and b"newsecret" not in path.read_bytes()


def test_a_change_of_hosts_that_was_interrupted_has_failed(lab: FileLab, data_dir: Path) -> None:
    """Nothing of it can be put back, so nothing was."""
    log = journal.Journal(data_dir / "changes/aaaa.jsonl")
    log.append("opened", START, change_id="aaaa", operator="canh", kind="hosts", devices=["hh-pc1"], blast_radius={})
    log.close()
    assert [o.result for o in recover(lab.work(data_dir))] == ["failed"]
    last = journal.entries(log.path)[-1]
    assert (last["event"], last["result"], last["reason"]) == ("closed", "failed", "interrupted")


def test_a_journal_cut_in_the_middle_of_a_line_is_read_up_to_it(lab: FileLab, data_dir: Path) -> None:
    assert in_a_process_that_dies(lab, data_dir, 40)
    (path,) = (data_dir / "changes").glob("*.jsonl")
    with path.open("ab") as file:
        file.write(b'{"event": "sen')
    assert [o.result for o in recover(lab.work(data_dir))] == ["reverted"]
    assert [e["event"] for e in journal.entries(path)][-1] == "closed"


def test_a_journal_without_a_whole_line_is_a_change_that_never_began(lab: FileLab, data_dir: Path) -> None:
    path = data_dir / "changes/0.jsonl"
    path.parent.mkdir(parents=True)
    path.write_bytes(b'{"event": "ope')
    assert recover(lab.work(data_dir)) == ()
    assert not path.exists()
