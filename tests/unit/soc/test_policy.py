"""Rules the inventory gives: what they see of raw lines, and that equal inventories give equal rules."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from types import MappingProxyType
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.lists import BoundAccount
from inventory.model import Province
from monitoring.event import Event
from monitoring.pipeline import Pipeline
from soc import placeholders
from soc.known import KnownRules
from soc.policy import documents
from soc.policy.generate import _moments
from soc.sigma import RuleSet, load
from soc.sigma.check import SECTIONS
from soc.sigma.library import Scene, fired_by
from tests.unit.soc.engine_support import lab

PACKET = "2026-03-02T10:00:01.000000+07:00 dc-fw1 ulogd 288 - -  canh:{verdict}:forward IN=eth1 OUT=eth3 "
PACKET += "SRC={source} DST={target} LEN=60 TTL=61 ID=50124 DF PROTO={protocol} SPT=43210 DPT={port} WINDOW=64240 SYN"
FORTIGATE = (
    '<189>date=2026-03-02 time=10:00:01 devname="FGT-01" devid="FG100FTK20012345" eventtime=1772420401000000000 '
    'tz="+0700" logid="0000000013" type="traffic" subtype="forward" level="notice" vd="root" srcip={source} '
    'srcport=43210 srcintf="port1" dstip={target} dstport={port} dstintf="port2" sessionid=1 proto=6 action="close" '
    'policyid=1 service="HTTPS" duration=5 sentbyte=1850 rcvdbyte=3938'
)
LOGIN = "<38>1 {at} dc-app1 sshd 811 - -  Accepted password for {user} from {source} port 40022 ssh2"
OFFICE, STRANGER, APP = "10.250.65.10", "10.250.64.50", "10.250.64.10"


@cache
def rules() -> RuleSet:
    made = load([], placeholders.of(lab()), generated=[(rule.path, rule.text) for rule in documents(lab())])
    assert made.refused == ()
    return made


def fired(tmp_path: Path, *lines: str) -> set[str]:
    """Names of the generated rules that fire on raw lines from the data centre's firewall or application host."""
    names = {rule.rule_id: rule.path for rule in documents(lab())}
    case = tmp_path / "x.hit.log"
    case.write_text("\n".join(lines) + "\n", "utf-8")
    return {names[rule] for rule in fired_by(Scene(case, lab(), tmp_path / "data").events(), rules())}


def packet(source: str, port: int, *, verdict: str = "allow", protocol: str = "TCP", target: str = APP) -> str:
    made = PACKET.format(verdict=verdict, source=source, target=target, port=port, protocol=protocol)
    return f"# from: dc-fw1\n<134>1 {made}"


def login(user: str, source: str, at: str) -> str:
    return "# from: dc-app1\n" + LOGIN.format(user=user, source=source, at=at)


def test_an_undeclared_client_of_a_service_is_told(tmp_path: Path) -> None:
    assert fired(tmp_path, packet(STRANGER, 443)) == {"inventory/service-clients/app-https"}
    assert fired(tmp_path, packet("10.250.64.140", 22)) == {"inventory/service-clients/app-ssh"}
    other = FORTIGATE.format(source=STRANGER, target=APP, port=443)
    assert fired(tmp_path, f"# from: dc-fw1\n{other}") == {"inventory/service-clients/app-https"}


@pytest.mark.parametrize(
    "line",
    [
        packet(OFFICE, 443),
        packet(STRANGER, 443, verdict="deny"),
        packet(STRANGER, 443, protocol="UDP"),
        packet(STRANGER, 3306),
        FORTIGATE.format(source=OFFICE, target=APP, port=443),
    ],
    ids=["declared", "denied", "another protocol", "no service", "declared, of another vendor"],
)
def test_what_is_declared_or_no_service_or_not_let_through_is_quiet(line: str, tmp_path: Path) -> None:
    assert fired(tmp_path, line) == set()


def test_a_system_of_level_three_wakes_somebody() -> None:
    levels = {rule.title.split()[-1]: str(rule.level) for rule in rules().rules if "client" in rule.title}
    assert (levels["app-https"], levels["soc-ntp"]) == ("high", "medium")


