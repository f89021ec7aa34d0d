"""Commands on machines of the lab, over the derived `ssh_config`."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from inventory.errors import OpsError
from network.ssh_config import ssh_config_of


class MachineError(OpsError):
    """A command on a machine could not be run or failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machines:
    """The lab of one data directory."""

    data_dir: Path

    def run(
        self, device: str, *command: str, timeout_s: float = 30, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run `command` (an argument list) on `device` as the automation account, and wait.

        Raises NetworkError without a lab of ours, MachineError when ssh cannot reach the machine, on time-out, and
        with `check` on a non-zero exit.
        """
        config = ssh_config_of(self.data_dir)
        remote = [
            "ssh",
            "-F",
            str(config),
            "-o",
            "BatchMode=yes",
            "-o",
            "ConnectTimeout=5",
            device,
            shlex.join(command),
        ]
        try:
            done = subprocess.run(remote, capture_output=True, text=True, timeout=timeout_s, check=False)
        except subprocess.TimeoutExpired as error:
            raise MachineError(
                f"{device} did not finish within {timeout_s:.0f} s: {shlex.join(command)}", where=device
            ) from error
        if done.returncode == 255:  # ssh's own failures
            raise MachineError(
                f"cannot reach {device}: {done.stderr.strip()}", where=device, fix="canh lab status, then canh lab up"
            )
        if check and done.returncode != 0:
            raise MachineError(
                f"exit {done.returncode} from {shlex.join(command)}: {done.stderr.strip() or done.stdout.strip()}",
                where=device,
            )
        return done
