"""Reads `controls/<slug>/control.yaml` into `Control`s; a folder is all a control needs."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from compliance.errors import ControlError
from compliance.judge import OPERATORS
from compliance.model import PLATFORM, Control, Expectation
from inventory.model import Role

HERE = Path(__file__).parent / "controls"
_WORDS = {"fact", "otherwise", "otherwise_vi"}  # what an expectation has beside its operator


class ExpectationDoc(BaseModel, extra="forbid"):
    """`{fact: sshd.permitrootlogin, equals: "no", otherwise: ...}`: exactly one operator."""

    fact: str
    otherwise: str
    otherwise_vi: str
    equals: object = None
    in_: object = Field(default=None, alias="in")
    at_least: object = None
    at_most: object = None
    matches: object = None
    subset_of: object = None
    contains: object = None
    none_match: object = None

    @model_validator(mode="after")
    def _one_operator(self) -> ExpectationDoc:
        given = self.model_fields_set - _WORDS
        if len(given) != 1:
            raise ValueError(f"exactly one of {', '.join(OPERATORS)} is needed, found {', '.join(given) or 'none'}")
        return self

    def to_domain(self) -> Expectation:
        (given,) = self.model_fields_set - _WORDS
        return Expectation(
            fact=self.fact,
            operator=given.rstrip("_"),
            value=getattr(self, given),
            otherwise=self.otherwise,
            otherwise_vi=self.otherwise_vi,
        )


class ControlDoc(BaseModel, extra="forbid"):
    title: str
    title_vi: str
    why: str
    why_vi: str
    references: list[str] = Field(min_length=1)
    applies_to: list[str] = Field(min_length=1)
    collectors: list[str] = Field(min_length=1)
    expect: list[ExpectationDoc] = Field(min_length=1)
    fix: str
    fix_vi: str
    residual: str = ""
    residual_vi: str = ""

    @model_validator(mode="after")
    def _known_roles(self) -> ControlDoc:
        unknown = set(self.applies_to) - {*Role, PLATFORM, "all"}
        if unknown:
            raise ValueError(f"applies_to knows no {', '.join(sorted(unknown))}; choose from {', '.join(Role)}, all")
        return self

    def to_domain(self, slug: str) -> Control:
        return Control(
            slug=slug,
            title=self.title,
            title_vi=self.title_vi,
            why=self.why,
            why_vi=self.why_vi,
            references=tuple(self.references),
            roles=tuple(Role) if self.applies_to == ["all"] else tuple(self.applies_to),
            collectors=tuple(self.collectors),
            expectations=tuple(e.to_domain() for e in self.expect),
            fix=self.fix,
            fix_vi=self.fix_vi,
            residual=self.residual,
            residual_vi=self.residual_vi,
        )


@cache
def controls(folder: Path = HERE) -> tuple[Control, ...]:
    """Every control, by slug. Raises ControlError at the first file that cannot be used."""
    return tuple(read(path) for path in sorted(folder.glob("*/control.yaml")))


def read(path: Path) -> Control:
    """One control; its slug is its folder's name. Raises ControlError naming file and place."""
    try:
        return ControlDoc.model_validate(yaml.safe_load(path.read_text())).to_domain(path.parent.name)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise ControlError(f"not YAML: {getattr(error, 'problem', error)}", where=f"{path}{line}") from error
    except ValidationError as error:
        first = error.errors()[0]
        pointer = "/" + "/".join(str(part) for part in first["loc"])
        raise ControlError(first["msg"], where=f"{path} {pointer}", fix="see the other controls") from error
