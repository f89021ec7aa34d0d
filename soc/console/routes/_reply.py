"""Answers all pages share: the frame around a page, toasts, errors, redirects inside the console."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from soc.console._language import DEFAULT, Language
from soc.console._people import People
from soc.console._query import OPEN
from soc.console._security import LANGUAGE_COOKIE, console_of
from soc.console.sessions import Session
from soc.users import Role


def language_of(request: Request, session: Session | None = None) -> Language:
    """Cookie, else the account's preference, else Vietnamese."""
    languages = console_of(request).languages
    for code in (request.cookies.get(LANGUAGE_COOKIE, ""), session.user.language if session else ""):
        if code in languages:
            return languages[code]
    return languages[DEFAULT]


def page(request: Request, session: Session | None, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A whole page in its frame, or a part of one."""
    console, language = console_of(request), language_of(request, session)
    frame = frame_of(request, session) if session else {}
    html = console.pages.render(
        language.code,
        template,
        **{"now": console.now(), "session": session, "province": console.province, **_preferences(request)},
        **frame,
        **values,
    )
    return HTMLResponse(html, status_code=status)


def frame_of(request: Request, session: Session) -> dict[str, Any]:
    """What the frame and every row need."""
    console = console_of(request)
    users = console.users.list()
    return {
        "people": People(users),
        "analysts": [u for u in users if u.role is Role.ANALYST and not u.disabled],
        "can_act": session.user.role is Role.ANALYST,
        "open_count": console.cases.count(status=OPEN).get("", 0),
        "sight": console.watch.look(console.now()),
        "seq": console.cases.seq(),
    }


def is_htmx(request: Request) -> bool:
    return request.headers.get("hx-request") == "true"


def wants_json(request: Request) -> bool:
    return request.url.path.endswith(".json")


def to_login(request: Request) -> Response:
    if wants_json(request):
        return JSONResponse({"error": "sign in first"}, status_code=401)
    if is_htmx(request):
        return Response(status_code=401, headers={"HX-Redirect": "/login"})
    return RedirectResponse("/login", status_code=303)


def error(request: Request, session: Session | None, status: int, kind: str, reference: str = "") -> Response:
    """A page that says what, what still works and what to do; a toast for a part, JSON for programs."""
    if wants_json(request):
        return JSONResponse({"error": kind, "reference": reference}, status_code=status)
    template = "part_error.html" if is_htmx(request) else "error.html"
    response = page(request, session, template, status=status, kind=kind, reference=reference)
    if is_htmx(request):
        response.headers.update({"HX-Retarget": "#toasts", "HX-Reswap": "beforeend"})
    return response


def local_path(path: str) -> str:
    """A path inside the console; anything else becomes the overview."""
    safe = path.startswith("/") and not path.startswith(("//", "/\\")) and "\n" not in path and "\r" not in path
    return path if safe else "/"


def _preferences(request: Request) -> dict[str, str]:
    """Theme and density from their cookies, so that the first paint is right without script."""
    theme = request.cookies.get("__Host-canh-theme", "")
    return {
        "theme": theme if theme in ("light", "dark") else "",
        "dense": "compact" if request.cookies.get("__Host-canh-dense") == "1" else "",
        "path": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
    }
