"""The page of the rule library, docs/reference/rules.md: every rule in both languages, and what is covered."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from soc.rulesets._coverage import Coverage, Seen
from soc.sigma import Correlation
from soc.sigma.attack import attack

_HEAD = """\
# What is detected · Những gì được phát hiện

Made from the folders of `soc_rules/` (`make golden`). *Seen in* names the parsers whose lines stand in the rule's
own cases; `+n` are others whose recorded lines do the same things and are of the same log source. A rule without
a technique is about operations or policy. The guide is [Rules](../guides/rules.md).

Trang này được tạo từ các thư mục của `soc_rules/`. Cột *Seen in · Thấy ở* nêu các bộ phân tích có dòng nhật ký
trong ca kiểm thử của luật; `+n` là các bộ phân tích khác cũng cho sự kiện như vậy. Luật không có kỹ thuật ATT&CK
là luật về vận hành hoặc chính sách.
"""
_MOST_NAMES = 4
_LEVELS = {
    "informational": "feeder · luật nền",
    "low": "low · thấp",
    "medium": "medium · trung bình",
    "high": "high · cao",
    "critical": "critical · nghiêm trọng",
}


def page(found: Coverage) -> str:
    """Markdown."""
    parts = [_HEAD, *_summary(found), *_rules(found), *_tactics(found), *_sources(found), *_parsers(found)]
    return "\n".join([*parts, *_unseen(found)]) + "\n"


def _summary(found: Coverage) -> Iterator[str]:
    kinds: dict[str, int] = defaultdict(int)
    for seen in found.rules:
        kinds[seen.folder.rule.level] += 1
    correlations = sum(isinstance(seen.folder.rule, Correlation) for seen in found.rules)
    techniques = len(found.by_technique())
    rules = len(found.rules)
    yield f"{rules} rules, {correlations} of them correlations, name {techniques} techniques of"
    yield f"ATT&CK {attack().version}."
    yield f"{rules} luật, trong đó {correlations} luật tương quan, nêu {techniques} kỹ thuật."
    yield ""
    yield "| level · mức | rules · luật |"
    yield "|---|--:|"
    yield from (f"| {_LEVELS[level]} | {kinds[level]} |" for level in _LEVELS if kinds[level])
    yield ""


def _rules(found: Coverage) -> Iterator[str]:
    by_product: dict[str, list[Seen]] = defaultdict(list)
    for seen in found.rules:
        by_product[seen.folder.path.parent.name].append(seen)
    yield "## Rules · Các luật"
    for product, rules in sorted(by_product.items()):
        yield ""
        yield f"### {product}"
        yield ""
        yield "| rule | title | tên | level · mức | ATT&CK | log source · nguồn | seen in · thấy ở |"
        yield "|---|---|---|---|---|---|---|"
        for seen in sorted(rules, key=lambda s: s.folder.slug):
            rule = seen.folder.rule
            path = "/".join(seen.folder.path.parts[-3:])
            kind = f" ({rule.kind})" if hasattr(rule, "kind") else ""  # of correlations and scheduled rules
            cells = (
                f"[{seen.folder.slug}](../../{path}/rule.yml){kind}",
                rule.title,
                rule.title_vi,
                rule.level if rule.alerts else "feeder",
                ", ".join(seen.techniques),
                ", ".join(seen.logsources),
                _names(seen),
            )
            yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    yield ""


def _names(seen: Seen) -> str:
    named = seen.proven[:_MOST_NAMES]
    rest = len(seen.possible) - len(named)
    return ", ".join(named) + (f" +{rest}" if rest else "")


def _tactics(found: Coverage) -> Iterator[str]:
    yield "## ATT&CK"
    yield ""
    yield "Techniques that a rule looks for, sub-techniques under their own; then those no rule looks for."
    yield ""
    yield "| tactic | chiến thuật | covered · có luật | | not covered · chưa có |"
    yield "|---|---|--:|---|---|"
    for tactic, (there, missing) in found.by_tactic().items():
        english, vietnamese = attack().tactics[tactic]
        share = f"{len(there)} / {len(there) + len(missing)}"
        yield f"| {english} | {vietnamese} | {share} | {' '.join(there)} | {' '.join(missing)} |"
    yield ""
    yield "| technique | name | rules · luật |"
    yield "|---|---|--:|"
    for technique, number in found.by_technique().items():
        name = attack().techniques.get(technique, ("?", ()))[0]
        yield f"| {technique} | {name} | {number} |"
    yield ""


def _sources(found: Coverage) -> Iterator[str]:
    yield "## Log sources · Nguồn nhật ký"
    yield ""
    yield "| log source | rules · luật |"
    yield "|---|--:|"
    yield from (f"| {source} | {number} |" for source, number in found.by_logsource().items())
    yield ""


def _parsers(found: Coverage) -> Iterator[str]:
    yield "## Platforms · Nền tảng"
    yield ""
    yield "*Proven*: lines of it stand in a rule's cases. *Possible*: its recorded lines do what the rule names."
    yield ""
    yield "| parser | proven · đã thử | possible · có thể |"
    yield "|---|--:|--:|"
    for name, (proven, possible) in found.by_parser().items():
        if possible:
            yield f"| {name} | {proven} | {possible} |"
    yield ""


def _unseen(found: Coverage) -> Iterator[str]:
    idle = [name for name, (_, possible) in found.by_parser().items() if not possible]
    yield "## Not covered · Chưa có luật"
    yield ""
    yield f"Parsers that no rule looks at yet ({len(idle)}): " + (", ".join(idle) or "none") + "."
    yield ""
    actions = [f"`{action}` ({number})" for action, number in found.unnamed_actions.items() if number > 1]
    yield (
        "What two or more parsers tell in `event.action` and no rule names, with their number "
        f"({len(actions)} of {len(found.unnamed_actions)}): " + (", ".join(actions) or "none") + "."
    )
