"""`canh audit`: probe the controls, read the report, check the evidence."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from canh.context import Context
from inventory.errors import OpsError

if TYPE_CHECKING:
    from compliance import EvidenceError, Verified

HELP = "probe controls on the running system, report, verify evidence"
_NAMES_SHOWN = 4


def arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="action", required=True, metavar="run|report|verify")
    run = verbs.add_parser(
        "run", help="probe every control now (touches devices: reads, and writes one marked line to each log)"
    )
    run.add_argument("control", nargs="*", help="only these controls")
    report = verbs.add_parser("report", help="the findings of the newest run, and where its HTML report is")
    report.add_argument("run_id", nargs="?", help="another run than the newest")
    verify = verbs.add_parser("verify", help="check hashes, chain and findings; works offline on a copied folder")
    verify.add_argument("folder", nargs="?", type=Path, help="a run's folder or a folder of runs (default all of ours)")


def run(args: argparse.Namespace, ctx: Context) -> int:
    return {"run": _run, "report": _report, "verify": _verify}[args.action](args, ctx)


def _run(args: argparse.Namespace, ctx: Context) -> int:
    from compliance import audit, controls, results

    known = {control.slug: control for control in controls()}
    unknown = sorted(set(args.control) - set(known))
    if unknown:
        raise OpsError(f"no control is called {', '.join(unknown)}", fix=f"choose from {', '.join(known)}")
    chosen = [control for slug, control in known.items() if not args.control or slug in args.control]
    done = audit(ctx.province, ctx.data_dir, chosen, lambda line: print(line, file=sys.stderr, flush=True))
    return _print(results(done), ctx)


def _report(args: argparse.Namespace, ctx: Context) -> int:
    from compliance import runs

    folder = ctx.data_dir / "evidence"
    found = [r for r in runs(folder) if args.run_id in (None, r.name)]
    if not found:
        what = f"there is no audit run {args.run_id}" if args.run_id else "no audit was run yet"
        raise OpsError(what, where=folder, fix=_choice(runs(folder)))
    return _print(json.loads((found[-1] / "results.json").read_text("utf-8")), ctx)


def _choice(found: Sequence[Path]) -> str:
    return f"the newest is {found[-1].name}" if found else "canh audit run"


def _verify(args: argparse.Namespace, ctx: Context) -> int:
    from compliance import CHAIN, EvidenceError, runs, verify_runs

    folder = args.folder or ctx.data_dir / "evidence"
    folders = [folder] if (folder / CHAIN).exists() else runs(folder)
    if not folders:
        raise OpsError("no audit run in this folder", where=folder, fix="give the folder of a run, or of several")
    found = verify_runs(folders)
    for path, one in zip(folders, found, strict=True):
        print(json.dumps(_verdict(path.name, one)) if ctx.json else _sentence(path.name, one))
    return 1 if any(isinstance(one, EvidenceError) for one in found) else 0


def _verdict(run_id: str, one: Verified | EvidenceError) -> dict[str, Any]:
    from compliance import EvidenceError

    if isinstance(one, EvidenceError):
        return {"run_id": run_id, "intact": False, "what": one.what, "where": str(one.where)}
    return {
        "run_id": run_id,
        "intact": True,
        "entries": one.entries,
        "head": one.head,
        "findings_rederived": one.is_rederived,
    }


def _sentence(run_id: str, one: Verified | EvidenceError) -> str:
    from compliance import EvidenceError

    if isinstance(one, EvidenceError):
        return f"{run_id}  NOT INTACT: {one.what}\n  at {one.where}"
    derived = "findings derived again" if one.is_rederived else "judged or reported by another version of canh"
    return f"{run_id}  intact, {one.entries} entries, {derived}, head {one.head}"


def _print(results: Mapping[str, Any], ctx: Context) -> int:
    listed: Sequence[Mapping[str, Any]] = results["controls"]
    unmet = sum(control["result"] != "satisfied" for control in listed)
    if ctx.json:
        print(json.dumps(results, ensure_ascii=False))
        return 1 if unmet else 0
    for control in sorted(listed, key=lambda c: (c["result"] == "satisfied", str(c["id"]))):
        mark = "ok " if control["result"] == "satisfied" else "NOT"
        print(f"{mark}  {control['id']:<26} {control['title']}")
        for line in _reasons(control):
            print(f"       {line}")
    print(f"\n{len(listed) - unmet} satisfied, {unmet} not satisfied")
    print(f"report: {ctx.data_dir / 'evidence' / str(results['run_id']) / 'report.html'}")
    return 1 if unmet else 0


def _reasons(control: Mapping[str, Any]) -> Iterator[str]:
    """Why not: one line a reason, with the assets that share it."""
    assets: dict[str, list[str]] = {}
    for asset in control["assets"]:
        if asset["result"] != "satisfied":
            assets.setdefault(asset["detail"], []).append(asset["asset"])
    for detail, names in assets.items():
        more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
        yield f"{', '.join(names[:_NAMES_SHOWN])}{more}: {detail}"
    if not control["assets"]:
        yield str(control["reason"])
