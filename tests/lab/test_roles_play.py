"""The play itself: a second run changes nothing, a changed machine is brought back, an error is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.lab.role_hosts import DATA, PROVINCE_DIR, ROOT, lines, machine, names, require_lab

PLAYBOOKS = ROOT / "playbooks"


def _play(*arguments: str) -> dict[str, Any]:
    """The statistics of a run over the lab, by host, as Ansible's JSON callback gives them."""
    require_lab()
    with tempfile.TemporaryDirectory(prefix="canh-play-") as sockets:
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(PLAYBOOKS / "ansible.cfg"),
            "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": sockets,
            "CANH_DATA": str(DATA),
            "CANH_PROVINCE": str(PROVINCE_DIR),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        }
        done = subprocess.run(
            [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "inventory.py", "site.yml", *arguments],
            cwd=PLAYBOOKS,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    recap = done.stdout.rpartition("PLAY RECAP")[2]
    rows = [line.split(" : ") for line in recap.splitlines() if " : ok=" in line]
    statistics = {host.strip(): dict(p.split("=") for p in counts.split()) for host, counts in rows}
    assert statistics, done.stdout[-3000:] + done.stderr[-1000:]
    return statistics


@pytest.mark.timeout(420)
def test_a_second_full_play_changes_nothing() -> None:
    statistics = _play()
    assert set(statistics) == set(names())
    bad = {h: s for h, s in statistics.items() if int(s["changed"]) or int(s["failed"]) or int(s["unreachable"])}
    assert bad == {}, json.dumps(bad, indent=1)


def test_a_rule_somebody_removed_is_back_after_the_play() -> None:
    lines("tx-pc1", "sed -i s/policy.drop/policy\\ accept/ /etc/nftables.conf")
    lines("tx-pc1", "systemctl reload nftables")
    assert "policy accept" in machine("tx-pc1").check_output("nft list chain inet canh input")
    assert _play("--tags", "host", "--limit", "tx-pc1")["tx-pc1"]["changed"] == "1"
    assert "policy drop" in machine("tx-pc1").check_output("nft list chain inet canh input")
    assert _play("--tags", "host", "--limit", "tx-pc1")["tx-pc1"]["changed"] == "0"


def test_a_stopped_service_runs_again_after_the_play() -> None:
    lines("tx-pc1", "systemctl stop rsyslog snmpd")
    assert _play("--tags", "host", "--limit", "tx-pc1")["tx-pc1"]["changed"] == "1"
    assert lines("tx-pc1", "systemctl is-active rsyslog snmpd") == ["active", "active"]
