"""`/live`: server-sent events for an open page. Needs a session, does not keep it alive."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from soc.cases import Case
from soc.console._query import Query, filter_of, query_of
from soc.console._security import COOKIE, allowed, console_of
from soc.console.routes._reply import frame_of, language_of
from soc.console.routes.alerts import Scope, view_counts
from soc.console.sessions import Session
from soc.errors import DatabaseError

router = APIRouter()
BEAT_S = 5.0  # a page that heard nothing for three of these says so
MOST = 500  # changed cases sent at once; beyond, the page is told to load anew


@router.get("/live")
async def live(request: Request, seq: int = 0, session: Session = Depends(allowed())) -> Response:  # noqa: B008
    """Events `changed` (rows), `counts` and `beat`; `id` is the seq, sent back on reconnecting."""
    last = request.headers.get("last-event-id", "")[:15]
    known = min(max(seq, int(last) if last.isascii() and last.isdigit() else 0), 10**15)  # fits the database
    headers = {"x-accel-buffering": "no"}
    return StreamingResponse(_events(request, session, known), media_type="text/event-stream", headers=headers)


async def _events(request: Request, session: Session, known: int) -> AsyncIterator[str]:
    console, query = console_of(request), query_of(request.query_params.multi_items())
    async with console.live.page() as woken:
        if woken is None:
            yield _event("full", {})
            return
        yield "retry: 2000\n\n"
        while not console.live.is_closing:
            try:
                alive = await run_in_threadpool(_still, request)
                if alive is None:
                    yield _event("signed-out", {})
                    return
                changed = await run_in_threadpool(console.cases.since, known, MOST + 1)
                if changed:
                    known, text = await run_in_threadpool(_changed, request, alive, query, known, changed)
                    yield text
                yield await run_in_threadpool(_beat, request, alive)
            except DatabaseError:  # the page's own watch notices the missing beat
                pass
            await console.live.wait(woken, BEAT_S)


def _still(request: Request) -> Session | None:
    console = console_of(request)
    return console.sessions.find(request.cookies.get(COOKIE, ""), console.now(), touch=False)


def _changed(
    request: Request, session: Session, query: Query, known: int, changed: tuple[Case, ...]
) -> tuple[int, str]:
    """The changed rows as this page would show them, and the newest seq."""
    console, language = console_of(request), language_of(request, session)
    newest = changed[-1].seq
    scope = Scope.of(request, session)
    if len(changed) > MOST:
        return console.cases.seq(), _event("stale", {}, newest)
    wanted = filter_of(query, **scope)
    wanted["ids"] = [case.id for case in changed]
    ids = {case.id for case in console.cases.list(limit=MOST, **wanted)}
    values = {"now": console.now(), "session": session, "province": console.province, "query": query}
    values |= frame_of(request, session)
    rows = [
        {
            "id": case.id,
            "new": case.created_seq > known,
            "shown": case.id in ids,
            "level": case.alert.level.value,
            "version": case.version,
            "html": console.pages.macro(language.code, "_row.html", "row", case=case, **values),
        }
        for case in changed
    ]
    counts = view_counts(console.cases, scope)
    payload = {"rows": rows, "counts": {v: language.number(n) for v, n in counts.items()}}
    return newest, _event("changed", payload, newest)


def _beat(request: Request, session: Session) -> str:
    """That we live, the server's time, and the state bar."""
    console, language = console_of(request), language_of(request, session)
    values = {"now": console.now(), "session": session, "province": console.province, **frame_of(request, session)}
    html = console.pages.render(language.code, "_state.html", **values)
    now = console.now()
    return _event("beat", {"now": now.timestamp(), "ends": session.ends_at.timestamp(), "state": html})


def signed_out() -> Response:
    """For a stream that asks without a session: an EventSource cannot be led to a page, it can be told."""
    return Response(_event("signed-out", {}), media_type="text/event-stream")


def _event(name: str, data: dict[str, Any], seq: int | None = None) -> str:
    number = f"id: {seq}\n" if seq is not None else ""
    return f"{number}event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
