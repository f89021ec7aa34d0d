"""Any JSON object: fields by the names many senders use, by what keys say, and by the look of values."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from monitoring.event import Value
from monitoring.parsers import Pairs, add_common, ip_text, put
from monitoring.parsers._infer import infer
from monitoring.parsers.generic_json._places import place_of, words_of
from monitoring.parsers.generic_text.parser import add_words

Fields = dict[str, Value]
# Which of several times is the event's own: the first of these that is there.
_TIMES = (
    "@timestamp", "timestamp", "eventtime", "eventtimestamp", "eventdatetime", "eventdate", "datetime", "occurredat",
    "occurrencetime", "timegenerated", "activitydatetime", "activitytime", "creationtime", "createdat",
    "createddatetime",
    "createdtime", "created", "detectiontime", "detectedat", "firstseen", "logtime", "logtimestamp", "time", "ts",
    "date",
    "rt", "starttime", "start", "begintime", "utctime", "utctimestamp", "published", "publishedat", "receivedtime",
    "receivedat",
    "startedat", "t", "eventts", "alertts", "alerttime", "updatedat", "updatedtime", "lastseen", "endtime", "when",
    "epoch", "unixtime", "ingesttime",
)  # fmt: skip
_RANKS = {name.lstrip("@"): rank for rank, name in enumerate(_TIMES)}
_NO_TIME = 2 * len(_TIMES) + 1
_LAST_WORDS = frozenset(("time", "timestamp", "ts", "date", "datetime", "at"))
_NOT_YET = frozenset(
    ("expire", "expires", "expiry", "expiration", "end", "next", "until", "zone", "out", "to", "birth")
)
_SUFFIXES = ("ms", "millis", "utc", "iso", "ns", "us", "unix", "epoch", "gmt")
_IS_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[T ]|\d{10}(?:\d{3}){0,3}(?:\.\d{1,9})?\Z|\d{4}/\d\d/\d\d |[A-Z][a-z]{2} \d|\d{1,2}/"
)
_UUID = re.compile(r"[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}|[0-9a-fA-F]{16,}\Z|\S{25,}\Z")
# Words that tell what happened are the values of keys named like these.
_TELLS = re.compile(
    r"(?:action|event_?(?:type|name|action|category|class)?|operation(?:_?name|type)?|activity(?:_?type|name)?|type|sub_?type|category"
    r"|class(?:_?name)?|name|title|msg|message|description|summary|status|result|outcome|disposition|verdict|reason|method|state|kind"
    r"|decision|alert_?(?:type|name)|threat_?(?:type|name)|display_?message)\Z",
    re.IGNORECASE,
)
_SOURCE = re.compile(
    r"src|source|client|remote|attack|peer|from|caller|actor|user|origin|login|request|external|initiat"
)
_DESTINATION = re.compile(r"dst|dest|target|server|victim|resp|local|internal_ip|host_?ip")
_FAR = frozenset(
    ("remote", "peer", "client", "from", "clientaddr", "remoteaddr", "peeraddr", "client_addr", "peer_addr")
)
REQUEST = re.compile(r"(GET|POST|PUT|DELETE|HEAD|PATCH|OPTIONS) (/\S{0,4096}) HTTP/[\d.]{1,4}\Z")
_HOST = re.compile(r"host|device|machine|agent|computer|endpoint|node|sensor|asset")
LONGEST_WORD, LONGEST_KEY = 256, 128
_APART = re.compile(r"[_.\-:/]|(?<=[a-z])(?=[A-Z])")  # between the words of a name
_BOOLEANS = {
    "success": True, "succeeded": True, "successful": True, "allowed": True, "passed": True, "granted": True,
    "ok": True,
    "blocked": False, "failed": False, "denied": False, "dropped": False,
}  # fmt: skip
_VERB = re.compile(
    r"\b(?:(?P<creation>creat\w{1,3}|add(?:ed)?|insert(?:ed)?|new|register(?:ed)?|upload(?:ed)?|import(?:ed)?|invit\w{1,3})"
    r"|(?P<deletion>delet\w{1,3}|remov\w{1,3}|destroy(?:ed)?|revok\w{1,2}|drop(?:ped)?|purge)"
    r"|(?P<change>updat\w{1,3}|modif\w{1,4}|chang\w{1,3}|edit(?:ed)?|set|enabl\w{1,2}|disabl\w{1,2}|renam\w{1,2}|mov\w{1,2}|assign\w{0,2}"
    r"|grant(?:ed)?|reset|lock(?:ed)?|unlock(?:ed)?|publish\w{0,2}|shar\w{1,2}|install\w{0,2})"
    r"|(?P<access>view(?:ed)?|read|get|list(?:ed)?|download(?:ed)?|access(?:ed)?|export(?:ed)?|open(?:ed)?|search(?:ed)?|preview\w{0,2}))\b",
    re.IGNORECASE,
)
_LOGS_IN = re.compile(
    r"\b(?:log ?(?:in|on|out|off)|sign ?(?:in|out)|authenticat\w{1,8}|auth|attack|malware|threat)\b", re.IGNORECASE
)
_ALERT = re.compile(
    r"\b(?:alerts?|alarms?|detections?|detected|incidents?|malicious|suspicious|phishing|infected|compromis\w{1,3}|violations?)\b",
    re.IGNORECASE,
)
_NO_AUDIT = ("event.category", "destination.ip", "http.request.method")
_PEOPLE = re.compile(
    r"\b(?:user|account|member|group|role|permission|password|admin|privilege|credential|token|mfa)s?\b", re.IGNORECASE
)
_GROUPS = re.compile(r"\b(?:group|role|team)s?\b", re.IGNORECASE)
_MALWARE = re.compile(r"\b(?:virus|malware|trojan|ransomware|worm|spyware|infected)\b", re.IGNORECASE)
_FILES = re.compile(r"\b(?:file|folder|document|attachment|page)s?\b", re.IGNORECASE)


def fields_of(pairs: Pairs) -> Fields:
    """What the pairs of any document say."""
    fields: Fields = {}
    when = _time(pairs)
    add_common(fields, pairs)
    _drop_unlikely(fields)
    _add_places(fields, pairs)
    fields.pop("@timestamp", None)
    if when is not None:
        fields["@timestamp"] = when
    if _UUID.match(str(fields.get("event.code", ""))):
        fields["canh.source.event_id"] = str(fields.pop("event.code"))
    if re.fullmatch(r"[\d.]{1,8}", str(fields.get("network.protocol", ""))):  # the version of `HTTP/1.1`
        fields["network.protocol"] = "http"
    if fields.get("event.outcome") == "unknown":
        del fields["event.outcome"]
    _add_status(fields, pairs)
    _add_request(fields, pairs)
    _add_far_end(fields, pairs)
    _add_addresses(fields, pairs)
    _add_said(fields)
    words = _words(pairs)
    _add_verdict(fields, pairs)
    _add_alert(fields, words)
    _add_audit(fields, words)
    infer(fields, words)
    return fields


def _time(pairs: Pairs) -> str | None:
    """The text of the event's own time."""
    best, found = _NO_TIME, None
    for key, value in pairs.items():
        rank = _rank(key)
        if rank < best and isinstance(value, str | int | float) and _IS_TIME.match(str(value)):
            best, found = rank, str(value)
    return found


