"""Takes observations: from machines over one ssh session each, from the platform by looking at it.

The edge of this package. A machine that does not answer, a command that fails and an observer that
raises each give an `Observation` with `error`, which can satisfy no control.
"""

from __future__ import annotations

import re
import secrets
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from compliance.collectors import collectors
from compliance.model import Control, Observation
from inventory.errors import OpsError
from inventory.model import Device, Province
from network.ssh_config import ssh_config_of

PARALLEL = 8
TIMEOUT_S = 60.0
# A machine that freezes in the middle of a session is given up after 15 s; one that is only slow still answers.
_OPTIONS = ("BatchMode=yes", "ConnectTimeout=5", "ServerAliveInterval=5", "ServerAliveCountMax=3")
_BEGIN, _END = "\x1e", "\x1f"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What an audit looks at."""

    province: Province
    data_dir: Path
    run_id: str


class MachineCollector(Protocol):
    def command(self, scene: Scene, device: Device) -> str: ...


def gather(scene: Scene, controls: Sequence[Control], say: Callable[[str], None]) -> tuple[Observation, ...]:
    """One observation for each collector and asset that some control needs, machines first.

    say: receives a line of progress for each machine and each part of the platform.
    """
    wanted = _wanted(scene.province, controls)
    taken: list[Observation] = []
    with ThreadPoolExecutor(PARALLEL) as pool:
        machines = [(scene.province.devices[name], names) for name, names in wanted.items()]
        for observations in pool.map(lambda m: _on_machine(scene, m[0], m[1]), machines):
            taken.extend(observations)
            failed = sum(bool(o.error) for o in observations)
            say(f"{observations[0].asset}: {len(observations)} collectors" + (f", {failed} failed" if failed else ""))
        # After the machines: `arrival` looks for what `canary` wrote on them.
        platform = sorted({n for c in controls for n in c.collectors if hasattr(collectors()[n], "observe")})
        for name, observations in zip(platform, pool.map(lambda n: _observed(scene, n), platform), strict=True):
            taken.extend(observations)
            say(f"platform: {name}" + (", failed" if observations[0].error else ""))
    return tuple(taken)


def _wanted(province: Province, controls: Sequence[Control]) -> dict[str, list[str]]:
    """The machine collectors each device needs, in a fixed order."""
    wanted: dict[str, list[str]] = {}
    for device in province.devices.values():
        names = {n for c in controls if device.role in c.roles for n in c.collectors}
        on_machine = sorted(n for n in names if not hasattr(collectors()[n], "observe"))
        if on_machine:
            wanted[device.name] = on_machine
    return wanted


def _on_machine(scene: Scene, device: Device, names: Sequence[str]) -> list[Observation]:
    now = datetime.now(UTC)
    nonce = secrets.token_hex(8)  # nothing on the machine can print marks it cannot guess
    script = "\n".join(_framed(name, _command(name, scene, device), nonce) for name in names)
    try:
        output = _ssh(scene.data_dir, device.name, script)
    except (OSError, subprocess.SubprocessError, OpsError) as error:
        return [
            Observation(asset=device.name, collector=n, taken_at=now, error=f"no answer: {_first_line(error)}")
            for n in names
        ]
    found = dict(_parts(output, nonce))
    return [_observation(device.name, name, now, found.get(name)) for name in names]


def _command(name: str, scene: Scene, device: Device) -> str:
    module = collectors()[name]
    constant: str | None = getattr(module, "COMMAND", None)
    if constant is not None:
        return constant
    built: str = module.command(scene, device)  # type: ignore[attr-defined]  # a MachineCollector
    return built


def _framed(name: str, command: str, nonce: str) -> str:
    """The command between marks, so that many share one session; its exit code stands in the end mark."""
    return f"printf '{_BEGIN}{nonce}%s\\n' {name}\n(\n{command}\n) 2>&1\nprintf '\\n{_END}{nonce}%s\\n' $?"


def _parts(output: str, nonce: str) -> Iterator[tuple[str, tuple[int, str]]]:
    for part in output.split(f"{_BEGIN}{nonce}")[1:]:
        name, _, rest = part.partition("\n")
        body, mark, code = rest.rpartition(f"\n{_END}{nonce}")
        if mark and re.fullmatch(r"[0-9]{1,3}", code.strip()):
            yield name, (int(code), body)


def _observation(asset: str, name: str, at: datetime, found: tuple[int, str] | None) -> Observation:
    if found is None:
        return Observation(asset=asset, collector=name, taken_at=at, error="the session ended before this collector")
    code, output = found
    error = f"exit {code}: {_first_line(output)}" if code else ""
    return Observation(asset=asset, collector=name, taken_at=at, output=output, error=error)


def _ssh(data_dir: Path, device: str, script: str) -> str:
    config = ssh_config_of(data_dir)
    options = [word for option in _OPTIONS for word in ("-o", option)]
    command = ["ssh", "-F", str(config), *options, device, "sudo", "sh", "-s"]
    try:
        done = subprocess.run(
            command, input=script, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, errors="replace"
        )
    except subprocess.TimeoutExpired as error:
        raise OpsError(f"not done within {TIMEOUT_S:.0f} s") from error
    if done.returncode == 255 or _BEGIN not in done.stdout:
        raise OpsError(done.stderr.strip() or f"ssh ended with {done.returncode}")
    return done.stdout


def _observed(scene: Scene, name: str) -> list[Observation]:
    """Observations of a platform collector: one an asset, or one error for all of the platform."""
    observe: Callable[[Scene], Mapping[str, str]] = collectors()[name].observe  # type: ignore[attr-defined]
    now = datetime.now(UTC)
    try:
        return [Observation(asset=a, collector=name, taken_at=now, output=text) for a, text in observe(scene).items()]
    except Exception as error:  # whatever went wrong is the finding: this part of the platform gave no data
        return [
            Observation(asset="", collector=name, taken_at=now, error=f"{type(error).__name__}: {_first_line(error)}")
        ]


def _first_line(text: object) -> str:
    return (str(text).strip().splitlines() or [""])[0][:200]
