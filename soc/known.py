"""What rules are called and where they stand, by id: for people's eyes, without compiling anything."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import yaml

from soc.alert import Alert
from soc.policy import Generated

RESCAN_S = 30.0  # an id that is not known makes the folders be read again, at most this often
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One rule of a library."""

    folder: Path
    title_vi: str = ""


class KnownRules:
    """Rules by id. The folders are read when an id is asked for that is not known yet."""

    def __init__(self, folders: Sequence[Path], generated: Iterable[Generated] = ()) -> None:
        """generated: rules the inventory gives, which stand in no folder."""
        self._folders, self._lock = tuple(folders), Lock()
        self._given = {rule.rule_id: Known(folder=rule.folder, title_vi=rule.title_vi) for rule in generated}
        self._rules: dict[str, Known] = dict(self._given)
        self._scanned = -RESCAN_S

    def of(self, rule_id: str) -> Known | None:
        with self._lock:
            if rule_id not in self._rules and time.monotonic() - self._scanned >= RESCAN_S:
                self._rules = dict(self._given)
                for folder in self._folders:
                    self._rules |= rules_in(folder)
                self._scanned = time.monotonic()
            return self._rules.get(rule_id)

    def title_of(self, alert: Alert, language: str) -> str:
        """The alert's title in a language; as raised when the rule has no other."""
        rule = self.of(alert.rule_id)
        return rule.title_vi if language == "vi" and rule and rule.title_vi else alert.title


def rules_in(folder: Path) -> dict[str, Known]:
    """Every rule of a library by id. What does not parse is detection's to report."""
    found: dict[str, Known] = {}
    for path in sorted(path for path in folder.rglob("rule.yml") if path.is_file()):
        try:
            documents = list(yaml.load_all(path.read_text("utf-8"), Loader=_LOADER))
        except (OSError, yaml.YAMLError, ValueError, RecursionError):  # ValueError: a day that is none, Latin-1
            continue
        for document in documents:
            if isinstance(document, dict) and document.get("id"):
                ours = document.get("canh")
                title = str(ours.get("title_vi") or "") if isinstance(ours, dict) else ""
                found[str(document["id"])] = Known(folder=path.parent, title_vi=title)
    return found
