"""Where rules stand."""

from __future__ import annotations

from pathlib import Path

from soc.sigma import OWN_RULES

SETS = "rules"  # below the data directory
LOADED = "rules"  # below a set: what detection loads of it


def folders(province_dir: Path, data_dir: Path) -> tuple[Path, ...]:
    """Every folder of rules detection uses, those that exist: shipped, the province's own, each imported set."""
    return (*libraries(province_dir), *(path / LOADED for path in set_paths(data_dir)))


def libraries(province_dir: Path) -> tuple[Path, ...]:
    """The folders whose rules have notes and cases: shipped, and the province's own."""
    own = province_dir / "rules"
    return (OWN_RULES, own) if own.is_dir() else (OWN_RULES,)


def set_paths(data_dir: Path) -> tuple[Path, ...]:
    """The imported sets, by name. One that is still being written has a name that begins with a dot."""
    place = data_dir / SETS
    if not place.is_dir():
        return ()
    return tuple(sorted(p for p in place.iterdir() if not p.name.startswith(".") and (p / LOADED).is_dir()))
