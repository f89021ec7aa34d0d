"""The rule library as folders: a rule, its notes for analysts, its cases.

    soc_rules/<product>/<slug>/rule.yml
                               triage.md, triage.vi.md      ## Sees, Matters, Check, Benign, Misses, Response
                               tests/<case>.hit.log, .miss.log         raw lines, through the real parsers
                               tests/<case>.hit.ndjson, .miss.ndjson   events, where there is no line

Lines of a case that begin with `# ` set the scene for what follows:
    # from: hh-ce1             the device, or the address, that sends
    # receiver: snmp-trap      how it came in (default syslog-udp)
    # change: hh-ce1           a change of ours is open on these devices from five minutes before it begins
    # radius: stc-sw1          devices a change of ours may touch without changing them
    # at: 2026-03-01T23:30:00+07:00   the clock says this (a case begins on a Monday at ten in the morning)
    # change-hours: 22-5       the province agrees to changes at these hours (else as the inventory says)
    # wait: 90s                time passes
    # repeat: 100              the next line comes so often
    # also: port-scan          other rules that rightly fire in this case; access/login-failed where two are called so
"""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from uuid import UUID, uuid5

from inventory.model import Province
from monitoring.event import Event, flat
from monitoring.pipeline import Pipeline
from monitoring.spool import SpoolRecord
from soc.detection import Detection
from soc.sigma.correlation_document import span
from soc.sigma.loader import RuleSet
from soc.sigma.matcher import encode
from soc.sigma.rule import AnyRule, Correlation

START = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)  # a Monday, ten in the morning in Viet Nam
_STEP = timedelta(milliseconds=100)
_TRANSIT = timedelta(milliseconds=200)  # from a line's own time to its receipt
_SPOOL = UUID("5d1f7a0e-8a51-5c57-9f3c-0a8a6f2f4b11")
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
_HOURS = re.compile(r"([01]?[0-9]|2[0-3])-([01]?[0-9]|2[0-4])")
_KNOWN = ("from", "receiver", "change", "radius", "at", "change-hours", "wait", "repeat", "also")


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """One rule's."""

    path: Path
    rule: AnyRule

    @property
    def slug(self) -> str:
        return self.path.name

    @property
    def cases(self) -> tuple[Path, ...]:
        return tuple(sorted((self.path / "tests").glob("*.*.*")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a case did. `wrong` is empty when it did what it should."""

    case: Path
    wrong: str
    fired: frozenset[str]  # rule ids


def folders(rules: RuleSet) -> tuple[Folder, ...]:
    """Every rule that stands in a folder of its own."""
    own = (Folder(path=r.origin.path.parent, rule=r) for r in rules.all if r.origin.path.name == "rule.yml")
    return tuple(sorted(own, key=lambda folder: folder.path))


def single(library: Iterable[Folder]) -> tuple[Folder, ...]:
    """Those that hold one rule, as they are to."""
    known = tuple(library)
    holding = Counter(folder.path for folder in known)
    return tuple(folder for folder in known if holding[folder.path] == 1)


def named(path: Path, names: Sequence[str]) -> bool:
    """Whether a path of the library is one of those asked for; without names all are."""
    return not names or any(name in path.parts or path.resolve().is_relative_to(Path(name).resolve()) for name in names)


def outcomes(rules: RuleSet, province: Province, only: Iterable[Folder] | None = None) -> Iterator[Outcome]:
    """Run the cases of `only` (default all) against all rules."""
    known = folders(rules)
    slugs = _named(known)
    # A folder for all: taking one away takes longer than running a case.
    with tempfile.TemporaryDirectory(prefix="canh-cases-") as place:
        data_dirs = (Path(place) / str(number) for number in count())
        for folder in known if only is None else only:
            for case in folder.cases:
                yield _outcome(case, folder, rules, Scene(case, province, next(data_dirs)), slugs)


def _named(known: Iterable[Folder]) -> dict[str, str]:
    """Ids by `slug` and by `product/slug`; "" for a slug that several have."""
    ids: dict[str, str] = {}
    for folder in known:
        ids[folder.slug] = "" if folder.slug in ids else folder.rule.id
        ids[f"{folder.path.parent.name}/{folder.slug}"] = folder.rule.id
    return ids


def _outcome(case: Path, folder: Folder, rules: RuleSet, scene: Scene, slugs: dict[str, str]) -> Outcome:
    kind = case.suffixes[-2].lstrip(".") if len(case.suffixes) >= 2 else ""
    if kind not in ("hit", "miss") or case.suffix not in (".log", ".ndjson"):
        return Outcome(case=case, wrong="its name must end in .hit or .miss, and .log or .ndjson", fired=frozenset())
    try:
        events = scene.events()
        fired = fired_by(events, rules)
    except CaseError as error:
        return Outcome(case=case, wrong=str(error), fired=frozenset())
    unknown = [slug for slug in scene.also if slug not in slugs]
    if unknown:
        return Outcome(case=case, wrong=f"'also' names {', '.join(unknown)}, which is no rule", fired=fired)
    several = [slug for slug in scene.also if not slugs[slug]]
    if several:
        return Outcome(case=case, wrong=f"several rules are called {', '.join(several)}: say product/name", fired=fired)
    if kind == "miss":
        return Outcome(case=case, wrong="it fires and must not" if folder.rule.id in fired else "", fired=fired)
    declared = set(_feeders(folder.rule, rules)) | {slugs[slug] for slug in scene.also}
    names = {rule_id: slug for slug, rule_id in sorted(slugs.items(), key=lambda known: "/" not in known[0])}
    wrong = ""
    if folder.rule.id not in fired:
        wrong = f"it does not fire ({len(events)} events)"
    elif others := sorted(names.get(r.id, r.id) for r in rules.all if r.alerts and r.id in fired - declared):
        wrong = f"undeclared rules fire: {', '.join(others)}"
    return Outcome(case=case, wrong=wrong, fired=fired)


def fired_by(events: list[Event], rules: RuleSet) -> frozenset[str]:
    """Ids of the rules that match and the correlations that hold, silent ones too."""
    detection = Detection(rules, timedelta(seconds=2))
    now = events[-1].received if events else START
    detection.take(events, now)
    detection.flush(now)
    matched = {match.rule.id for match in detection.matcher.match([encode(event) for event in events])}
    return frozenset(matched | {episode.rule_id for episode in detection.episodes.changes().changed.values()})


def _feeders(rule: AnyRule, rules: RuleSet) -> Iterator[str]:
    """The rule and everything it builds on."""
    yield rule.id
    if isinstance(rule, Correlation):
        by_id = {r.id: r for r in rules.all}
        for fed in rule.rules:
            yield from _feeders(by_id[fed], rules)


class CaseError(ValueError):
    """Why a case cannot be run."""


class Scene:
    """A case file on its way to events."""

    def __init__(self, case: Path, province: Province, data_dir: Path) -> None:
        self._case, self._province, self._data_dir = case, province, data_dir
        self._clock = START
        self._peer = str(province.soc.service_address)
        self._receiver = "syslog-udp"
        self._repeat = 1
        self.also: list[str] = []

    def events(self) -> list[Event]:
        """All of them, in order. Raises CaseError."""
        lines = self._case.read_bytes().splitlines()
        self._open_changes(lines)
        pipeline = Pipeline(_with_hours(self._province, lines), self._data_dir)
        events: list[Event] = []
        for number, line in enumerate(lines, 1):
            if line.startswith(b"# "):
                self._say(line.decode("utf-8", "replace")[2:], number)
                continue
            if not line.strip():
                continue
            times, self._repeat = self._repeat, 1
            for position in range(len(events) + 1, len(events) + 1 + times):
                if self._case.suffix == ".ndjson":
                    events.append(self._event(line, number, position))
                else:
                    events.append(pipeline.event_of(self._record(line, position)))
        if not events:
            raise CaseError("it holds no events")
        return events

    def _say(self, text: str, number: int) -> None:
        key, _, value = text.partition(":")
        key, value = key.strip(), value.strip()
        if key == "from":
            device = self._province.devices.get(value)
            self._peer = value if device is None else str(device.service_address)
        elif key == "receiver":
            self._receiver = value
        elif key == "at":
            self._clock = _moment(value)
        elif key == "wait":
            self._clock += span(value)
        elif key == "repeat":
            if not value.isascii() or not value.isdigit() or not 1 <= int(value) <= 10_000:
                raise CaseError(f"line {number}: 'repeat' wants a number from 1 to 10000")
            self._repeat = int(value)
        elif key == "also":
            self.also += [slug.strip() for slug in value.split(",")]
        elif key not in _KNOWN:
            raise CaseError(f"line {number}: only {', '.join(_KNOWN)} can be said, not {key!r}")

    def _open_changes(self, lines: list[bytes]) -> None:
        """Written first: the journal says a change is open before a device hears of it."""
        began = START
        said: dict[str, list[str]] = {"change": [], "radius": []}
        for line in lines:
            key, _, value = line.decode("utf-8", "replace").removeprefix("# ").partition(":")
            if line.startswith(b"# at:"):
                began = _moment(value)
            elif line.startswith(b"# ") and key in said:
                said[key] += [name.strip() for name in value.split(",")]
        if not any(said.values()):
            return
        folder = self._data_dir / "changes"
        folder.mkdir(parents=True)
        opened = {
            "event": "opened",
            "change_id": "case",
            "at": (began - timedelta(minutes=5)).isoformat(),
            "operator": "quantri",
            "devices": said["change"],
            "blast_radius": {"devices": said["change"] + said["radius"], "sites": []},
        }
        (folder / "case.jsonl").write_text(json.dumps(opened) + "\n", "utf-8")

    def _record(self, line: bytes, position: int) -> SpoolRecord:
        stamp = _STAMP.search(line[:120].decode("ascii", "replace"))
        stated = datetime.fromisoformat(stamp[0]).astimezone(UTC) if stamp else self._clock
        # A line from tomorrow or later is a case about wrong clocks; ours goes on.
        if self._clock < stated < self._clock + timedelta(days=1):
            self._clock = stated + _TRANSIT
        else:
            self._clock += _STEP
        return SpoolRecord(position, position + 1, _SPOOL, self._clock, self._peer, 514, self._receiver, line)

    def _event(self, line: bytes, number: int, position: int) -> Event:
        try:
            document = json.loads(line)
            fields = dict(flat(document))
        except (ValueError, AttributeError) as error:
            raise CaseError(f"line {number}: not a JSON object: {error}") from error
        self._clock += _STEP
        fields.setdefault("@timestamp", self._clock.isoformat())
        fields.setdefault("event.ingested", fields["@timestamp"])
        fields.setdefault("event.id", str(uuid5(_SPOOL, str(position))))
        return Event(fields)


def _with_hours(province: Province, lines: Iterable[bytes]) -> Province:
    """The province with the change hours a case is about: few provinces set any. Raises CaseError."""
    for line in lines:
        if line.startswith(b"# change-hours:"):
            value = line.decode("utf-8", "replace").partition(":")[2].strip()
            if (hours := _HOURS.fullmatch(value)) is None:
                raise CaseError(f"'change-hours' wants two hours like 22-5, not {value!r}")
            policy = replace(province.policy, change_hours=(int(hours[1]), int(hours[2])))
            return replace(province, policy=policy)
    return province


def _moment(text: str) -> datetime:
    """Raises CaseError."""
    try:
        return datetime.fromisoformat(text.strip()).astimezone(UTC)
    except ValueError as error:
        raise CaseError(f"'at' wants a moment like 2026-03-01T23:30:00+07:00: {error}") from error
