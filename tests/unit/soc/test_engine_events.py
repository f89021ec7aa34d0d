"""Community rules unchanged on every shape of event: raw and evtx Windows JSON, winlogbeat, our own ECS."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import canh_native
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soc.sigma import Matcher, load, tables
from tests.unit.pace import is_within
from tests.unit.soc.engine_support import ROOT, rules_of

SYSMON = "Microsoft-Windows-Sysmon/Operational"


def _rule(detection: str, **source: str) -> str:
    return json.dumps({"title": detection, "logsource": source, "detection": json.loads(detection)})


def _matches(folder: Path, rule: str, event: Mapping[str, Any]) -> bool:
    (folder / "rule.yml").write_text(rule)
    rules = load([folder], {})
    assert not rules.refused, rules.refused
    return bool(list(Matcher(rules).match([json.dumps(event).encode()])))


CREATED = _rule(
    '{"s": {"Image|endswith": "\\\\\\\\net.exe", "CommandLine|contains|all": [" user ", " /add"]},'
    ' "f": {"User|contains": "SYSTEM"}, "condition": "s and not f"}',
    product="windows",
    category="process_creation",
)
IMAGE, LINE = "C:\\Windows\\System32\\net.exe", "net user lan /add"


def _evtx(data: object, channel: str = SYSMON, number: object = 1, provider: object = None) -> dict[str, Any]:
    system = {"EventID": number, "Channel": channel, "Computer": "PC7"}
    return {"Event": {"#attributes": {"xmlns": "x"}, "System": system | (provider or {}), "EventData": data}}  # type: ignore[operator]


DATA = {"Image": IMAGE, "CommandLine": LINE, "User": "TINH\\lan"}
SHAPES: dict[str, dict[str, Any]] = {
    "nxlog": {"Channel": SYSMON, "EventID": 1, "SourceName": "Microsoft-Windows-Sysmon", **DATA},
    "nxlog-text-id": {"Channel": SYSMON, "EventID": "1", **DATA},
    "evtx": _evtx(DATA),
    "evtx-number-with-attributes": _evtx(DATA, number={"#attributes": {"Qualifiers": 0}, "#text": "1"}),
    "evtx-lower-case-channel": _evtx(DATA, channel=SYSMON.lower()),
    "evtx-forwarded": _evtx(
        DATA, channel="ForwardedEvents", provider={"Provider": {"#attributes": {"Name": "Microsoft-Windows-Sysmon"}}}
    ),
    "evtx-attributes-beside": _evtx(
        DATA, channel="ForwardedEvents", provider={"Provider_attributes": {"Name": "Microsoft-Windows-Sysmon"}}
    ),
    "evtx-named-list": _evtx({"Data": [{"@Name": name, "#text": value} for name, value in DATA.items()]}),
    "evtx-not-wrapped": _evtx(DATA)["Event"],
    "velociraptor": {
        "System": {"EventID": {"Value": 1}, "Channel": SYSMON, "Provider": {"Name": "Microsoft-Windows-Sysmon"}},
        "EventData": DATA,
    },
    "security-4688": {
        "Channel": "Security",
        "EventID": 4688,
        "NewProcessName": IMAGE,
        "CommandLine": LINE,
        "SubjectUserName": "lan",
    },
    "winlogbeat": {"winlog": {"channel": SYSMON, "event_id": "1", "event_data": DATA}, "event": {"code": "1"}},
    "winlogbeat-4688": {
        "winlog": {
            "channel": "Security",
            "event_id": 4688,
            "event_data": {"NewProcessName": IMAGE, "CommandLine": LINE},
        }
    },
    "beats-6": {"log_name": SYSMON, "event_id": 1, "event_data": DATA},
    "ecs-nested": {
        "winlog": {"channel": SYSMON, "event_id": "1"},
        "process": {"executable": IMAGE, "command_line": LINE},
        "user": {"name": "lan"},
    },
    "ecs-flat": {
        "winlog.channel": SYSMON,
        "winlog.event_id": "1",
        "process.executable": IMAGE,
        "process.command_line": LINE,
        "user.name": "lan",
    },
    "agent": {
        "event.dataset": "microsoft_defender.event",
        "event.category": ["process"],
        "event.type": ["start"],
        "process.executable": IMAGE,
        "process.command_line": LINE,
    },
}


@pytest.mark.parametrize("event", SHAPES.values(), ids=SHAPES)
def test_a_rule_on_started_processes_meets_every_shape(tmp_path: Path, event: dict[str, Any]) -> None:
    assert _matches(tmp_path, CREATED, event)
    other = json.loads(json.dumps(event).replace("net user", "net view"))
    assert not _matches(tmp_path, CREATED, other)
    if "SYSTEM" in (denied := json.dumps(event).replace('"lan"', '"SYSTEM"').replace("\\\\lan", "\\\\SYSTEM")):
        assert not _matches(tmp_path, CREATED, json.loads(denied))


OTHERS: dict[str, tuple[str, dict[str, Any]]] = {
    "cleared-log-names-another-channel": (  # UserData says Channel too; the event is still one of System
        _rule(
            '{"s": {"EventID": 104, "Channel": "Application"}, "condition": "s"}', product="windows", service="system"
        ),
        {
            "Event": {
                "System": {"EventID": 104, "Channel": "System"},
                "UserData": {"LogFileCleared": {"#attributes": {"xmlns": "x"}, "Channel": "Application"}},
            }
        },
    ),
    "unnamed-data": (
        _rule(
            '{"s": {"Data|contains": "EngineVersion=2."}, "condition": "s"}',
            product="windows",
            category="ps_classic_start",
        ),
        _evtx({"Data": {"#text": ["Available", "EngineVersion=2.0 x"]}}, "Windows PowerShell", 400),
    ),
    "unnamed-data-list": (
        _rule('{"s": {"Data|contains": "second"}, "condition": "s"}', product="windows", service="application"),
        _evtx({"Data": [{"#text": "first"}, {"#text": "the second"}]}, "Application", 11),
    ),
    "wildcard-over-lines": (
        _rule(
            '{"s": {"ScriptBlockText|contains": "begin*end"}, "condition": "s"}',
            product="windows",
            category="ps_script",
        ),
        _evtx(
            {"ScriptBlockText": "begin\r\n x\r\nend"},
            "Microsoft-Windows-PowerShell/Operational",
            4104,
        ),
    ),
    "provider": (
        _rule('{"s": {"Provider_Name": "X", "EventID": 9}, "condition": "s"}', product="windows", service="system"),
        {"Channel": "System", "EventID": 9, "SourceName": "X"},
    ),
    "unknown-channel-is-of-the-product": (
        _rule('{"s": {"EventID": 7}, "condition": "s"}', product="windows", service="not-in-the-table"),
        _evtx({}, "Vendor-Thing/Operational", 7),
    ),
    "unknown-event-meets-all": (
        _rule('{"s": {"what": "odd"}, "condition": "s"}', product="odd", service="odd"),
        {"what": "odd"},
    ),
    "webserver": (
        _rule(
            '{"s": {"cs-uri-query|contains": "/cgi?x=", "cs-method": "GET", "sc-status": 200}, "condition": "s"}',
            category="webserver",
        ),
        {
            "event.dataset": "apache.access",
            "url.original": "/a/cgi?x=1",
            "http.request.method": "GET",
            "http.response.status_code": 200,
        },
    ),
    "proxy": (
        _rule('{"s": {"c-useragent|startswith": "bad", "cs-host": "x.example"}, "condition": "s"}', category="proxy"),
        {"event.dataset": "squid.access", "user_agent.original": "badly", "url.domain": "x.example"},
    ),
    "dns": (
        _rule('{"s": {"query|endswith": ".example", "record_type": "TXT"}, "condition": "s"}', category="dns"),
        {"event.dataset": "bind.log", "dns.question.name": "a.example", "dns.question.type": "TXT"},
    ),
    "firewall": (
        _rule('{"s": {"dst_port": 22, "src_ip|cidr": "192.0.2.0/24"}, "condition": "s"}', category="firewall"),
        {"event.action": "connection-denied", "destination.port": 22, "source.ip": "192.0.2.9"},
    ),
    "vendor-names-in-the-original": (
        _rule(
            '{"s": {"eventName": "StopLogging", "requestParameters.name|contains": "trail"}, "condition": "s"}',
            product="aws",
            service="cloudtrail",
        ),
        {
            "event.dataset": "aws.cloudtrail",
            "event.original": '{"eventName": "StopLogging", "requestParameters": {"name": "a-trail"}}',
        },
    ),
    "pairs-in-the-original": (
        _rule(
            '{"s": {"action": "Add", "cfgpath": "system.admin"}, "condition": "s"}',
            product="fortigate",
            service="event",
        ),
        {
            "event.dataset": "fortinet.fortigate",
            "event.original": '<1>date=2026-03-02 action="Add" cfgpath="system.admin" x=1',
        },
    ),
    "audit-record": (
        _rule(
            '{"s": {"type": "EXECVE", "a0|endswith": "sh", "a2|contains": "cd /tmp"}, "condition": "s"}',
            product="linux",
            service="auditd",
        ),
        {
            "event.dataset": "linux.audit",
            "event.code": "EXECVE",
            "event.original": 'type=EXECVE msg=audit(1.2:3): argc=3 a0="/bin/sh" a1="-c" a2=6364202F746D70202626206C73',
        },
    ),
    "audit-arguments": (
        _rule('{"s": {"a1": "-c"}, "condition": "s"}', product="linux", service="auditd"),
        {"event.dataset": "linux.audit", "process.args": ["sh", "-c", "id"]},
    ),
    "linux-process": (
        _rule('{"s": {"Image|endswith": "/nc"}, "condition": "s"}', product="linux", category="process_creation"),
        {
            "event.dataset": "linux.audit",
            "event.category": ["process"],
            "event.type": ["start"],
            "process.executable": "/bin/nc",
        },
    ),
}


@pytest.mark.parametrize(("rule", "event"), OTHERS.values(), ids=OTHERS)
def test_rules_find_their_fields_where_the_log_source_has_them(
    tmp_path: Path, rule: str, event: dict[str, Any]
) -> None:
    assert _matches(tmp_path, rule, event)


def test_null_and_exists_mean_the_same_under_every_name(tmp_path: Path) -> None:
    source = {"product": "windows", "category": "process_creation"}
    there = _rule('{"s": {"ParentImage|exists": true}, "condition": "s"}', **source)
    absent = _rule('{"s": {"ParentImage": null}, "condition": "s"}', **source)
    for event in ({"winlog.channel": SYSMON, "event.code": "1"}, _evtx({})):
        assert _matches(tmp_path, absent, event)
        assert not _matches(tmp_path, there, event)
    event = {"winlog.channel": SYSMON, "event.code": "1", "process.parent.executable": "x"}
    assert not _matches(tmp_path, absent, event)
    assert _matches(tmp_path, there, event)


def test_windows_events_of_a_known_channel_meet_no_rule_of_another(tmp_path: Path) -> None:
    rule = _rule('{"s": {"EventID": 7}, "condition": "s"}', product="windows", service="not-in-the-table")
    assert not _matches(tmp_path, rule, _evtx({}, "Security", 7))
    assert not _matches(tmp_path, CREATED, _evtx(DATA, number=3))


def test_every_log_source_of_our_table_is_written_as_the_engine_reads_it(tmp_path: Path) -> None:
    """A typing error in a table would silently route nothing."""
    rules_of(tmp_path, CREATED)
    compiled = load([tmp_path], {}).compiled
    for entry in json.loads(tables.log_sources()):
        event = {name: "anything" if values == ["*"] else values[-1] for name, values in entry["when"].items()}
        of = tuple(entry["is"].get(part, "") for part in ("product", "category", "service"))
        assert of in compiled.log_sources(json.dumps(event).encode()), entry


def test_a_line_that_is_no_object_is_told_and_the_others_go_on() -> None:
    compiled = canh_native.RuleSet([], "[]")
    found, invalid = compiled.match_batch([b"[]", b"{", b"{}", b'"x"', b"\xff"], 2)
    assert not found
    assert [at for at, _ in invalid] == [0, 1, 3, 4]


# Folders of parsers whose events are, or may be, of a Windows machine.
WINDOWS = {"windows", "windows_firewall", "windows_nps", "json_wrapped"}
AGENTS = {"microsoft_defender", "crowdstrike_fdr", "sentinelone_funnel", "carbonblack", "harfanglab_edr", "ecs_json"}


def test_events_of_parsers_are_of_windows_only_where_they_come_from_there() -> None:
    """Another product's event that meets thousands of rules for Windows costs time and raises what is not so."""
    compiled = canh_native.RuleSet([], tables.log_sources(), [], tables.fields())
    found: dict[str, set[str]] = {}
    for path in (ROOT / "monitoring/parsers").glob("*/tests/*.json"):
        for event in json.loads(path.read_text("utf-8")):
            for product, _, _ in compiled.log_sources(json.dumps(event).encode()):
                found.setdefault(product, set()).add(path.parts[-3])
    assert found["windows"] - AGENTS <= WINDOWS
    assert found["aws"] <= {"aws_cloudtrail", "json_wrapped"}
    assert {"linux_sshd", "linux_auditd", "linux_systemd", "linux_cron"} <= found["linux"]


