"""Records of the audit system: `type=X msg=audit(epoch:serial): key=value ... msg='op=... acct="u" res=success'`.

A value without quotes may be hexadecimal (a command line, a path with spaces): it is read. Behind an octet 29 stand
the names that auditd looked up for the numbers. What a type tells is in types.yaml.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from monitoring.event import Value
from monitoring.parsers import Line, ip_text, outcome_of, put
from monitoring.parsers._fields import NOTHING

_HEAD = re.compile(
    r"(?:.{0,256}?\bnode=(?P<node>\S{1,255}) )?.{0,256}?(?:\btype=(?P<type>\S{1,64})|(?<![\w=])"
    r"(?P<bare>[A-Z][A-Z_]{3,40})) "
    r"(?:msg=)?audit\((?P<when>[^()]{1,40}):(?P<serial>\d{1,12})\) ?: ?",
    re.DOTALL,
)
_BARE = re.compile(
    r"(?P<bare>[A-Z][A-Z0-9_]{2,40}) (?=\w{1,32}=)"
)  # systemd's journal: `audit[1]: USER_AUTH pid=7 uid=0`
_PAIR = re.compile(r"([A-Za-z][\w-]{0,63})=(\"[^\"]*\"|'[^']*'|\{[^}]*\}|[^\s,]+)")
_INNER = re.compile(r"\bmsg='([^']*)'?")
_AVC = re.compile(r"avc: {1,4}(denied|granted) {1,4}\{ ?([^}]{1,128}?) ?\}")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+\Z")
# Which argument of a call holds its flags, and the flags that write: O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_APPEND.
_FLAGS = {
    name: re.compile(rf'\ba{at}="?(?:0x)?([0-9a-fA-F]{{1,8}})\b')
    for at, names in ((1, ("open", "2")), (2, ("openat", "257")))
    for name in names
}
_WRITES = 0x1 | 0x2 | 0x40 | 0x200 | 0x400
_NAMETYPES = {"CREATE": "creation", "DELETE": "deletion"}
_UNSET = frozenset(("4294967295", "-1", "unset", "?", '"?"'))
_ENCODED = frozenset(
    ("comm", "exe", "proctitle", "cwd", "name", "acct", "cmd", "data", "key", "path", "file", "vm", "grp")
)
_PLACES = {
    "pid": "process.pid", "ppid": "process.parent.pid", "comm": "process.name", "exe": "process.executable",
    "cwd": "process.working_directory", "auid": "user.audit.id", "euid": "user.effective.id", "gid": "user.group.id",
    "ses": "canh.session.id", "tty": "canh.session.tty", "terminal": "canh.session.tty", "key": "rule.name",
    "unit": "service.name", "syscall": "canh.audit.syscall", "SYSCALL": "canh.audit.syscall",
    "op": "canh.audit.operation",
    "exit": "process.exit_code", "id": "user.target.id", "grp": "group.name", "vm": "canh.vm.name", "path": "file.path",
    "laddr": "destination.ip", "lport": "destination.port", "rport": "source.port", "saddr": "source.ip",
    "daddr": "destination.ip", "sport": "source.port", "dport": "destination.port", "src": "source.port",
    "dest": "destination.port", "faddr": "destination.ip", "fport": "destination.port", "dev": "canh.audit.device",
    "inode": "file.inode", "mode": "file.mode", "apparmor": "event.reason", "operation": "canh.audit.operation",
    "profile": "rule.name", "requested_mask": "canh.audit.permission", "scontext": "canh.audit.source_context",
    "tcontext": "canh.audit.target_context", "tclass": "canh.audit.class", "kernel": "host.os.kernel",
    "ver": "service.version", "audit_enabled": "canh.audit.enabled",
}  # fmt: skip


class Kind(NamedTuple):
    category: tuple[str, ...]
    type: tuple[str, ...]
    action: str


def _read() -> tuple[dict[str, Kind], dict[str, str], dict[str, str]]:
    document: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("types.yaml").read_text("utf-8"))
    kinds = {
        name: Kind(tuple(one["category"]), tuple(one["type"]), one["action"])
        for one in document["kinds"].values()
        for name in one["names"].split()
    }
    calls = {call: what for what, names in document["calls"].items() for call in names.split()}
    return kinds, {str(number): name for number, name in document["numbers"].items()}, calls


KINDS, NUMBERS, CALLS = _read()
_OTHER = Kind(("process",), ("info",), "")


def parse(line: Line) -> dict[str, Value] | None:
    """The record of a line; auditd's own words are a message of a process; None for anything else."""
    text = line.text
    head = _HEAD.match(text) or (_BARE.match(text) if line.app_name in ("audit", "audispd") else None)
    if head is None:
        own = line.app_name in ("auditd", "audispd", "auditctl", "audisp-syslog", "audisp-remote")
        return {"event.category": ("process",), "event.type": ("info",)} if own else None
    found = head.groupdict()
    name = found.get("type") or found["bare"] or ""
    name = NUMBERS.get(name, NUMBERS.get(name.removeprefix("UNKNOWN[").removesuffix("]"), name))
    body = text[head.end() :].replace("\x1d", " ").replace("#035", " ")
    pairs = _pairs(body)
    fields: dict[str, Value] = {"event.code": name}
    if found.get("when"):
        fields["@timestamp"] = found["when"]
        fields["event.sequence"] = int(found["serial"])
    put(fields, "host.name", found.get("node"))
    kind = _kind(name, pairs, body)
    fields |= {"event.category": kind.category, "event.type": kind.type}
    if kind.action:
        fields["event.action"] = kind.action
    _add(fields, name, pairs, body)
    return fields


