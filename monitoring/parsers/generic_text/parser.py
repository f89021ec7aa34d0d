"""Any text: what its own words name beyond doubt. `from 10.0.0.1 port 22`, `user lan`, `10.0.0.1:5 -> 10.0.0.2:80`."""

from __future__ import annotations

import re
from datetime import UTC
from itertools import islice

from monitoring.event import Value
from monitoring.parsers import Line, ip_text, put
from monitoring.parsers._infer import infer
from monitoring.times import read

_IP = r"(?:\d{1,3}(?:\.\d{1,3}){3}|\[?(?=[0-9A-Fa-f:.]{2,45})[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]{1,40}\]?)"
_MIGHT = re.compile(
    r"\d\.\d{1,3}\.\d|::|USER|https?:|[Uu]ser|[Aa]ccount|[Ii]nterface|[Ll]ink|[Pp]ort |[Ll]og[- ]?[io]n|[Aa]uth|"
    r"[Cc]onfig|[Ff]ail|[Dd]en|[Aa]ttack|[Vv]irus|LOGIN|[Pp]assword|[Aa]ccepted|[Bb]lock|[Rr]eject"
)
_FLOW = re.compile(rf"({_IP})(?:[:/#](\d{{1,5}}))? ?(?:-{{1,2}}>|=>|\u2192| to ) ?({_IP})(?:[:/#](\d{{1,5}}))?")
_SOURCE = re.compile(
    r"(?:\bfrom|\bby|\bclient|\bsource|\bsrc|\brhost|\bpeer|\bremote|\baddress|\bIP|\bip|\bhost)"
    r"(?: ?[=:] ?(?!:)| {1,2})(?:IP |ip |address |host |client )?"
    rf"\"?'?\(?({_IP})(?:[:#](\d{{1,5}})|,? ?(?:source )?port[ =:](\d{{1,5}}))?",
)
_DESTINATION = re.compile(
    rf"(?:\bto|\bdestination|\bdst|\bdest|\bserver)[ =:]{{1,2}}(?:IP |address |host )?\"?'?({_IP})(?:[:#](\d{{1,5}}))?"
)
_ANY = re.compile(
    rf"(?<![\w.:])(?:(\d{{1,3}}(?:\.\d{{1,3}}){{3}}|\[[0-9A-Fa-f:.]{{2,45}}\])(?:[:#]| port )(\d{{1,5}})|({_IP}))"
    r"(?![\w:]|\.\d)"
)
_USER = re.compile(
    r"(?<![\w/])(?:(?:[Uu]ser(?:name|Name)?|USER|[Aa]ccount(?: name)?|[Aa]dmin(?:istrator)?)(?: name)?"
    r"(?: ?[=:] ?| )(?:\"([^\"]{1,128})\"|'([^']{1,128})'|([\w.@\\$-]{1,128}))|for (?:user )?'([^']{1,128})')"
)
# Where no word says that it is a user, but the sentence does: `Login failed for lan from 10.0.0.1`.
_NAMED = re.compile(
    r"\b(?:(?i:log[- ]?in|log[- ]?on|password|auth\w{0,12}|publickey|gssapi\S{0,16}|keyboard\S{0,24}|attempts?|secret)"
    r"(?i: (?:failed|failure|failures|denied|successful|success|succeeded|rejected|exceeded|attempt|error))?"
    r"(?: made)?(?: by| for)(?: (?:invalid|illegal|unknown|nonexistent|the|user|account)){0,3} "
    r"|(?<!-)(?i:log[- ]?in)[:=] ?|(?i:\bauthenticat\w{1,3}(?: of)?(?: the)?(?: locked)?(?: user)?) \["
    r"|(?i:\buser (?:denied|unknown|rejected|not found))[:=] |\bprovided was "
    r"|(?i:\b(?:auth\w{0,12}|log[- ]?[io]n|password) (?:failed|failure|denied|rejected|succeeded|successful)\b)"
    r"[^'\"]{0,96} for )"
    r"[\"'<\[(]?([A-Za-z0-9_][\w.@\\$+-]{0,127})"
)
_NO_USER = frozenset(
    ("is", "was", "has", "had", "not", "name", "logged", "login", "log", "from", "on", "in", "with", "to",
     "and", "or", "does", "id", "account", "authentication", "session", "failed", "successfully", "unknown",
     "the", "for", "at", "by", "password", "group", "data", "interface", "agent", "disconnected", "connected",
     "authenticated", "logout", "added", "deleted", "created", "changed", "locked", "list", "space", "mode",
     "that", "token", "credentials", "details", "denied", "attempt", "attempted", "attempts", "error", "failure",
     "with", "unsuccessful", "invalid", "success", "successful", "into", "user", "username", "password", "known",
     "does", "doesn", "db", "yet", "please", "you", "your", "this", "must", "should", "before",
     "again", "because", "when", "if", "as", "or",
     "peer", "client", "exists", "count", "names", "service", "directory", "base", "process",
     "space", "defined", "agents", "input", "slice", "manager", "code", "host", "ip", "domain", "can", "cannot")
)  # fmt: skip
_URL = re.compile(r"\bhttps?://[^\s\"'<>,;|]{1,2048}")
_PROTOCOL = re.compile(r"\b(TCP|UDP|ICMP|tcp|udp|icmp)\b")
_MAC = re.compile(
    r"(?<![\w:.-])(?:[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{4}(?:\.[0-9A-Fa-f]{4}){2})(?![\w:.-])"
)
# A date at the beginning, behind no more than a bracket, a level or a number: the text's own time.
_LEAD = re.compile(
    r"[\[(<|]{0,2}(?:(?:[A-Za-z]{1,8}|\d{1,8})(?:[\])>|:]{1,2} {0,3}| {1,3})[\[(|]?)?(?="
    r"\d{4}[-/.:]\d{1,2}[-/.:]\d{1,2}[T _:-]|\d{1,2}[/.-](?:[A-Z][a-z]{2}|\d{1,2})[/.-]\d{2,4}[ :T,]"
    r"|[A-Z][a-z]{2} {1,2}\d{1,2},? )"
)
# What people write of a login that was none, and of one that was.
_REFUSED = re.compile(
    r"\b(?:(?:[Ii]nvalid|[Ii]llegal|[Uu]nknown|[Nn]on-?existent) (?:user|login)|[Uu]nsuccessful (?:\S{1,16} )?auth|"
    r"[Ff]ailed (?:password|publickey|keyboard|hostbased|gssapi|none|login|authentication|logon)|"
    r"(?:LOGIN|[Ll]ogin) (?:FAILED|failed)|user not found|no such user)"
)
_ENTERED = re.compile(r"\b(?:Accepted (?:password|publickey|keyboard|gssapi|hostbased|none)|[Ll]ogin successful)\b")
_MISMATCH = re.compile(
    r"(?i)\b(?:mismatch|does(?:n't| not) (?:match|exist)|not found|no such|expired|locked out|tried to|insufficient)\b"
)
_NOT_ALLOWED = re.compile(r"(?i)\b(?:not|never|isn't|wasn't) (?:be )?(?:allowed|permitted|accepted)\b")
MOST_USERS = 4  # words that might be a user looked at
LONGEST = 4096  # characters looked at


