"""The lines that take one configuration to another, and back.

Removals are typed before additions, so that what must be free (a slot, an address, an area) is free.
Each line chosen is typed into a `Draft` at once: a line another removal already took is not removed
twice, and one it took wrongly is added again. Laws, tested: `applied(running, change)` is `intended`,
`applied(intended, rollback)` is `running`, and a diff of equals is empty.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from network.platform import Platform
from network.tree import Draft, Node, Section, Tree, canonical


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Lines as typed on the device: sections opened and closed, no indentation. Secrets in clear."""

    change: tuple[str, ...]
    rollback: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.change)


def diff(running: Tree, intended: Tree, platform: Platform) -> Difference:
    """The change from `running` to `intended` and its rollback."""
    return Difference(
        change=commands(running, intended, platform),
        rollback=commands(intended, running, platform),
    )


def commands(running: Tree, intended: Tree, platform: Platform) -> tuple[str, ...]:
    """The lines that take `running` to `intended`; none when they mean the same."""
    if canonical(running, platform) == canonical(intended, platform):
        return ()
    typing = _Typing(Draft(running, platform), platform)
    typing.remove(intended)
    typing.add(intended)
    return tuple(typing.typed)


def touched_sections(lines: tuple[str, ...], platform: Platform) -> tuple[str, ...]:
    """The top-level lines of a change that do something, or hold a line that does (not only a description)."""
    found: dict[str, None] = {}
    path: list[str] = []
    for line in lines:
        if line in platform.closers:
            del path[-1:]
        elif platform.section(line) is not None:
            path.append(line)
        elif not platform.is_cosmetic(line):
            found[path[0] if path else line] = None
    return tuple(found)


class _Typing:
    def __init__(self, draft: Draft, platform: Platform) -> None:
        self.typed: list[str] = []
        self._draft = draft
        self._platform = platform

    def remove(self, wanted: Tree, *, is_ordered: bool = False) -> None:
        """Type away, in the section we are in, what `wanted` does not have."""
        here, keep = self._draft.here, {node.line: node for node in wanted}
        kept_slots = {slot for node in wanted if (slot := self._platform.slot(node.line)) is not None}
        out_of_place = _out_of_place(here, wanted) if is_ordered else set()
        for line in self._takers_first(here):
            if line not in here.lines:
                continue  # went with an earlier one
            below = here.lines[line]
            if line in keep and line not in out_of_place:
                if below is not None:
                    self._inside(line, partial(self._remove_below, keep[line]))
            elif self._is_permanent(line):
                self._inside(line, lambda: self.remove(()))
            elif self._platform.slot(line) not in kept_slots or line in out_of_place:
                self._type(self._platform.undo_of(line))

    def add(self, wanted: Tree) -> None:
        """Type, in the section we are in, what it lacks of `wanted`."""
        here = self._draft.here
        for node in wanted:
            if self._platform.section(node.line) is not None:
                is_new = node.line not in here.lines and not self._is_permanent(node.line)
                self._inside(node.line, partial(self.add, node.children), even_if_empty=is_new)
            elif node.line not in here.lines:
                self._type(node.line)

    def _remove_below(self, node: Node) -> None:
        kind = self._platform.section(node.line)
        self.remove(node.children, is_ordered=kind is not None and kind.ordered)

    def _inside(self, opener: str, work: Callable[[], None], *, even_if_empty: bool = False) -> None:
        """Do `work` in the section `opener` opens; type nothing when the work typed nothing."""
        mark = len(self.typed)
        self._type(opener)
        work()
        is_idle = len(self.typed) == mark + 1
        self._type(self._draft.here.closes)
        if is_idle and not even_if_empty:
            del self.typed[mark:]

    def _takers_first(self, here: Section) -> list[str]:
        lines = list(here.lines)
        return sorted(lines, key=lambda line: not self._platform.taken_by(line))

    def _is_permanent(self, line: str) -> bool:
        kind = self._platform.section(line)
        return kind is not None and kind.permanent

    def _type(self, line: str) -> None:
        self.typed.append(line)
        self._draft.type(line)


def _out_of_place(here: Section, wanted: Tree) -> set[str]:
    """The lines of an ordered section from the first one that differs: they are typed again, in order."""
    have = list(here.lines)
    want = [node.line for node in wanted]
    same = next((i for i, pair in enumerate(zip(have, want, strict=False)) if pair[0] != pair[1]), None)
    start = min(len(have), len(want)) if same is None else same
    return set(have[start:])
