"""One event of Windows, whoever carried it: what is in its <System>, and its data by name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

# Names of what is in <System>, as the agents call them: letters and digits only, lower case.
_SLOTS = {
    name: slot
    for slot, names in {
        "event_id": "eventid eventcode eventidentifier systemeventid winlogeventid eventidentity sysmoneventid",
        "channel": "channel agentlogfile logname logfile eventlog systemchannel winlogchannel eventlogname "
        "eventlogchannel",
        "provider": "sourcename providername source systemprovidername eventsource eventsourcename eventprovider "
        "providersource winlogprovidername eventprovidername providerdisplayname",
        "computer": "computer computername hostname host machinename systemcomputer winlogcomputername agenthostname "
        "hostfqdn devicename",
        "time": "eventtime timecreated systemtime timegenerated eventtimewritten systemtimecreatedsystemtime "
        "timewritten timestamp eventcreatedtime systemtimecreated utctimecreated eventtimestamp",
        "message": "message description msg fullmessage shortmessage eventmessage systemmessage renderingmessage "
        "renderinginfomessage winlogmessage eventdescription",
        "record_id": "recordnumber eventrecordid recordid systemeventrecordid winlogrecordid eventrecordnumber",
        "keywords": "keywords keyword systemkeywords audittype",
        "event_type": "eventtype type auditresult",
        "level": "level severity levelname leveldisplayname systemlevel eventlevelname eventlevel "
        "entrytype winlogeventlevel",
        "pid": "executionprocessid systemexecutionprocessid systemprocessid pid",
        "tid": "threadid executionthreadid systemexecutionthreadid systemthreadid tid",
        "task": "task category taskcategory taskdisplayname systemtask eventcategory categorystring",
        "opcode": "opcode opcodevalue opcodedisplayname systemopcode opcodename",
        "user_sid": "userid systemsecurityuserid sid systemuserid",
    }.items()
    for name in names.split()
}
# What agents add and nobody looks for.
_UNHEARD = frozenset(
    ("providerguid", "systemproviderguid", "sourcemodulename", "sourcemoduletype", "eventreceivedtime", "version",
     "systemversion", "qualifiers", "systemeventidqualifiers", "severityvalue", "activityid", "relatedactivityid",
     "systemcorrelationactivityid", "systemcorrelationrelatedactivityid", "xmlns", "eventxmlns", "stringinserts",
     "data0",
     "binary", "systemprovidereventsourcename", "winlogversion", "winlogapi")
)  # fmt: skip
LONGEST_KEY = 128
NO_VALUE = frozenset(("", "-", "NULL", "(NULL)", "N/A"))
_HEX = re.compile(r"0x[0-9A-Fa-f]{1,16}\Z")


@dataclass(slots=True, kw_only=True)
class Record:
    """Filled by a carrier, read once."""

    system: dict[str, str] = field(default_factory=dict)  # slot -> text
    data: dict[str, str] = field(default_factory=dict)  # EventData and UserData

    @property
    def event_id(self) -> str:
        written = self.system.get("event_id", "").partition(".")[0]
        return str(int(written)) if written.isdecimal() and len(written) < 11 else ""

    def get(self, *names: str) -> str:
        """The first of the data that says something."""
        for name in names:
            value = self.data.get(name, "")
            if value not in NO_VALUE:
                return value
        return ""

    def add(self, pairs: Iterable[tuple[str, object]]) -> Record:
        """Sort the pairs of a flat mapping into what is in <System> and what is data."""
        for key, value in pairs:
            text = _text(value)
            slot = slot_of(key)
            if slot == "":
                continue
            if slot is not None and slot not in self.system:
                if text:
                    self.system[slot] = text
            elif slot != "message":
                self.data.setdefault(key.rpartition(".")[2], text)
        return self


def slot_of(key: str) -> str | None:
    """Where a key belongs, remembered when it is one a sender might repeat."""
    return _slot(key) if len(key) <= LONGEST_KEY else None


@lru_cache(maxsize=8192)
def _slot(key: str) -> str | None:
    """Where a key belongs: a slot; "" nowhere; None: the data (`ProcessId`, where `ProcessID` is the record's)."""
    if key in ("ProcessID", "System.Execution.ProcessID"):
        return "pid"
    plain = re.sub(r"[^a-z0-9]", "", key.lower())
    return "" if plain in _UNHEARD else _SLOTS.get(plain)


def number(written: str) -> int | None:
    """A number written in decimal or as 0x…; None when it is none."""
    if written.isdecimal() and len(written) < 19:
        return int(written)
    return int(written, 16) if _HEX.match(written) else None


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(str(one) for one in value[:64])
    return str(value)