def test_hostile_events_cost_no_more_than_their_size() -> None:
    """Lists where one value is expected, names by the thousand, nesting without end; CPU time, not the clock."""
    compiled = canh_native.RuleSet([CREATED], tables.log_sources(), [], tables.fields())
    many = [str(number) for number in range(4000)]
    events = [
        {"Channel": many, "EventID": many, "Provider_Name": many, "event.category": many, "event.type": many},
        _evtx({name: name for name in many}),
        _evtx({"Data": [{"@Name": name, "#text": name} for name in many]}),
    ]
    lines = [json.dumps(event).encode() for event in events] + [b'{"a":' * 5000 + b"1" + b"}" * 5000]
    _, invalid = compiled.match_batch(lines)
    assert [at for at, _ in invalid] == [3]
    assert is_within(0.2, lambda: compiled.match_batch(lines))


@pytest.mark.parametrize(
    ("original", "is_there"),
    [
        ('<1>action=close msg="cfgpath=fake" x=1', False),  # within a value it is no name
        ("<1>action=close cfgpath", False),
        ("<1>action=close xcfgpath=1 cfgpaths=2", False),
        ("<1>action=close cfgpath=", True),
        ("<1>action=close xcfgpath=1 cfgpath=2", True),
        ('x {"cfgpath": "system.admin"}', True),
        ("x {cfgpath=1", True),
        (["cfgpath=1"], False),
    ],
)
def test_a_name_of_the_original_is_there_or_not(tmp_path: Path, original: object, is_there: bool) -> None:
    event = {"event.dataset": "fortinet.fortigate", "event.original": original}
    for asked, met in (("true", is_there), ("false", not is_there)):
        rule = _rule(f'{{"s": {{"cfgpath|exists": {asked}}}, "condition": "s"}}', product="fortigate", service="event")
        assert _matches(tmp_path, rule, event) == met


