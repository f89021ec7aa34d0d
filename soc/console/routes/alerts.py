"""The queue and the detail page."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from soc.alert import Level
from soc.cases import Case, CaseStore, HistoryEntry, document_of
from soc.console._console import Console
from soc.console._query import FACETS, NOBODY, PAGE_SIZE, VIEWS, Query, filter_of, query_of, view_filter
from soc.console._raw import fields_of, runs_of
from soc.console._security import allowed, console_of
from soc.console.routes._reply import language_of, page
from soc.console.sessions import Session

router = APIRouter()
RELATED_WITHIN = timedelta(hours=24)
RELATED_AMONG = 1000  # alerts looked at for a shared value
RELATED_SHOWN = 6
_COLUMNS = {"level": "level", "assignee": "assignee", "site": "site", "rule": "rule_id"}


@router.get("/alerts")
def queue(request: Request, session: Session = Depends(allowed())) -> Response:  # noqa: B008
    console, query = console_of(request), query_of(request.query_params.multi_items())
    scope = Scope.of(request, session)
    filters = filter_of(query, **scope)
    cases = console.cases.list(limit=PAGE_SIZE, offset=(query.page - 1) * PAGE_SIZE, **filters)
    total = console.cases.count(**filters).get("", 0)
    return page(
        request,
        session,
        "alerts.html",
        cases=cases,
        query=query,
        total=total,
        pages=max(1, -(-total // PAGE_SIZE)),
        counts=view_counts(console.cases, scope),
        facets=_facets(console.cases, query, scope),
    )


@router.get("/alerts.json")
def queue_json(request: Request, session: Session = Depends(allowed())) -> dict[str, Any]:  # noqa: B008
    console, query = console_of(request), query_of(request.query_params.multi_items())
    filters = filter_of(query, **Scope.of(request, session))
    cases = console.cases.list(limit=PAGE_SIZE, offset=(query.page - 1) * PAGE_SIZE, **filters)
    return {
        "total": console.cases.count(**filters).get("", 0),
        "page": query.page,
        "alerts": [document_of(case) for case in cases],
    }


@router.get("/alerts/{alert_id}.json")
def detail_json(request: Request, alert_id: str, session: Session = Depends(allowed())) -> dict[str, Any]:  # noqa: B008
    cases = console_of(request).cases
    return {**document_of(cases.get(alert_id)), "history": [_entry(e) for e in cases.history(alert_id)]}


@router.get("/alerts/{alert_id}")
def detail(request: Request, alert_id: str, session: Session = Depends(allowed())) -> Response:  # noqa: B008
    console, language = console_of(request), language_of(request, session)
    case = console.cases.get(alert_id)
    before, after = _neighbours(console.cases, case)
    return page(
        request,
        session,
        "alert.html",
        case=case,
        alert=case.alert,
        runs=runs_of(case.alert),
        fields=fields_of(case.alert.events),
        history=console.cases.history(alert_id),
        related=_related(console, case),
        note=console.notes.of(case.alert.rule_id, language.code),
        before=before,
        after=after,
        done=request.query_params.get("done", ""),
    )


class Scope:
    """Who looks and when: what "mine" and "today" mean."""

    @staticmethod
    def of(request: Request, session: Session) -> dict[str, Any]:
        console = console_of(request)
        now = console.now()
        local = language_of(request, session).local(now)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        return {"user": session.user.name, "now": now, "midnight": midnight}


def view_counts(cases: CaseStore, scope: dict[str, Any]) -> dict[str, int]:
    """How many alerts each tab holds."""
    return {view: cases.count(**view_filter(view, **scope)).get("", 0) for view in VIEWS}


def _facets(cases: CaseStore, query: Query, scope: dict[str, Any]) -> dict[str, dict[str, int]]:
    """Counts beside each facet's values, most first; a chosen value stays although none is left."""
    facets = {}
    for facet in FACETS:
        counts = cases.count(_COLUMNS[facet], **filter_of(query, **scope, but=facet))
        named = {value or (NOBODY if facet == "assignee" else ""): number for value, number in counts.items()}
        chosen = dict.fromkeys(query.facets.get(facet, ()), 0)
        facets[facet] = dict(sorted({**chosen, **named}.items(), key=_worst_first if facet == "level" else _most_first))
    return facets


def _worst_first(pair: tuple[str, int]) -> int:
    return -Level(pair[0]).rank


def _most_first(pair: tuple[str, int]) -> tuple[int, str]:
    return -pair[1], pair[0]


def _neighbours(cases: CaseStore, case: Case) -> tuple[str, str]:
    """Ids of the alerts before and after it by deadline among the open ones, "" at the ends."""
    if not case.is_open:
        return "", ""
    ids = [other.id for other in cases.list(limit=RELATED_AMONG, **_todo())]
    at = ids.index(case.id) if case.id in ids else -1
    return ids[at - 1] if at > 0 else "", ids[at + 1] if 0 <= at < len(ids) - 1 else ""


def _todo() -> dict[str, Any]:
    return {"status": view_filter("todo", user="", now=datetime.max, midnight=datetime.max)["status"]}


def _related(console: Console, case: Case) -> tuple[tuple[Case, str], ...]:
    """Alerts of the day around it that share a group value or the device, with the field they share."""
    since = case.alert.raised_at - RELATED_WITHIN
    found = []
    for other in console.cases.list(since=since, limit=RELATED_AMONG):
        shared = [name for name, value in other.alert.group if (name, value) in case.alert.group]
        if other.alert.device and other.alert.device == case.alert.device:
            shared.append("device")
        if shared and other.id != case.id and other.alert.raised_at <= case.alert.raised_at + RELATED_WITHIN:
            found.append((other, ", ".join(shared)))
    found.sort(key=lambda pair: (pair[1] == "device", -pair[0].alert.level.rank))
    return tuple(found[:RELATED_SHOWN])


def _entry(entry: HistoryEntry) -> dict[str, Any]:
    return {
        "at": entry.at.isoformat(),
        "actor": entry.actor,
        "action": entry.action,
        "reason": entry.reason,
        "detail": dict(entry.detail),
    }
