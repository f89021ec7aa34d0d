"""What triage notes tell an analyst to type can be typed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from monitoring.errors import QueryError
from monitoring.query import parse
from soc.policy.generate import FOLDER
from soc.sigma import OWN_RULES

NOTES = sorted(path for folder in (OWN_RULES, FOLDER) for path in folder.rglob("triage*.md"))
SEARCH = re.compile(r"canh search\s+'([^']*)'((?:\s+--[a-z]+)*)")
BLANK = re.compile(r"<[^>]*>|[\w-]{2,}")  # what the analyst puts in stands in capitals: ADDRESS, ĐỊA-CHỈ, <address>
WORDS = ("AND", "OR", "NOT", "TO")


def filled(query: str, value: str) -> str:
    """The query as an analyst types it."""
    return BLANK.sub(lambda m: value if m[0][0] == "<" or (m[0].isupper() and m[0] not in WORDS) else m[0], query)


def refusal_of(query: str) -> str:
    """Why it cannot be read, "" when it can: with an address or with a number put in."""
    said = ""
    for value in ("10.0.0.1", "1"):
        try:
            parse(filled(query, value))
        except QueryError as error:
            said = said or str(error).splitlines()[0]
        else:
            return ""
    return said


def wrong(text: str) -> list[str]:
    """The searches of a note that `canh search` refuses, or takes otherwise than they are meant."""
    found = []
    for query, options in SEARCH.findall(text):
        words = " ".join(query.split())
        if refused := refusal_of(words):
            found.append(f"{words}: {refused}")
        if re.search(r"\s(?:and|or|not)\s", re.sub(r'"[^"]*"', "", words)):
            found.append(f"{words}: and, or, not in small letters are words to look for")
        known = ("--from", "--to", "--fields", "--limit")
        found += [f"{words}: no option {o}" for o in options.split() if o not in known]
    return found


@pytest.mark.parametrize("folder", sorted({note.parent for note in NOTES}), ids=lambda folder: folder.name)
def test_the_searches_of_a_note_can_be_typed(folder: Path) -> None:
    assert [w for note in NOTES if note.parent == folder for w in wrong(note.read_text("utf-8"))] == []


def test_a_search_that_cannot_be_typed_is_found() -> None:
    assert wrong("`canh search 'event.action:login and user.name:ACCOUNT'`")
    assert wrong("`canh search 'source.ip:nobody'`")
    assert wrong("`canh search 'user.name:x' --since -1d`")
    assert not wrong("`canh search 'source.ip:ĐỊA-CHỈ AND event.action:(a OR b)' --from -1d`")