SAID = {
    "event.dataset": ["linux.sshd", "linux.netfilter", "nginx.access", "x" * 2000],
    "event.category": ["network", "web", "process", "\x00"],
    "Channel": ["Security", "System", "Microsoft-Windows-Sysmon/Operational"],
    "EventID": [1, "1", 4688, None, True],
    "process.command_line": ["id", "whoami"],
}
ROUTED = st.fixed_dictionaries(
    {},
    optional={
        name: st.one_of(st.sampled_from(said), st.lists(st.sampled_from(said), max_size=3), st.just(said * 10))
        for name, said in SAID.items()
    },
)
SOURCES = [
    {"product": "linux", "service": "sshd"},
    {"product": "windows", "service": "security"},
    {"category": "firewall"},
    {"category": "webserver"},
    {"category": "process_creation"},
]


@settings(max_examples=60, deadline=None)
@given(st.lists(ROUTED, min_size=6, max_size=16))
def test_where_an_event_goes_does_not_depend_on_those_before(events: list[dict[str, Any]]) -> None:
    """Ways are remembered by what events say; one taken for another would hide its rules."""
    documents = [_rule('{"s": {"never|exists": false}, "condition": "s"}', **source) for source in SOURCES]

    def compiled() -> canh_native.RuleSet:
        return canh_native.RuleSet(documents, tables.log_sources(), [], tables.fields())

    lines = [json.dumps(event).encode() for event in events]
    together = [(at, rule) for at, rule, _ in compiled().match_batch(lines)[0]]
    alone = [(at, rule) for at, line in enumerate(lines) for _, rule, _ in compiled().match_batch([line])[0]]
    assert together == alone
