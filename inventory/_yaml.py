"""One YAML file, read with the place of everything in it.

The first step of the loader: bytes in, a `Document` (plain data plus the line of every JSON
pointer) or findings out. Only what a person needs to write is read: mappings with text keys,
sequences, scalars; no aliases, tags or second documents. Nothing here knows what the keys mean.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import yaml

from inventory.finding import Finding

SIZE_LIMIT_OCTETS = 16 << 20  # allocations of 10,000 devices take 2 MB
DEPTH_LIMIT = 32
Scalar = str | int | float | bool | date | datetime | None

# libyaml composes twelve times faster; the pure loader words the errors, so they are the same everywhere.
_Fast: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A file as read. `lines` maps JSON pointers to line numbers from 1: the key's line, or the item's."""

    path: Path
    shown: str  # how messages name the file
    data: dict[str, Any]
    lines: Mapping[str, int]

    def finding(self, pointer: str, what: str, fix: str) -> Finding:
        """A finding at `pointer`, or at the nearest parent the file really has."""
        near = pointer
        while near and near not in self.lines:
            near = near.rpartition("/")[0]
        return Finding(what=what, where=f"{self.shown}:{self.lines.get(near, 1)}", pointer=pointer, fix=fix)


@dataclass(frozen=True, slots=True)
class _Refused(Exception):
    """A construct or value we do not read; stops the walk of its branch only."""

    what: str
    fix: str


def pointer_of(*parts: str | int) -> str:
    """RFC 6901 pointer: ("sites", 3, "a/b") -> "/sites/3/a~1b"."""
    return "".join("/" + str(p).replace("~", "~0").replace("/", "~1") for p in parts)


def read(path: Path, shown: str) -> tuple[Document | None, list[Finding]]:
    """Read a file. The document is None when its text cannot be understood at all.

    Findings: missing, unreadable, too large, not UTF-8, broken YAML, duplicate keys, aliases, text not in NFC.
    """

    def fatal(what: str, fix: str, line: int = 1) -> tuple[None, list[Finding]]:
        return None, [Finding(what=what, where=f"{shown}:{line}", pointer="", fix=fix)]

    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return fatal("the file does not exist", "write it; `canh init` shows what belongs in it")
    except OSError as error:
        return fatal(f"the file cannot be read: {error.strerror}", "make it a readable file")
    if len(raw) > SIZE_LIMIT_OCTETS:
        return fatal(
            f"the file is larger than {SIZE_LIMIT_OCTETS >> 20} MiB", "split it, or remove what is not inventory"
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return fatal("the file is not UTF-8 text", "save it as UTF-8", line)
    return _parse(text, path, shown)


def _parse(text: str, path: Path, shown: str) -> tuple[Document | None, list[Finding]]:
    node, problem = _compose(text)
    if problem is not None:
        what, line, fix = problem
        return None, [Finding(what=what, where=f"{shown}:{line}", pointer="", fix=fix)]
    if node is None:
        return Document(path=path, shown=shown, data={}, lines={"": 1}), []
    walk = _Walk(shown)
    data = walk.value(node, "", 0)
    if not isinstance(data, dict):
        walk.refuse(node, "", "the document is not a mapping", "write `key: value` lines")
        return None, walk.findings
    return Document(path=path, shown=shown, data=data, lines=walk.lines), walk.findings


def _compose(text: str) -> tuple[Any, tuple[str, int, str] | None]:
    """The node tree, or (what, line, fix) of the first thing that is not YAML."""
    for loader in (_Fast, yaml.SafeLoader):
        try:
            return yaml.compose(text, Loader=loader), None
        except yaml.YAMLError as error:
            failure = error
        except RecursionError:
            return None, ("the document is nested too deeply", 1, f"nest no deeper than {DEPTH_LIMIT} levels")
    return None, _explained(failure, text)


def _explained(error: yaml.YAMLError, text: str) -> tuple[str, int, str]:
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return f"broken YAML: character U+{error.character:04X} is not allowed", line, "remove it"
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "context", None) or "it cannot be parsed"
    line = mark.line + 1 if mark else 1
    lines = text.split("\n")
    if line <= len(lines) and "\t" in lines[line - 1]:
        return "broken YAML: the line holds a tab", line, "indent with spaces"
    if isinstance(error, yaml.composer.ComposerError) and "single document" in str(error.context):
        return "the file holds more than one YAML document", line, "keep one, without `---` between"
    return f"broken YAML: {problem}", line, "check the indentation, quotes and brackets on this line and the one above"


class _Walk:
    """Turns nodes into plain data, noting where each is and what is not acceptable."""

    def __init__(self, shown: str) -> None:
        self.shown = shown
        self.lines: dict[str, int] = {}
        self.findings: list[Finding] = []
        self._seen: set[int] = set()
        self._constructor = yaml.SafeLoader("")

    def refuse(self, node: yaml.Node, pointer: str, what: str, fix: str) -> None:
        where = f"{self.shown}:{node.start_mark.line + 1}"
        self.findings.append(Finding(what=what, where=where, pointer=pointer, fix=fix))

    def value(self, node: yaml.Node, pointer: str, depth: int) -> Any:
        self.lines.setdefault(pointer, node.start_mark.line + 1)
        try:
            self._check(node, depth)
            if isinstance(node, yaml.MappingNode):
                return dict(self._pairs(node, pointer, depth))
            if isinstance(node, yaml.SequenceNode):
                return [self.value(n, f"{pointer}/{i}", depth + 1) for i, n in enumerate(node.value)]
            return self._scalar(node)
        except _Refused as refusal:
            self.refuse(node, pointer, refusal.what, refusal.fix)
            return None

    def _check(self, node: yaml.Node, depth: int) -> None:
        if depth > DEPTH_LIMIT:
            raise _Refused("the document is nested too deeply", f"nest no deeper than {DEPTH_LIMIT} levels")
        if id(node) in self._seen:
            raise _Refused("YAML aliases (`*name`) are not read", "write the value out")
        self._seen.add(id(node))
        if not node.tag.startswith("tag:yaml.org,2002:"):
            raise _Refused(f"the tag {node.tag} is not read", "remove it")

    def _pairs(self, node: yaml.MappingNode, pointer: str, depth: int) -> Iterator[tuple[str, Any]]:
        known: dict[str, int] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self.refuse(key_node, pointer, "a key is not text", "use plain words as keys")
                continue
            key = unicodedata.normalize("NFC", key_node.value)
            line = key_node.start_mark.line + 1
            here = pointer + pointer_of(key)
            if key in known:
                what = f'the key "{key}" is already on line {known[key]}'
                self.refuse(key_node, here, what, "keep one of the two, or rename one")
                continue
            known[key] = self.lines[here] = line
            yield key, self.value(value_node, here, depth + 1)

    def _scalar(self, node: yaml.Node) -> Scalar:
        try:
            value: Scalar = self._constructor.construct_object(node)
        except (yaml.YAMLError, ValueError) as error:
            raise _Refused(f'"{node.value}" cannot be read: {error}', "put it in quotes if it is text") from None
        if isinstance(value, str) and not unicodedata.is_normalized("NFC", value):
            raise _Refused(
                "the text is not in Unicode NFC form", f"write it composed: {unicodedata.normalize('NFC', value)}"
            )
        return value
