"""Evidence on disk: every observation as taken, chained by hash, so that a copy can be checked anywhere.

A run is a folder `<data>/evidence/<run-id>/`:
    chain.ndjson     one entry a line: {"seq", "kind", "sha256" of its file or content, "parent", "hash", ...}
    raw/<asset>/<collector>.txt    what the collector printed
    controls.json, declared.json, findings.json    what was judged, by what, with which outcome
    results.json     the same outcome for the console
    report.html, report.json    the same for people and programs; made again from results.json and compared
`hash` is SHA-256 over the entry without `hash`, so it covers `parent`; the first parent is the last hash
of the run before, so runs are chained too. `verify` needs nothing but the folder.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from shutil import rmtree
from typing import Any

from compliance.assess import assess
from compliance.errors import ComplianceError, EvidenceError
from compliance.model import Control, Expectation, Facts, Finding, Observation, Result, Run
from compliance.outcome import results
from compliance.report import reports

GENESIS = "0" * 64
CHAIN = "chain.ndjson"
# What stands in a run's folder without an entry: the reports, which show the last hash, are made again and compared.
# A signature over the last hash would stand here too.
_BESIDE = frozenset({CHAIN, "report.html", "report.json"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    run_id: str
    entries: int
    head: str  # the last hash
    # Findings follow from observations, and results and reports from findings; False: another version made some of it.
    is_rederived: bool


def write(folder: Path, run: Run, assets: Mapping[str, str], declared: Mapping[str, Facts], parent: str) -> str:
    """Write `run` below `folder`, complete or not at all. Returns the head of its chain."""
    part = folder / f".{run.run_id}.part"
    try:
        part.mkdir(parents=True)
        head, lines = parent, []
        for seq, (name, content, about) in enumerate(_files(run, assets, declared)):
            _write(part / name, content)
            entry = {"seq": seq, "file": name, "sha256": _sha256(content), "parent": head, **about}
            head = entry["hash"] = _hash(entry)
            lines.append(json.dumps(entry, sort_keys=True, ensure_ascii=False))
        _write(part / CHAIN, ("\n".join(lines) + "\n").encode())
        for name, text in reports(results(run), head).items():
            _write(part / name, text.encode())
        readable_by_group(part)
        part.rename(folder / run.run_id)
    finally:
        rmtree(part, ignore_errors=True)
    _sync(folder)
    return head


def verify(folder: Path) -> Verified:
    """Check one run's folder: every file, every link, and that all that was concluded follows from the observations.

    Raises EvidenceError naming the first entry that does not hold.
    """
    try:
        return _verified(folder)
    except (KeyError, TypeError, ValueError, AttributeError, ComplianceError) as error:
        if isinstance(error, EvidenceError):
            raise
        # Right hashes over something that was never written by us.
        raise EvidenceError(f"not the evidence of an audit: {error}", where=folder) from error


def _verified(folder: Path) -> Verified:
    entries = list(_chain(folder))
    if not entries:
        raise EvidenceError("the chain is empty", where=folder / CHAIN)
    _no_stray_files(folder, {str(e["file"]) for e in entries})
    for before, entry in zip([None, *entries], entries, strict=False):
        _check(folder, before, entry)
    observations = tuple(_observation(folder, e) for e in entries if e["kind"] == "observation")
    recorded = tuple(_finding(f) for f in _load(folder, "findings.json"))
    controls = tuple(_control(c) for c in _load(folder, "controls.json"))
    declared = _load(folder, "declared.json")
    again = assess(controls, observations, declared["assets"], declared["facts"])
    follows = len(again) == len(recorded) and set(again) == set(recorded)
    if not follows and entries[0].get("judged_by") == judged_by():
        wrong = min((f"{f.control} on {f.asset}" for f in set(again) ^ set(recorded)), default="a finding twice")
        raise EvidenceError(
            "the findings do not follow from the observations", where=f"{folder.name}/findings.json: {wrong}"
        )
    head = str(entries[-1]["hash"])
    told_otherwise = _told_otherwise(folder, controls, recorded, head)
    if told_otherwise and entries[-1].get("told_by") == told_by():
        raise EvidenceError("this does not follow from the findings", where=f"{folder.name}/{told_otherwise}")
    is_rederived = follows and not told_otherwise
    return Verified(run_id=folder.name, entries=len(entries), head=head, is_rederived=is_rederived)


def _told_otherwise(folder: Path, controls: Sequence[Control], findings: Sequence[Finding], head: str) -> str:
    """The first of results and reports that tells something else than the findings do; "" when none does."""
    told = _load(folder, "results.json")
    run = Run(
        run_id=told["run_id"],
        started=datetime.fromisoformat(told["started"]),
        finished=datetime.fromisoformat(told["finished"]),
        province=told["province"],
        controls=tuple(controls),
        observations=(),
        findings=tuple(findings),
    )
    # How many controls there were to choose from then is not known now.
    again = results(run) | {"is_partial": told.get("is_partial")}
    if again != told:
        return "results.json"
    for name, text in reports(again, head).items():
        if (folder / name).exists() and (folder / name).read_bytes() != text.encode():
            return name
    return ""


def verify_runs(folders: Sequence[Path]) -> list[Verified | EvidenceError]:
    """Check runs in order, and that each continues the one before it. What was found of each, in the same order."""
    found: list[Verified | EvidenceError] = []
    before: tuple[str, str] | None = None  # id and recorded head of the run before
    for folder in folders:
        try:
            parent = next(_chain(folder), {}).get("parent")
            if before is not None and parent != before[1]:
                raise EvidenceError(
                    f"a run is missing or was altered between {before[0]} and this one",
                    where=f"{folder.name}/{CHAIN}:1",
                )
            found.append(verify(folder))
        except EvidenceError as error:
            found.append(error)
        with suppress(EvidenceError, KeyError, ValueError):
            before = folder.name, head_of(folder)
    return found


def head_of(folder: Path) -> str:
    """The last hash of a run's chain. Raises EvidenceError when there is none."""
    *_, last = _chain(folder)
    return str(last["hash"])


