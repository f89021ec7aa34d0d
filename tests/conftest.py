"""Layers are folders: a test's marker is the folder it stands in. And what Hypothesis may do: see CONTRIBUTING.md."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings

LAYERS = ("unit", "server", "lab", "browser", "bench")
FUZZ = int(os.environ.get("CANH_FUZZ", "0"))  # how many times its usual examples a property is given, at random

# What `make test` tries is the same on every machine and judged by no clock: a change is refused for what it does.
# On a fresh clone Hypothesis works out its table of characters in the first test that wants one: seconds on a busy
# machine, which it then takes for a fault of that test.
PATIENT = frozenset({HealthCheck.too_slow})
settings.register_profile("canh", derandomize=True, database=None, deadline=None, suppress_health_check=PATIENT)
settings.register_profile("fuzz", deadline=None, suppress_health_check=PATIENT, print_blob=True)
settings.load_profile("fuzz" if FUZZ else "canh")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    seen: set[object] = set()
    for item in items:
        layer = Path(item.path).relative_to(here).parts[0]
        if layer in LAYERS:
            item.add_marker(getattr(pytest.mark, layer))
        test = getattr(item, "obj", None)
        if is_hypothesis_test(test) and test not in seen:
            seen.add(test)
            _set_up(test)


def pytest_collection_finish() -> None:
    """What is loaded by now stays: the collector need not look at it again and again (an eighth of the CPU)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


def pytest_unconfigure() -> None:
    gc.unfreeze()


def _set_up(test: object) -> None:
    """What a test's own settings must not undo."""
    own = test._hypothesis_internal_use_settings  # type: ignore[attr-defined]
    test._hypothesis_internal_use_settings = settings(  # type: ignore[attr-defined]
        own,
        deadline=None,
        suppress_health_check={*own.suppress_health_check, *PATIENT},
        max_examples=own.max_examples * max(FUZZ, 1),
    )
