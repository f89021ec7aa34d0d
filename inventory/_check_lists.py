"""Faults of lists.yaml: a list nobody knows, a value that is none of its kind; and what nobody keeps up to date."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from inventory._check_documents import meant
from inventory._documents import AccountDoc, ListDoc
from inventory._reading import Reading
from inventory._yaml import Document, pointer_of
from inventory.finding import Finding
from inventory.lists import FRESH, ListKind, known_lists, value_of


def list_findings(reading: Reading) -> Iterator[Finding]:
    """Unknown names, with the known ones; values that are written wrongly."""
    if reading.lists is None:
        return
    written, known = reading.lists.document, known_lists()
    for name, entry in reading.lists.says.lists.items():
        if name in known:
            yield from _values(written, name, entry)
            continue
        fix = meant(name, known, f"the lists are {', '.join(sorted(known))}")
        yield written.finding(pointer_of("lists", name), f'there is no list "{name}"', fix)
    for name, account in reading.lists.says.accounts.items():
        yield from _wrong(written, ListKind.ACCOUNT, name, pointer_of("accounts", name))
        for i, host in enumerate(account.hosts):
            yield from _wrong(written, ListKind.PREFIX, host, pointer_of("accounts", name, "hosts", i))


def _values(written: Document, name: str, entry: ListDoc) -> Iterator[Finding]:
    kind = known_lists()[name].kind
    for i, value in enumerate(entry.values):
        yield from _wrong(written, kind, value, pointer_of("lists", name, "values", i))


def _wrong(written: Document, kind: ListKind, value: str, pointer: str) -> Iterator[Finding]:
    try:
        value_of(kind, value)
    except ValueError as error:
        what, _, fix = str(error).rpartition(": ")
        yield written.finding(pointer, what, f"write {fix}")


def calendar_remarks(reading: Reading, today: date) -> Iterator[Finding]:
    """A year whose holidays nobody has written down: each of them would be an ordinary day."""
    if reading.province is None:
        return
    holidays = reading.province.says.policy.calendar.holidays
    if not any(day.year == today.year for holiday in holidays for day in (holiday.first, holiday.last)):
        what = f"the calendar has no holiday of {today.year}"
        yield reading.province.document.finding("/policy/calendar", what, "add the days off as they are announced")


def list_remarks(reading: Reading, today: date) -> Iterator[Finding]:
    """Lists that nobody has checked for long: people leave, addresses change hands."""
    if reading.lists is None:
        return
    written = reading.lists.document
    entries: dict[tuple[str, str], ListDoc | AccountDoc] = {
        **{("lists", name): entry for name, entry in reading.lists.says.lists.items()},
        **{("accounts", name): entry for name, entry in reading.lists.says.accounts.items()},
    }
    for (kind, name), entry in entries.items():
        pointer, age = pointer_of(kind, name, "checked"), (today - entry.checked).days
        if age > FRESH.days:
            what = f'the {kind[:-1]} "{name}" was last checked {age} days ago'
            fix = f"have {entry.owner} look through it, then write today's date"
            yield written.finding(pointer, what, fix)
        elif age < 0:
            what = f'the {kind[:-1]} "{name}" was checked on {entry.checked}, which is still to come'
            yield written.finding(pointer, what, "write the day somebody looked through it")
