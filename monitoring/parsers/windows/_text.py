"""The text of an event, as Windows renders it: `Label: value` in sections, in many lines or in one; the
labels of some other languages are read as the English ones.

The labels give back the names that the data had. A section (`Subject:`, `New Logon:`) says whose the
labels below it are.
"""

from __future__ import annotations

import re

from monitoring.parsers.windows._languages import in_english

_ACCOUNT = {
    "Security ID": "UserSid", "Account Name": "UserName", "Account Domain": "DomainName", "Logon ID": "LogonId",
    "Logon GUID": "LogonGuid",
}  # fmt: skip
_SECTIONS = {
    "Subject": "Subject", "New Logon": "Target", "Account For Which Logon Failed": "Target",
    "Target Account": "Target",
    "New Account": "Target", "Account That Was Locked Out": "Target", "Account Whose Credentials Were Used": "Target",
    "Account Information": "Target", "Deleted Group": "Target", "Group": "Target", "New Group": "Target",
    "User": "Target",
    "Target Computer": "Target", "New Computer Account": "Target", "Computer Account That Was Changed": "Target",
    "Creator Subject": "Subject", "Target Subject": "Target", "Member": "Member", "Target Server": "Server",
    "Logon Information": "", "Failure Information": "", "Process Information": "", "Network Information": "",
    "Detailed Authentication Information": "", "Service Information": "", "Additional Information": "", "Object": "",
    "Access Request Information": "", "Share Information": "", "Application Information": "",
    "Filter Information": "",
    "Task Information": "", "Changed Attributes": "", "Attributes": "", "Service": "", "Certificate Information": "",
    "Privileges": "", "Access Reasons": "", "Session": "", "Rule": "", "Audit Policy Change": "", "Provider": "",
    "Access Check Results": "", "Change Information": "", "Process": "", "Operation": "", "Directory Service": "",
}  # fmt: skip
_SAME = (  # labels that are called like their data
    "Status", "Direction", "Protocol", "UtcTime", "ProcessGuid", "ProcessId", "Image", "FileVersion", "CommandLine",
    "CurrentDirectory", "LogonGuid", "LogonId", "TerminalSessionId", "IntegrityLevel", "Hashes", "ParentProcessGuid",
    "ParentProcessId", "ParentImage", "ParentCommandLine", "ParentUser", "Initiated", "SourceIsIpv6", "SourceIp",
    "SourceHostname", "SourcePort", "SourcePortName", "DestinationIsIpv6", "DestinationIp", "DestinationHostname",
    "DestinationPort", "DestinationPortName", "TargetFilename", "CreationUtcTime", "PreviousCreationUtcTime",
    "EventType", "TargetObject", "Details", "ImageLoaded", "Signed", "Signature", "SignatureStatus", "SourceImage",
    "TargetImage", "GrantedAccess", "CallTrace", "QueryName", "QueryStatus", "QueryResults", "PipeName",
    "OriginalFileName", "Company", "Product", "Description", "RuleName", "SourceProcessId", "TargetProcessId",
    "Path", "Server", "Device", "Type", "User",
)  # fmt: skip
_LABELS = dict(zip(_SAME, _SAME, strict=True)) | {
    "Logon Type": "LogonType", "Workstation Name": "WorkstationName", "Source Network Address": "IpAddress",
    "Source Port": "IpPort", "Source Address": "SourceAddress", "Client Address": "IpAddress",
    "Client Port": "IpPort", "Network Address": "IpAddress", "Port": "IpPort", "Logon Process": "LogonProcessName",
    "Source Workstation": "Workstation", "Authentication Package": "AuthenticationPackageName",
    "Transited Services": "TransmittedServices", "Package Name (NTLM only)": "LmPackageName",
    "Key Length": "KeyLength", "Failure Reason": "FailureReason", "Sub Status": "SubStatus",
    "Caller Process ID": "ProcessId", "Caller Process Name": "ProcessName", "New Process ID": "NewProcessId",
    "New Process Name": "NewProcessName", "Token Elevation Type": "TokenElevationType",
    "Mandatory Label": "MandatoryLabel", "Creator Process ID": "ParentProcessId",
    "Creator Process Name": "ParentProcessName", "Process Command Line": "CommandLine", "Process ID": "ProcessId",
    "Process Name": "ProcessName", "Exit Status": "Status", "Caller Computer Name": "CallerComputer",
    "Service Name": "ServiceName", "Service ID": "ServiceSid", "Service File Name": "ServiceFileName",
    "Service Type": "ServiceType", "Service Start Type": "StartType", "Service Account": "AccountName",
    "Task Name": "TaskName", "Task Content": "TaskContent", "Ticket Options": "TicketOptions",
    "Ticket Encryption Type": "TicketEncryptionType", "Result Code": "Status", "Failure Code": "Status",
    "Pre-Authentication Type": "PreAuthType", "Error Code": "Status", "Logon Account": "TargetUserName",
    "Group Name": "TargetUserName", "Group Domain": "TargetDomainName", "Object Server": "ObjectServer",
    "Object Type": "ObjectType", "Object Name": "ObjectName", "Handle ID": "HandleId", "Accesses": "AccessList",
    "Access Mask": "AccessMask", "Share Name": "ShareName", "Share Path": "ShareLocalPath",
    "Relative Target Name": "RelativeTargetName", "Application Name": "Application",
    "Destination Address": "DestAddress", "Destination Port": "DestPort", "Filter Run-Time ID": "FilterRTID",
    "Layer Name": "LayerName", "Layer Run-Time ID": "LayerRTID", "Target Server Name": "TargetServerName",
    "Old Account Name": "OldTargetUserName", "New Account Name": "NewTargetUserName",
    "Privilege List": "PrivilegeList", "Rule ID": "RuleId", "Rule Name": "RuleName",
    "Profile Changed": "ProfileChanged", "Session Name": "SessionName", "Client Name": "ClientName",
    "Client IP Address": "ClientAddress", "User Name": "UserName", "Severity": "Severity Name",
    "Category": "Category Name", "Detection Origin": "Origin Name", "Action": "Action Name",
    "Service Start type": "StartType", "Domain": "TargetDomainName", "Caller User Name": "SubjectUserName",
    "Caller Domain": "SubjectDomainName", "Logon account": "TargetUserName", "Client User Name": "SubjectUserName",
    "Target User Name": "TargetUserName", "Process Id": "ProcessId", "Source Process ID": "SourceProcessId",
    "Supplied Realm Name": "TargetDomainName", "User ID": "TargetSid", "Target User": "TargetUserName",
    "Old Value": "OldValue", "New Value": "NewValue", "Service": "ServiceName", "Session ID": "SessionID",
    "Threat Name": "Threat Name",
}  # fmt: skip
_KNOWN = sorted({*_ACCOUNT, *_SECTIONS, *_LABELS}, key=len, reverse=True)
_LABEL = re.compile(rf"(?:\A|(?<=[\s.;,|]))({'|'.join(map(re.escape, _KNOWN))}):(?=\s|\Z|[^\s\\/])")
LONGEST_TEXT, LONGEST_VALUE = 16384, 4096


