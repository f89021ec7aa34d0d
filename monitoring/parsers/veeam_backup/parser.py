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
    "RepositoryName": "canh.backup.repository", "ObjectName": "canh.vm.name",
}  # fmt: skip
_JOBS = {
    "110": ("backup-started", "start"), "410": ("backup-started", "start"), "710": ("backup-started", "start"),
    "190": ("backup-finished", "end"), "490": ("backup-finished", "end"), "790": ("backup-finished", "end"),
    "10010": ("backup-finished", "end"), "40700": ("backup-finished", "end"),
    "210": ("backup-restored", "start"), "40210": ("backup-restored", "start"),
    "290": ("backup-restored", "end"), "40290": ("backup-restored", "end"),
    "10050": ("backup-deleted", "deletion"), "28200": ("backup-deleted", "deletion"),
    "28980": ("backup-deleted", "deletion"), "29900": ("backup-deleted", "deletion"),
    "30200": ("backup-deleted", "deletion"), "32200": ("backup-deleted", "deletion"),
    "41402": ("backup-deleted", "deletion"), "41800": ("backup-deleted", "deletion"),
    "23050": ("backup-job-changed", "change"), "28100": ("backup-job-changed", "change"),
    "31500": ("backup-job-changed", "change"), "41600": ("malware-detected", "info"),
    "42220": ("malware-detected", "info"), "40201": ("mfa-changed", "deletion"), "40204": ("mfa-changed", "deletion"),
}  # fmt: skip
# What leaves less of a backup than before: jobs, their objects, exclusions, the second pair of eyes, the key, the scan.
_WEAKER = frozenset((
    "23090", "23230", "23420", "23490", "29120", "29150", "31800", "32120", "40400", "40600", "41200", "42260", "42280",
    "42290", "42301", "42401",
))  # fmt: skip


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
    elif pairs.get("instanceId") in _WEAKER:
        fields |= {"event.action": "backup-job-changed", "event.type": ("change",), "canh.backup.weakened": True}
    else:
        infer(fields, text)
    if fields.get("event.action") == "backup-deleted" and "retention" in text:
        fields["event.action"] = "backup-expired"  # by the job's own rule, not by a person
    if fields.get("event.code") == "41800":
        fields["event.outcome"] = "failure"
    state = pairs.get("Status", pairs.get("JobResult", pairs.get("State", "")))
    if state in ("0", "Success"):
        fields["event.outcome"] = "success"
    elif state in ("2", "Failed"):
        fields["event.outcome"] = "failure"
    add_words(fields, text)
    return fields
