"""What one device operating system is like: facts from `platforms/<name>/platform.yaml`.

The engine (tree, diff, change) knows no vendor; everything it must know about a platform is a
field here. `PlatformDoc` is the YAML as written, `Platform` what the code uses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import yaml
from pydantic import BaseModel, Field, ValidationError, field_validator

from network.errors import PlatformError

FOLDER = Path(__file__).parent / "platforms"
MASKED = "<masked>"  # stands in a line for a secret; no platform accepts it as a password of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionKind:
    """A line that opens a section. `permanent`: it exists with the hardware or with its parent, so it is
    emptied, never removed, and empty is the same as absent. `ordered`: its lines are read top down."""

    opens: re.Pattern[str]
    closes: str
    permanent: bool
    ordered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrite:
    """Lines that `match` are written as `by` (a replacement template of `re`)."""

    match: re.Pattern[str]
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Takes:
    """Removing a line that matches `when` also removes the lines of its section, and below, that match
    `also`, in which {1}, {2} stand for the groups of `when`."""

    when: re.Pattern[str]
    also: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """How to ask for routing neighbours: `line` has the groups router_id, state and interface."""

    command: str
    line: re.Pattern[str]
    up: re.Pattern[str]


@dataclass(frozen=True, kw_only=True)
class Platform:
    name: str
    driver: str  # netmiko's device_type
    prompt: re.Pattern[str]
    show_running: str
    configure: str
    leave: str
    save: str
    saved: re.Pattern[str]  # what the device answers when the configuration is stored
    negate: str
    ignore: tuple[re.Pattern[str], ...]
    sections: tuple[SectionKind, ...]
    undo: tuple[Rewrite, ...]
    replace: tuple[re.Pattern[str], ...]
    takes: tuple[Takes, ...]
    rewrite: tuple[Rewrite, ...]
    secrets: tuple[re.Pattern[str], ...]
    failures: tuple[re.Pattern[str], ...]
    warnings: tuple[re.Pattern[str], ...]
    cosmetic: tuple[re.Pattern[str], ...]
    neighbours: Neighbours
    templates: Path

    def section(self, line: str) -> SectionKind | None:
        """The kind of section `line` opens, None when it opens none."""
        return next((s for s in self.sections if s.opens.search(line)), None)

    def undo_of(self, line: str) -> str:
        """The line that removes `line` when typed in the same section."""
        for rule in self.undo:
            if rule.match.search(line):
                return rule.match.sub(rule.by, line, count=1)
        prefix = f"{self.negate} "
        return line.removeprefix(prefix) if line.startswith(prefix) else prefix + line

    def slot(self, line: str) -> str | None:
        """What `line` is the only one of in its section: a new line with the same slot replaces the old."""
        for pattern in self.replace:
            if found := pattern.search(line):
                return " ".join(g for g in (found.groups() or (found.group(),)) if g)
        return None

    def taken_by(self, line: str) -> tuple[re.Pattern[str], ...]:
        """Patterns of the lines that go with `line` when it is removed."""
        found = ((rule.also, rule.when.search(line)) for rule in self.takes)
        return tuple(re.compile(_filled(also, hit)) for also, hit in found if hit)

    def normal(self, line: str) -> str:
        """`line` as the device would show it."""
        for rule in self.rewrite:
            line = rule.match.sub(rule.by, line)
        return line

    def is_noise(self, line: str) -> bool:
        """Whether `line` is no configuration: banners, separators, what the host owns."""
        return any(p.search(line) for p in self.ignore) or line in self.closers

    @cached_property
    def closers(self) -> frozenset[str]:
        return frozenset(s.closes for s in self.sections)

    def masked(self, line: str) -> str:
        """`line` with its secrets replaced by `<masked>`."""
        for pattern in self.secrets:
            if found := pattern.search(line):
                return line[: found.start(1)] + MASKED + line[found.end(1) :]
        return line

    def is_cosmetic(self, line: str) -> bool:
        """Whether `line` only says something to people, so that the two ends of a link need not agree on it."""
        return any(p.search(line) for p in self.cosmetic)

    def failure(self, reply: str) -> str | None:
        """The first line of a reply that says the device refused, None when it did not."""
        for line in (part.strip() for part in reply.splitlines()):
            if any(p.search(line) for p in self.failures) and not any(p.search(line) for p in self.warnings):
                return line
        return None


def _filled(pattern: str, hit: re.Match[str]) -> str:
    """`pattern` with {1}, {2} replaced by the groups of `hit`, taken literally."""
    return re.sub(r"\{(\d)\}", lambda number: re.escape(hit[int(number[1])]), pattern)


class _Doc(BaseModel, extra="forbid"):
    pass


class _SectionDoc(_Doc):
    opens: re.Pattern[str]
    closes: str = "exit"
    permanent: bool = False
    ordered: bool = False


class _RewriteDoc(_Doc):
    match: re.Pattern[str]
    by: str

    def to_domain(self) -> Rewrite:
        return Rewrite(match=self.match, by=self.by)


class _TakesDoc(_Doc):
    when: re.Pattern[str]
    also: str


class _NeighboursDoc(_Doc):
    command: str
    line: re.Pattern[str]
    up: re.Pattern[str]

    @field_validator("line")
    @classmethod
    def _has_groups(cls, value: re.Pattern[str]) -> re.Pattern[str]:
        if missing := {"router_id", "state", "interface"} - set(value.groupindex):
            raise ValueError(f"needs the named groups {', '.join(sorted(missing))}")
        return value


class PlatformDoc(_Doc):
    """`platform.yaml` as written."""

    source: str  # where these facts come from: a version, a manual
    driver: str
    prompt: re.Pattern[str]
    show_running: str
    configure: str
    leave: str
    save: str
    saved: re.Pattern[str]
    negate: str
    neighbours: _NeighboursDoc
    ignore: tuple[re.Pattern[str], ...] = ()
    sections: tuple[_SectionDoc, ...] = ()
    undo: tuple[_RewriteDoc, ...] = ()
    replace: tuple[re.Pattern[str], ...] = ()
    takes: tuple[_TakesDoc, ...] = ()
    rewrite: tuple[_RewriteDoc, ...] = ()
    secrets: tuple[re.Pattern[str], ...] = ()
    failures: tuple[re.Pattern[str], ...] = Field(min_length=1)
    warnings: tuple[re.Pattern[str], ...] = ()
    cosmetic: tuple[re.Pattern[str], ...] = ()

    @field_validator("secrets")
    @classmethod
    def _has_one_group(cls, value: tuple[re.Pattern[str], ...]) -> tuple[re.Pattern[str], ...]:
        for pattern in value:
            if pattern.groups < 1:
                raise ValueError(f"{pattern.pattern!r} needs a group around the secret")
        return value

    def to_domain(self, name: str, folder: Path) -> Platform:
        return Platform(
            name=name,
            driver=self.driver,
            prompt=self.prompt,
            show_running=self.show_running,
            configure=self.configure,
            leave=self.leave,
            save=self.save,
            saved=self.saved,
            negate=self.negate,
            ignore=self.ignore,
            sections=tuple(SectionKind(**dict(s)) for s in self.sections),
            undo=tuple(u.to_domain() for u in self.undo),
            replace=self.replace,
            takes=tuple(Takes(when=t.when, also=t.also) for t in self.takes),
            rewrite=tuple(r.to_domain() for r in self.rewrite),
            secrets=self.secrets,
            failures=self.failures,
            warnings=self.warnings,
            cosmetic=self.cosmetic,
            neighbours=Neighbours(**dict(self.neighbours)),
            templates=folder / "templates",
        )


def platform_names(folder: Path = FOLDER) -> tuple[str, ...]:
    """Every platform there is, by name."""
    return tuple(sorted(p.parent.name for p in folder.glob("*/platform.yaml")))


@lru_cache
def load_platform(name: str, folder: Path = FOLDER) -> Platform:
    """The platform called `name`. Raises PlatformError when there is none or its file is wrong."""
    if name not in platform_names(folder):
        known = ", ".join(platform_names(folder))
        raise PlatformError(f"there is no platform {name!r}", where="--platform", fix=f"choose one of: {known}")
    path = folder / name / "platform.yaml"
    try:
        return PlatformDoc.model_validate(yaml.safe_load(path.read_text(encoding="utf-8"))).to_domain(name, path.parent)
    except yaml.YAMLError as error:
        raise PlatformError(f"{path.name} is not YAML: {error}", where=path, fix="correct the file") from error
    except ValidationError as error:
        first = error.errors()[0]
        pointer = "/" + "/".join(str(p) for p in first["loc"])
        raise PlatformError(first["msg"], where=f"{path} {pointer}", fix="correct this value") from error
