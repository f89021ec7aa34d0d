"""Pure: the outcome of a run as the console and the report show it, `results.json`."""

from __future__ import annotations

from typing import Any

from compliance.control import controls as every_control
from compliance.model import Control, Result, Run


def results(run: Run) -> dict[str, Any]:
    """The outcome as the console and the report show it."""
    return {
        "run_id": run.run_id,
        "started": run.started.isoformat(),
        "finished": run.finished.isoformat(),
        "province": run.province,
        "is_partial": len(run.controls) < len(every_control()),
        "controls": [_result(run, control) for control in run.controls],
    }


def _result(run: Run, control: Control) -> dict[str, Any]:
    findings = run.of(control)
    unmet = [f for f in findings if f.result is Result.NOT_SATISFIED]
    reason, reason_vi = ("", "") if findings else ("no asset to look at", "không có tài sản nào để kiểm tra")
    if unmet:
        more = len(unmet) - 1
        reason = f"{unmet[0].asset}: {unmet[0].details[0]}" + (f" (and {more} more assets)" if more else "")
        reason_vi = f"{unmet[0].asset}: {unmet[0].details_vi[0]}" + (f" (và {more} tài sản khác)" if more else "")
    return {
        "id": control.slug,
        "title": control.title,
        "title_vi": control.title_vi,
        "result": str(run.result_of(control)),
        "reason": reason,
        "reason_vi": reason_vi,
        "why": control.why,
        "why_vi": control.why_vi,
        "fix": control.fix,
        "fix_vi": control.fix_vi,
        "residual": control.residual,
        "residual_vi": control.residual_vi,
        "references": list(control.references),
        "assets": [
            {
                "asset": f.asset,
                "result": str(f.result),
                "detail": "; ".join(f.details),
                "detail_vi": "; ".join(f.details_vi),
                "probe": ", ".join(control.collectors),
            }
            for f in findings
        ],
    }
