"""Polling: CPU of the poller for 10,000 devices, each every 60 s, beside a bare socket that only asks and listens.

The devices are routers with four interfaces, BGP, OSPF and a processor, in one process of their own on loopback
addresses. Minute by minute: the first finds out what each device has, the second samples all counters, the third only
asks for what is asked every minute; of five minutes in service one is like the second and four like the third.
CPU is user + system of the poller's process, spool and fsync included.
"""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from monitoring.receivers import Counters, Intake
from monitoring.snmp import ber
from monitoring.snmp.accounts import Accounts
from monitoring.snmp.interfaces import Uplink
from monitoring.snmp.poller import Poller, Target
from monitoring.snmp.usm import Account
from monitoring.spool import Spool, SpoolReader
from tests.bench.snmp_agents import TABLE, USER

ROOT = Path(__file__).resolve().parents[2]
DEVICES = int(os.environ.get("CANH_BENCH_DEVICES", "10000"))
PERIOD_S = 60.0
FLOOR_DEVICES = 2000
COMMUNITY = Account(community="public")


def main() -> int:
    folder = Path(tempfile.mkdtemp(prefix="canh-bench-", dir=os.environ.get("TMPDIR")))
    command = [sys.executable, "-m", "tests.bench.snmp_agents", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as agents:
        assert agents.stdout is not None
        try:
            port = int(agents.stdout.readline())
            floor = _floor(port)
            print(f"bare socket, one question and answer a device: {100 * floor * DEVICES / PERIOD_S:.2f} % of a core")
            print(f"{DEVICES} devices every {PERIOD_S:.0f} s, per cent of a core by minute")
            print(f"{'':<18}{'find out':>10}{'sample':>10}{'ask':>10}{'in service':>12}{'answered':>12}{'records':>10}")
            for name, account in (("v3 authPriv", USER), ("v2c", COMMUNITY)):
                _row(name, folder / name.replace(" ", "-"), account, port)
        finally:
            agents.kill()
            shutil.rmtree(folder)
    return 0


def _row(name: str, folder: Path, account: Account, port: int) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        minutes, up, down = runner.run(_polled(folder, account, port))
    shares = [100 * cpu / PERIOD_S for cpu in minutes]
    service = (shares[1] + 4 * shares[2]) / 5
    records = SpoolReader(folder / "spool/bench")
    kept = records.count(0, records.end).total
    print(
        f"{name:<18}" + "".join(f"{s:>10.1f}" for s in shares) + f"{service:>12.1f}{f'{up}/{up + down}':>12}{kept:>10}",
        flush=True,
    )


async def _polled(folder: Path, account: Account, port: int) -> tuple[list[float], int, int]:
    """CPU seconds of each of three minutes, and how many polls were answered and not."""
    spool = Spool(folder / "spool/bench")
    intake = Intake(spool, Counters(folder / "collect.json"))
    intake.start()
    accounts = Accounts(known=(account,))
    poller = Poller(_targets(port), accounts, intake, period_s=PERIOD_S, remember=folder / "devices.json")
    polling = asyncio.create_task(poller.run())
    minutes = []
    for _ in range(3):
        before = _cpu_s()
        await asyncio.sleep(PERIOD_S)
        minutes.append(_cpu_s() - before)
    polling.cancel()
    await asyncio.gather(polling, return_exceptions=True)
    await intake.stop()
    spool.close()
    polls = intake.counters.polls
    return minutes, polls["up"], polls["down"]


def _targets(port: int) -> tuple[Target, ...]:
    uplinks = {"eth1": Uplink(link="wan", bandwidth_bps=20_000_000, is_wan=True)}
    return tuple(
        Target(device=f"r{n}", address=f"127.1.{n // 250}.{n % 250 + 1}", port=port, uplinks=uplinks)
        for n in range(DEVICES)
    )


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _floor(port: int) -> float:
    """CPU seconds of one device: a question of what a poll asks, sent and its answer received, nothing read of it."""
    names = b"".join(ber.tlv(ber.SEQUENCE, ber.oid_of(oid) + ber.tlv(ber.NULL, b"")) for oid in list(TABLE)[:12])
    pdu = ber.tlv(0xA0, ber.integer_of(7) + ber.integer_of(0) * 2 + ber.tlv(ber.SEQUENCE, names))
    question = ber.tlv(ber.SEQUENCE, ber.integer_of(1) + ber.tlv(ber.OCTETS, b"public") + pdu)
    before = _cpu_s()
    for n in range(FLOOR_DEVICES):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(question, (f"127.1.{n // 250}.{n % 250 + 1}", port))
            sock.recv(65535)
    return (_cpu_s() - before) / FLOOR_DEVICES


if __name__ == "__main__":
    started = time.monotonic()
    code = main()
    print(f"took {time.monotonic() - started:.0f} s")
    sys.exit(code)
