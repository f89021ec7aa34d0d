"""vCenter: `Event [id] [1-1] [time] [vim.event.X] [level] [user] [datacenter] [chain] [text]`, SSO's JSON, daemons."""

from __future__ import annotations

import json
import re
from typing import Any

from monitoring.event import Value
from monitoring.parsers import Line, put
from monitoring.parsers._infer import infer
from monitoring.parsers.generic_text.parser import add_words

_EVENT = re.compile(
    r"Event \[(\d{1,20})\] \[\d+-\d+\] \[([^\]]{1,40})\] \[([\w.]{1,255})\] \[(\w{0,16})\] \[([^\]]{0,255})\] "
    r"\[([^\]]{0,255})\] \[\d{0,20}\] \[(.*)\]?\Z",
    re.DOTALL,
)
_LOGIN = re.compile(r"(?:User|login) (\S{1,255})@([0-9A-Fa-f.:]{2,45}) logged (in|out)")
_CANNOT = re.compile(r"Cannot login (?:user )?([^\s\]]{1,255}?)(?:@([0-9A-Fa-f.:]{2,45}))?(?::|\s|\]|\Z)")
_DAEMON = re.compile(
    r"(?:(\d{4}-\d\d-\d\dT\S{8,24}) )?(info|warning|error|verbose|trivia|panic) ([\w.-]{1,32})\[(\d{1,10})\] "
    r"\[Originator@6876 sub=([^\s\]]{1,128})[^\]]{0,255}\] ?(.*)",
    re.DOTALL,
)
_JSON = re.compile(r"\{\"user\":.*\}")
_ON = re.compile(r"(?:\bon|host) ((?:\d{1,3}\.){3}\d{1,3}|[\w-]{1,63}(?:\.[\w-]{1,63}){1,8})(?: in |\s|\Z)")
_VM_ON = re.compile(r"\A([^\[\]]{1,128}?) on {1,2}\S{1,255} in .{1,255}? is (?:powered|starting|being)")
_VM = re.compile(r"(?:[Vv]irtual machine|Powering (?:on|off)|Creating|Removed) ([^\s\[\]]{1,128})")
_ACTIONS = {  # action, category, type
    "VmPoweredOnEvent": ("vm-powered-on", "host", "change"),
    "VmPoweredOffEvent": ("vm-powered-off", "host", "change"),
    "VmRemovedEvent": ("vm-deleted", "host", "change"),
    "VmClonedEvent": ("vm-cloned", "host", "change"),
    "VmCreatedEvent": ("vm-created", "host", "change"),
    "esx.audit.ssh.enabled": ("host-service-started", "configuration", "change"),
    "esx.audit.shell.enabled": ("host-service-started", "configuration", "change"),
    "esx.audit.lockdownmode.disabled": ("lockdown-disabled", "configuration", "change"),
    "HostShellEnabledEvent": ("host-service-started", "host", "change"),
    "PermissionAddedEvent": ("user-role-changed", "iam", "admin"),
    "PermissionUpdatedEvent": ("user-role-changed", "iam", "admin"),
    "PermissionRemovedEvent": ("user-role-changed", "iam", "admin"),
    "AccountCreatedEvent": ("user-created", "iam", "creation"),
    "AccountRemovedEvent": ("user-deleted", "iam", "deletion"),
    "DatastoreFileDownloadEvent": ("datastore-download", "file", "access"),
}
_TASKS = {  # what a person asked for: "Task: Remove all snapshots"
    "Remove snapshot": "snapshot-removed",
    "Remove all snapshots": "snapshot-removed",
    "Revert to snapshot": "snapshot-reverted",
    "Revert to current snapshot": "snapshot-reverted",
    "Export OVF template": "vm-exported",
    "Delete virtual machine": "vm-deleted",
}
_AUTH: dict[str, Value] = {"event.action": "login", "event.category": ("authentication",), "event.type": ("start",)}
_OUT: dict[str, Value] = {
    "event.action": "logout",
    "event.category": ("authentication", "session"),
    "event.type": ("end",),
}


def parse(line: Line) -> dict[str, Value] | None:
    """What vCenter tells; None for a line that is not its own."""
    if line.document is not None:
        return _sign_on(dict(line.document))
    event = _EVENT.search(line.text)
    if event is not None:
        return _event(event)
    told = _JSON.search(line.text) if "com.vmware.sso" in line.text else None
    if told is not None:
        try:
            return _sign_on(json.loads(told[0]))
        except ValueError:
            pass
    fields: dict[str, Value] = {}
    daemon = _DAEMON.match(line.text)
    text = line.text
    if daemon is not None:
        when, level, name, pid, logger, text = daemon.groups()
        put(fields, "@timestamp", when)
        fields |= {
            "log.level": level,
            "process.name": name,
            "process.pid": int(pid),
            "log.logger": logger,
            "message": text,
        }
    _add_login(fields, text)
    add_words(fields, text)
    return fields


def _event(match: re.Match[str]) -> dict[str, Value]:
    number, when, name, level, user, datacenter, text = match.groups()
    fields: dict[str, Value] = {
        "@timestamp": when,
        "event.code": name,
        "log.level": level,
        "canh.vmware.event_id": number,
    }
    put(fields, "user.name", user)
    put(fields, "canh.vmware.datacenter", datacenter)
    fields["message"] = text.removesuffix("]")
    _add_login(fields, text)
    known = _ACTIONS.get(name) or _ACTIONS.get(name.rpartition(".")[2])
    task = _TASKS.get(text.removesuffix("]").removeprefix("Task: ").strip())
    if task is not None:
        known = (task, "host", "change")
    if known is not None:
        fields |= {"event.action": known[0], "event.category": (known[1],), "event.type": (known[2],)}
    if name.endswith("BadUsernameSessionEvent"):
        fields |= _AUTH | {"event.outcome": "failure"}
    vm, host = _VM_ON.match(text) or _VM.search(text), _ON.search(text)
    if vm is not None:
        fields["canh.vm.name"] = vm[1]
    if host is not None:
        fields["canh.vmware.host"] = host[1]
    add_words(fields, text)
    return fields


def _add_login(fields: dict[str, Value], text: str) -> None:
    login = _LOGIN.search(text)
    if login is not None:
        put(fields, "user.name", login[1])
        put(fields, "source.ip", login[2])
        fields |= _AUTH | {"event.outcome": "success"} if login[3] == "in" else _OUT
        return
    cannot = _CANNOT.search(text)
    if cannot is not None:
        put(fields, "user.name", cannot[1])
        put(fields, "source.ip", cannot[2])
        fields |= _AUTH | {"event.outcome": "failure"}


def _sign_on(document: dict[str, Any]) -> dict[str, Value]:
    fields: dict[str, Value] = {}
    for key, name in (("user", "user.name"), ("client", "source.ip"), ("timestamp", "@timestamp"),
                      ("description", "message"), ("type", "event.code")):  # fmt: skip
        put(fields, name, document.get(key))
    kind = str(document.get("type", ""))
    if "Login" in kind:
        fields |= _AUTH | {"event.outcome": "failure" if "Failure" in kind else "success"}
    elif "Logout" in kind:
        fields |= _OUT
    else:
        infer(fields, str(document.get("description", "")))
    return fields