_TELLING = re.compile(  # words that say what happened though they name nobody
    r"\b(?:log(?:ged)?[- ]?(?:in|on|out|off)|auth\w{0,12} (?:fail|succe)\w{0,6}|configuration (?:changed|saved)|"
    r"attack|virus|malware)\b",
    re.IGNORECASE,
)
_LINK = re.compile(
    r"\b(?:[Ii]nterface|[Pp]ort|[Ll]ink)(?: (?:ethernet|on|of|state|status|is|[Ii]nterface|[Pp]ort)){0,2} "
    r"(?:([A-Za-z]{0,24}[\d/.:-]{1,16}\w?)\b.{0,48}? )?(up|down|UP|DOWN|Up|Down)\b"
)


def parse(line: Line) -> dict[str, Value] | None:
    """What the words name, and the kind of event they tell of; None when they name nothing and no program spoke."""
    text = line.text[:LONGEST]
    fields: dict[str, Value] = {}
    if _MIGHT.search(text) is not None:
        add_words(fields, text)
        link = _LINK.search(text)
        if link is not None and "source.ip" not in fields:
            _add_link(fields, link)
        elif fields or _TELLING.search(text) is not None or _REFUSED.search(text) is not None:
            _add_login(fields, text)
            infer(fields, _told(text))
    when = _time_of(text, line)
    if when:
        fields["@timestamp"] = when
    if not fields and not line.app_name:
        return None
    fields.setdefault("event.category", ("host",))
    fields.setdefault("event.type", ("info",))
    return fields


