#!/usr/bin/python
"""Bring files and units of one machine to what they should be, in one round trip.

A role that writes six files and restarts three services is nine trips to the machine with
the built-in modules; thirteen machines on two cores then take minutes. This module takes all
of them at once: each file is checked by its own program before it replaces the old one, and
a unit is restarted only when a file of it changed. It runs on the machine, so it is plain
Python with nothing of ours imported.
"""

from __future__ import annotations

import grp
import os
import pwd
import re
import subprocess
import tempfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: settle
short_description: files, and the units that read them, in one round trip
options:
  files: {description: what must be there, type: list, elements: dict}
  absent: {description: paths that must not exist, type: list, elements: path}
  enabled: {description: units that start at boot, type: list, elements: str}
  masked: {description: units that never start, type: list, elements: str}
  started: {description: units that run now, type: list, elements: str}
  without_users: {description: accounts that must not exist, type: list, elements: str}
  passwords: {description: the password each account has, type: list, elements: dict}
  act: {description: restart and start units; false in an image being made, type: bool}
"""

FILE = {
    "path": {"type": "path", "required": True},
    "content": {"type": "str", "required": True, "no_log": True},  # some hold secrets, and no log needs the others
    "mode": {"type": "str", "default": "0644"},
    "owner": {"type": "str", "default": "root"},
    "group": {"type": "str", "default": "root"},
    "check": {"type": "list", "elements": "str", "default": []},  # argv; %s is the new file
    "restart": {"type": "list", "elements": "str", "default": []},
    "reload": {"type": "list", "elements": "str", "default": []},
    "unless": {"type": "str", "default": ""},  # a file in which this pattern is found is somebody else's by now
}
PASSWORD = {"user": {"type": "str", "required": True}, "password": {"type": "str", "required": True, "no_log": True}}
ARGUMENTS = {
    "files": {"type": "list", "elements": "dict", "options": FILE, "default": []},
    "absent": {"type": "list", "elements": "path", "default": []},
    "enabled": {"type": "list", "elements": "str", "default": []},
    "masked": {"type": "list", "elements": "str", "default": []},
    "started": {"type": "list", "elements": "str", "default": []},
    "without_users": {"type": "list", "elements": "str", "default": []},
    "passwords": {"type": "list", "elements": "dict", "options": PASSWORD, "default": []},
    "act": {"type": "bool", "default": True},
}
PENDING = Path("/run/canh-settle")  # a unit named here has not yet read its new files


class Refused(Exception):
    """A file its own program does not accept; nothing was replaced."""


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    wanted = module.params
    try:
        stale = [f for f in wanted["files"] if is_stale(f)]
        gone = [p for p in wanted["absent"] if os.path.lexists(p)]
        for file in stale:
            check(file)
        present = {account.pw_name for account in pwd.getpwall()}
        unwanted = [u for u in wanted["without_users"] if u in present]
        strangers = [p for p in wanted["passwords"] if not has_password(**p)]
        if not module.check_mode:
            note_pending(stale)
            for file in stale:
                place(file)
            for path in gone:
                Path(path).unlink()
            for user in unwanted:
                subprocess.run(["userdel", user], capture_output=True, text=True, check=True)
            for account in strangers:
                set_password(**account)
        units = settle_units(wanted, stale, dry=module.check_mode)
    except (Refused, OSError, KeyError, subprocess.SubprocessError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=bool(stale or gone or unwanted or strangers or units),
        written=[f["path"] for f in stale],
        removed=gone + unwanted,
        passwords=[p["user"] for p in strangers],
        units=units,
    )


def is_stale(file: dict) -> bool:
    """Whether the file must be written: content, mode or owner differ from what is asked."""
    path = Path(file["path"])
    try:
        status, content = path.stat(), path.read_bytes()
    except FileNotFoundError:
        return True
    if file["unless"] and re.search(file["unless"].encode(), content, re.MULTILINE):
        return False
    owner = (pwd.getpwnam(file["owner"]).pw_uid, grp.getgrnam(file["group"]).gr_gid)
    as_asked = (status.st_uid, status.st_gid) == owner and status.st_mode & 0o7777 == int(file["mode"], 8)
    return not as_asked or content != file["content"].encode()


def check(file: dict) -> None:
    """Let the program that will read the file say whether it can."""
    if not file["check"]:
        return
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / Path(file["path"]).name
        trial.write_text(file["content"], encoding="utf-8")
        result = subprocess.run(
            [word.replace("%s", str(trial)) for word in file["check"]], capture_output=True, text=True, check=False
        )
    if result.returncode != 0:
        raise Refused(f"{file['path']} is refused by {file['check'][0]}: {(result.stderr or result.stdout).strip()}")


def place(file: dict) -> None:
    """Replace the file in one step: a reader sees the old or the new one."""
    path = Path(file["path"])
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "wb") as new:
        os.fchown(handle, pwd.getpwnam(file["owner"]).pw_uid, grp.getgrnam(file["group"]).gr_gid)
        os.fchmod(handle, int(file["mode"], 8))
        new.write(file["content"].encode())
        new.flush()
        os.fsync(handle)
    Path(name).replace(path)


def note_pending(files: list[dict]) -> None:
    """Remember what must be restarted before any file changes: a play cut here is finished by the next one."""
    for file in files:
        for kind in ("restart", "reload"):
            for unit in file[kind]:
                PENDING.mkdir(exist_ok=True)
                (PENDING / f"{kind}:{unit}").touch()


def has_password(user: str, password: str) -> bool:
    """Whether the stored hash, whatever its salt, is of this password."""
    shadow = [line.split(":") for line in Path("/etc/shadow").read_text(encoding="utf-8").splitlines()]
    stored = next((fields[1] for fields in shadow if fields[0] == user), "")
    words = stored.split("$")
    return len(words) == 4 and words[1] == "6" and hashed(password, "-salt", words[2]) == stored


def set_password(user: str, password: str) -> None:
    """Store a new hash. The password goes through pipes: arguments are everybody's to read."""
    subprocess.run(["chpasswd", "-e"], input=f"{user}:{hashed(password)}\n", capture_output=True, text=True, check=True)


