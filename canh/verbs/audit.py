"""`canh audit`: probe the controls, read the report, check the evidence."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from canh.context import Context
from inventory.errors import OpsError

HELP = "probe controls on the running system, report, verify evidence"


def arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="action", required=True)
    run = verbs.add_parser(
        "run", help="probe every control now (touches devices: reads only, writes one log line on each)"
    )
    run.add_argument("control", nargs="*", help="only these controls")
    report = verbs.add_parser("report", help="where the newest report is, and its findings")
    report.add_argument("run_id", nargs="?", help="another run than the newest")
    verify = verbs.add_parser("verify", help="check hashes, chain and findings; works offline on a copied folder")
    verify.add_argument("folder", nargs="?", type=Path, help="a run's folder or a folder of runs (default all of ours)")


def run(args: argparse.Namespace, ctx: Context) -> int:
    return {"run": _run, "report": _report, "verify": _verify}[args.action](args, ctx)


def _run(args: argparse.Namespace, ctx: Context) -> int:
    from compliance import audit, controls, results

    chosen = [c for c in controls() if not args.control or c.slug in args.control]
    unknown = set(args.control) - {c.slug for c in chosen}
    if unknown:
        raise OpsError(f"no control is called {', '.join(sorted(unknown))}", fix="canh audit report lists them")
    done = audit(ctx.province, ctx.data_dir, chosen, lambda line: print(line, file=sys.stderr, flush=True))
    return _print(results(done), ctx)


def _report(args: argparse.Namespace, ctx: Context) -> int:
    from compliance import runs

    found = [r for r in runs(ctx.data_dir / "evidence") if args.run_id in (None, r.name)]
    if not found:
        raise OpsError("no such audit run" if args.run_id else "no audit was run yet", fix="canh audit run")
    return _print(json.loads((found[-1] / "results.json").read_text()), ctx)


def _verify(args: argparse.Namespace, ctx: Context) -> int:
    from compliance import CHAIN, EvidenceError, runs, verify, verify_runs

    folder = args.folder or ctx.data_dir / "evidence"
    try:
        verified = [verify(folder)] if (folder / CHAIN).exists() else verify_runs(runs(folder))
    except EvidenceError as error:
        print(f"canh audit verify: {error}", file=sys.stderr)
        return 1
    if not verified:
        raise OpsError("no audit run in this folder", where=folder, fix="give a run's folder")
    for one in verified:
        line = {"run_id": one.run_id, "entries": one.entries, "head": one.head}
        print(json.dumps(line) if ctx.json else f"{one.run_id}  intact, {one.entries} entries, head {one.head}")
    return 0


def _print(results: dict[str, object], ctx: Context) -> int:
    listed: list[dict[str, object]] = results["controls"]  # type: ignore[assignment]  # as compliance.evidence.results
    unmet = [c for c in listed if c["result"] != "satisfied"]
    if ctx.json:
        print(json.dumps(results, ensure_ascii=False))
        return 1 if unmet else 0
    for control in sorted(listed, key=lambda c: (c["result"] == "satisfied", str(c["id"]))):
        mark = "ok " if control["result"] == "satisfied" else "NOT"
        print(f"{mark}  {control['id']:<26} {control['title']}")
        for asset in control["assets"]:  # type: ignore[attr-defined]
            if asset["result"] != "satisfied":
                print(f"       {asset['asset']}: {asset['detail']}")
    print(f"\n{len(listed) - len(unmet)} satisfied, {len(unmet)} not satisfied")
    print(f"report: {ctx.data_dir / 'evidence' / str(results['run_id']) / 'report.html'}")
    return 1 if unmet else 0
