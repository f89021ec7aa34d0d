"""The body of Elasticsearch's `_bulk`: action lines and documents in, what the spool gets and the answer out.

Bytes in, items out; no socket here. A document is one record, the octets its sender wrote. What the
action line adds stands before them: `{"_index":"x","_id":"y",` and then what followed the document's own
opening brace. Elasticsearch allows no document to have these names itself, so nothing of the document is
touched and cutting off the front gives it back. Memory is bounded by the limits of the request.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

DOCUMENT_OCTETS = 1024 * 1024
ACTION_OCTETS = 8 * 1024
INDEX_OCTETS, ID_OCTETS = 255, 512  # of their names, as Elasticsearch has it
MOST_LINES = 100_000  # of a request, empty ones too: 50,000 documents
ITEM_OCTETS = 600  # of memory that an item takes besides its record, its answer with it
CREATED, BAD, TOO_LARGE = 201, 400, 413
_KEEPS = ("create", "index")
_KNOWN = (*_KEEPS, "update", "delete")
_PIECE = 500  # items of a piece of an answer: two milliseconds


class MalformedBulk(Exception):
    """The body cannot be followed any further; nothing of it is kept."""


class TooManyLines(Exception):
    """The request has to be sent in parts; nothing of it is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One action. `record` is what the spool gets, None when the document was refused."""

    action: str
    index: str
    id: str
    status: int
    record: bytes | None = None
    error: tuple[str, str] | None = None  # Elasticsearch's type, and why

    def document(self) -> dict[str, Any]:
        """As an answer has it."""
        common: dict[str, Any] = {"_index": self.index, "_id": self.id, "status": self.status}
        if self.error is not None:
            return {self.action: common | {"error": {"type": self.error[0], "reason": self.error[1]}}}
        made = {"_version": 1, "result": "created", "_shards": {"total": 1, "successful": 1, "failed": 0}}
        return {self.action: common | made | {"_seq_no": 0, "_primary_term": 1}}


class BulkReader:
    """One request's body."""

    def __init__(self, index: str, *, document_octets: int = DOCUMENT_OCTETS) -> None:
        """index: of the address, for actions that name none."""
        self.items: list[Item] = []
        self.weight = 0  # octets of memory the items take
        self._lines = 0
        self._index = index
        self._limit = document_octets
        self._line = bytearray()  # the front of a line
        self._over = False  # the line is longer than allowed: nothing more of it is kept
        self._action: tuple[str, str, str] | None = None  # whose document comes next: action, index, id

    def feed(self, data: bytes) -> None:
        """Raises MalformedBulk, TooManyLines."""
        *lines, rest = data.split(b"\n")
        for line in lines:
            self._hold(line)
            self._take()
        self._hold(rest)

    def close(self) -> tuple[Item, ...]:
        """The end of the body: its last line need not end. Raises MalformedBulk, TooManyLines."""
        if self._line or self._over:
            self._take()
        if self._action is not None:
            raise MalformedBulk("the last action has no document")
        if not self.items:
            raise MalformedBulk("request body is required")
        return tuple(self.items)

    def _hold(self, part: bytes) -> None:
        limit = ACTION_OCTETS if self._action is None else self._limit
        if self._over or len(self._line) + len(part) > limit:
            self._over = True
        else:
            self._line += part

    def _take(self) -> None:
        line, over = bytes(self._line), self._over
        self._line.clear()
        self._over = False
        self._lines += 1
        if self._lines > MOST_LINES:
            raise TooManyLines(f"a request has at most {MOST_LINES} lines: send fewer documents at once")
        if self._action is None:
            if over:
                raise MalformedBulk(f"an action is longer than {ACTION_OCTETS} octets")
            if line.strip():
                self._begin(line)
            return
        (action, index, id), self._action = self._action, None
        self._add(
            _refused(action, index, id, TOO_LARGE, f"the document is longer than {self._limit} octets")
            if over
            else item_of(action, index, id, line)
        )

    def _begin(self, line: bytes) -> None:
        action, index, id = _action_of(line, self._index)
        if action == "delete":  # has no document
            self._add(_refused(action, index, id, BAD, "events are not deleted here"))
        else:
            self._action = action, index, id

    def _add(self, item: Item) -> None:
        self.items.append(item)
        self.weight += ITEM_OCTETS + len(item.record or b"")


def item_of(action: str, index: str, id: str, source: bytes) -> Item:
    """What becomes of one document."""
    if action not in _KEEPS:
        return _refused(action, index, id, BAD, "events are not changed here: create or index them")
    if len(index.encode("utf-8", "replace")) > INDEX_OCTETS or len(id.encode("utf-8", "replace")) > ID_OCTETS:
        why = f"an _index has at most {INDEX_OCTETS} octets, an _id {ID_OCTETS}"
        return _refused(action, index[:INDEX_OCTETS], id[:ID_OCTETS], BAD, why)
    try:
        document = json.loads(source.decode(), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        return _refused(action, index, id, BAD, f"the document is no JSON: {error}"[:300])
    if not isinstance(document, dict):
        return _refused(action, index, id, BAD, "the document is no JSON object")
    record = _with_address(source.strip(), document, index, id)
    return Item(action=action, index=index, id=id or uuid4().hex, status=CREATED, record=record)


def answer_of(items: tuple[Item, ...], took_ms: int) -> Iterator[bytes]:
    """The answer as JSON, in pieces of 500 items."""
    errors = "true" if any(item.error is not None for item in items) else "false"
    yield b'{"took":%d,"errors":%b,"items":[' % (took_ms, errors.encode())
    for start in range(0, len(items), _PIECE):
        documents = [item.document() for item in items[start : start + _PIECE]]
        piece = json.dumps(documents, separators=(",", ":"))[1:-1].encode()
        yield piece if start == 0 else b"," + piece
    yield b"]}"


def _with_address(source: bytes, document: Mapping[str, Any], index: str, id: str) -> bytes:
    address = {k: v for k, v in (("_index", index), ("_id", id)) if v and k not in document}
    if not address:
        return source
    front = json.dumps(address, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "backslashreplace")
    return front[:-1] + (b"," if document else b"") + source[1:]


def _action_of(line: bytes, index: str) -> tuple[str, str, str]:
    """Action, index and id. Raises MalformedBulk."""
    try:
        document = json.loads(line.decode())
        ((action, about),) = document.items()
        about = {} if about is None else about
        named, id = about.get("_index") or index, about.get("_id")
    except (ValueError, RecursionError, AttributeError) as error:
        raise MalformedBulk("Malformed action/metadata line: one action with its metadata is expected") from error
    if action not in _KNOWN:
        raise MalformedBulk(f"Malformed action/metadata line: {action[:40]!r} is no action")
    if not isinstance(named, str) or not isinstance(id, str | int | None):
        raise MalformedBulk("Malformed action/metadata line: _index and _id are texts")
    return action, named, "" if id is None else str(id)


def _refused(action: str, index: str, id: str, status: int, why: str) -> Item:
    kind = "document_parsing_exception" if status == BAD else "content_too_long_exception"
    return Item(action=action, index=index, id=id, status=status, error=(kind, why))


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
