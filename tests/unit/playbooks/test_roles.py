"""The roles as text: what a reader and Ansible can tell without a machine."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from infra.ansible import env_of

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOKS = ROOT / "playbooks"
ROLES = sorted(p.name for p in (PLAYBOOKS / "roles").iterdir())
BUILT_IN = re.compile(r"^\s+(?:- )?(ansible\.builtin\.[a-z_]+|settle):", re.MULTILINE)
KEYWORDS = {
    "name",
    "when",
    "loop",
    "loop_control",
    "tags",
    "register",
    "changed_when",
    "failed_when",
    "check_mode",
    "no_log",
}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_states_its_variables(role: str) -> None:
    specification = yaml.safe_load((PLAYBOOKS / "roles" / role / "meta/argument_specs.yml").read_text())
    main = specification["argument_specs"]["main"]
    assert main["short_description"]
    defaults = PLAYBOOKS / "roles" / role / "defaults/main.yml"
    declared = yaml.safe_load(defaults.read_text()) if defaults.exists() else {}
    public = {name for name in declared if not name.startswith("host_")}
    assert public <= set(main["options"])


@pytest.mark.parametrize("role", ROLES)
def test_a_role_uses_what_comes_with_ansible_core_or_settle(role: str) -> None:
    for task in yaml.safe_load((PLAYBOOKS / "roles" / role / "tasks/main.yml").read_text()):
        modules = set(task) - KEYWORDS
        assert len(modules) == 1
        assert modules.pop().startswith(("ansible.builtin.", "settle"))


def test_secrets_are_written_only_by_role_host() -> None:
    """Role host is never baked, so an image holds no secret."""
    users = [
        p.relative_to(PLAYBOOKS).parts[1] for p in (PLAYBOOKS / "roles").rglob("*.*") if "secrets." in p.read_text()
    ]
    assert set(users) == {"host"}


def test_the_base_has_every_package_the_roles_ask_for() -> None:
    """A lab has no archive to install from: what is missing in the base is missing for good."""
    lines = (PLAYBOOKS / "base-packages.txt").read_text().splitlines()
    base = {line.partition("#")[0].strip() for line in lines}
    for file in (PLAYBOOKS / "roles").glob("*/vars/debian.yml"):
        for name, value in yaml.safe_load(file.read_text()).items():
            if name.endswith("_packages"):
                assert set(value) <= base, file


def test_the_playbook_parses_in_any_locale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    hosts = tmp_path / "hosts.yml"
    hosts.write_text("router: {hosts: {r1: {}}}\n")
    done = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(hosts), "--syntax-check", "site.yml"],
        cwd=PLAYBOOKS,
        env=env_of(tmp_path, ROOT / "inventory/provinces/lab") | {"ANSIBLE_LOCAL_TEMP": str(tmp_path / "tmp")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
