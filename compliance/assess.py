"""Pure: from observations to findings. The same function judges a live audit and re-judges old evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from compliance.collectors import collectors
from compliance.judge import Reason, judge
from compliance.model import PLATFORM, Control, Facts, Finding, Observation


def assess(
    controls: Sequence[Control],
    observations: Sequence[Observation],
    assets: Mapping[str, str],
    declared: Mapping[str, Facts],
) -> tuple[Finding, ...]:
    """One finding for each control and each asset it applies to.

    assets: each asset and its role (PLATFORM for the platform). declared: what the inventory says of each asset.
    An asset without an observation is found not satisfied, with that reason.
    """
    taken = {(o.asset, o.collector): o for o in observations}
    return tuple(
        _finding(control, asset, taken, declared.get(asset, {}))
        for control in controls
        for asset, role in assets.items()
        if role in control.roles
    )


def assets_of(devices: Mapping[str, str]) -> dict[str, str]:
    """Devices by role, and the platform itself."""
    return {**devices, PLATFORM: PLATFORM}


def _finding(control: Control, asset: str, taken: Mapping[tuple[str, str], Observation], declared: Facts) -> Finding:
    facts: dict[str, object] = {}
    errors: list[Reason] = []
    for name in control.collectors:
        # An observer that failed as a whole has one observation, for no asset: it counts for all of them.
        observation = taken.get((asset, name)) or taken.get(("", name))
        if observation is None:
            errors.append(_no_data(name, "was not observed", "chưa được quan sát"))
        elif observation.error:
            errors.append(_no_data(f"{name}:", observation.error, observation.error))
        else:
            try:
                facts.update(collectors()[name].facts(observation.output))
            except Exception as error:  # output is hostile; whatever it does to its reader, it is no data
                errors.append(_no_data(name, f"gave something unreadable: {error}", f"cho kết quả lạ: {error}"))
    return judge(control, asset, facts, declared, errors)


def _no_data(name: str, why: str, why_vi: str) -> Reason:
    return Reason(f"no data: {name} {why}", f"không có dữ liệu: {name} {why_vi}")