def runs(evidence: Path) -> list[Path]:
    """Complete runs, oldest first; their names begin with the time."""
    return sorted(p for p in evidence.glob("[0-9]*") if (p / CHAIN).exists()) if evidence.exists() else []


@cache
def judged_by() -> str:
    """What turns observations into findings here, as SHA-256 over its source: only the same can be held to its word."""
    here = Path(__file__).parent
    paths = sorted((*here.glob("collectors/*.py"), here / "assess.py", here / "judge.py"))
    return _sha256(b"".join(path.read_bytes() for path in paths))


@cache
def told_by() -> str:
    """What turns findings into results and reports here, as `judged_by`."""
    here = Path(__file__).parent
    paths = (here / "outcome.py", here / "report.py", here / "templates" / "report.html")
    return _sha256(b"".join(path.read_bytes() for path in paths))


# Files of a run


def _files(
    run: Run, assets: Mapping[str, str], declared: Mapping[str, Facts]
) -> Iterator[tuple[str, bytes, dict[str, Any]]]:
    """Name, content and what the chain says about each file, in the order of the chain."""
    yield "controls.json", _json([asdict(c) for c in run.controls]), {"kind": "controls", "judged_by": judged_by()}
    yield "declared.json", _json({"assets": dict(assets), "facts": declared}), {"kind": "declared"}
    for o in run.observations:
        about = {
            "kind": "observation",
            "asset": o.asset,
            "collector": o.collector,
            "taken_at": o.taken_at.isoformat(),
            "error": o.error,
        }
        yield f"raw/{o.asset or 'platform'}/{o.collector}.txt", o.output.encode(), about
    yield "findings.json", _json([asdict(f) for f in run.findings]), {"kind": "findings"}
    yield "results.json", _json(results(run)), {"kind": "results", "told_by": told_by()}


# Reading back


def _chain(folder: Path) -> Iterator[dict[str, Any]]:
    path = folder / CHAIN
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise EvidenceError(f"no chain: {error.strerror}", where=path) from error
    except UnicodeDecodeError as error:
        raise EvidenceError("the chain is not text", where=path) from error
    for number, line in enumerate(text.splitlines(), 1):
        try:
            yield dict(json.loads(line))
        except ValueError as error:
            raise EvidenceError("not an entry of a chain", where=f"{path}:{number}") from error


def _check(folder: Path, before: dict[str, Any] | None, entry: dict[str, Any]) -> None:
    where = f"{folder.name}/{CHAIN}:{entry.get('seq', -1) + 1} ({entry.get('file')})"
    if _hash({k: v for k, v in entry.items() if k != "hash"}) != entry.get("hash"):
        raise EvidenceError("the entry was altered: its hash does not fit", where=where)
    if before is not None and entry["parent"] != before["hash"]:
        raise EvidenceError("the chain is broken: an entry is missing or moved before this one", where=where)
    path = folder / str(entry["file"])
    if not path.resolve().is_relative_to(folder.resolve()):
        raise EvidenceError("the entry names a file outside its run", where=where)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise EvidenceError(f"the file is missing: {error.strerror}", where=where) from error
    if _sha256(content) != entry["sha256"]:
        raise EvidenceError("the file was altered: its hash does not fit", where=where)


def _no_stray_files(folder: Path, named: set[str]) -> None:
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_file() and name not in named and name not in _BESIDE:
            raise EvidenceError("a file that no entry names", where=f"{folder.name}/{name}")


def _load(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text())


def _observation(folder: Path, entry: dict[str, Any]) -> Observation:
    return Observation(
        asset=entry["asset"],
        collector=entry["collector"],
        taken_at=datetime.fromisoformat(entry["taken_at"]),
        output=(folder / entry["file"]).read_bytes().decode(),
        error=entry["error"],
    )


def _control(document: dict[str, Any]) -> Control:
    lists = {k: tuple(v) for k, v in document.items() if isinstance(v, list) and k != "expectations"}
    expectations = tuple(Expectation(**e) for e in document["expectations"])
    return Control(**{**document, **lists, "expectations": expectations})


def _finding(document: dict[str, Any]) -> Finding:
    lists = {k: tuple(v) for k, v in document.items() if isinstance(v, list)}
    return Finding(**{**document, **lists, "result": Result(document["result"])})


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, indent=1, default=str).encode()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _hash(entry: Mapping[str, Any]) -> str:
    return _sha256(json.dumps(entry, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode())


def readable_by_group(folder: Path) -> None:
    """The console runs as another user of the folder's group; whatever the umask here, it may read and no one write."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o2750 if path.is_dir() else 0o640)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
