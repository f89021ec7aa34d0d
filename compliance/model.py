"""What the side that proves talks about: controls, observations, findings, runs.

control ► (which assets, which collectors) ► observation (raw output of one collector on one asset)
        ► facts (parsed) ► finding (one control, one asset) ► result of the control ► evidence
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

PLATFORM = "platform"  # the asset that is this platform itself: store, console, journal

Fact = object  # a parsed value: text, number, truth value, or a list or mapping of them
Facts = Mapping[str, Fact]  # "sshd.permitrootlogin" -> "no"


class Result(StrEnum):
    SATISFIED = "satisfied"
    NOT_SATISFIED = "not-satisfied"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """One thing that must hold of an asset's facts.

    `operator` is one of compliance.judge.OPERATORS; `value` may name declared facts as "$declared.x".
    """

    fact: str
    operator: str
    value: object
    otherwise: str  # what is wrong when it does not hold; {actual}, {extra} and {missing} are filled in
    otherwise_vi: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    slug: str
    title: str
    title_vi: str
    why: str
    why_vi: str
    references: tuple[str, ...]  # clauses of the standard: "5.5.2.1.b"
    roles: tuple[str, ...]  # device roles it applies to; ("platform",) for the platform itself
    collectors: tuple[str, ...]
    expectations: tuple[Expectation, ...]
    fix: str
    fix_vi: str
    residual: str = ""  # what still needs a person's attestation when the probe passes
    residual_vi: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """The raw output of one collector on one asset, or why there is none. Never holds a secret."""

    asset: str
    collector: str
    taken_at: datetime
    output: str = ""
    error: str = ""  # why there is no output; such an observation satisfies nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One control on one asset."""

    control: str
    asset: str
    result: Result
    details: tuple[str, ...] = ()  # why not; empty when satisfied
    details_vi: tuple[str, ...] = ()  # the same, in the same order


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One audit, complete."""

    run_id: str
    started: datetime
    finished: datetime
    province: str
    controls: tuple[Control, ...]
    observations: tuple[Observation, ...]
    findings: tuple[Finding, ...]

    def of(self, control: Control) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.control == control.slug)

    def result_of(self, control: Control) -> Result:
        """Satisfied only when there is a finding for it and every one is satisfied: no data is never compliant."""
        results = {f.result for f in self.of(control)}
        return Result.SATISFIED if results == {Result.SATISFIED} else Result.NOT_SATISFIED
