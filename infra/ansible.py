"""Runs `playbooks/site.yml` over a lab's own ssh_config and tells which task it is at."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.errors import LabError
from network.ssh_config import ssh_config_of

PLAYBOOKS = Path(__file__).resolve().parent.parent / "playbooks"


class PlayFailed(LabError):
    """Ansible could not configure every host."""


def play(tag: str, inventory: Path, data_dir: Path, province_dir: Path, progress: Callable[[str], None]) -> None:
    """Play the tasks tagged `tag` ("bake" or "host") on the hosts of `inventory`. Raises PlayFailed."""
    command = [
        *("setpriv", "--pdeathsig", "TERM", str(Path(sys.executable).parent / "ansible-playbook")),
        *("--inventory", str(inventory), "--tags", tag, str(PLAYBOOKS / "site.yml")),
        f"--ssh-common-args=-F {ssh_config_of(data_dir)}",
    ]
    log = data_dir / f"lab/ansible-{tag}.log"
    with (
        log.open("w") as out,
        # Shared connections are found by host name alone, and another lab's machines have the same names.
        TemporaryDirectory(prefix="canh-cp-", dir="/run") as connections,
        subprocess.Popen(
            command, cwd=PLAYBOOKS, stdin=subprocess.DEVNULL,
            env=env_of(data_dir, province_dir) | {"ANSIBLE_SSH_CONTROL_PATH_DIR": connections},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        ) as running,
    ):  # fmt: skip
        assert running.stdout is not None
        for line in running.stdout:
            out.write(line)
            if line.startswith("TASK ["):
                progress(f"ansible: {line[6:].partition(']')[0]}")
    if running.returncode != 0:
        said = log.read_text().splitlines()
        failed = [line for line in said if any(word in line for word in ("fatal:", "ERROR", "FAILED"))]
        raise PlayFailed(
            f"ansible-playbook --tags {tag} failed:\n" + "\n".join(failed[-5:] or said[-15:]),
            where=log,
            fix="remove the cause and run `canh lab up` again",
        )


def env_of(data_dir: Path, province_dir: Path) -> dict[str, str]:
    """Environment in which Ansible finds its configuration, and the derived inventory its sources."""
    return {
        **os.environ,
        "ANSIBLE_CONFIG": str(PLAYBOOKS / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
        "LC_ALL": "C.UTF-8",  # Ansible runs in no other locale, a shell may have one
        "CANH_DATA": str(data_dir),
        "CANH_PROVINCE": str(province_dir),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
    }
