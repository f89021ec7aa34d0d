"""What `canh lab up` does once the machines are there, in order: one entry a step.

Each step is a function of the context and a progress function, repeatable, and raises OpsError.
A part of the platform that needs something done on a fresh lab adds its entry here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from canh.context import Context

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabStep:
    title: str
    run: Callable[[Context, Progress], None]


def configure_hosts(ctx: Context, progress: Progress) -> None:
    """What makes each host itself, by Ansible: the few tasks its image cannot hold."""
    from infra import ansible

    ansible.play("host", ansible.PLAYBOOKS / "inventory.py", ctx.data_dir, ctx.province_dir, progress)


STEPS: tuple[LabStep, ...] = (LabStep(title="hosts", run=configure_hosts),)
