"""`canh due`: run the scheduled rules that are due now."""

from __future__ import annotations

import argparse
import json
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from canh.context import Context

HELP = "run the scheduled rules that are due now, and end"
_PAUSE = timedelta(minutes=10)  # until rules are looked for again when there are none


def arguments(parser: argparse.ArgumentParser) -> None:
    """None: rules say when they are due."""


def run(args: argparse.Namespace, ctx: Context) -> int:
    from inventory.errors import OpsError
    from monitoring.durable import replace_json
    from monitoring.store import reader
    from soc import placeholders
    from soc.cases import CaseStore
    from soc.rulesets import libraries
    from soc.scheduled import Counts, Runner, load

    rules, refused = load(libraries(ctx.province_dir), placeholders.of(ctx.province))
    for refusal in refused:
        print(f"canh due: rule refused: {refusal}", file=sys.stderr)
    path = ctx.data_dir / "stats" / "scheduled.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    said: dict[str, Any] = _said(path)
    counts = Counts.below(ctx.data_dir)
    runner = Runner(reader(ctx.data_dir), counts, CaseStore(ctx.data_dir))
    for rule in runner.due(rules):
        began = time.monotonic()
        try:
            ran = runner.run(rule)
            told = {"alerts": len(ran.alerts), "counts": ran.counts, "left_out": ran.left_out, "skipped": ran.skipped}
        except OpsError as error:  # one that cannot be asked does not keep the others from it
            print(f"canh due: {rule.origin}: {error}", file=sys.stderr)
            told = {"error": error.what}
        seconds = round(time.monotonic() - began, 2)
        said["rules"][rule.id] = {"title": rule.title, "at": _now().isoformat(), "seconds": seconds, **told}
    said["rules"] = {rule.id: said["rules"][rule.id] for rule in rules if rule.id in said["rules"]}
    least = min((rule.every for rule in rules), default=_PAUSE)
    document = {
        "process": "schedule",
        "at": _now().isoformat(),
        "next_at": (_now() + least).isoformat(),
        "refused_rules": [str(refusal) for refusal in refused],
        "rules": said["rules"],
    }
    replace_json(path, document)
    counts.forget(rules)
    counts.close()
    return 0


def _said(path: Path) -> dict[str, Any]:
    try:
        said = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {"rules": {}}
    return said if isinstance(said, dict) and isinstance(said.get("rules"), dict) else {"rules": {}}


def _now() -> datetime:
    return datetime.now(UTC)
