"""Controls: what the newest audit run found."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from soc.console._controls import newest_run
from soc.console._security import allowed, console_of
from soc.console.routes._reply import page
from soc.console.sessions import Session

router = APIRouter()


@router.get("/controls")
def controls(request: Request, id: str = "", session: Session = Depends(allowed())) -> Response:  # noqa: B008
    found = newest_run(console_of(request).data_dir)
    listed = found.run.problems_first if found.run else ()
    chosen = next((control for control in listed if control.id == id), listed[0] if listed else None)
    return page(request, session, "controls.html", found=found, run=found.run, listed=listed, chosen=chosen)


@router.get("/controls.json")
def controls_json(request: Request, session: Session = Depends(allowed())) -> dict[str, Any]:  # noqa: B008
    found = newest_run(console_of(request).data_dir)
    return {"run": found.run.model_dump(mode="json") if found.run else None, "problem": found.problem or None}
