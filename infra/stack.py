"""Runs the Pulumi engine for a lab: its environment, its stack, its output as progress.

State lives in the data directory on the file backend, encrypted by a generated passphrase. Checkpoints
during an update are skipped (they are quadratic in resources); what that loses on a kill is made good
by resources that adopt what exists, and by `sweep`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

from infra.errors import LabBusy, StackFailed
from infra.keys import ensure_passphrase
from infra.process import is_alive, name_of

INFRA = Path(__file__).resolve().parent
APP = INFRA.parent
DONE_WORDS = (" created", " updated", " deleted", " replaced", " failed")
NOISE = ("pulumi:pulumi:Stack (", "warning: using pulumi-resource-canh from $PATH", "error: update failed")
BEGUN_WORDS = (" creating", " updating", " replacing")  # of machines only: a link takes no time to wait for


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """The stack of one lab: `tools` is the folder of the engine."""

    lab: str
    province_dir: Path
    data_dir: Path
    tools: Path

    @property
    def state_dir(self) -> Path:
        return self.data_dir / "lab/pulumi"

    @property
    def project_dir(self) -> Path:
        """Where the engine works: our program, and the stack's settings, which belong beside the state."""
        return self.state_dir / "project"

    @property
    def log_file(self) -> Path:
        return self.state_dir / "last.log"

    def env(self) -> dict[str, str]:
        """Environment in which `pulumi` finds its backend, its plugin and this interpreter."""
        path = [str(self.tools), str(INFRA / "provider"), str(Path(sys.executable).parent), os.environ.get("PATH", "")]
        return {
            **os.environ,
            "PATH": os.pathsep.join(path),
            "PULUMI_BACKEND_URL": f"file://{self.state_dir}",
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(ensure_passphrase(self.data_dir)),
            "PULUMI_HOME": str(self.state_dir / "home"),
            "PULUMI_SKIP_UPDATE_CHECK": "1",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_EXPERIMENTAL": "true",
            "PULUMI_SKIP_CHECKPOINTS": "true",
            "PULUMI_AUTOMATION_API_SKIP_VERSION_CHECK": "true",
            "PYTHONPATH": str(APP),
        }

    def exists(self) -> bool:
        """Whether the backend has state of this stack."""
        return (self.state_dir / f".pulumi/stacks/canh/{self.lab}.json").exists()

    def up(self, progress: Callable[[str], None], lock: int) -> None:
        """Make the lab as the inventory says, after looking at what is really there."""
        self.free_stale_lock(progress)
        self.write_project()
        if not self.exists():
            self.run(["stack", "init", self.lab, "--no-select"], progress, lock)
        config = ["--config", f"canh:province={self.province_dir}", "--config", f"canh:data={self.data_dir}"]
        self.run(["up", "--yes", "--skip-preview", "--refresh", *config, *self.options()], progress, lock)

    def destroy(self, progress: Callable[[str], None], lock: int) -> None:
        """Take away everything the state knows of; nothing when there is no state."""
        if self.exists():
            self.free_stale_lock(progress)
            self.write_project()
            self.run(["destroy", "--yes", "--skip-preview", *self.options()], progress, lock)

    def run(self, words: list[str], progress: Callable[[str], None], lock: int) -> None:
        """Run `pulumi` and tell what it does. Raises StackFailed with what it said."""
        env = self.env()
        # --pdeathsig: an engine whose `canh` was killed must not work on alone.
        command = ["setpriv", "--pdeathsig", "KILL", str(self.tools / "pulumi"), "--non-interactive", *words]
        with (
            self.log_file.open("w") as log,
            subprocess.Popen(
                command, cwd=self.project_dir, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                stdin=subprocess.DEVNULL, pass_fds=(lock,), errors="replace",
            ) as engine,
        ):  # fmt: skip
            assert engine.stdout is not None
            for line in engine.stdout:
                log.write(line)
                log.flush()
                if (told := told_of(line)) is not None:
                    progress(told)
        if engine.returncode != 0:
            raise StackFailed(
                f"pulumi {words[0]} failed\n{diagnostics_of(self.log_file.read_text())}",
                where=self.log_file,
                fix="remove the cause and run `canh lab up` again; what is already there is kept",
            )

    def options(self) -> list[str]:
        return ["--stack", self.lab, "--color", "never"]

    def write_project(self) -> None:
        """infra/Pulumi.yaml for this lab. `pulumi` writes settings beside its project; the checkout stays as it is."""
        project = yaml.safe_load((INFRA / "Pulumi.yaml").read_text())
        project["runtime"]["options"]["virtualenv"] = sys.prefix
        self.project_dir.mkdir(parents=True, exist_ok=True)
        program = self.project_dir / "program"
        if not program.is_symlink() or program.resolve() != INFRA / "program":
            program.unlink(missing_ok=True)
            program.symlink_to(INFRA / "program")
        (self.project_dir / "Pulumi.yaml").write_text(yaml.safe_dump(project))

    def free_stale_lock(self, progress: Callable[[str], None]) -> None:
        """Cancel locks of the stack whose owner is dead. We hold the lab, so a live one is someone's own `pulumi`."""
        for file in (self.state_dir / ".pulumi/locks").rglob("*.json"):
            if self.lab not in file.parts:
                continue
            owner = _lock_owner(file)
            if owner is not None and is_alive(owner) and name_of(owner) == "pulumi":
                raise LabBusy(
                    f"a pulumi command (process {owner}) is at work on stack {self.lab}",
                    where=file,
                    fix="wait for it to end",
                )
            progress(f"freeing the stack: process {owner}, which held it, is dead")
            file.unlink(missing_ok=True)


def library_dir() -> Path:
    """Folder of the Python libraries this interpreter uses."""
    return Path(sysconfig.get_path("purelib"))


def told_of(line: str) -> str | None:
    """What a line of pulumi's output says about one of our resources, None when it says nothing new."""
    words = line.partition(" [diff")[0].split()
    told = (*DONE_WORDS, *BEGUN_WORDS) if "canh:lab:Machine" in line else DONE_WORDS
    if "canh:lab:" not in line or not any(word in line for word in told):
        return None
    start = next(i for i, word in enumerate(words) if word.startswith("canh:lab:"))
    kind = words[start].rpartition(":")[2].lower()
    return " ".join([kind, *words[start + 1 :]])


def diagnostics_of(output: str) -> str:
    """The part of pulumi's output that says what went wrong; all of it when there is no such part."""
    _, found, rest = output.partition("\nDiagnostics:\n")
    if not found:
        return output.strip()[-2000:]
    part = re.split(r"\n(?:Outputs|Resources|Duration):", rest)[0]
    kept = (line for line in part.splitlines() if line.strip() and not any(noise in line for noise in NOISE))
    return "\n".join(kept)[-2000:]


def _lock_owner(file: Path) -> int | None:
    try:
        return int(json.loads(file.read_text())["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
