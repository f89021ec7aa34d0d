"""What OIDs mean: names, words for numbers, what a notification says and what of a device is worth polling.

All of it is data, `vendors/*.yaml`: adding a vendor is adding a file. "E." stands for 1.3.6.1.4.1.
Nothing is asked of the network.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import yaml
from pydantic import ValidationError

from monitoring.errors import ParserError
from monitoring.event import Value
from monitoring.snmp._documents import MetricDoc, StateDoc, TrapDoc, VendorDoc

HERE = Path(__file__).parent
ENTERPRISES = "1.3.6.1.4.1."
CLEARED = "alarm-cleared"
_OBJECT = re.compile(r"(?P<name>\w+)(?: (?P<how>[\w-]+))?(?: > (?P<keeps>\S.*))?")
_TRAP = re.compile(r"(?P<name>\w+)(?: = (?P<action>\S.*))?")
_PLACE = re.compile(r"\{(\w+)\}")
_RANGE = re.compile(r"(?P<parent>.*\.)(?P<first>\d+)-(?P<last>\d+)(?:/(?P<step>\d+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Object:
    """An object of a MIB: its name, what its numbers or octets mean, and which fields keep it."""

    name: str
    oid: str
    labels: Mapping[int, str]
    is_octets: bool = False  # never text: a hardware address
    is_secret: bool = False  # never shown: a community
    keeps: tuple[str, ...] = ()  # fields of its value
    keeps_index: tuple[str, ...] = ()  # fields of its index, which is an address


@dataclass(frozen=True, slots=True, kw_only=True)
class Trap:
    """A notification and what it means. `by`: (object, ((word, action), ...)), tried in this order."""

    name: str
    action: str = ""
    by: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()
    is_cleared: bool = False
    fields: Mapping[str, Value]
    syslog: str = ""

    def message(self, words: Mapping[str, str]) -> str:
        """The syslog message inside, "" when there is none. words: of its objects, by name."""
        return _PLACE.sub(lambda place: words.get(place[1], ""), self.syslog)

    def meaning(self, words: Mapping[str, str]) -> tuple[str, bool]:
        """The action, "" when it has none, and whether it is the end of it. words: of its objects, by name."""
        action = self.action
        for name, cases in self.by:
            if name in words:
                action = next((a for word, a in cases if _fits(word, words[name])), action)
                break
        is_cleared = self.is_cleared or action.startswith("cleared ")
        return action.removeprefix("cleared "), is_cleared


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """What is polled of the devices whose sysObjectID begins with one of `system`."""

    name: str
    title: str
    system: tuple[str, ...]
    version: re.Pattern[str] | None
    metrics: tuple[MetricDoc, ...]
    states: tuple[StateDoc, ...]

    def is_of(self, object_id: str) -> bool:
        return not self.system or any(f"{object_id}.".startswith(f"{s}.") for s in self.system)


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    objects: Mapping[str, Object]  # by OID
    by_name: Mapping[str, Object]
    traps: Mapping[str, Trap]
    vendors: tuple[Vendor, ...]  # in order of name, those of every device last
    enumerations: Mapping[tuple[str, str], Mapping[int, str]]  # by vendor and name


@lru_cache(maxsize=4096)
def object_of(oid: str) -> tuple[Object, str] | None:
    """The object an instance belongs to and the instance's index; None when unknown."""
    known = catalogue().objects
    head, index = oid, ""
    while head:
        if (found := known.get(head)) is not None:
            return found, index
        head, _, arc = head.rpartition(".")
        index = f"{arc}.{index}" if index else arc
    return None


def object_named(name: str) -> Object | None:
    return catalogue().by_name.get(name)


@lru_cache(maxsize=4096)
def trap_of(oid: str) -> Trap | None:
    """The notification of an OID, with or without the ".0." before its last arc: senders do either."""
    known = catalogue().traps
    parent, _, last = oid.rpartition(".")
    without = f"{parent.removesuffix('.0')}.{last}"
    return known.get(oid) or known.get(without) or known.get(f"{parent}.0.{last}")


def trap_name(oid: str) -> str:
    """The name of a notification, the OID itself when it is unknown."""
    found = trap_of(oid)
    return oid if found is None else found.name


@cache
def meanings() -> Mapping[str, Mapping[str, Value]]:
    """event.category, event.type and event.outcome of each action."""
    document = yaml.safe_load((HERE / "meanings.yaml").read_text("utf-8"))
    return {
        action: {"event.action": action}
        | {f"event.{key}": tuple(v) if isinstance(v, list) else v for key, v in said.items()}
        for action, said in document.items()
    }


