"""A file of a community set before anything parses it: YAML of bounded size and depth, rules that are in use.

Depth and aliases are looked at event by event, because the parser itself goes down with what is nested
deeper than its stack, and one line of aliases can stand for a thousand million nodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

MOST_DEPTH = 40  # rules have about six
MOST_NODES = 100_000
MOST_DOCUMENTS = 200
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_OUT_OF_USE = ("deprecated", "unsupported")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One document of a file, and why it is not used; "" when it may be."""

    content: dict[str, Any]
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Screened:
    """What a file holds; `reason` when it is not looked into."""

    text: str = ""
    documents: tuple[Document, ...] = ()
    reason: str = ""
    detail: str = ""


def screened(octets: bytes) -> Screened:
    """The documents of a file. Never raises."""
    try:
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return Screened(reason="not UTF-8", detail=f"octet {error.start}")
    try:
        if limit := _beyond_limits(text):
            return Screened(reason="hostile YAML", detail=limit)
        parts = [part for part in yaml.load_all(text, _LOADER) if part is not None]
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a day that is none
        return Screened(reason="not YAML", detail=" ".join(str(error).split())[:200])
    return Screened(text=text, documents=tuple(_document(part) for part in parts))


def _beyond_limits(text: str) -> str:
    depth = documents = 0
    for nodes, event in enumerate(yaml.parse(text, _LOADER), 1):
        if isinstance(event, yaml.AliasEvent):
            return "aliases are not taken"
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MOST_DEPTH:
                return f"nested deeper than {MOST_DEPTH}"
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        documents += isinstance(event, yaml.DocumentStartEvent)
        if nodes > MOST_NODES or documents > MOST_DOCUMENTS:
            return f"more than {MOST_NODES:,} nodes or {MOST_DOCUMENTS} documents"
    return ""


def _document(part: Any) -> Document:
    if not isinstance(part, dict):
        return Document(content={}, reason="no rule", detail="a mapping is expected")
    if "filter" in part:
        return Document(
            content=part, reason="filter", detail="what is silenced here is decided here: canh rules filter"
        )
    if "action" in part:
        return Document(content=part, reason="old collection", detail=f"action: {part['action']}")
    if "detection" not in part and "correlation" not in part:
        return Document(content=part, reason="no rule", detail="it has neither detection nor correlation")
    if not isinstance(part.get("title"), str) or not part["title"].strip():
        return Document(content=part, reason="no title")
    if str(part.get("status", "")).lower() in _OUT_OF_USE:
        return Document(content=part, reason=f"status {str(part['status']).lower()}")
    return Document(content=part)
