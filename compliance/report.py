"""Pure: the report of a run, as JSON for programs and as one HTML file for people, in both languages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_TEMPLATES = Path(__file__).parent / "templates"


def reports(results: Mapping[str, Any], head: str) -> dict[str, str]:
    """The reports of a run by file name; head: the last hash of its chain, which the page shows."""
    as_json = json.dumps(results, ensure_ascii=False, indent=1)
    return {"report.html": html(results, verified=head), "report.json": as_json}


def html(results: Mapping[str, Any], verified: str) -> str:
    """The report as one self-contained page; problems first."""
    environment = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined)
    controls = sorted(results["controls"], key=lambda c: (c["result"] == "satisfied", c["id"]))
    satisfied = sum(c["result"] == "satisfied" for c in controls)
    return environment.get_template("report.html").render(
        run=results, controls=controls, satisfied=satisfied, total=len(controls), head=verified
    )
