"""Each community rule fires on an event made from it, in the shape and of the log source such events come from.

The rules stand outside the repository (CANH_SIGMA names their folder); without them this is skipped. One rule in
CANH_SAMPLE_EVERY is tried, by default every eighth, 1 for all; 157 of 3,754 hang on what is not solved.
"""

from __future__ import annotations

import json
import os
import tarfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from soc.sigma import Matcher, load, tables
from tests.unit.soc.engine_support import ROOT
from tests.unit.soc.sigma_samples import sample_of

SIGMA = Path(os.environ.get("CANH_SIGMA", ROOT.parent / "shared/sigma"))
EVERY = int(os.environ.get("CANH_SAMPLE_EVERY", "8"))
# Its condition leaves out channels by the name the event's data give; the sample has none but its own.
LEFT_OUT = {"a62b37e0-45d3-48d9-a517-90c1a1b0186b"}


@pytest.mark.skipif(not (SIGMA / "rules.tar.gz").is_file(), reason="the community's rules are not here")
def test_a_rule_fires_on_what_it_describes(tmp_path: Path) -> None:
    with tarfile.open(SIGMA / "rules.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    rules = load([tmp_path], {})
    there = {rule.id for rule in rules.rules} - LEFT_OUT
    matcher = Matcher(rules)
    sources = tables.read(tables.LOG_SOURCES)
    count: Counter[str] = Counter()
    for path in sorted(tmp_path.rglob("*.yml"))[::EVERY]:
        rule = yaml.load(path.read_text("utf-8"), tables.LOADER)
        fields = sample_of(rule) if rule["id"] in there else None
        if fields is None:
            count["not solved"] += 1
            continue
        line = json.dumps(_event(rule["logsource"], fields, sources)).encode()
        fired = {match.rule.id for match in matcher.match([line])}
        assert rule["id"] in fired, f"{path}: {line.decode()}"
        count["fired"] += 1
        count["others"] += len(fired) - 1
    assert count["fired"] > 15 * count["not solved"], count
    assert count["others"] < count["fired"], count


def _event(source: Mapping[str, Any], fields: dict[str, Any], sources: list[dict[str, Any]]) -> dict[str, Any]:
    """The fields as an event of the log source: an .evtx document for Windows, else beside what routes it."""
    parts = {part: source[part] for part in ("product", "category", "service") if source.get(part)}
    fits = [entry["when"] for entry in sources if parts.items() <= entry["is"].items()]
    by_channel = [when for when in fits if "Channel" in when and "*" not in when["Channel"]]
    when = {name: values[0] for name, values in (by_channel or fits)[0].items()}
    if source.get("product") != "windows":
        return when | fields
    provider = fields.pop("Provider_Name", when.get("Provider_Name", "x"))
    system = {
        "Provider": {"#attributes": {"Name": provider}},
        "EventID": fields.pop("EventID", when.get("EventID", 9999)),
        "Channel": when.get("Channel", "x"),
    }
    return {"Event": {"System": system, "EventData": fields}}