def _pairs(body: str) -> dict[str, str]:
    """The pairs of a record, those of its quoted message before the kernel's."""
    inner = _INNER.search(body)
    pairs: dict[str, str] = {}
    if inner is not None:
        for key, value in _PAIR.findall(inner[1]):
            pairs.setdefault(key, value)
        body = body[: inner.start()] + body[inner.end() :]
    for key, value in _PAIR.findall(body):
        pairs.setdefault(key, value)
    return {key: _plain(key, value) for key, value in pairs.items() if value not in _UNSET}


def _plain(key: str, value: str) -> str:
    if value[0] in "\"'":
        return value.strip("\"'")
    is_argument = key[0] == "a" and key[1:].isdecimal()
    if (
        (key in _ENCODED or is_argument)
        and len(value) > 3
        and _HEX.match(value)
        and not (is_argument and len(value) > 8192)
    ):
        decoded = bytes.fromhex(value).decode("utf-8", "replace").replace("\0", " ").strip()
        return decoded if decoded.isprintable() else value
    return value


def _kind(name: str, pairs: Mapping[str, str], body: str) -> Kind:
    if name == "PATH" and pairs.get("nametype") in _NAMETYPES:
        what = _NAMETYPES[pairs["nametype"]]
        return Kind(("file",), (what,), f"file-{what}")
    if name != "SYSCALL":
        return KINDS.get(name, _OTHER)
    call = pairs.get("SYSCALL", pairs.get("syscall", ""))
    what = CALLS.get(call, "")
    category, _, kind = what.partition("-")
    if category in ("process", "file"):
        kind = "change" if kind == "access" and _is_write(call, body) else kind
        return Kind((category,), (kind,), f"{category}-{kind}")
    return {
        "network": Kind(("network",), ("connection", "info"), "network-used"),
        "driver": Kind(("driver",), ("change",), "module-loaded"),
        "time": Kind(("configuration",), ("change",), "config-changed"),
    }.get(what, _OTHER)


def _is_write(call: str, body: str) -> bool:
    """Whether a file was opened to be written, truncated or made."""
    if call in ("creat", "85", "truncate", "76", "ftruncate", "77", "write", "1", "pwrite64", "18"):
        return True
    flags = _FLAGS[call].search(body) if call in _FLAGS else None
    return flags is not None and bool(int(flags[1], 16) & _WRITES)


def _add(fields: dict[str, Value], name: str, pairs: dict[str, str], body: str) -> None:
    for key, field in _PLACES.items():
        if key in pairs and pairs[key] not in NOTHING:
            put(fields, field, pairs[key])
    _add_outcome(fields, name, pairs, body)
    _add_user(fields, name, pairs)
    _add_process(fields, name, pairs)
    _add_address(fields, name, pairs, body)
    if name in ("PATH", "AVC", "APPARMOR_DENIED", "APPARMOR_ALLOWED", "APPARMOR_AUDIT") and pairs.get("name") not in (
        None,
        "(null)",
    ):
        put(fields, "file.path", pairs["name"])
    elif name == "KERN_MODULE" and "name" in pairs:
        put(fields, "canh.module.name", pairs["name"])
    if name == "ANOM_PROMISCUOUS" and "dev" in pairs:
        fields["observer.ingress.interface.name"] = pairs["dev"]


