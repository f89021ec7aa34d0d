"""The report of a run, as JSON for programs and as one HTML file for people, in both languages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from compliance.evidence import readable_by_group

_TEMPLATES = Path(__file__).parent / "templates"


def write_reports(folder: Path, results: Mapping[str, Any]) -> tuple[Path, Path]:
    """Write report.json and report.html into a run's folder. Both can be made again from results.json."""
    as_json, as_html = folder / "report.json", folder / "report.html"
    as_json.write_text(json.dumps(results, ensure_ascii=False, indent=1))
    as_html.write_text(html(results, verified=_head(folder)))
    readable_by_group(folder)
    return as_json, as_html


def html(results: Mapping[str, Any], verified: str) -> str:
    """The report as one self-contained page; problems first."""
    environment = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined)
    controls = sorted(results["controls"], key=lambda c: (c["result"] == "satisfied", c["id"]))
    satisfied = sum(c["result"] == "satisfied" for c in controls)
    return environment.get_template("report.html").render(
        run=results, controls=controls, satisfied=satisfied, total=len(controls), head=verified
    )


def _head(folder: Path) -> str:
    *_, last = (folder / "chain.ndjson").read_text().splitlines()
    return str(json.loads(last)["hash"])
