"""`Console`: everything a page needs, made once at start."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from inventory.model import Province
from soc._database import Database
from soc.cases import CaseStore
from soc.console._language import Language, languages
from soc.console._live import Live
from soc.console._notes import Notes
from soc.console._pages import Pages
from soc.console._security import Throttle
from soc.console._sight import Watch
from soc.console.sessions import SessionStore
from soc.hold_keeper import HoldKeeper
from soc.policy import documents
from soc.users import UserStore


@dataclass(frozen=True, kw_only=True)
class Console:
    province: Province
    data_dir: Path
    cases: CaseStore
    users: UserStore
    sessions: SessionStore
    notes: Notes
    languages: Mapping[str, Language]
    pages: Pages
    live: Live
    throttle: Throttle
    watch: Watch
    now: Callable[[], datetime]


def console_for(
    province: Province,
    data_dir: Path,
    rule_folders: Sequence[Path],
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Console:
    """A console over the data directory. Raises DatabaseError."""
    database = Database(data_dir)
    cases = CaseStore(database)
    known, notes = languages(province.time_zone), Notes(rule_folders, documents(province))
    return Console(
        province=province,
        data_dir=data_dir,
        cases=cases,
        users=UserStore(database),
        sessions=SessionStore(database),
        notes=notes,
        languages=known,
        pages=Pages(known, notes),
        live=Live(cases, now, HoldKeeper(cases, data_dir).look),
        throttle=Throttle(),
        watch=Watch(province, data_dir, now()),
        now=now,
    )
