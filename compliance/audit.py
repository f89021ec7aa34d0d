"""One audit from end to end: controls ► observations ► findings ► evidence on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from compliance import evidence
from compliance.assess import assess, assets_of
from compliance.declared import declared
from compliance.errors import ComplianceError
from compliance.gather import Scene, gather
from compliance.model import Control, Run
from compliance.report import write_reports
from inventory.model import Province


def audit(
    province: Province, data_dir: Path, controls: Sequence[Control], say: Callable[[str], None] = lambda _: None
) -> Run:
    """Probe everything `controls` asks for and write the evidence. Raises ComplianceError when it cannot be kept."""
    started = datetime.now(UTC)
    run_id = f"{started:%Y%m%dT%H%M%SZ}-{uuid4().hex[:6]}"
    assets = assets_of({name: str(device.role) for name, device in province.devices.items()})
    facts = declared(province)
    observations = gather(Scene(province=province, data_dir=data_dir, run_id=run_id), controls, say)
    run = Run(
        run_id=run_id,
        started=started,
        finished=datetime.now(UTC),
        province=province.title,
        controls=tuple(controls),
        observations=observations,
        findings=assess(controls, observations, assets, facts),
    )
    folder = data_dir / "evidence"
    try:
        before = evidence.runs(folder)
        evidence.write(folder, run, assets, facts, evidence.head_of(before[-1]) if before else evidence.GENESIS)
        write_reports(folder / run_id, evidence.results(run))
    except OSError as error:
        raise ComplianceError(
            f"the evidence cannot be written: {error.strerror}", where=folder, fix="free space or make it writable"
        ) from error
    return run
