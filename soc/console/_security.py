"""What every request passes: headers, size limit, session, role, CSRF, and the log of logins.

Roles are asked for by `allowed(...)`, a dependency of each route; `protected` refuses any
state-changing request without the session's CSRF token, whatever the route forgot.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from soc.console.sessions import Session
from soc.users import Role

if TYPE_CHECKING:
    from soc.console._console import Console

COOKIE = "__Host-canh"
LOGIN_COOKIE = "__Host-canh-login"  # CSRF token of the login form, before there is a session
LANGUAGE_COOKIE = "__Host-canh-lang"
MAX_BODY = 64 * 1024
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "strict-transport-security": "max-age=31536000",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",  # "no-referrer" makes browsers send "Origin: null" with forms
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_audit = logging.getLogger("canh.audit")


class LoginNeeded(Exception):
    """Nobody is signed in, or no longer."""


class Forbidden(Exception):
    """Signed in, but not for this. `code` says which rule."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def console_of(request: Request) -> Console:
    console: Console = request.app.state.console
    return console


def signed_in(request: Request) -> Session:
    """The session of a request. Raises LoginNeeded."""
    console = console_of(request)
    session = console.sessions.find(request.cookies.get(COOKIE, ""), console.now())
    if session is None:
        raise LoginNeeded
    return session


def allowed(*roles: Role) -> Callable[[Request], Session]:
    """A dependency: the session, if its account has one of the roles (any role when none is named)."""

    def check(request: Request) -> Session:
        session = signed_in(request)
        if roles and session.user.role not in roles:
            audit(request, "refused", user=session.user.name, path=request.url.path)
            raise Forbidden("role")
        return session

    return check


async def protected(request: Request) -> None:
    """Refuse a state-changing request that does not come from our own pages. Raises Forbidden."""
    if request.method in SAFE_METHODS:
        return
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise Forbidden("origin")
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden("origin")
    token = (await request.form()).get("csrf", "")
    if not isinstance(token, str) or not _same(token, await run_in_threadpool(_expected, request)):
        raise Forbidden("csrf")


def _expected(request: Request) -> str:
    if request.url.path == "/login":
        return request.cookies.get(LOGIN_COOKIE, "")
    return signed_in(request).csrf


def _same(given: str, expected: str) -> bool:
    return bool(expected) and compare_digest(given.encode(), expected.encode())


def new_token() -> str:
    return secrets.token_urlsafe(32)


def source_of(request: Request) -> str:
    """The address the request came from. Forwarding headers are not believed: anyone can write them."""
    return request.client.host if request.client else "unknown"


def audit(request: Request, event: str, **facts: str) -> None:
    """One line of the log of logins and refusals; never a password, token or unknown user's name."""
    line = {"event": event, "source": source_of(request), **facts}
    _audit.info(json.dumps(line, ensure_ascii=False))


class Throttle:
    """Failed logins a source may make in a window, whatever accounts it tries."""

    def __init__(self, limit: int = 30, window: timedelta = timedelta(minutes=5), remembered: int = 5000) -> None:
        self._limit, self._window, self._remembered = limit, window, remembered
        self._failures: OrderedDict[str, deque[datetime]] = OrderedDict()

    def is_over(self, source: str, at: datetime) -> bool:
        failures = self._failures.get(source, deque())
        while failures and failures[0] <= at - self._window:
            failures.popleft()
        return len(failures) >= self._limit

    def failed(self, source: str, at: datetime) -> None:
        self._failures.setdefault(source, deque(maxlen=self._limit)).append(at)
        self._failures.move_to_end(source)
        while len(self._failures) > self._remembered:
            self._failures.popitem(last=False)


class Shield:
    """ASGI: security headers on every response, and no body larger than a form can be."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["method"] not in SAFE_METHODS and not _fits(scope):
            await _refuse_body(_with_headers(send, scope["path"]))
            return
        await self._app(scope, receive, _with_headers(send, scope["path"]))


def _fits(scope: Scope) -> bool:
    headers = dict(scope["headers"])
    if b"transfer-encoding" in headers:  # it wins over a length beside it, and nothing bounds it
        return False
    length = headers.get(b"content-length", b"")
    return length.isdigit() and len(length) < 20 and int(length) <= MAX_BODY


def _with_headers(send: Send, path: str) -> Callable[[Message], Awaitable[None]]:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            if not path.startswith("/static/"):
                headers.setdefault("cache-control", "no-store")
        await send(message)

    return sending


async def _refuse_body(send: Callable[[Message], Awaitable[None]]) -> None:
    body = b"the request is too large or of unknown length\n"
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})