def _add_outcome(fields: dict[str, Value], name: str, pairs: Mapping[str, str], body: str) -> None:
    result = pairs.get("res", pairs.get("success", pairs.get("result", "")))
    if result:
        outcome = "failure" if result == "0" else "success" if result == "1" else outcome_of(result)
        if outcome != "unknown":
            fields["event.outcome"] = outcome
    decision = _AVC.search(body)
    if decision is not None:
        fields["event.outcome"] = "failure" if decision[1] == "denied" else "success"
        fields["canh.audit.permission"] = decision[2]
    elif "apparmor" in pairs:
        fields["event.outcome"] = "failure" if pairs["apparmor"] == "DENIED" else "success"
    elif name in ("SECCOMP", "ANOM_ABEND") and "reason" in pairs:
        fields["event.reason"] = pairs["reason"]


def _add_user(fields: dict[str, Value], name: str, pairs: Mapping[str, str]) -> None:
    actor = pairs.get("UID") or pairs.get("AUID") or ""
    account = pairs.get("acct", "")
    is_iam = fields["event.category"] == ("iam",)
    if name in ("USER_LOGIN", "USER_LOGOUT") and "id" in pairs:  # who logged in, told by sshd to root's process
        actor, fields["user.id"] = pairs.get("ID", ""), pairs["id"]
    elif "uid" in pairs and not pairs["uid"].isdecimal() and pairs["uid"] not in NOTHING:  # `ausearch -i`
        actor = actor or pairs["uid"]
    elif "uid" in pairs:
        fields["user.id"] = pairs["uid"]
    if account and account not in NOTHING and "group" not in fields["event.type"]:  # type: ignore[operator]
        put(fields, "user.name", account)
        if is_iam:
            put(fields, "user.target.name", account)
    elif actor and actor not in ("unset", "unknown"):
        put(fields, "user.name", actor)
    elif is_iam and "ID" in pairs:
        put(fields, "user.target.name", pairs["ID"])
    for key, field in (("AUID", "user.audit.name"), ("EUID", "user.effective.name")):
        if pairs.get(key, "unset") not in ("unset", "unknown"):
            put(fields, field, pairs[key])


def _add_process(fields: dict[str, Value], name: str, pairs: Mapping[str, str]) -> None:
    executable = pairs.get("exe", "")
    if "comm" not in pairs and executable not in NOTHING:
        fields["process.name"] = executable.rpartition("/")[2] or executable
    arguments = [pairs[f"a{n}"] for n in range(64) if f"a{n}" in pairs] if name == "EXECVE" else []
    command = " ".join(arguments) or pairs.get("proctitle") or pairs.get("cmd") or pairs.get("data") or ""
    if command:
        fields["process.command_line"] = command
    if arguments:
        fields["process.args"] = tuple(arguments)
        fields.setdefault("process.name", arguments[0].rpartition("/")[2] or arguments[0])
    elif name == "PROCTITLE" and command:
        fields.setdefault("process.name", command.split(" ")[0].rpartition("/")[2])


def _add_address(fields: dict[str, Value], name: str, pairs: Mapping[str, str], body: str) -> None:
    for key in ("addr", "hostname", "rhost"):
        address = pairs.get(key, "")
        if address in NOTHING:
            continue
        if ip_text(address) is not None:
            fields.setdefault("source.ip", str(ip_text(address)))
        elif key == "hostname":
            fields.setdefault("source.domain", address)
    if name == "SOCKADDR":
        fields.pop("source.ip", None)
        fields.pop("source.domain", None)
        _add_socket(fields, pairs.get("saddr", ""), body)
    protocol = pairs.get("proto", "")
    if protocol:
        put(fields, "network.transport", protocol)


def _add_socket(fields: dict[str, Value], octets: str, body: str) -> None:
    """The other end, from the kernel's structure: family, port, address."""
    if _HEX.match(octets) and len(octets) <= 512:
        raw = bytes.fromhex(octets)
        if raw[:2] == b"\x02\x00" and len(raw) >= 8:
            fields["destination.ip"] = ".".join(map(str, raw[4:8]))
            fields["destination.port"] = int.from_bytes(raw[2:4], "big")
        elif raw[:2] == b"\x0a\x00" and len(raw) >= 24:
            put(fields, "destination.ip", ":".join(raw[8:24].hex()[at : at + 4] for at in range(0, 32, 4)))
            fields["destination.port"] = int.from_bytes(raw[2:4], "big")
        elif raw[:2] == b"\x01\x00":
            put(fields, "file.path", raw[2:].split(b"\0")[0].decode("utf-8", "replace"))
    for key, value in _PAIR.findall(body.partition("SADDR={")[2]):
        if key in ("laddr", "lport", "path"):
            put(fields, {"laddr": "destination.ip", "lport": "destination.port", "path": "file.path"}[key], value)
