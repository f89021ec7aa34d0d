"""The cases of scheduled rules: raw lines through the real parsers into a real store, then the rule is asked.

As with the stream's rules, and `# repeat: 120` makes the next line come so often. The rule is asked right after
the last line.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from inventory.model import Province
from monitoring.event import Event
from monitoring.store import Store, StoreWriter
from soc.alert import Alert
from soc.scheduled.recount import Recount
from soc.scheduled.rule import Scheduled
from soc.scheduled.runner import SETTLE, Runner
from soc.sigma.library import CaseError, Folder, Outcome, Scene


def folders(rules: Iterable[Scheduled]) -> tuple[Folder, ...]:
    """Every scheduled rule's folder."""
    return tuple(Folder(path=rule.origin.path.parent, rule=rule) for rule in rules)


def outcomes(rules: Iterable[Scheduled], province: Province) -> Iterator[Outcome]:
    """Run the cases of each rule, against that rule."""
    for rule in rules:
        for case in folders([rule])[0].cases:
            with tempfile.TemporaryDirectory(prefix="canh-case-") as place:
                yield _outcome(case, rule, province, Path(place))


def _outcome(case: Path, rule: Scheduled, province: Province, place: Path) -> Outcome:
    is_hit = case.suffixes[-2:-1] == [".hit"]
    try:
        raised = raised_by(Scene(case, province, place / "scene").events(), rule, place)
    except CaseError as error:
        return Outcome(case=case, wrong=str(error), fired=frozenset())
    wrong = "" if bool(raised) is is_hit else "it does not fire" if is_hit else "it fires and must not"
    return Outcome(case=case, wrong=wrong, fired=frozenset({rule.id} if raised else ()))


def raised_by(events: list[Event], rule: Scheduled, place: Path) -> list[Alert]:
    """What the rule raises over a store with these events, asked after the last of them."""
    kept = _Kept()
    with closing(StoreWriter(place)) as writer:
        writer.write(events)
        writer.commit({})
    now = max(event.received for event in events) + SETTLE + timedelta(seconds=1)
    Runner(Store(place), Recount(), kept, clock=lambda: now).run(rule)
    return kept.alerts


class _Kept:
    """A case store that keeps what it is given."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []

    def deliver(self, alerts: Iterable[Alert]) -> int:
        self.alerts += alerts
        return len(self.alerts)
