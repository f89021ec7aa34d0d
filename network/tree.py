"""A configuration as a tree of lines: read from text, compared, written, typed into.

    Tree      frozen, what travels between functions; order as in the file
    Draft     a configuration somebody is typing into: the model of how a device takes lines

`Draft` is what makes a diff honest: a change is computed by typing it, so what a removal takes with
it is seen before the next line is chosen. Facts about a platform come from `Platform` only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from network.errors import ConfigError
from network.platform import Platform

DEPTH_MAX = 16  # deeper nesting is no configuration of any platform, and recursion must end


@dataclass(frozen=True, slots=True)
class Node:
    line: str
    children: tuple[Node, ...] = ()


Tree = tuple[Node, ...]


class Section:
    """The lines of one section, each with what lies below it; found by line, by slot and by what undoes them."""

    def __init__(self, platform: Platform, closes: str = "") -> None:
        self.lines: dict[str, Section | None] = {}
        self.closes = closes
        self._platform = platform
        self._slots: dict[str, str] = {}
        self._undos: dict[str, list[str]] = {}  # some lines are undone by the same words

    def add(self, line: str) -> None:
        """`line` as its last line; the line that filled the same slot, or said the opposite, is gone."""
        if line in self.lines:
            return
        for opposite in self.undone_by(line):
            self.drop(opposite)
        slot = self._platform.slot(line)
        if slot is not None:
            if slot in self._slots:
                self.drop(self._slots[slot])
            self._slots[slot] = line
        self._put(line, None)

    def enter(self, line: str) -> Section:
        """The section `line` opens, made when it is not there."""
        below = self.lines.get(line)
        if below is None:
            kind = self._platform.section(line)
            below = Section(self._platform, kind.closes if kind else "")
            self._put(line, below)
        return below

    def drop(self, line: str) -> None:
        """Without `line` and what lies below it."""
        del self.lines[line]
        slot = self._platform.slot(line)
        if slot is not None and self._slots.get(slot) == line:
            del self._slots[slot]
        self._undos[self._platform.undo_of(line)].remove(line)

    def remove(self, *lines: str) -> None:
        """Without `lines` and all that a device removes with them."""
        for line in lines:
            if line in self.lines:
                self.drop(line)
            for pattern in self._platform.taken_by(line):
                self._drop_matching(pattern)

    def undone_by(self, typed: str) -> tuple[str, ...]:
        """The lines of this section that `typed` removes."""
        return tuple(self._undos.get(typed, ()))

    def tree(self) -> Tree:
        """Frozen; permanent sections without lines are left out, as they mean nothing."""
        nodes = (Node(line, below.tree() if below is not None else ()) for line, below in self.lines.items())
        return tuple(n for n in nodes if n.children or not _is_permanent(n.line, self._platform))

    def _put(self, line: str, below: Section | None) -> None:
        self.lines[line] = below
        self._undos.setdefault(self._platform.undo_of(line), []).append(line)

    def _drop_matching(self, pattern: re.Pattern[str]) -> None:
        for line, below in list(self.lines.items()):
            if pattern.search(line):
                self.drop(line)
            elif below is not None:
                below._drop_matching(pattern)


class Draft:
    """A configuration being typed into, at some place in it."""

    def __init__(self, tree: Tree, platform: Platform) -> None:
        self.root = Section(platform)
        self._platform = platform
        self._path = [self.root]
        _fill(self.root, tree, platform)

    @property
    def here(self) -> Section:
        """The section the next line is typed in."""
        return self._path[-1]

    def type(self, line: str) -> None:
        """What the device does with one typed line."""
        if line in self._platform.closers:
            del self._path[max(1, len(self._path) - 1) :]
        elif gone := self.here.undone_by(line):
            self.here.remove(*gone)
        elif self._platform.section(line) is not None:
            self._path.append(self.here.enter(line))
        else:
            self.here.add(self._platform.normal(line))

    def tree(self) -> Tree:
        return self.root.tree()


def parse(text: str, platform: Platform, *, where: object = "configuration") -> Tree:
    """The tree of a configuration as the device shows it (sections by indentation, noise left out).

    The same section twice is one; the same line twice in a section is one. Raises ConfigError when
    lines are indented under a line that opens no section of this platform.
    """
    root = Section(platform)
    path: list[tuple[int, Section]] = [(-1, root)]
    last: tuple[int, str] | None = None
    for number, raw in enumerate(text.splitlines(), start=1):
        expanded = raw.expandtabs(8).rstrip()
        line = expanded.lstrip()
        if not line or platform.is_noise(line):
            continue
        indent = len(expanded) - len(line)
        if last is not None and indent > last[0]:
            below = _below(path[-1][1], last[1], platform, len(path), f"{where}:{number}")
            path.append((last[0], below))
        while indent <= path[-1][0]:
            path.pop()
        line = platform.normal(line)
        here = path[-1][1]
        if platform.section(line) is not None:
            here.enter(line)
        else:
            here.add(line)
        last = (indent, line)
    return root.tree()


def _below(parent: Section, line: str, platform: Platform, depth: int, where: str) -> Section:
    if platform.section(line) is None:
        raise ConfigError(
            f"lines are indented under {line!r}, which opens no section of {platform.name}",
            where=where,
            fix="correct the indentation, or name the section in platform.yaml under sections",
        )
    if depth > DEPTH_MAX:
        raise ConfigError(f"sections are nested deeper than {DEPTH_MAX}", where=where, fix="is this a configuration?")
    return parent.enter(line)


def canonical(tree: Tree, platform: Platform) -> Tree:
    """`tree` with its lines sorted wherever the platform does not read them top down."""
    return _canonical(tree, platform, is_ordered=False)


def _canonical(tree: Tree, platform: Platform, *, is_ordered: bool) -> Tree:
    nodes = [Node(n.line, _canonical(n.children, platform, is_ordered=_is_ordered(n.line, platform))) for n in tree]
    return tuple(nodes if is_ordered else sorted(nodes, key=lambda n: n.line))


def lines_of(tree: Tree, indent: str = "") -> Iterator[str]:
    """The lines of `tree`, each level indented by one space more."""
    for node in tree:
        yield indent + node.line
        yield from lines_of(node.children, indent + " ")


def masked(tree: Tree, platform: Platform) -> Tree:
    """`tree` without its secrets."""
    return tuple(Node(platform.masked(n.line), masked(n.children, platform)) for n in tree)


def applied(tree: Tree, lines: Iterable[str], platform: Platform) -> Tree:
    """`tree` after `lines` were typed: what the device is expected to show."""
    draft = Draft(tree, platform)
    for line in lines:
        draft.type(line)
    return draft.tree()


def _fill(section: Section, tree: Tree, platform: Platform) -> None:
    for node in tree:
        if node.children or platform.section(node.line) is not None:
            _fill(section.enter(node.line), node.children, platform)
        else:
            section.add(node.line)


def _is_permanent(line: str, platform: Platform) -> bool:
    kind = platform.section(line)
    return kind is not None and kind.permanent


def _is_ordered(line: str, platform: Platform) -> bool:
    kind = platform.section(line)
    return kind is not None and kind.ordered
