"""What an analyst does to alerts: acknowledge, assign, close, note; one alert or a selection."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response

from soc.alert import Resolution
from soc.cases import Case, CaseStore
from soc.console._language import Language
from soc.console._query import query_of
from soc.console._security import allowed, audit, console_of
from soc.console.routes._reply import language_of, page
from soc.console.routes.alerts import Scope, view_counts
from soc.console.sessions import Session
from soc.errors import CaseError, UserError
from soc.users import Role

router = APIRouter(prefix="/alerts/act")
MOST = 200  # alerts one action may touch
MOST_DIGITS = 8  # of a version, of minutes
SHIFT_STARTS = (6, 14, 22)  # local hours
_Picked = Annotated[list[str], Form(alias="alert", default_factory=list, max_length=MOST)]
_Text = Annotated[str, Form(max_length=5000)]
_analyst = allowed(Role.ANALYST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of the alerts an action named."""

    done: tuple[Case, ...]
    refused: tuple[tuple[str, CaseError], ...]  # id, why


@router.post("/acknowledge")
def acknowledge(
    request: Request,
    alert: _Picked,
    pause: Annotated[str, Form(max_length=10)] = "30",
    reason: _Text = "",
    back: _Text = "",
    session: Session = Depends(_analyst),  # noqa: B008
) -> Response:
    now = console_of(request).now()
    until = _until(pause, now, language_of(request, session))
    return _act(
        request,
        session,
        alert,
        back,
        lambda cases, id, version: cases.acknowledge(
            id, actor=session.user.name, reason=reason, until=until, at=now, version=version
        ),
    )


@router.post("/assign")
def assign(
    request: Request,
    alert: _Picked,
    to: Annotated[str, Form(max_length=64)] = "",
    reason: _Text = "",
    back: _Text = "",
    session: Session = Depends(_analyst),  # noqa: B008
) -> Response:
    """`to` is an analyst's account; "" gives the alert back to nobody."""
    console, now = console_of(request), console_of(request).now()
    if to and console.users.get(to).role is not Role.ANALYST:
        raise UserError(f"{to} is not an analyst", fix="assign to an analyst")
    return _act(
        request,
        session,
        alert,
        back,
        lambda cases, id, version: cases.assign(
            id, actor=session.user.name, to=to, at=now, reason=reason, version=version
        ),
    )


@router.post("/close")
def close(
    request: Request,
    alert: _Picked,
    resolution: Annotated[Resolution, Form()],
    reason: _Text = "",
    back: _Text = "",
    session: Session = Depends(_analyst),  # noqa: B008
) -> Response:
    now = console_of(request).now()

    def closed(cases: CaseStore, id: str, version: int | None) -> Case:
        case = cases.close(id, actor=session.user.name, resolution=resolution, reason=reason, at=now, version=version)
        _tell_closed(request, session, cases.get(id), resolution)
        return case

    return _act(request, session, alert, back, closed)


@router.post("/note")
def note(
    request: Request,
    alert: _Picked,
    reason: _Text = "",
    back: _Text = "",
    session: Session = Depends(_analyst),  # noqa: B008
) -> Response:
    now = console_of(request).now()
    return _act(
        request,
        session,
        alert,
        back,
        lambda cases, id, _version: cases.note(id, actor=session.user.name, reason=reason, at=now),
    )


def _tell_closed(request: Request, session: Session, case: Case, resolution: Resolution) -> None:
    """For the log: who closed what, and whether it was about himself."""
    name = session.user.name
    audit(
        request,
        "alert-closed",
        user=name,
        alert=case.id,
        rule=case.alert.rule_id,
        resolution=resolution.value,
        own="yes" if name.lower() in case.alert.subjects else "no",
    )


def _act(
    request: Request,
    session: Session,
    picked: list[str],
    back: str,
    action: Callable[[CaseStore, str, int | None], Case],
) -> Response:
    """Do it to every alert picked ("id:version"), then answer with what changed and what was refused."""
    cases = console_of(request).cases
    done, refused = [], []
    for entry in picked:
        id, _, version = entry.partition(":")
        try:
            done.append(action(cases, id, _number(version)))
        except CaseError as error:
            refused.append((id, error))
    return _answer(request, session, back, Outcome(done=tuple(done), refused=tuple(refused)))


def _answer(request: Request, session: Session, back: str, outcome: Outcome) -> Response:
    name = request.url.path.rpartition("/")[2]
    on_detail = back.startswith("/alerts/")
    if not outcome.done:
        status = 409 if any(error.code == "conflict" for _, error in outcome.refused) else 422
        response = page(request, session, "part_refused.html", status=status, outcome=outcome, on_detail=on_detail)
        response.headers.update({"HX-Retarget": f"#dlg-{name} .refused", "HX-Reswap": "innerHTML"})
        return response
    if on_detail:
        return Response(headers={"HX-Redirect": f"/alerts/{outcome.done[0].id}?done={name}"})
    query = query_of(parse_qsl(back))
    response = page(
        request,
        session,
        "part_acted.html",
        outcome=outcome,
        action=name,
        query=query,
        counts=view_counts(console_of(request).cases, Scope.of(request, session)),
    )
    response.headers["HX-Trigger"] = json.dumps({"canh:acted": {"action": name}})
    return response


def _until(pause: str, now: datetime, language: Language) -> datetime:
    """The end of a pause: minutes from now, or "shift" for the end of this shift."""
    if pause == "shift":
        return shift_end(language.local(now))
    return now + timedelta(minutes=_number(pause) or 0)


def _number(text: str) -> int | None:
    """What a few ASCII digits say; `str.isdigit` alone also takes "²", and more digits overflow a date."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS else None


def shift_end(local: datetime) -> datetime:
    """When the shift a local time is in ends; at least a minute ahead."""
    today = local.replace(minute=0, second=0, microsecond=0)
    ends = [today.replace(hour=hour) for hour in SHIFT_STARTS]
    ends.append(ends[0] + timedelta(days=1))
    return next(end for end in ends if end > local + timedelta(minutes=1))
