"""The overview: what to do first, how fast we respond, whether we see everything."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from soc.alert import Status
from soc.cases import document_of
from soc.console._console import Console
from soc.console._overview import response_of, sites_of, tiles_of
from soc.console._query import OPEN
from soc.console._security import allowed, console_of
from soc.console.routes._reply import page
from soc.console.sessions import Session

router = APIRouter()
FIRST = 6  # rows of "do first"
MOST = 5000  # cases the figures are made from
TARGET_TO_ACT, TARGET_TO_CLOSE = timedelta(minutes=15), timedelta(hours=4)


@router.get("/")
def overview(request: Request, session: Session = Depends(allowed())) -> Response:  # noqa: B008
    return page(
        request,
        session,
        "overview.html",
        targets=(TARGET_TO_ACT, TARGET_TO_CLOSE),
        **_figures(console_of(request)),
    )


@router.get("/overview.json")
def overview_json(request: Request, session: Session = Depends(allowed())) -> dict[str, Any]:  # noqa: B008
    console = console_of(request)
    figures = _figures(console)
    sight = console.watch.look(console.now())
    return {
        "levels": {t.level.value: {"open": t.open, "overdue": t.overdue, "hourly": t.hourly} for t in figures["tiles"]},
        "first": [document_of(case) for case in figures["first"]],
        "mtta_s": _seconds(figures["response"].to_act),
        "mttr_s": _seconds(figures["response"].to_close),
        "balance": {**asdict(sight.balance), "at": sight.balance.at.isoformat()} if sight.balance else None,
        "silent": [silence.device for silence in sight.silent],
        "detecting": sight.detecting,
    }


def _figures(console: Console) -> dict[str, Any]:
    now = console.now()
    still_open = console.cases.list(status=OPEN, limit=MOST)
    recent = console.cases.list(since=now - timedelta(hours=24), limit=MOST)
    closed = tuple(case for case in recent if case.status is Status.CLOSED)
    return {
        "tiles": tiles_of((*still_open, *closed), now),
        "first": tuple(case for case in still_open if case.status is Status.NEW)[:FIRST],
        "response": response_of(recent, console.cases.first_actions(since=now - timedelta(hours=24))),
        "sites": sites_of(console.province, still_open),
    }


def _seconds(span: timedelta | None) -> int | None:
    return None if span is None else int(span.total_seconds())