def hashed(password: str, *salt: str) -> str:
    """SHA-512 crypt, with a new random salt when none is given."""
    command = ["openssl", "passwd", "-6", *salt, "-stdin"]
    return subprocess.run(command, input=password + "\n", capture_output=True, text=True, check=True).stdout.strip()


def settle_units(wanted: dict, stale: list[dict], *, dry: bool) -> list[str]:
    """Mask, enable, restart and start what is not so yet. Returns "verb unit" for each change."""
    changes = [
        f"mask {u}" for u, state in states("is-enabled", wanted["masked"]) if state not in ("masked", "not-found")
    ]
    changes += [f"enable {u}" for u, state in states("is-enabled", wanted["enabled"]) if state != "enabled"]
    if not wanted["act"]:
        return apply(changes, dry=dry)
    if any(f["path"].startswith("/etc/systemd/system/") for f in stale):
        changes.append("daemon-reload")
    mentioned = dict.fromkeys((k, u) for f in wanted["files"] for k in ("restart", "reload") for u in f[k])
    due = [(k, u) for k, u in mentioned if (PENDING / f"{k}:{u}").exists() or any(u in f[k] for f in stale)]
    restarted = [u for k, u in due if k == "restart"]
    reloaded = [u for k, u in due if k == "reload" and u not in restarted]
    # The packet filter reloads before what talks through it starts anew.
    changes += [f"reload-or-restart {u}" for u in reloaded] + [f"restart {u}" for u in restarted]
    running = dict(states("is-active", [u for u in wanted["started"] if u not in (*restarted, *reloaded)]))
    changes += [f"start {u}" for u, state in running.items() if state != "active"]
    return apply(changes, dry=dry)


def states(question: str, units: list[str]) -> list[tuple[str, str]]:
    """What systemctl answers for each unit; "not-found" for one it does not know."""
    if not units:
        return []
    answers = subprocess.run(["systemctl", question, *units], capture_output=True, text=True, check=False)
    lines = answers.stdout.split()
    if len(lines) == len(units):
        return list(zip(units, lines, strict=True))
    # An unknown unit gives no line: ask one by one.
    return [(u, states(question, [u])[0][1] if len(units) > 1 else "not-found") for u in units]


def apply(changes: list[str], *, dry: bool) -> list[str]:
    for change in changes if not dry else []:
        done = subprocess.run(["systemctl", *change.split()], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Refused(f"systemctl {change}: {done.stderr.strip()}")
        for kind in ("restart", "reload"):
            (PENDING / f"{kind}:{change.partition(' ')[2]}").unlink(missing_ok=True)
    return changes


if __name__ == "__main__":
    main()
