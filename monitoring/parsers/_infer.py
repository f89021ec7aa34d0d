"""What kind of event a message of an unknown product tells of, from the fields it has and the words it uses.

For the generic parsers only: a parser that knows its product knows better. Only what ECS allows comes out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from monitoring.event import Value
from monitoring.parsers._fields import Fields

_DENIED = re.compile(
    r"\b(?:den(?:y|ied|ies)|block(?:ed|ing)?|drop(?:ped|ping)?|reject(?:ed)?|refused?|prevent(?:ed)?|quarantined?|reset)\b",
    re.IGNORECASE,
)
_ALLOWED = re.compile(
    r"\b(?:allow(?:ed)?|accept(?:ed)?|permit(?:ted)?|pass(?:ed|through)?|forward(?:ed)?|granted|built|established)\b",
    re.IGNORECASE,
)
_LOGIN = re.compile(
    r"\b(?:log(?:ged|ging)?[ -]?(?:on|in)|sign(?:ed|ing)?[ -]?in|"
    r"authenticat\w{1,8}|auth|login|logon|password|credential)s?\b",
    re.IGNORECASE,
)
_LOGOUT = re.compile(
    r"\b(?:log(?:ged|ging)?[ -]?(?:off|out)|sign(?:ed|ing)?[ -]?out|logout|logoff|disconnected)\b", re.IGNORECASE
)
_FAILED = re.compile(
    r"\b(?:fail(?:ed|ure|s)?|unsuccessful|invalid|incorrect|wrong|bad|illegal|not allowed|unauthori[sz]ed|error|"
    r"den(?:y|ied)|rejected|refused)\b",
    re.IGNORECASE,
)
_WORKED = re.compile(
    r"\b(?:success(?:ful|fully)?|succeeded|accepted|passed|granted|ok|(?:logged|signed)[ -]?(?:in|on)|"
    r"has authenticated)\b",
    re.IGNORECASE,
)
_THREAT = re.compile(
    r"\b(?:attacks?|intrusions?|exploits?|threats?|signatures?|ips|ids|scans?|flood|dos|ddos|suspicious|anomal\w{1,4}|brute)\b",
    re.IGNORECASE,
)
_MALWARE = re.compile(r"\b(?:virus(?:es)?|malware|trojan|ransomware|worm|spyware|backdoor|infected)\b", re.IGNORECASE)
_CONFIG = re.compile(r"\b(?:config(?:ur\w{1,6})?|settings?|commit(?:ted)?|provision\w{0,4})\b", re.IGNORECASE)
_USERS = re.compile(r"\b(?:user|account|group|role|member)s?\b", re.IGNORECASE)
_MADE = re.compile(r"\b(?:add(?:ed)?|creat(?:ed|e|ion)|new)\b", re.IGNORECASE)
_GONE = re.compile(r"\b(?:delet(?:ed|e|ion)|remov(?:ed|e|al))\b", re.IGNORECASE)
_CHANGED = re.compile(
    r"\b(?:chang(?:ed?|ing)|modif(?:ied|y)|updat(?:ed?|ing)|edit(?:ed)?|reset|set|renamed?)\b", re.IGNORECASE
)
LONGEST_TEXT = 2048
Kind = tuple[tuple[str, ...], tuple[str, ...]]  # event.category and event.type


def infer(fields: Fields, text: str) -> None:
    """Add category, type, outcome and action where they are not known. text: the words that tell what happened."""
    text = text[:LONGEST_TEXT]
    if "event.category" not in fields or "event.type" not in fields:
        fields["event.category"], fields["event.type"] = _kind(fields, text)
    category = fields["event.category"]
    if category in (("network",), ("web",), ("intrusion_detection",)):
        _add_verdict(fields, text)
    elif category == ("authentication",):
        _add_login(fields, text)


def _add_verdict(fields: Fields, text: str) -> None:
    status = fields.get("http.response.status_code")
    if isinstance(status, int):
        fields.setdefault("event.outcome", "success" if status < 400 else "failure")
    is_denied, is_allowed = _DENIED.search(text) is not None, _ALLOWED.search(text) is not None
    if is_denied is is_allowed:
        return
    fields.setdefault("event.outcome", "failure" if is_denied else "success")
    types = fields["event.type"]
    verdict = "denied" if is_denied else "allowed"
    if fields["event.category"] == ("web",) or not isinstance(types, tuple) or {"denied", "allowed"} & set(types):
        return
    fields["event.type"] = (*map(str, types), verdict)
    if "connection" in types:
        fields.setdefault("event.action", "connection-denied" if is_denied else "connection-allowed")


def _add_login(fields: Fields, text: str) -> None:
    if fields["event.type"] == ("end",):
        fields.setdefault("event.action", "logout")
        return
    fields.setdefault("event.action", "login")
    if "event.outcome" not in fields:
        if _FAILED.search(text):
            fields["event.outcome"] = "failure"
        elif _WORKED.search(text):
            fields["event.outcome"] = "success"


def _kind(fields: Mapping[str, Value], text: str) -> Kind:
    if _MALWARE.search(text):
        return ("malware",), ("info",)
    if "user.name" in fields and (_LOGOUT.search(text) or _LOGIN.search(text)):
        return ("authentication",), ("end",) if _LOGOUT.search(text) else ("start",)
    if "http.request.method" in fields or "http.response.status_code" in fields or "url.full" in fields:
        return ("web",), ("access",)
    if "dns.question.name" in fields:
        return ("network",), ("protocol", "info")
    if "email.from.address" in fields or "email.to.address" in fields:
        return ("email",), ("info",)
    if _THREAT.search(text):
        return ("intrusion_detection",), ("info",)
    if _LOGOUT.search(text):
        return ("authentication",), ("end",)
    if _LOGIN.search(text):
        return ("authentication",), ("start",)
    if "source.ip" in fields and "destination.ip" in fields:
        return ("network",), ("connection",)
    return _change(text) or _other(fields)


def _change(text: str) -> Kind | None:
    change = next(
        (
            word
            for word, found in (("creation", _MADE), ("deletion", _GONE), ("change", _CHANGED))
            if found.search(text)
        ),
        "",
    )
    if change and _CONFIG.search(text):
        return ("configuration",), (change,)
    if change and _USERS.search(text):
        return ("iam",), ("user", change)
    return None


def _other(fields: Mapping[str, Value]) -> Kind:
    if "file.path" in fields or "file.name" in fields:
        return ("file",), ("info",)
    if "process.command_line" in fields or "process.executable" in fields:
        return ("process",), ("info",)
    if "source.ip" in fields or "destination.ip" in fields:
        return ("network",), ("info",)
    return ("host",), ("info",)
