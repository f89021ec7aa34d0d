"""Others who count as Sigma says agree with us: a slow full scan, pySigma's SQLite backend, the rsigma crate.

What is left out, and why:

- rsigma (whole seconds): `value_percentile` (it never looks at the threshold); `temporal` without a condition (it
  fires at one match of any of the rules); `not` (it looks back only, for us what follows counts too); chains but for
  `temporal` (there every firing counts, here an episode counts once); thresholds below 0 (it reads them as unsigned);
  events that lack the counted field (it looks at the condition again) or every field of group-by (it makes them a
  group, we do not), and fields of several values (it takes them for absent).
- SQLite: several operators and lists of fields (pySigma refuses them); equal times (one row a moment, and in order
  means later); events that lack one field of group-by (it leaves them out, we only those that lack all), fields of
  several values; `not` in `temporal` (it looks forward from the first match, we look both ways), in `temporal_ordered`
  but for what is listed last (it looks forward whatever the order); chains (its alerts are one a moment).
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.soc.correlation_support import (
    FEEDERS,
    US,
    Fired,
    Seen,
    correlation_documents,
    correlations_of,
    events,
    ours,
    scan,
)

RSIGMA = os.environ.get("CANH_RSIGMA", "")
Document = dict[str, Any]


@settings(max_examples=200, deadline=None)
@given(correlation_documents(), events())
def test_a_full_scan_finds_what_windows_find(document: Document, seen: list[Seen]) -> None:
    correlations = correlations_of([document])
    assert ours(correlations, seen) == scan(correlations, seen)


def feeders() -> list[Document]:
    return [
        {
            "title": name,
            "id": f"00000000-0000-4000-8000-00000000000{number}",
            "name": name,
            "logsource": {"category": "test"},
            "detection": {"selection": {"action": name}, "condition": "selection"},
        }
        for number, name in enumerate(FEEDERS)
    ]


def moment(seen: Seen) -> int:
    return seen.at_us // US


# ---- pySigma's SQLite backend


def by_sqlite(
    documents: Sequence[Mapping[str, Any]], seen: Sequence[Seen]
) -> set[tuple[tuple[str, ...], float, float]]:
    """Group, begin and end of each window that holds."""
    from sigma.backends.sqlite import sqliteBackend
    from sigma.collection import SigmaCollection

    backend = sqliteBackend(
        table="logs",
        timestamp_field="at",
        event_id_field="id",
        timestamp_seconds_expression="{field}",
        observation_end=10**12,
    )
    *_, query = backend.convert(SigmaCollection.from_dicts([*feeders(), *documents]))
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE logs (id TEXT, at REAL, action TEXT, ip TEXT, user TEXT, n)")
    rows = [(s.id, moment(s), s.rule, *(s.fields.get(name) for name in ("ip", "user", "n"))) for s in seen]
    database.executemany("INSERT INTO logs VALUES (?, ?, ?, ?, ?, ?)", rows)
    found = database.execute(f"SELECT group_keys, window_start, window_end FROM ({query})").fetchall()
    names = documents[-1]["correlation"]["group-by"]
    return {(tuple(json.loads(group)[name] for name in names), start, end) for group, start, end in found}


def _is_for_sqlite(document: Document) -> bool:
    body = document["correlation"]
    text = body.get("condition") if isinstance(body.get("condition"), str) else ""
    if " of " in text or text.startswith("2") or ("not" in text and body["type"] == "temporal"):
        return False
    return "not" not in text or (text == "a and not b" and body["rules"] == ["a", "b"])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(correlation_documents(several=False).filter(_is_for_sqlite), events(unique_times=True, gaps=False))
def test_pysigmas_sqlite_backend_finds_what_windows_find(document: Document, seen: list[Seen]) -> None:
    pytest.importorskip("sigma.backends.sqlite", reason="pysigma-backend-sqlite is not installed")
    looks_ahead = "not" in str(document["correlation"].get("condition"))
    at = {s.id: moment(s) for s in seen}
    expected = by_sqlite([document], seen)
    found = {(group, at[last]) for _, group, last in ours(correlations_of([document]), seen)}
    assert found == {(group, start if looks_ahead else end) for group, start, end in expected}


# ---- the rsigma command line


def by_rsigma(folder: Path, documents: Sequence[Mapping[str, Any]], seen: Sequence[Seen]) -> set[Fired]:
    (folder / "rules.yml").write_text(yaml.safe_dump_all([*feeders(), *documents], sort_keys=False))
    lines = [json.dumps({"timestamp": moment(s), "action": s.rule, "id": s.id, **s.fields}) for s in seen]
    (folder / "events.ndjson").write_text("\n".join(lines) + "\n")
    command = [RSIGMA, "engine", "eval", "-r", str(folder / "rules.yml"), "-e", f"@{folder / 'events.ndjson'}"]
    command += ["--quiet", "--output-format", "ndjson", "--correlation-event-mode", "full"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "rror" not in done.stderr, done.stderr
    fired = set()
    names = {d["id"]: d["correlation"]["group-by"] for d in documents}
    for line in done.stdout.splitlines():
        said = json.loads(line)
        if "correlation_type" in said:
            group = dict(said["group_key"])
            values = tuple(group.get(name, "") for name in names[said["rule_id"]])
            # What fires because another correlation did names no event.
            fired.add((said["rule_id"], values, said["events"][-1]["id"] if said.get("events") else ""))
    return fired


def _is_for_rsigma(document: Document) -> bool:
    body = document["correlation"]
    condition = body.get("condition")
    if isinstance(condition, str):
        return "not" not in condition and "of" not in condition
    return body["type"] != "value_percentile" and all(
        value >= 0 for value in (condition or {}).values() if not isinstance(value, str)
    )


@pytest.mark.skipif(not RSIGMA, reason="CANH_RSIGMA names no rsigma command")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(st.data())
def test_the_crates_correlations_find_what_windows_find(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    document = data.draw(correlation_documents().filter(_is_for_rsigma))
    seen = data.draw(events(gaps=False))
    correlations = correlations_of([document])
    assert ours(correlations, seen) == by_rsigma(tmp_path_factory.mktemp("rsigma"), [document], seen)


@pytest.mark.skipif(not RSIGMA, reason="CANH_RSIGMA names no rsigma command")
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(st.data())
def test_the_crates_chains_fire_in_the_groups_ours_fire_in(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    lower = data.draw(correlation_documents(expressions=False).filter(_is_for_rsigma))
    lower["correlation"]["group-by"] = ["ip"]
    body = {"type": "temporal", "rules": ["upper", "c"], "group-by": ["ip"], "timespan": "15s", "condition": {"gte": 2}}
    top = {"title": "top", "id": "00000000-0000-4000-8000-0000000000fe", "correlation": body}
    seen = data.draw(events(gaps=False))
    theirs = by_rsigma(tmp_path_factory.mktemp("rsigma"), [lower, top], seen)
    found = ours(correlations_of([lower, top]), seen)
    assert {fired[:2] for fired in found} == {fired[:2] for fired in theirs}
