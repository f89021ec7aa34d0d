"""The guide's example of a vendor is a file that works, and its lists are what there is."""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

from inventory import load
from monitoring.snmp.accounts import accounts_of
from monitoring.snmp.catalogue import catalogue, meanings
from tests.unit.monitoring.lab import ROOT

GUIDE = (ROOT / "docs/guides/snmp.md").read_text("utf-8")


def fenced(language: str, word: str = "") -> str:
    """The first example in a language that has the word."""
    return next(f for f in re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL) if word in f)


def test_the_example_of_a_vendor_can_be_used(tmp_path: Path) -> None:
    (tmp_path / "acme.yaml").write_text(fenced("yaml", "traps"))
    found = catalogue(tmp_path)
    assert {t.name for t in found.traps.values()} == {"acmeConfigChanged", "acmeLoginFailed", "acmeFan", "acmeTooHot"}
    assert found.traps["1.3.6.1.4.1.99999.0.3"].meaning({"acmeFanState": "ok"}) == ("fan-failed", True)
    assert found.traps["1.3.6.1.4.1.99999.0.9"].action == "temperature-alarm"


def test_the_example_of_an_outage_can_be_used(tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    shutil.copytree(ROOT / "inventory/provinces/lab", folder)
    policy = fenced("yaml", "outages").removeprefix("policy:\n")
    text = (folder / "province.yaml").read_text()
    (folder / "province.yaml").write_text(text.replace("policy:\n", f"policy:\n{policy}"))
    (outage,) = load(folder).policy.outages
    assert outage.start == datetime(2026, 11, 20, 15, tzinfo=UTC), "local time"


def test_the_example_of_credentials_can_be_used(tmp_path: Path) -> None:
    document = json.loads(fenced("json").replace('"..."', '"long-enough"'))
    (tmp_path / "secrets.json").write_text(json.dumps(document))
    accounts = accounts_of(tmp_path)
    assert [a.user for a in accounts.known] == ["canh", "old", ""]
    assert set(accounts.of_device) == {"ups1", "sw7"}


def test_every_measurement_is_in_the_guide() -> None:
    names = {m.name for vendor in catalogue().vendors for m in vendor.metrics}
    assert {name for name in names if f"`{name}`" not in GUIDE} == set()


def test_every_vendor_is_in_the_guide() -> None:
    listed = GUIDE[GUIDE.index("Vendors there are") :]
    first_words = {vendor.title.split()[0] for vendor in catalogue().vendors} - {"standard"}
    assert {word for word in first_words if word not in listed} == set()
    assert "fan-failed" in meanings()
