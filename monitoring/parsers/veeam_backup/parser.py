"""Veeam: `[origin enterpriseId="31023"] [categoryId=0 instanceId=190 JobName="x" Description="..."]`, quoted or not."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, put
from monitoring.parsers._infer import infer
from monitoring.parsers.generic_text.parser import add_words

_PAIR = re.compile(r"(\w{1,64})=(?:\"([^\"]{0,4096})\"|([^\s\]\"]{0,512}))")
_KEYS = {
    "instanceId": "event.code", "Description": "message", "UserName": "user.name", "User": "user.name",
    "Login": "user.name",
    "JobName": "canh.backup.job", "JobID": "canh.backup.job_id", "VmName": "canh.vm.name", "Host": "canh.backup.host",
    "HostName": "canh.backup.host", "Reason": "event.reason", "OibName": "canh.vm.name",
    "RepositoryName": "canh.backup.repository",
}  # fmt: skip
_JOBS = {"110": ("backup-started", "start"), "190": ("backup-finished", "end"), "10010": ("backup-finished", "end")}


def parse(line: Line) -> dict[str, Value] | None:
    """What a job or a person did."""
    pairs = {key: quoted or bare for key, quoted, bare in _PAIR.findall(f"{line.structured} {line.text}")}
    if not pairs.keys() & {"instanceId", "Description", "enterpriseId"}:
        return None
    fields: dict[str, Value] = {}
    for key, field in _KEYS.items():
        if field not in fields:
            put(fields, field, pairs.get(key))
    text = pairs.get("Description", "")
    job = _JOBS.get(pairs.get("instanceId", ""))
    if job is not None:
        fields |= {"event.action": job[0], "event.type": (job[1],)}
    else:
        infer(fields, text)
    state = pairs.get("Status", pairs.get("JobResult", pairs.get("State", "")))
    if state in ("0", "Success"):
        fields["event.outcome"] = "success"
    elif state in ("2", "Failed"):
        fields["event.outcome"] = "failure"
    add_words(fields, text)
    return fields
