from __future__ import annotations

from pathlib import Path

import pytest

from infra.layout import Keys, SocPaths, layout_of
from infra.spec import LabSpec
from inventory import load
from inventory.model import Province

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def province() -> Province:
    return load(ROOT / "inventory/provinces/lab")


@pytest.fixture(scope="session")
def keys(province: Province) -> Keys:
    return Keys(
        authorized_key="ssh-ed25519 AAAA operator",
        host_keys={name: (f"PRIVATE {name}", f"ssh-ed25519 AAAA {name}") for name in province.devices},
    )


@pytest.fixture(scope="session")
def layout(province: Province, keys: Keys) -> LabSpec:
    paths = SocPaths(app=Path("/app"), lib=Path("/lib"), data=Path("/data"))
    return layout_of(province, lab="unit", keys=keys, layers_of=lambda kind: (f"/{kind}", "/base"), soc_paths=paths)