@lru_cache(maxsize=8192)
def _rank(key: str) -> int:
    plain = re.sub(r"[^a-z0-9]", "", key.rpartition(".")[2].lower())
    rank = _RANKS.get(plain)
    if rank is None:
        rank = next((_RANKS[plain.removesuffix(s)] for s in _SUFFIXES if plain.removesuffix(s) in _RANKS), -1)
    if rank >= 0:
        return 2 * rank + ("." in key)
    words = words_of(key)
    is_time = bool(words) and (words[-1] in _LAST_WORDS or (words[-2:-1] and words[-2] in _LAST_WORDS))
    return 2 * len(_TIMES) if is_time and not any(word in _NOT_YET for word in words) else _NO_TIME


def _drop_unlikely(fields: Fields) -> None:
    """Names that mean something else in other places: a number is no URL and no reason."""
    for name in ("url.full", "url.path", "dns.question.name", "event.reason", "http.request.method"):
        if name in fields and (not isinstance(fields[name], str) or str(fields[name]).isdecimal()):
            del fields[name]


def _add_places(fields: Fields, pairs: Pairs) -> None:
    for key, value in pairs.items():
        if len(key) <= LONGEST_KEY and isinstance(value, str | int) and not isinstance(value, bool):
            name = place_of(key)
            if name and name not in fields:
                put(fields, name, value)


def _add_said(fields: Fields) -> None:
    """What the message says in words, where no key has said it."""
    message = fields.get("message")
    if isinstance(message, str) and "source.ip" not in fields and "destination.ip" not in fields:
        add_words(fields, message)


def _add_verdict(fields: Fields, pairs: Pairs) -> None:
    """`success: false` and its like."""
    if "event.outcome" in fields:
        return
    for key, value in pairs.items():
        is_good = _BOOLEANS.get(words_of(key)[-1] if len(key) <= LONGEST_KEY and words_of(key) else "")
        if is_good is not None and (isinstance(value, bool) or str(value).lower() in ("true", "false", "yes", "no")):
            fields["event.outcome"] = "success" if (str(value).lower() in ("true", "yes")) is is_good else "failure"
            return


