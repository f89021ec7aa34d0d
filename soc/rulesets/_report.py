"""What became of a community set: every rule, and the counts people ask for. Kept beside it as report.json."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from soc.rulesets.errors import SetError

NAME = "report.json"
_MOST_LISTED = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One rule of a set. `author` is kept as the set's licence asks."""

    id: str
    title: str
    author: str
    level: str
    status: str
    references: tuple[str, ...]
    logsource: str  # product/category/service, "*" for what it does not say
    path: str  # in the set
    outcome: str  # loaded, no-source, refused
    reason: str = ""  # of a refusal, short
    detail: str = ""
    sight: str = ""  # what is known of its log source here
    digest: str = ""  # of its text


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Against the set of that name that was in place; ids of rules."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Of one set."""

    name: str
    source: str
    imported_at: str
    licences: tuple[str, ...]  # paths in the set
    rules: tuple[Taken, ...]
    files: Mapping[str, int]  # what was passed over, by reason
    remarks: Mapping[str, int]  # of the linter, by kind
    difference: Difference

    @property
    def loaded(self) -> tuple[Taken, ...]:
        return tuple(rule for rule in self.rules if rule.outcome == "loaded")

    def by(self, key: str, outcome: str = "") -> Counter[str]:
        """Rules by the value of an attribute."""
        return Counter(str(getattr(r, key)) or "-" for r in self.rules if not outcome or r.outcome == outcome)


def write(report: Report, folder: Path) -> None:
    text = json.dumps(asdict(report), ensure_ascii=False, indent=1)
    (folder / NAME).write_text(text + "\n", "utf-8")


def read(folder: Path) -> Report:
    """The report of a set. Raises SetError."""
    try:
        document: dict[str, Any] = json.loads((folder / NAME).read_bytes())
        rules = tuple(Taken(**{**rule, "references": tuple(rule["references"])}) for rule in document.pop("rules"))
        difference = Difference(**{name: tuple(ids) for name, ids in document.pop("difference").items()})
        return Report(**{**document, "licences": tuple(document["licences"])}, rules=rules, difference=difference)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise SetError(f"its report cannot be read: {error}", where=folder, fix="import the set again") from error


def as_text(report: Report) -> Iterator[str]:
    """For people: what is used, what is not and why, what nobody here sends."""
    by_outcome = report.by("outcome")
    yield (
        f"{report.name}: {by_outcome['loaded']:,} rules loaded, {by_outcome['no-source']:,} kept aside for want of a"
        f" log source, {by_outcome['refused']:,} refused"
    )
    yield "licences: " + (", ".join(report.licences) or "none in the set: ask its authors before you use it")
    for title, counts in (
        ("refused", report.by("reason", "refused")),
        ("loaded, by what is known of their log source here", report.by("sight", "loaded")),
        ("loaded, by level", report.by("level", "loaded")),
        ("kept aside, by log source", report.by("logsource", "no-source")),
        ("loaded, by log source", report.by("logsource", "loaded")),
        ("remarks of the linter", Counter(report.remarks)),
        ("files passed over", Counter(report.files)),
    ):
        if counts:
            yield title
            listed = counts.most_common(_MOST_LISTED)
            yield from (f"  {count:>6,}  {what}" for what, count in listed)
            if rest := counts.total() - sum(count for _, count in listed):
                yield f"  {rest:>6,}  in {len(counts) - len(listed)} more"
    d = report.difference
    if d.added or d.changed or d.removed:
        yield f"since the last import: {len(d.added):,} added, {len(d.changed):,} changed, {len(d.removed):,} removed"
