"""A real rsyslog falls silent and comes back: one event each, through restarts of the collector.

Everything stays on loopback; the province is the lab's, with a silence declared and the sender's address its own.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitoring.spool import SpoolReader
from monitoring.store import Store
from tests.lab.test_collector_faults import ROOT, Collecting, eventually

SILENT_AFTER_S = 6
CONF = """
module(load="imfile" mode="polling" pollingInterval="1")
input(type="imfile" file="{folder}/lines" tag="app:")
action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" action.resumeRetryCount="-1"
       action.resumeInterval="1" template="RSYSLOG_SyslogProtocol23Format")
"""


class Sending:
    """A real rsyslogd that ships a file which grows."""

    def __init__(self, folder: Path, port: int) -> None:
        folder.mkdir()
        self.folder, self.lines = folder, folder / "lines"
        self.lines.write_text("first\n")
        (folder / "conf").write_text(f'global(workDirectory="{folder}")' + CONF.format(folder=folder, port=port))
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = ["rsyslogd", "-n", "-f", str(self.folder / "conf"), "-i", str(self.folder / "pid")]
        self.process = subprocess.Popen(command)

    def say(self, text: str) -> None:
        with self.lines.open("a") as file:
            file.write(text + "\n")

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(10)


@pytest.fixture
def collecting(tmp_path: Path) -> Iterator[Collecting]:
    """With a province whose SOC host (whose address loopback is) may be silent for a few seconds."""
    province = tmp_path / "lab"
    shutil.copytree(ROOT / "inventory/provinces/lab", province)
    text = (province / "province.yaml").read_text("utf-8")
    declared = f"policy:\n  silent_after: {{soc: {SILENT_AFTER_S}s}}\n"
    (province / "province.yaml").write_text(text.replace("policy:\n", declared), "utf-8")
    (tmp_path / "data").mkdir()
    made = Collecting(tmp_path / "data")
    command = made.command
    made.command = lambda *words: command("--province", str(province), *words)  # type: ignore[method-assign]
    yield made
    if made.process is not None and made.process.poll() is None:
        made.kill()


def said(data: Path) -> list[str]:
    """What became events: the words of the heartbeat, in order."""
    now = datetime.now(UTC)
    found = Store(data).search(
        'event.action:("source-silent" OR "source-returned")', now - timedelta(hours=1), limit=99
    )
    return [e.text("event.action") for e in sorted(found, key=lambda e: e.received)]


def test_stopping_rsyslog_is_one_event_and_starting_it_another(collecting: Collecting, tmp_path: Path) -> None:
    collecting.start()
    sending = Sending(tmp_path / "rsyslog", collecting.tcp)
    sending.start()
    try:
        for n in range(8):
            sending.say(f"line {n}")
            time.sleep(1)
        assert said(collecting.data) == []
        stopped = time.monotonic()
        sending.stop()
        eventually(lambda: said(collecting.data) == ["source-silent"], within_s=30)
        assert time.monotonic() - stopped < SILENT_AFTER_S + 15
        collecting.kill()
        collecting.start()
        time.sleep(SILENT_AFTER_S + 8)
        assert said(collecting.data) == ["source-silent"], "not again, after a restart"
        sending.say("back again")
        sending.start()
        eventually(lambda: said(collecting.data)[:2] == ["source-silent", "source-returned"], within_s=30)
    finally:
        sending.stop()
    now = datetime.now(UTC)
    (event,) = Store(collecting.data).search("event.action:source-silent", now - timedelta(hours=1), limit=1)
    assert (event.text("host.name"), event.text("canh.device")) == ("dc-soc1", "dc-soc1")
    assert event.text("message").endswith(f"(usual: {SILENT_AFTER_S} s at most)")
    assert collecting.stop() == 0
    assert collecting.stats()["balances"]
    records, _ = SpoolReader(collecting.data / "spool/platform").read(0)
    assert len({json.dumps(json.loads(r.raw)) for r in records}) == len(records)
