"""`canh rules`: check and test the rule library, list it, evaluate rules over a file of events."""

from __future__ import annotations

import argparse
import json
import os
import select
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from canh.cli import ROOT
from canh.context import Context
from canh.rules.replay import printable

if TYPE_CHECKING:  # loading the engine costs what `canh --help` should not
    from collections.abc import Iterable

    from inventory.model import Province
    from soc.scheduled import Scheduled
    from soc.sigma import AnyRule, RuleSet
    from soc.sigma.filter_document import Filter
    from soc.sigma.library import Outcome
    from soc.sigma.rule import Refusal

    Asked = tuple[tuple[Scheduled, ...], tuple[Refusal, ...]]  # scheduled rules, and those refused

HELP = "check, test and list the detection rules; evaluate rules over events on standard input"
LAB = ROOT / "inventory/provinces/lab"
_CHUNK = 2000  # events a batch
_AT_ONCE = 1 << 20  # octets read
_LONGER = {  # verb -> module of canh.rules
    "replay": "replay",
    "filter": "keep",
    "add": "keep",
    "import": "sets",
    "sets": "sets",
    "remove": "sets",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="rules_verb", required=True, metavar="VERB")
    for name, text in (
        ("check", "every rule that cannot be used or lacks something, all at once"),
        ("test", "run the hit and miss cases"),
        ("list", "what is loaded"),
    ):
        sub = verbs.add_parser(name, help=text, description=text)
        text = "rule folders (default: shipped, the province's own" + (")" if name == "test" else ", imported sets)")
        sub.add_argument("--rules", type=Path, action="append", metavar="DIR", help=text)
        if name != "list":
            text = "only these: the name of a folder or of a product, or a path"
            sub.add_argument("only", nargs="*", metavar="NAME", help=text)
        if name == "check":
            text = "write the ids of new rules into the register (ids.txt) of each library"
            sub.add_argument("--register", action="store_true", help=text)
    text = "match events (NDJSON on standard input: ECS or raw Windows JSON), print NDJSON matches"
    sub = verbs.add_parser("eval", help=text, description=text)
    sub.add_argument("--rules", type=Path, action="append", metavar="DIR", required=True, help="folder of Sigma rules")
    text = "a Sigma processing pipeline: a file, or ecs_windows, sysmon; may be repeated"
    sub.add_argument("--map", action="append", default=[], metavar="PIPELINE", help=text)
    for module in dict.fromkeys(_LONGER.values()):
        import_module(f"canh.rules.{module}").arguments(verbs)


def run(args: argparse.Namespace, ctx: Context) -> int:
    if args.rules_verb in _LONGER:
        return int(import_module(f"canh.rules.{_LONGER[args.rules_verb]}").run(args, ctx))
    from soc import placeholders
    from soc.policy import documents
    from soc.rulesets import folders, libraries
    from soc.sigma import cache, load

    if args.rules_verb == "test":
        return _test(args, ctx)
    places = args.rules or folders(ctx.province_dir, ctx.data_dir)
    is_eval = args.rules_verb == "eval"
    values, pipelines = placeholders.of(ctx.province), getattr(args, "map", [])
    # What the inventory says is of this province, and not for the rules of others.
    own = [] if is_eval or args.rules else [(rule.path, rule.text) for rule in documents(ctx.province)]
    rules = load(places, values, pipelines=pipelines, bare_filters=is_eval, cached_in=cache.folder(), generated=own)
    if is_eval:
        return _eval(rules)
    from soc import scheduled

    asked = scheduled.load((p for p in places if p.is_dir()), values)
    if args.rules_verb == "list":
        return _list(rules, asked, ctx)
    _must_be_known(args.only, (*rules.all, *rules.refused, *asked[0], *asked[1]))
    from soc.rulesets import REGISTER, registered
    from soc.scheduled.cases import folders as scheduled_folders

    owned = tuple(path.resolve() for path in args.rules or libraries(ctx.province_dir) if path.is_dir())
    for library in owned if args.register else ():
        (library / REGISTER).write_text(registered(library, rules, scheduled_folders(asked[0])), "utf-8")
    return _check(rules, asked, owned, args.only, ctx)