def _add_login(fields: dict[str, Value], text: str) -> None:
    """The login that a text tells of without the word."""
    is_refused = _REFUSED.search(text) is not None
    if is_refused or _ENTERED.search(text) is not None:
        fields["event.category"], fields["event.type"] = ("authentication",), ("start",)
        fields["event.outcome"] = "failure" if is_refused else "success"


def _told(text: str) -> str:
    """The text in words that `infer` knows."""
    text = _NOT_ALLOWED.sub("denied", text)
    return f"{text[:2000]} failed" if _MISMATCH.search(text) is not None else text


def _time_of(text: str, line: Line) -> str:
    """The time at the beginning of a text, as written; "" when none is there."""
    lead = _LEAD.match(text)
    found = None if lead is None else read(text, lead.end(), received=line.received, zone=UTC)
    return "" if lead is None or found is None else text[lead.end() : found.end]


def _add_link(fields: dict[str, Value], link: re.Match[str]) -> None:
    put(fields, "observer.ingress.interface.name", link[1])
    fields["event.action"] = "interface-up" if link[2].lower() == "up" else "interface-down"
    fields["event.category"], fields["event.type"] = ("network",), ("info", "change")


def add_words(fields: dict[str, Value], text: str) -> None:
    """Add what a text names to the fields that are still open."""
    if not text:
        return
    found: dict[str, Value] = {}
    _add_ends(found, text)
    for user in islice(_USER.finditer(text), MOST_USERS):
        name = user[1] or user[2] or user[3] or user[4]
        if name.lower().rstrip(".") not in _NO_USER and not name.isdecimal() and ip_text(name) is None:
            put(found, "user.name", name.rstrip("."))
            break
    named = None if "user.name" in found else _NAMED.search(text)
    if named is not None and named[1].lower().rstrip(".") not in _NO_USER and ip_text(named[1]) is None:
        put(found, "user.name", named[1].rstrip("."))
    url = _URL.search(text)
    if url is not None:
        put(found, "url.full", url[0].rstrip(".)"))
    mac = _MAC.search(text)
    if mac is not None:
        put(found, "source.mac", mac[0])
    if "source.ip" in found:
        protocol = _PROTOCOL.search(text)
        if protocol is not None:
            found["network.transport"] = protocol[1].lower()
    for name, value in found.items():
        fields.setdefault(name, value)


def _add_ends(fields: dict[str, Value], text: str) -> None:
    flow = _FLOW.search(text)
    if flow is not None:
        for name, value in zip(
            ("source.ip", "source.port", "destination.ip", "destination.port"), flow.groups(), strict=True
        ):
            put(fields, name, value if value is None else value.strip("[]"))
        return
    source = _SOURCE.search(text)
    if source is not None:
        put(fields, "source.ip", source[1].strip("[]"))
        put(fields, "source.port", source[2] or source[3])
    destination = _DESTINATION.search(text)
    if destination is not None:
        put(fields, "destination.ip", destination[1].strip("[]"))
        put(fields, "destination.port", destination[2])
    if source is None and destination is None:
        alone = _ANY.search(text)
        if alone is not None:
            put(fields, "source.ip", (alone[1] or alone[3]).strip("[]"))
            put(fields, "source.port", alone[2])
