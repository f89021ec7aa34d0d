"""Lines made to hurt a rule: each from the rule's own literals, so that its values could end in many places."""

from __future__ import annotations

import re
import time
import tracemalloc
from collections.abc import Iterator
from functools import partial

import pytest
import yaml

from monitoring.parsers import ip_text
from monitoring.parsers._rules import _PLACE, Rule, _rule, rules_of
from monitoring.pipeline import LONGEST_PARSED
from tests.unit.monitoring.lab import ROOT, pipeline, record
from tests.unit.pace import is_within

LIMIT_S = 0.3  # of CPU for one rule and line; what goes back and forth by the square takes a second and more
SHORT = 2000  # characters
QUICK_S = LIMIT_S / 16**3  # a short line under this stays under the limit when it is 16 times as long, even by the cube
RULES = {
    file.parent.name: found
    for file in sorted((ROOT / "monitoring/parsers").glob("*/parser.yaml"))
    if (
        found := [rule for rule in rules_of(yaml.load(file.read_bytes(), Loader=yaml.CSafeLoader)) if "pattern" in rule]
    )
}


@pytest.mark.parametrize("parser", RULES)
def test_no_line_costs_a_rule_much_time(parser: str) -> None:
    for rule in RULES[parser]:
        made = _rule(rule)
        for head, repeated in dict.fromkeys(_hostile(rule["pattern"])):
            short = _line(head, repeated, SHORT)
            took_s = _took_s(made, short)
            if took_s > LIMIT_S:  # what fails here would take minutes when it is long
                assert is_within(LIMIT_S, partial(made.parse, short, 0)), (rule, head, repeated)
            if took_s > QUICK_S:
                long = _line(head, repeated, LONGEST_PARSED)
                assert is_within(LIMIT_S, partial(made.parse, long, 0)), (rule, head, repeated)


def _line(head: str, repeated: str, length: int) -> str:
    return (head + repeated * (length // len(repeated) + 1))[:length]


def _took_s(rule: Rule, line: str) -> float:
    began = time.process_time()
    rule.parse(line, 0)
    return time.process_time() - began


def test_addresses_that_are_none_are_not_remembered() -> None:
    made = pipeline()
    login = "<38>1 2026-11-22T03:19:58Z h sshd 1 - - Accepted password for a from {} port 1 ssh2"
    made.event_of(record(login.format("10.0.0.1")))
    tracemalloc.start()
    try:
        for number in range(100):
            made.event_of(record(login.format(f"{number:08x}" * 4000)))
            ip_text(f"{number:08x}" * 4000)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1_000_000, "200 texts of 32,000 characters would be 6 MB"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("0000:0000:0000:0000:0000:ffff:255.255.255.255", "255.255.255.255"),
        ("fe80::1%enp0s31f6", "fe80::1"),
        ("::", "::"),
    ],
)
def test_every_form_of_an_address_is_still_read(text: str, address: str) -> None:
    line = f"<38>1 2026-11-22T03:19:58Z h sshd 1 - - Accepted password for a from {text} port 5 ssh2"
    assert pipeline().event_of(record(line)).text("source.ip") == address


@pytest.mark.parametrize("name", ["x" * 900, "a from 10.9.9.9 port 1", " for  from "])
def test_a_strange_user_name_hides_no_failed_login(name: str) -> None:
    line = f"<38>1 2026-11-22T03:19:58Z h sshd 1 - - Failed password for invalid user {name} from 10.0.0.7 port 5 ssh2"
    assert pipeline().event_of(record(line)).text("event.action") == "login"


@pytest.mark.parametrize("folder", ["/x ; USER=a ; b", "/x ; USER=a ; GROUP=b ; c", "/" + "d" * 800])
def test_a_strange_folder_hides_no_sudo(folder: str) -> None:
    line = f"<85>1 2026-11-22T03:19:58Z h sudo 1 - -  an : TTY=pts/0 ; PWD={folder} ; USER=root ; COMMAND=/bin/id"
    event = pipeline().event_of(record(line))
    assert event.text("event.action") == "privilege-raised"
    assert event.text("user.effective.name") == "root"


def _hostile(pattern: str) -> Iterator[tuple[str, str]]:
    """The beginning of a match, and what follows over and over: what one or more of the next values wait for."""
    parts = [_plain(part) for part in _PLACE.split(pattern)[::3]]
    for first in range(len(parts)):
        head = "1".join(parts[: first + 1]) + "1"
        for last in range(first + 1, len(parts) + 1):
            unit = "1".join(parts[first + 1 : last + 1]) or parts[first]
            for repeated in {unit, f"{unit}1", f"1{unit}"} if unit else ():
                yield head, repeated


def _plain(part: str) -> str:
    """A text that this piece of a pattern matches, roughly: of what is optional everything is there."""
    part = re.sub(r"\(\?[!=][^()]*\)", "", part)
    for _ in range(3):
        part = re.sub(r"\(\?:([^()|]*)(?:\|[^()]*)?\)[?*]?", r"\1", part)
    part = re.sub(r"\(\?:|(?<!\\)[()?$]", "", part)
    part = re.sub(r"\\[dwS][+*]|\.\*|\.\{[^}]*\}", "1", part)
    return re.sub(r"\\s[*+]?", " ", part).replace("\\", "")
