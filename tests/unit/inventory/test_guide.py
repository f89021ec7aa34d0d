"""The examples of the guide work as they are printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from inventory import load, validate, write_allocations
from inventory.schema import schemas

GUIDE = Path(__file__).parents[3] / "docs/guides/inventory.md"
EXAMPLES = dict(re.findall(r"```yaml\n# (\S+)\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.S))


@pytest.mark.parametrize("name", list(EXAMPLES))
def test_an_example_of_the_guide_is_a_valid_site(name: str, demo: Path) -> None:
    (demo / name).write_text(EXAMPLES[name], encoding="utf-8")
    findings = validate(demo)
    assert [f.fix for f in findings] == ["run `canh validate --allocate` and commit allocations.yaml"]
    write_allocations(demo)
    assert Path(name).stem in load(demo).sites


def test_the_guide_has_examples() -> None:
    assert len(EXAMPLES) == 2


def test_the_schemas_allow_the_short_forms_and_no_other_keys() -> None:
    site = schemas()["site"]
    assert site["additionalProperties"] is False
    assert {"type": "string"} in site["properties"]["uplinks"]["items"]["anyOf"]
    assert {"type": "string"} in schemas()["services"]["$defs"]["FlowDoc"]["properties"]["from"]["anyOf"]
