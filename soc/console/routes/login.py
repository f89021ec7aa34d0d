"""Signing in and out, the language, and staying signed in."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response
from markupsafe import Markup

from soc.console import _icons as icons
from soc.console._language import NAMES, Language
from soc.console._security import (
    COOKIE,
    LANGUAGE_COOKIE,
    LOGIN_COOKIE,
    LoginNeeded,
    allowed,
    audit,
    console_of,
    new_token,
    signed_in,
    source_of,
)
from soc.console.routes._reply import language_of, local_path, page
from soc.console.sessions import LIFE, Session
from soc.users import Refusal

router = APIRouter()
_YEAR_S = int(timedelta(days=365).total_seconds())


@router.get("/login")
def login_form(request: Request) -> Response:
    """The form; somebody already signed in goes on to the overview."""
    try:
        signed_in(request)
    except LoginNeeded:
        return _form(request)
    return RedirectResponse("/", status_code=303)


@router.post("/login")
def login(
    request: Request, name: str = Form("", max_length=200), password: str = Form("", max_length=1000)
) -> Response:
    console, now = console_of(request), console_of(request).now()
    source, name = source_of(request), name.strip().lower()
    if console.throttle.is_over(source, now):
        audit(request, "throttled")
        return _form(request, name=name, throttled=True, status=429)
    outcome = console.users.authenticate(name, password, now)
    if isinstance(outcome, Refusal):
        console.throttle.failed(source, now)
        event = "locked-out" if outcome.locked_until else "login-failed"
        audit(request, event, user=name if outcome.known else "(unknown)")
        return _form(request, name=name, refusal=outcome, status=401)
    token = console.sessions.start(outcome, source=source, at=now, replaces=request.cookies.get(COOKIE, ""))
    audit(request, "login", user=outcome.name)
    response = RedirectResponse("/", status_code=303)
    _set_cookie(response, COOKIE, token, int(LIFE.total_seconds()))
    response.delete_cookie(LOGIN_COOKIE, path="/", secure=True, httponly=True, samesite="strict")
    return response


@router.post("/logout")
def logout(request: Request, session: Session = Depends(allowed())) -> Response:  # noqa: B008 - FastAPI's way
    console_of(request).sessions.end(request.cookies.get(COOKIE, ""))
    audit(request, "logout", user=session.user.name)
    response = RedirectResponse("/login", status_code=303)
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")
    return response


@router.post("/session")
def stay(request: Request, session: Session = Depends(allowed())) -> dict[str, int]:  # noqa: B008
    """Asked for by the warning two minutes before the end; being asked is what keeps it."""
    return {"ends_at": int(session.ends_at.timestamp())}


@router.get("/lang/{code}")
def set_language(request: Request, code: str, next: str = "/") -> Response:
    """Switch the language; remembered by the browser, and by the account when signed in."""
    response = RedirectResponse(local_path(next), status_code=303)
    if code in NAMES:
        _set_cookie(response, LANGUAGE_COOKIE, code, _YEAR_S)
        with suppress(LoginNeeded):
            console_of(request).users.set_language(signed_in(request).user.name, code)
    return response


def _form(
    request: Request, *, name: str = "", refusal: Refusal | None = None, throttled: bool = False, status: int = 200
) -> Response:
    token = request.cookies.get(LOGIN_COOKIE) or new_token()
    language, now = language_of(request), console_of(request).now()
    response = page(
        request,
        None,
        "login.html",
        status=status,
        name=name,
        refusal=refusal,
        throttled=throttled,
        csrf=token,
        ring=_ring(language, console_of(request).languages[language.code].local(now).hour, request),
    )
    _set_cookie(response, LOGIN_COOKIE, token, 3600)
    return response


def _ring(language: Language, hour: int, request: Request) -> Markup:
    """The dial of the watches at this hour."""
    _ = language.text
    names = (_("First watch"), _("Second watch"), _("Third watch"), _("Fourth watch"), _("Fifth watch"))
    shift = _("night shift") if hour >= 22 or hour < 6 else _("morning shift") if hour < 14 else _("afternoon shift")
    lit = icons.watch(hour)
    caption = shift if lit is None else f"{names[lit]}, {shift}"
    local = language.local(console_of(request).now())
    return icons.ring(local.hour, local.minute, names, caption[0].upper() + caption[1:])


def _set_cookie(response: Response, name: str, value: str, age_s: int) -> None:
    response.set_cookie(name, value, max_age=age_s, path="/", secure=True, httponly=True, samesite="strict")