def data_of(text: str) -> dict[str, str]:
    """The data that the text states, by the names Windows gives it."""
    found: dict[str, str] = {}
    section = ""
    text = in_english(text[:LONGEST_TEXT])
    labels = list(_LABEL.finditer(text))
    for at, match in enumerate(labels):
        end = labels[at + 1].start() if at + 1 < len(labels) else len(text)
        value = _value(text[match.end() : end])
        label = match[1]
        if not value and label in _SECTIONS:
            section = _SECTIONS[label]
            continue
        name = _name(label, section)
        if name and value:
            found.setdefault(name, value)
    return found


def first_sentence(text: str) -> str:
    """What the event says it is, without its details."""
    text = in_english(text)
    match = _LABEL.search(text)
    return " ".join((text if match is None else text[: match.start()]).split())


def _value(text: str) -> str:
    """The value up to where its line or its column ends."""
    text = text.strip()[:LONGEST_VALUE]
    return re.split(r"\r?\n|\t| {3,}", text, maxsplit=1)[0].strip()


def _name(label: str, section: str) -> str:
    if label in _ACCOUNT:
        whose = section or "Subject"
        name = _ACCOUNT[label]
        if whose == "Member":
            return {"UserSid": "MemberSid", "UserName": "MemberName"}.get(name, "")
        return whose + name
    return _LABELS.get(label, "")
