"""The guide's example of a vendor is a file that works, and its lists are what there is."""

from __future__ import annotations

import json
import re
from pathlib import Path

from monitoring.snmp.accounts import accounts_of
from monitoring.snmp.catalogue import catalogue, meanings
from tests.unit.monitoring.lab import ROOT

GUIDE = (ROOT / "docs/guides/snmp.md").read_text("utf-8")


def fenced(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_example_of_a_vendor_can_be_used(tmp_path: Path) -> None:
    (tmp_path / "acme.yaml").write_text(fenced("yaml"))
    found = catalogue(tmp_path)
    assert {t.name for t in found.traps.values()} == {"acmeConfigChanged", "acmeLoginFailed", "acmeFan", "acmeTooHot"}
    assert found.traps["1.3.6.1.4.1.99999.0.3"].meaning({"acmeFanState": "ok"}) == ("fan-failed", True)
    assert found.traps["1.3.6.1.4.1.99999.0.9"].action == "temperature-alarm"


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
