"""Accounts, for administrators: list, add, new password, keep out. A password is shown once, on the answer."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response

from soc.console._security import allowed, audit, console_of
from soc.console.routes._reply import page
from soc.console.sessions import Session
from soc.errors import UserError
from soc.users import Role, User

router = APIRouter()
_admin = allowed(Role.ADMIN)
_Name = Annotated[str, Form(max_length=64)]


@router.get("/users")
def accounts(request: Request, session: Session = Depends(_admin)) -> Response:  # noqa: B008
    return _page(request, session)


@router.get("/users.json")
def accounts_json(request: Request, session: Session = Depends(_admin)) -> list[dict[str, Any]]:  # noqa: B008
    return [_document(user) for user in console_of(request).users.list()]


@router.post("/users/add")
def add(
    request: Request,
    name: _Name,
    role: Annotated[Role, Form()],
    full_name: Annotated[str, Form(max_length=200)] = "",
    session: Session = Depends(_admin),  # noqa: B008
) -> Response:
    console = console_of(request)
    try:
        password = console.users.add(name.strip().lower(), role, at=console.now(), full_name=full_name)
    except UserError as error:
        return _page(request, session, problem=error, status=422)
    audit(request, "user-added", user=session.user.name, account=name, role=role.value)
    return _page(request, session, made=name.strip().lower(), password=password)


@router.post("/users/reset")
def reset(request: Request, name: _Name, session: Session = Depends(_admin)) -> Response:  # noqa: B008
    password = console_of(request).users.reset(name)
    audit(request, "user-reset", user=session.user.name, account=name)
    return _page(request, session, made=name, password=password)


@router.post("/users/disable")
def disable(
    request: Request,
    name: _Name,
    disabled: Annotated[bool, Form()],
    session: Session = Depends(_admin),  # noqa: B008
) -> Response:
    try:
        console_of(request).users.disable(name, disabled)
    except UserError as error:
        return _page(request, session, problem=error, status=422)
    audit(request, "user-disabled" if disabled else "user-enabled", user=session.user.name, account=name)
    return _page(request, session)


def _page(
    request: Request,
    session: Session,
    *,
    made: str = "",
    password: str = "",
    problem: UserError | None = None,
    status: int = 200,
) -> Response:
    users = console_of(request).users.list()
    return page(
        request, session, "users.html", status=status, users=users, made=made, password=password, problem=problem
    )


def _document(user: User) -> dict[str, Any]:
    return {
        "name": user.name,
        "full_name": user.full_name,
        "role": user.role.value,
        "disabled": user.disabled,
        "locked_until": user.locked_until.isoformat() if user.locked_until else None,
        "last_login_at": user.last_login_at.isoformat() if user.last_login_at else None,
    }
