"""Certificates: what expires is told every day, and what is ours is renewed in time."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from monitoring.certificates import Certificates
from monitoring.pipeline import Pipeline
from monitoring.receivers import Counters, Intake
from monitoring.spool import Spool, SpoolReader
from pki import Authority, Purpose, rollover
from pki.authority import CRL_LIFE
from tests.unit.monitoring.lab import province, record

NOW = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)


def said(made: Certificates, now: datetime) -> dict[str, int]:
    """Days left by name; noted as told."""
    told = {m["name"]: m["days_left"] for m in (json.loads(r.raw) for r in made.check(now))}
    made.note(now)
    return told


def test_each_is_told_once_a_day_until_it_is_long_past(tmp_path: Path) -> None:
    ca = Authority(tmp_path / "pki")
    ca.ensure(NOW)
    ca.issue("agent", purpose=Purpose.CLIENT, life=timedelta(days=8), now=NOW)
    ca.issue("gone", purpose=Purpose.CLIENT, life=timedelta(days=99), now=NOW)
    ca.revoke("gone", reason="", now=NOW)
    made = Certificates(tmp_path, (), serves=False)
    assert said(made, NOW) == {"ca": 3650, "agent": 8}
    assert said(made, NOW + timedelta(minutes=20)) == {}
    assert said(Certificates(tmp_path, (), serves=False), NOW + timedelta(minutes=40)) == {"ca": 3650, "agent": 8}
    left = [said(made, NOW + timedelta(days=d)).get("agent") for d in (6, 7, 8, 9, 37, 38)]
    assert left == [2, 1, 0, -1, -29, None]


def test_trusted_cas_are_told_as_well_and_a_list_that_nobody_here_signs_before_it_runs_out(tmp_path: Path) -> None:
    ca, province = Authority(tmp_path / "pki"), Authority(tmp_path / "province")
    province.ensure(NOW)
    certificate, crl = province.certificate.read_bytes(), province.crl.read_bytes()
    elsewhere = rollover.take_in(ca, NOW, certificate=certificate, crl=crl)
    following = rollover.take_in(ca, NOW)
    made, days = Certificates(tmp_path, (), serves=False), CRL_LIFE.days
    cas = {"ca": 3650, f"trusted {elsewhere.id}": 3650, f"trusted {following.id}": 3650}
    assert said(made, NOW) == cas
    left = [said(made, NOW + timedelta(days=d)).get(f"list of {elsewhere.id}") for d in (days - 4, days - 3, days + 1)]
    assert left == [None, 3, -1]


def test_the_collectors_own_is_renewed_before_it_ends_and_the_list_signed(tmp_path: Path) -> None:
    ca = Authority(tmp_path / "pki")
    ca.ensure_server("collector", ["soc"], NOW)
    made = Certificates(tmp_path, ("soc",), serves=True)
    first, signed = said(made, NOW)["collector"], ca.crl.read_bytes()
    assert said(made, NOW + timedelta(days=300))["collector"] == first - 300
    assert said(made, NOW + timedelta(days=368))["collector"] == first
    assert ca.crl.read_bytes() != signed


def test_where_there_is_no_ca_none_is_made(tmp_path: Path) -> None:
    assert said(Certificates(tmp_path, (), serves=False), NOW) == {}
    assert not (tmp_path / "pki").exists()


def test_it_arrives_in_the_spool_and_a_rule_can_match_the_days(tmp_path: Path) -> None:
    Authority(tmp_path / "pki").ensure(datetime.now(UTC))

    async def work() -> None:
        spool = Spool(tmp_path / "spool" / "test")
        hold = Intake(spool, Counters(tmp_path / "stats" / "collect.json"))
        hold.start()
        watching = asyncio.create_task(Certificates(tmp_path, (), serves=False).watch(hold))
        while not (tmp_path / "stats" / "certificates.json").exists():
            await asyncio.sleep(0.01)
        watching.cancel()
        await hold.stop()
        spool.close()

    asyncio.run(work())
    (kept,) = SpoolReader(tmp_path / "spool" / "test").read(0)[0]
    event = Pipeline(province(), tmp_path).event_of(record(kept.raw, receiver=kept.receiver, peer=kept.peer))
    assert event.get("event.action") == "certificate-checked"
    assert event.get("canh.cert.days_left") == 3650 and event.get("canh.cert.name") == "ca"
