"""Results of the newest audit run, `<data>/evidence/<run>/results.json`, as the controls page shows them.

What cannot be read is said, with the file; an absent result is "no data" and never satisfied.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ValidationError, field_validator

Result = Literal["satisfied", "not-satisfied", "no-data"]
ORDER: tuple[Result, ...] = ("not-satisfied", "no-data", "satisfied")  # bad news first


class AssetDoc(BaseModel, extra="ignore", frozen=True):
    asset: str
    result: Result = "no-data"
    detail: str = ""
    detail_vi: str = ""
    probe: str = ""

    @field_validator("result", mode="before")
    @classmethod
    def known(cls, value: Any) -> Any:
        return _known(value)

    def said(self, field: str, language: str) -> str:
        """`detail` in `language`."""
        return _said(self, field, language)


def _said(document: BaseModel, field: str, language: str) -> str:
    translated = getattr(document, f"{field}_vi") if language == "vi" else ""
    return str(translated or getattr(document, field))


class ControlDoc(BaseModel, extra="ignore", frozen=True):
    id: str
    title: str
    title_vi: str = ""
    result: Result = "no-data"
    reason: str = ""
    reason_vi: str = ""
    assets: tuple[AssetDoc, ...] = ()
    references: tuple[str, ...] = ()
    why: str = ""
    why_vi: str = ""
    fix: str = ""
    fix_vi: str = ""
    residual_vi: str = ""
    residual: str = ""  # what still needs a person's attestation

    @field_validator("result", mode="before")
    @classmethod
    def known(cls, value: Any) -> Any:
        return _known(value)

    @field_validator("references", mode="before")
    @classmethod
    def as_text(cls, value: Any) -> Any:
        return [item if isinstance(item, str) else _reference(item) for item in value or ()]

    def said(self, field: str, language: str) -> str:
        """`field` ("title", "reason", "why", "fix", "residual") in `language`, in English where there is no other."""
        return _said(self, field, language)

    def assets_with(self, result: Result) -> int:
        return sum(asset.result == result for asset in self.assets)


class RunDoc(BaseModel, extra="ignore", frozen=True):
    run_id: str
    started: datetime
    finished: datetime | None = None
    controls: tuple[ControlDoc, ...] = ()

    def count(self, result: Result) -> int:
        return sum(control.result == result for control in self.controls)

    @property
    def problems_first(self) -> tuple[ControlDoc, ...]:
        return tuple(sorted(self.controls, key=lambda c: (ORDER.index(c.result), c.id)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """The newest run, or why there is none: `problem` names the file that cannot be read."""

    run: RunDoc | None = None
    earlier: int = 0  # runs before it
    problem: str = ""


def newest_run(data_dir: Path) -> Controls:
    """The newest run of all controls; one of some only when there is no other."""
    runs = sorted(
        (path for path in (data_dir / "evidence").glob("*/results.json") if path.is_file()),
        key=lambda path: (not _is_partial(path), path.stat().st_mtime, path.parent.name),
    )
    if not runs:
        return Controls()
    try:
        document = json.loads(runs[-1].read_text("utf-8"))
        return Controls(run=RunDoc.model_validate(document), earlier=len(runs) - 1)
    except (OSError, ValueError, ValidationError):
        return Controls(earlier=len(runs) - 1, problem=f"evidence/{runs[-1].parent.name}/results.json")


def _is_partial(path: Path) -> bool:
    """Whether the run says that it looked at some controls only; what cannot be read says nothing."""
    try:
        return json.loads(path.read_text("utf-8")).get("is_partial") is True
    except (OSError, ValueError, AttributeError):
        return False


def _known(value: Any) -> Any:
    return value if value in ORDER else "no-data"


def _reference(item: Any) -> str:
    return " ".join(str(value) for value in item.values()) if isinstance(item, dict) else str(item)
