"""What the data of an event is in ECS: who, from where, which process, file, rule."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import put
from monitoring.parsers.windows._record import NO_VALUE, Record, number

Fields = dict[str, Value]
# Who it is about acted himself: these name no other subject than him.
_TARGET_ACTS = frozenset(
    map(
        str,
        (*range(4624, 4628), 4634, 4647, 4649, *range(4768, 4780), *range(4800, 4804), *range(4820, 4825), 4964, 5168,
         *range(6272, 6280)),
    )
)  # fmt: skip
_GROUPS = frozenset(map(str, (*range(4727, 4736), 4737, *range(4744, 4765), *range(4783, 4793), 4799)))
_ACTORS = (
    "SubjectUserName",
    "User",
    "SourceUser",
    "Detection User",
    "UserName",
    "AccountName",
    "Username",
    "param1.User",
)
# data -> fields; of several names the first that says something
_PLAIN: tuple[tuple[tuple[str, ...], str], ...] = (
    (("IpAddress", "SourceIp", "SourceAddress", "ClientAddress", "ClientIP", "SourceIPAddress", "ClientIPAddress",
    "IPString",
      "ClientIp", "RemoteAddress", "ClientIPAddr"), "source.ip"),
    (("IpPort", "SourcePort", "ClientPort"), "source.port"),
    (("DestinationIp", "DestAddress", "DestinationAddress", "DestIPAddress"), "destination.ip"),
    (("DestinationPort", "DestPort"), "destination.port"),
    (("SourceHostname", "WorkstationName", "Workstation", "ClientName", "CallerComputer", "WorkStation"),
    "source.domain"),
    (("DestinationHostname", "TargetServerName", "TargetInfo"), "destination.domain"),
    (("Protocol",), "network.transport"),
    (("QueryName", "QNAME"), "dns.question.name"),
    (("QueryType", "QTYPE"), "dns.question.type"),
    (("TargetSid", "TargetUserSid"), "user.target.id"),
    (("ServiceName",), "service.name"),
    (("TargetFilename",), "file.path"),
    (("ImageLoaded",), "file.path"),
    (("TargetObject",), "registry.path"),
    (("RuleName", "RuleAndFileData.RuleName"), "rule.name"),
    (("RuleId", "RuleID"), "rule.id"),
    (("FilterRTID",), "rule.id"),
    (("Threat Name",), "rule.name"),
    (("Threat ID",), "rule.id"),
    (("FailureReason", "DenyReason", "Reason", "ReasonCode", "SubStatus", "Status"), "event.reason"),
    (("LogonProcessName",), "canh.auth.process"),
    (("AuthenticationPackageName", "PackageName"), "canh.auth.method"),
    (("TaskName",), "canh.windows.task"),
    (("ShareName",), "file.directory"),
    (("CurrentDirectory",), "process.working_directory"),
    (("ProcessGuid",), "process.entity_id"),
    (("ParentCommandLine",), "process.parent.command_line"),
    (("IntegrityLevel",), "process.integrity_level"),
    (("MACAddress", "ClientMacAddress"), "source.mac"),
)  # fmt: skip
_FIELDS: dict[str, list[tuple[int, str]]] = {}
for _at, (_names, _field) in enumerate(_PLAIN):
    for _rank, _name in enumerate(_names):
        _FIELDS.setdefault(_name, []).append((100 * _at + _rank, _field))
_HASHES = re.compile(r"(MD5|SHA1|SHA256|IMPHASH)=([0-9A-Fa-f]{32,64})")
_IMAGE = ("NewProcessName", "Image", "SourceImage", "ProcessName", "Application", "CallerProcessName", "Process Name",
"FilePath",
          "ApplicationPath", "ProcessPath")  # fmt: skip
_DIRECTIONS = {"%%14592": "inbound", "%%14593": "outbound", "Inbound": "inbound", "Outbound": "outbound"}
_MEMBER = re.compile(r"CN=([^,]{1,256})", re.IGNORECASE)


def add_data(fields: Fields, record: Record, event_id: str, group: str) -> None:
    """Fill the fields from the data of the event."""
    _add_plain(fields, record)
    _add_users(fields, record, event_id)
    _add_process(fields, record, event_id, group)
    _add_file(fields, record, event_id)
    direction = _DIRECTIONS.get(record.get("Direction"))
    if direction:
        fields["network.direction"] = direction
    if fields.get("source.domain") == "LOCAL":  # a session at the console
        del fields["source.domain"]


def _add_plain(fields: Fields, record: Record) -> None:
    best: dict[str, tuple[int, str]] = {}
    for name, value in record.data.items():
        fields_of = _FIELDS.get(name)
        if fields_of is not None and value not in NO_VALUE:
            for rank, field in fields_of:
                if field not in best or rank < best[field][0]:
                    best[field] = (rank, value)
    for field, (_, value) in best.items():
        if field not in fields:
            put(fields, field, value)


def _add_users(fields: Fields, record: Record, event_id: str) -> None:
    target = record.get("TargetUserName", "TargetAccount", "TargetUser")
    if event_id in _TARGET_ACTS:
        put(fields, "user.name", target or record.get("AccountName", "UserName", "FullyQualifiedSubjectUserName"))
        put(fields, "user.domain", record.get("TargetDomainName", "AccountDomain", "TargetDomain", "SubjectDomainName"))
        put(fields, "user.id", record.get("TargetUserSid", "TargetSid"))
        fields.pop("user.target.id", None)
        if not target and "user.name" not in fields:
            put(fields, "user.name", record.get("SubjectUserName"))
        return
    put(fields, "user.name", record.get(*_ACTORS))
    put(fields, "user.domain", record.get("SubjectDomainName"))
    put(fields, "user.id", record.get("SubjectUserSid"))
    if event_id in _GROUPS:
        put(fields, "group.name", target)
        put(fields, "group.id", record.get("TargetSid", "TargetUserSid"))
        put(fields, "group.domain", record.get("TargetDomainName"))
        fields.pop("user.target.id", None)
        member = _MEMBER.match(record.get("MemberName"))
        put(fields, "user.target.name", member[1] if member else record.get("MemberName"))
        put(fields, "user.target.id", record.get("MemberSid"))
    elif event_id == "4648":
        put(fields, "user.effective.name", target)
        put(fields, "user.effective.domain", record.get("TargetDomainName"))
    elif event_id == "4688":
        put(fields, "user.effective.name", target)
    else:
        put(fields, "user.target.name", record.get("NewTargetUserName") or target)
        put(fields, "user.target.domain", record.get("TargetDomainName"))
    if "user.name" not in fields and event_id == "4740":
        put(fields, "user.name", target)


def _add_process(fields: Fields, record: Record, event_id: str, group: str) -> None:
    image = record.get(*_IMAGE)
    if image and image not in ("System",) and ("\\" in image or "/" in image or "." in image):
        fields["process.executable"] = image
    if image:
        fields["process.name"] = base(image)
    is_creation = event_id == "4688"
    pid = number(
        record.get("NewProcessId" if is_creation else "ProcessId", "SourceProcessId", "ProcessID", "CallerProcessId")
    )
    if pid is not None:
        fields["process.pid"] = pid
    parent = number(
        record.get("ProcessId" if is_creation and group == "security" else "ParentProcessId", "ParentProcessId")
    )
    if parent is not None:
        fields["process.parent.pid"] = parent
    parent_image = record.get("ParentProcessName", "ParentImage")
    if parent_image:
        fields["process.parent.executable"] = parent_image
        fields["process.parent.name"] = base(parent_image)
    command = record.get("CommandLine", "ProcessCommandLine", "HostApplication")
    if command:
        fields["process.command_line"] = command
    for kind, digits in _HASHES.findall(record.get("Hashes", "Hash", "FileHash")):
        name = "pe.imphash" if kind == "IMPHASH" else f"hash.{kind.lower()}"
        fields[f"{'file' if 'file.path' in fields else 'process'}.{name}"] = digits.lower()


def _add_file(fields: Fields, record: Record, event_id: str) -> None:
    name = record.get("ObjectName")
    if name:
        kind = record.get("ObjectType").lower()
        if kind == "key" or event_id == "4657":
            value = record.get("ObjectValueName")
            fields["registry.path"] = f"{name}\\{value}" if value else name
        elif kind in ("file", "") and ("\\" in name or "/" in name):
            fields["file.path"] = name
    relative = record.get("RelativeTargetName")
    if relative and relative != "\\":
        fields["file.path"] = relative
    path = record.get("Path", "ServiceFileName", "ImagePath", "FullFilePath")
    if path and "file.path" not in fields:
        fields["file.path"] = path
    if "file.path" in fields:
        fields["file.name"] = base(str(fields["file.path"]))


def base(path: str) -> str:
    """The last part of a path of either kind of slash."""
    return re.split(r"[\\/]", path.rstrip("\\/"))[-1] or path
