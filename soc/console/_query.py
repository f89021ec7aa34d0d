"""What the queue shows: tabs, facets and page, read from the query string and written back to it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from urllib.parse import urlencode

from soc.alert import Level, Status
from soc.cases import Filter
from soc.console._words import N_

PAGE_SIZE = 100
SOON = timedelta(hours=1)
FACETS = ("level", "assignee", "site", "rule")
NOBODY = "-"  # how a query string says: assigned to nobody
OPEN = (Status.NEW, Status.ACKNOWLEDGED)
VIEWS: Mapping[str, str] = MappingProxyType(
    {
        "todo": N_("To do"),
        "mine": N_("Mine"),
        "unassigned": N_("Unassigned"),
        "soon": N_("Due soon"),
        "acknowledged": N_("Acknowledged"),
        "closed": N_("Closed today"),
        "all": N_("All"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One state of the queue page."""

    view: str = "todo"
    facets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    text: str = ""
    page: int = 1

    def url(self, path: str = "/alerts") -> str:
        pairs = [("view", self.view)] if self.view != "todo" else []
        pairs += [(name, value) for name in FACETS for value in self.facets.get(name, ())]
        pairs += [("q", self.text)] if self.text else []
        pairs += [("page", str(self.page))] if self.page > 1 else []
        return f"{path}?{urlencode(pairs)}" if pairs else path

    def with_view(self, view: str) -> Query:
        return replace(self, view=view, page=1)

    def with_page(self, page: int) -> Query:
        return replace(self, page=page)

    def without(self, name: str, value: str) -> Query:
        """The query without one chosen facet value (or the text, for "q")."""
        if name == "q":
            return replace(self, text="", page=1)
        kept = {**self.facets, name: tuple(v for v in self.facets.get(name, ()) if v != value)}
        return replace(self, facets=kept, page=1)

    def has(self, name: str, value: str) -> bool:
        return value in self.facets.get(name, ())

    @property
    def is_narrowed(self) -> bool:
        return bool(self.text) or any(self.facets.values())

    @property
    def chosen(self) -> tuple[tuple[str, str], ...]:
        return tuple((name, value) for name in FACETS for value in self.facets.get(name, ()))


def query_of(pairs: Iterable[tuple[str, str]]) -> Query:
    """The query in a query string; unknown names and values are ignored."""
    facets: dict[str, tuple[str, ...]] = {}
    view, text, page = "todo", "", 1
    for name, value in pairs:
        value = value[:200]
        if name in FACETS and value and (name != "level" or value in set(Level)):
            facets[name] = (*facets.get(name, ()), value)
        elif name == "view" and value in VIEWS:
            view = value
        elif name == "q":
            text = value.strip()
        elif name == "page" and value.isascii() and value.isdigit():
            page = min(max(1, int(value)), 10_000)
    return Query(view=view, facets=facets, text=text, page=page)


def filter_of(query: Query, *, user: str, now: datetime, midnight: datetime, but: str = "") -> Filter:
    """The store's filter for a query; `but` leaves one facet out, for its own counts."""
    wanted = view_filter(query.view, user=user, now=now, midnight=midnight)
    if query.text:
        wanted["text"] = query.text
    if but != "level" and (levels := query.facets.get("level")):
        wanted["level"] = [Level(value) for value in levels]
    if but != "site" and (sites := query.facets.get("site")):
        wanted["site"] = sites
    if but != "rule" and (rules := query.facets.get("rule")):
        wanted["rule"] = rules
    if but != "assignee" and (people := query.facets.get("assignee")):
        wanted["assignee"] = ["" if person == NOBODY else person for person in people]
    return wanted


def view_filter(view: str, *, user: str, now: datetime, midnight: datetime) -> Filter:
    """What a tab holds. `midnight` is the start of today where the analysts are."""
    match view:
        case "mine":
            return {"status": OPEN, "assignee": user}
        case "unassigned":
            return {"status": OPEN, "assignee": ""}
        case "soon":
            return {"status": (Status.NEW,), "due_before": now + SOON}
        case "acknowledged":
            return {"status": (Status.ACKNOWLEDGED,)}
        case "closed":
            return {"status": (Status.CLOSED,), "closed_since": midnight}
        case "all":
            return {}
        case _:
            return {"status": OPEN}