def _must_be_known(only: list[str], rules: Iterable[AnyRule | Refusal]) -> None:
    """Raises RuleError for a name that chooses nothing: no findings would look like success."""
    from soc.sigma.errors import RuleError
    from soc.sigma.library import named

    paths = [rule.origin.path for rule in rules]
    for name in only:
        if not any(named(path, [name]) for path in paths):
            raise RuleError(f"no folder, product or path of rules is called {name}", fix="canh rules list")


def _check(rules: RuleSet, asked: Asked, owned: tuple[Path, ...], only: list[str], ctx: Context) -> int:
    from soc import placeholders
    from soc.rulesets import findings
    from soc.scheduled.cases import folders as scheduled_folders
    from soc.sigma.library import named

    today, scheduled = datetime.now(UTC).date(), scheduled_folders(asked[0])
    found = findings(rules, placeholders.of(ctx.province), owned, today, scheduled)
    offences = [finding for finding in (*found.offences, *asked[1]) if named(finding.origin.path, only)]
    for finding in offences:
        print(
            json.dumps({"where": str(finding.origin), "what": finding.reason}) if ctx.json else printable(str(finding))
        )
    for remark in found.remarks:
        print(printable(f"remark: {remark}"), file=sys.stderr)
    counts = f"{len(rules.rules)} rules, {len(rules.correlations)} correlations, {len(asked[0])} scheduled"
    filters = f"{len(rules.filters)} filters in force"
    print(f"{counts}, {filters}, {len(rules.expired)} over, {len(offences)} findings", file=sys.stderr)
    return 1 if offences else 0


def _test(args: argparse.Namespace, ctx: Context) -> int:
    """Cases of the shipped library are about devices of the lab; those of a province's own rules about its own.

    Community rules are not loaded: cases say which rules may fire, and know none of those.
    """
    from inventory import load as load_province
    from soc.sigma import OWN_RULES

    own = ctx.province_dir / "rules"
    parts = [_Part(ctx.province, args.rules, args.rules)] if args.rules else []
    if not args.rules:
        lab = ctx.province if ctx.province_dir == LAB.resolve() else load_province(LAB)
        parts.append(_Part(lab, [OWN_RULES], [OWN_RULES]))
        if own.is_dir():
            parts.append(_Part(ctx.province, [OWN_RULES, own], [own]))
    loaded = [part.loaded() for part in parts]
    _must_be_known(args.only, (one for there in loaded for one in there.everything))
    count, refused = Counter[bool](), 0
    for there in loaded:
        for outcome in there.outcomes(args.only):
            count[not outcome.wrong] += 1
            case = str(outcome.case)
            if ctx.json:
                print(json.dumps({"case": case, "ok": not outcome.wrong, "why": outcome.wrong}))
            elif outcome.wrong:
                print(f"{case}: {outcome.wrong}")
        for refusal in there.refused(args.only):
            refused += 1
            print(printable(f"refused: {refusal}"), file=sys.stderr)
    print(f"{count[True]} cases right, {count[False]} wrong, {refused} rules refused", file=sys.stderr)
    return 1 if count[False] or refused else 0


@dataclass(frozen=True, slots=True)
class _Part:
    """Rules whose cases are run together: `places` are loaded, the cases below `judged` are run."""

    province: Province
    places: Sequence[Path]
    judged: Sequence[Path]

    def loaded(self) -> _Loaded:
        from soc import placeholders, scheduled
        from soc.sigma import cache, load

        values = placeholders.of(self.province)
        rules = load(self.places, values, cached_in=cache.folder())
        return _Loaded(self, rules, scheduled.load((p for p in self.judged if p.is_dir()), values))


@dataclass(frozen=True, slots=True)
class _Loaded:
    part: _Part
    rules: RuleSet
    asked: Asked

    @property
    def everything(self) -> Iterator[AnyRule | Refusal]:
        return chain(self.rules.all, self.rules.refused, *self.asked)

    def outcomes(self, only: list[str]) -> Iterator[Outcome]:
        from soc.scheduled import cases
        from soc.sigma.library import folders, outcomes

        stream = [folder for folder in folders(self.rules) if self._is_asked(folder.path, only)]
        scheduled = [rule for rule in self.asked[0] if self._is_asked(rule.origin.path, only)]
        yield from outcomes(self.rules, self.part.province, stream)
        yield from cases.outcomes(scheduled, self.part.province)

    def refused(self, only: list[str]) -> list[Refusal]:
        return [r for r in (*self.rules.refused, *self.asked[1]) if self._is_asked(r.origin.path, only)]

    def _is_asked(self, path: Path, only: list[str]) -> bool:
        from soc.sigma.library import named

        return named(path, only) and any(path.resolve().is_relative_to(place.resolve()) for place in self.part.judged)


