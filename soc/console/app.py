"""The console as an ASGI application: routes, protection, errors as pages."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from anyio import to_thread
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.staticfiles import StaticFiles

from soc.console._console import Console
from soc.console._security import Forbidden, LoginNeeded, Shield, protected, signed_in
from soc.console.routes import accounts, actions, alerts, controls, live, login, overview
from soc.console.routes._reply import error, to_login
from soc.console.sessions import Session
from soc.errors import DatabaseError, UnknownAlert, UserError

ROUTERS = tuple(m.router for m in (login, overview, actions, alerts, live, controls, accounts))
THREADS = 8  # requests worked at once; each keeps a database connection and its cache in memory
STATIC = Path(__file__).parent / "static"
_log = logging.getLogger(__name__)


def create_app(console: Console) -> FastAPI:
    """The application over `console`. No documentation pages: nothing is served without a session but login."""
    app = FastAPI(
        docs_url=None, redoc_url=None, openapi_url=None, lifespan=_lifespan, dependencies=[Depends(protected)]
    )
    app.state.console = console
    for router in ROUTERS:
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC))
    app.add_middleware(GZipMiddleware, minimum_size=1000)  # leaves event streams alone
    app.add_middleware(Shield)
    _handle_errors(app)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    to_thread.current_default_thread_limiter().total_tokens = THREADS
    watching = asyncio.create_task(app.state.console.live.run())
    try:
        yield
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


def _handle_errors(app: FastAPI) -> None:
    @app.exception_handler(LoginNeeded)
    def login_needed(request: Request, _: LoginNeeded) -> Response:
        return live.signed_out() if request.url.path == "/live" else to_login(request)

    @app.exception_handler(Forbidden)
    def forbidden(request: Request, refusal: Forbidden) -> Response:
        return error(request, _session(request), 403, refusal.code)

    @app.exception_handler(UnknownAlert)
    def unknown_alert(request: Request, _: UnknownAlert) -> Response:
        return error(request, _session(request), 404, "unknown-alert")

    @app.exception_handler(HTTPException)
    def not_found(request: Request, failure: HTTPException) -> Response:
        session = _session(request)
        return error(request, session, failure.status_code, "not-found") if session else to_login(request)

    @app.exception_handler(RequestValidationError)
    @app.exception_handler(UserError)
    def bad_request(request: Request, _: Exception) -> Response:
        return error(request, _session(request), 422, "bad-request")

    @app.exception_handler(DatabaseError)
    @app.exception_handler(Exception)
    def broken(request: Request, failure: Exception) -> Response:
        reference = secrets.token_hex(4)
        _log.error("request %s %s failed, reference %s", request.method, request.url.path, reference, exc_info=failure)
        status = 503 if isinstance(failure, DatabaseError) else 500
        return _plain(request, status, reference)


def _session(request: Request) -> Session | None:
    try:
        return signed_in(request)
    except (LoginNeeded, DatabaseError):
        return None


def _plain(request: Request, status: int, reference: str) -> Response:
    """An error that must not depend on what just failed: no session, no counts."""
    return error(request, None, status, "broken" if status == 500 else "database", reference)
