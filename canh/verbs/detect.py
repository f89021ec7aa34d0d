"""`canh detect`: tail the spool, match the rules, raise alerts."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from canh.context import Context

if TYPE_CHECKING:
    from soc.sigma import RuleSet

HELP = "match the spooled events against the rules and raise alerts (until SIGTERM)"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--rules",
        type=Path,
        action="append",
        metavar="DIR",
        help="rule folders (default: shipped, the province's own, imported sets)",
    )
    text = "seconds matches that feed correlations wait for stragglers (env CANH_LATENESS_S; default 5, in a lab 2)"
    parser.add_argument("--lateness", type=float, metavar="S", default=os.environ.get("CANH_LATENESS_S"), help=text)
    count = default_matchers()
    text = f"processes that parse and match too when detection is behind; 0: none (default {count}, one a core)"
    parser.add_argument("--matchers", type=int, default=count, metavar="N", help=text)


def run(args: argparse.Namespace, ctx: Context) -> int:
    from inventory import load as load_province
    from monitoring.pipeline import Pipeline
    from soc import placeholders
    from soc.cases import CaseStore
    from soc.detector import Detector
    from soc.inputs import Inputs, Loaded
    from soc.policy import documents
    from soc.rulesets import folders
    from soc.sigma import cache, load

    def places() -> tuple[Path, ...]:
        return (*(args.rules or folders(ctx.province_dir, ctx.data_dir)), ctx.province_dir)

    def loaded() -> Loaded:
        province = load_province(ctx.province_dir)
        own = [(rule.path, rule.text) for rule in documents(province)]
        rules = load(places()[:-1], placeholders.of(province), cached_in=cache.folder(), generated=own)
        for refusal in rules.refused:
            print(f"canh detect: rule refused: {refusal}", file=sys.stderr)
        return Loaded(rules, Pipeline(province, ctx.data_dir))

    def loaded_again() -> Loaded:
        made = loaded()
        _say(made.rules)
        return made

    inputs = Inputs(places, loaded_again)
    lateness = placeholders.lateness_of(ctx.province) if args.lateness is None else timedelta(seconds=args.lateness)
    rules, parsing = loaded()
    detector = Detector(
        rules=rules,
        parsing=parsing,
        inputs=inputs,
        data_dir=ctx.data_dir,
        cases=CaseStore(ctx.data_dir),
        lateness=lateness,
        helpers=args.matchers,
    )
    _say(rules)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: detector.stop())
    detector.run()
    return 0


def _say(rules: RuleSet) -> None:
    print(f"canh detect: {len(rules.rules)} rules, {len(rules.correlations)} correlations", file=sys.stderr, flush=True)


def default_matchers() -> int:
    """One a core: who counts takes little. A single one wins nothing over working alone (docs/performance.md)."""
    cores = os.cpu_count() or 1
    return min(8, cores) if cores > 1 else 0
