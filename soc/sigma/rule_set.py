"""A set of rules ready to match, and how it is kept on disk.

Kept under the hash of all it is made from (`key_of`); what is believed of what is found there, `cache` says.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import canh_native
from canh_native import RuleSet as Compiled

from soc.placeholders import Placeholders
from soc.sigma import cache, tables
from soc.sigma.files import File
from soc.sigma.filter_document import Filter
from soc.sigma.rule import AnyRule, Correlation, Refusal, Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """Rules ready to match. `compiled` numbers them as `rules` does."""

    rules: tuple[Rule, ...]
    correlations: tuple[Correlation, ...]  # each after those it builds on
    refused: tuple[Refusal, ...]
    compiled: Compiled
    digest: str  # of everything that decides what matches
    filters: tuple[Filter, ...] = ()  # in force
    expired: tuple[Filter, ...] = ()  # not applied any more

    @property
    def all(self) -> tuple[AnyRule, ...]:
        return (*self.rules, *self.correlations)


_PARTS: Mapping[str, type] = {
    "rules": Rule, "correlations": Correlation, "refused": Refusal, "filters": Filter, "expired": Filter
}  # fmt: skip


def key_of(files: Sequence[File], placeholders: Placeholders, pipelines: Sequence[str], today: str) -> str:
    """The hash of everything a rule set is made from: texts, tables, and the code that reads them."""
    engine = Path(str(canh_native.__file__)).stat()
    said: list[object] = [engine.st_size, engine.st_mtime_ns, today, pipelines]
    said.append(sorted((name, list(values)) for name, values in placeholders.items()))
    whole = hashlib.sha256(json.dumps(said).encode())
    ours = sorted((str(p), p.read_bytes()) for p in Path(__file__).parent.iterdir() if p.suffix in (".py", ".yaml"))
    for path, octets in (*ours, *files):
        whole.update(path.encode("utf-8", "surrogateescape"))
        whole.update(octets if isinstance(octets, bytes) else b"")
        whole.update(len(octets).to_bytes(8, "little") if isinstance(octets, bytes) else b"unreadable")
    return whole.hexdigest()


def restored(folder: Path, key: str) -> RuleSet | None:
    found = cache.read(folder, key)
    if found is None:
        return None
    said, written = found
    try:
        compiled = Compiled.restored(written, said["log_sources"], said["fields"])
        parts: dict[str, Any] = {name: tuple(map(cache.maker(kind), said[name])) for name, kind in _PARTS.items()}
        return RuleSet(compiled=compiled, digest=said["digest"], **parts)
    except (ValueError, KeyError, TypeError):
        return None


def keep(folder: Path, key: str, rules: RuleSet) -> None:
    said = {name: [cache.plain(one) for one in getattr(rules, name)] for name in _PARTS}
    said |= {"digest": rules.digest, "log_sources": tables.log_sources(), "fields": tables.fields()}  # type: ignore[dict-item]
    if rules.compiled.written is not None:
        cache.write(folder, key, said, rules.compiled.written)