@cache
def catalogue(folder: Path = HERE / "vendors") -> Catalogue:
    """Everything the folder's files say. Raises ParserError, with the file."""
    files = sorted(folder.glob("*.yaml"))
    documents = {file.stem: _document(file) for file in files}
    shared = documents["standard"].enumerations if "standard" in documents else {}
    objects: dict[str, Object] = {}
    traps: dict[str, Trap] = {}
    for file in files:
        document = documents[file.stem]
        try:
            objects |= {o.oid: o for o in _objects(document, shared)}
            traps |= dict(_traps(document))
        except ValueError as error:
            raise _unusable(file, str(error)) from error
    vendors = sorted((_vendor(name, d) for name, d in documents.items()), key=lambda v: (not v.system, v.name))
    return Catalogue(
        objects=objects,
        by_name={o.name: o for o in objects.values()},
        traps=traps,
        vendors=tuple(vendors),
        enumerations={
            (n, e): labels for n, d in documents.items() for e, labels in {**shared, **d.enumerations}.items()
        },
    )


def full(oid: str) -> str:
    """An OID in full."""
    return ENTERPRISES + oid[2:] if oid.startswith("E.") else oid


def _document(file: Path) -> VendorDoc:
    try:
        return VendorDoc.model_validate(yaml.load(file.read_text("utf-8"), Loader=yaml.CSafeLoader))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise _unusable(file, str(error)) from error


def _unusable(file: Path, why: str) -> ParserError:
    return ParserError(f"vendor {file.stem} cannot be used: {why}", where=file, fix="correct it or remove the file")


def _objects(document: VendorDoc, shared: Mapping[str, Mapping[int, str]]) -> Iterator[Object]:
    enumerations = {**shared, **document.enumerations}
    for oid, text in document.objects.items():
        if (read := _OBJECT.fullmatch(text)) is None:
            raise ValueError(f"{oid}: {text!r} is not 'name [enumeration | octets | secret] [> fields]'")
        how, keeps = read["how"] or "", [k.strip() for k in (read["keeps"] or "").split(",") if k]
        if how not in ("", "octets", "secret") and how not in enumerations:
            raise ValueError(f"{oid}: there is no enumeration {how!r}")
        yield Object(
            name=read["name"],
            oid=full(oid),
            labels=enumerations.get(how, {}),
            is_octets=how == "octets",
            is_secret=how == "secret",
            keeps=tuple(k for k in keeps if not k.endswith("@index")),
            keeps_index=tuple(k.removesuffix("@index") for k in keeps if k.endswith("@index")),
        )


def _traps(document: VendorDoc) -> Iterator[tuple[str, Trap]]:
    for oids, said in document.traps.items():
        trap = _trap(oids, said)
        for oid in _expanded(full(oids)):
            yield oid, trap


def _trap(oid: str, said: str | TrapDoc) -> Trap:
    if isinstance(said, TrapDoc):
        by = tuple((name, tuple(cases.items())) for name, cases in said.by.items())
        fields = dict(said.set.items())
        return Trap(
            name=said.name, action=said.action, by=by, is_cleared=said.cleared, fields=fields, syslog=said.syslog
        )
    if (read := _TRAP.fullmatch(said)) is None:
        raise ValueError(f"{oid}: {said!r} is not 'name [= [cleared] action]'")
    return Trap(name=read["name"], action=read["action"] or "", fields={})


def _expanded(oid: str) -> Iterator[str]:
    """ "1.3.57-63/2" is 1.3.57, 1.3.59, 1.3.61, 1.3.63."""
    if (read := _RANGE.fullmatch(oid)) is None:
        yield oid
        return
    for arc in range(int(read["first"]), int(read["last"]) + 1, int(read["step"] or 1)):
        yield f"{read['parent']}{arc}"


def _vendor(name: str, document: VendorDoc) -> Vendor:
    return Vendor(
        name=name,
        title=document.title,
        system=tuple(map(full, document.system)),
        version=re.compile(document.version) if document.version else None,
        metrics=tuple(document.metrics),
        states=tuple(document.states),
    )


def _fits(word: str, text: str) -> bool:
    if word.startswith("~"):
        return word[1:].lower() in text.lower()
    return word in ("otherwise", text)