def _add_alert(fields: Fields, words: str) -> None:
    """What calls itself an alert; what kind is left to the words."""
    if _ALERT.search(words) and "dns.question.name" not in fields:
        fields["event.kind"] = "alert"
        if not _MALWARE.search(words):
            fields["event.category"], fields["event.type"] = ("intrusion_detection",), ("info",)


def _add_audit(fields: Fields, words: str) -> None:
    """Somebody did something to something: a verb, and who."""
    if (
        "event.category" in fields
        or "user.name" not in fields
        or "destination.ip" in fields
        or "http.request.method" in fields
    ):
        return
    if _LOGS_IN.search(words):
        return
    verb = _VERB.search(words)
    if verb is None:
        return
    kind = verb.lastgroup or "change"
    if _PEOPLE.search(words):
        whose = "group" if _GROUPS.search(words) else "user"
        fields.setdefault("event.category", ("iam",))
        fields.setdefault("event.type", (whose, "info" if kind == "access" else kind))
    elif _FILES.search(words):
        fields.setdefault("event.category", ("file",))
        fields.setdefault("event.type", (kind,))
    else:
        fields.setdefault("event.category", ("configuration",))
        fields.setdefault("event.type", (kind,))


def _add_status(fields: Fields, pairs: Pairs) -> None:
    """`status` and `code` are HTTP's where there is a request."""
    if "http.request.method" not in fields or "http.response.status_code" in fields:
        return
    for key, value in pairs.items():
        if key.rpartition(".")[2].lower() in ("status", "code") and str(value).isdecimal() and 100 <= int(value) < 600:
            put(fields, "http.response.status_code", value)
            return


def _add_line(fields: Fields, pairs: Pairs) -> None:
    """`GET /a HTTP/1.1`, whatever its key is called."""
    for value in pairs.values():
        if isinstance(value, str) and (found := REQUEST.match(value)) is not None:
            for name in ("url.full", "url.original"):
                if fields.get(name) == value:
                    del fields[name]
            put(fields, "http.request.method", found[1])
            fields.setdefault("url.original", found[2])
            fields.setdefault("url.path", found[2].partition("?")[0])
            fields["network.protocol"] = "http"
            return


def _add_request(fields: Fields, pairs: Pairs) -> None:
    """`path` and `host` are the URL's where there is a request."""
    _add_line(fields, pairs)
    whole = str(fields.get("url.full", ""))
    if whole.startswith("/"):  # no more than the path of one
        del fields["url.full"]
        fields.setdefault("url.original", whole)
        put(fields, "url.path", whole.partition("?")[0])
        put(fields, "url.query", whole.partition("?")[2] or None)
    if "http.request.method" not in fields:
        return
    for key, value in pairs.items():
        last = key.rpartition(".")[2].lower()
        if last in ("path", "uri", "endpoint", "route") and isinstance(value, str) and value.startswith("/"):
            if "url.path" not in fields:
                put(fields, "url.path", value.partition("?")[0])
        elif last in ("host", "hostname", "http_host", "vhost") and isinstance(value, str) and "." in value:
            fields.setdefault("url.domain", value.partition(":")[0])


def _add_addresses(fields: Fields, pairs: Pairs) -> None:
    """Addresses below keys of no known name: what the key says beside them, else the one who acted."""
    if "source.ip" in fields and "destination.ip" in fields:
        return
    known = set(fields.values())
    for key, address in _addresses(pairs):
        if address in known:
            continue
        lower = key.lower()
        field = (
            "destination.ip" if _DESTINATION.search(lower)
            else "source.ip" if _SOURCE.search(lower) or not _HOST.search(lower)
            else "host.ip"
        )  # fmt: skip
        fields.setdefault(field, address)


def _addresses(pairs: Pairs) -> Iterable[tuple[str, str]]:
    for key, value in pairs.items():
        one = value[0] if isinstance(value, list) and value else value
        if isinstance(one, str) and 2 < len(one) < 46 and (one.count(".") == 3 or one.count(":") > 1):
            address = ip_text(one)
            if address is not None:
                yield key, address


def _add_far_end(fields: Fields, pairs: Pairs) -> None:
    """`remote: 10.0.0.1:5`: an address and its port below a key that says whose they are."""
    for key, value in pairs.items():
        if "source.ip" not in fields and key.rpartition(".")[2].lower() in _FAR and isinstance(value, str):
            put(fields, "source.ip", value)


def _words(pairs: Pairs) -> str:
    return " ".join(
        _APART.sub(" ", value[:LONGEST_WORD])
        for key, value in pairs.items()
        if isinstance(value, str) and _TELLS.search(key.rpartition(".")[2])
    )