def _list(rules: RuleSet, asked: Asked, ctx: Context) -> int:
    from soc.policy import documents
    from soc.rulesets import reports
    from soc.scheduled import Scheduled
    from soc.sigma import Correlation

    of_inventory = {rule.rule_id for rule in documents(ctx.province)}
    imported = {rule.id: (report.name, rule) for report in reports(ctx.data_dir) for rule in report.loaded}
    for rule in sorted((*rules.all, *asked[0]), key=lambda r: str(r.origin.path)):
        kind = str(rule.kind) if isinstance(rule, Correlation | Scheduled) else "rule"
        if ctx.json:
            document = {
                "id": rule.id,
                "title": {"en": rule.title, "vi": rule.title_vi or rule.title},
                "level": rule.level,
                "kind": kind,
                "tags": rule.tags,
                "alerts": rule.alerts,
                "path": str(rule.origin.path),
            }
            if rule.id in of_inventory:
                document["origin"] = "inventory"
            if rule.id in imported:
                name, one = imported[rule.id]
                document |= {"set": name, "author": one.author, "source": one.sight}
            if filtered := _filters_of(rule, rules):
                document["filters"] = [_filter_said(f, rules) for f in filtered]
            print(json.dumps(document, ensure_ascii=False))
        else:
            marks = "".join(f"  [{_mark(f, rules)}]" for f in _filters_of(rule, rules))
            if rule.id in imported and imported[rule.id][1].sight in ("absent", "unread"):
                marks += "  [no source]"
            line = f"{rule.level:<13} {kind:<16} {rule.origin.path.parent.name:<26} {rule.title}{marks}"
            print(printable(line))  # titles of community sets are whoever's
    for refusal in (*rules.refused, *asked[1]):
        print(printable(f"refused: {refusal}"), file=sys.stderr)
    return 0


def _filters_of(rule: AnyRule | Scheduled, rules: RuleSet) -> list[Filter]:
    """Those that name it, in force and over."""
    names = {rule.id, rule.title, getattr(rule, "name", "") or rule.id}
    return [one for one in (*rules.filters, *rules.expired) if not one.rules or names & set(one.rules)]


def _mark(one: Filter, rules: RuleSet) -> str:
    what = "off" if one.disables else "excepted"
    if one in rules.expired:
        return f"was {what} until {one.expires}, over"
    return f"{what} until {one.expires}: {one.reason} ({one.author})"


def _filter_said(one: Filter, rules: RuleSet) -> dict[str, object]:
    return {
        "id": one.id,
        "disables": one.disables,
        "reason": one.reason,
        "author": one.author,
        "expires": one.expires.isoformat(),
        "over": one in rules.expired,
        "path": str(one.origin.path),
    }


def _eval(rules: RuleSet) -> int:
    from soc.sigma.evaluate import evaluate

    for reason, count in Counter(refusal.reason.split(":")[0] for refusal in rules.refused).most_common():
        print(f"canh rules eval: {count} refused: {reason}", file=sys.stderr)

    def unreadable(lines: int) -> None:
        print(f"canh rules eval: {lines} lines are no JSON object", file=sys.stderr)

    cores = len(os.sched_getaffinity(0))
    for line in evaluate(rules, _arriving(sys.stdin.fileno()), _CHUNK, unreadable, cores):
        sys.stdout.write(line + "\n")
    return 0


def _arriving(handle: int) -> Iterator[bytes]:
    """The lines of standard input; b"" where no more are there yet, so that matches do not wait for more events."""
    rest: list[bytes] = []
    while True:
        if not select.select([handle], [], [], 0)[0]:
            yield b""
            sys.stdout.flush()
        octets = os.read(handle, _AT_ONCE)
        if not octets:
            break
        *lines, last = octets.split(b"\n")
        if lines:
            yield b"".join((*rest, lines[0])) + b"\n"
            yield from (line + b"\n" for line in lines[1:])
            rest = []
        rest.append(last)
    yield b"".join(rest)