def test_a_bound_account_belongs_to_its_hosts_and_its_hours(tmp_path: Path) -> None:
    night, noon = "2026-03-02T23:30:00+07:00", "2026-03-02T12:00:00+07:00"
    assert fired(tmp_path, login("svc-backup", "10.250.64.30", night)) == set()
    assert fired(tmp_path, login("svc-backup", "127.0.0.1", night)) == set()
    assert fired(tmp_path, login("svc-backup", OFFICE, night)) == {"inventory/account-hosts/svc-backup"}
    assert fired(tmp_path, login("svc-backup", "10.250.64.30", noon)) == {"inventory/account-hours/svc-backup"}
    assert fired(tmp_path, login("svc-portal", APP, noon)) == set(), "it may at any hour"
    assert fired(tmp_path, login("svc-monitor", OFFICE, noon)) == set(), "it is tied to nothing"


@given(
    st.tuples(st.integers(0, 24), st.integers(0, 24)).filter(lambda hours: hours[0] != hours[1]),
    st.datetimes(min_value=datetime(2026, 1, 1), max_value=datetime(2027, 1, 1)),
    st.sampled_from(["Asia/Ho_Chi_Minh", "Asia/Kolkata", "UTC", "Asia/Kathmandu"]),
)
def test_hours_of_the_province_are_the_same_moments_in_utc(hours: tuple[int, int], at: datetime, zone: str) -> None:
    start, end = hours[0] % 24, hours[1] % 24
    local = at.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).hour
    expected = start <= local < end if start < end else local >= start or local < end
    if start == end:
        expected = True
    assert bool(re.search(_moments(hours, ZoneInfo(zone)), f"{at:%Y-%m-%dT%H:%M:%S}.000000Z")) is expected


def test_equal_inventories_give_equal_rules_and_ids_are_of_names() -> None:
    assert documents(lab()) == documents(lab())
    ids = [rule.rule_id for rule in documents(lab())]
    assert len(set(ids)) == len(ids)


def with_account(province: Province, hours: tuple[int, int] | None) -> Province:
    known = province.accounts["svc-backup"]
    changed = BoundAccount(
        name=known.name, hosts=known.hosts, hours=hours, checked=known.checked, owner=known.owner, reason=known.reason
    )
    return replace(province, accounts=MappingProxyType({"svc-backup": changed}))


def test_a_changed_inventory_gives_other_rules_under_the_same_ids() -> None:
    before = {rule.path: rule for rule in documents(with_account(lab(), (22, 5)))}
    after = {rule.path: rule for rule in documents(with_account(lab(), (1, 2)))}
    assert before.keys() == after.keys()
    changed = {path for path in before if before[path].text != after[path].text}
    assert changed == {"inventory/account-hours/svc-backup"}
    assert all(before[path].rule_id == after[path].rule_id for path in changed)
    assert "inventory/account-hours/svc-backup" not in {r.path for r in documents(with_account(lab(), None))}


def test_every_kind_has_notes_in_both_languages() -> None:
    for folder in {rule.folder for rule in documents(lab())}:
        for name, sections in SECTIONS.items():
            text = (folder / name).read_text("utf-8")
            assert [section for section in sections if f"## {section}\n" not in text] == []


def test_alerts_say_who_answers_and_what_they_are_called_here() -> None:
    (rule,) = (r for r in rules().rules if r.origin.path.match("service-clients/app-https"))
    assert "canh.owner.phong-ung-dung" in rule.tags
    known = KnownRules([], documents(lab())).of(rule.id)
    assert known is not None and known.title_vi == "Máy không được khai báo dùng dịch vụ app-https"


def test_only_connections_say_which_service_they_reach(tmp_path: Path) -> None:
    assert isinstance(Pipeline(lab(), tmp_path), Pipeline)
    case = tmp_path / "x.hit.log"
    case.write_text(packet(STRANGER, 443) + "\n" + login("a", OFFICE, "2026-03-02T12:00:00+07:00") + "\n", "utf-8")
    events: list[Event] = Scene(case, lab(), tmp_path / "data").events()
    assert [event.get("canh.flow.service") for event in events] == ["app-https", None]
    assert events[1].timestamp - events[0].timestamp < timedelta(days=1)
