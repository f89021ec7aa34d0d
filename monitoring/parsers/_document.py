"""The JSON object a message is, or holds: alone, after `@cee:` or a few words, first of an array, or cut at its end."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

import orjson

LONGEST_LEAD = 256  # characters before the object that are still no text of its own
_CUT_SHORTEST = 64  # characters; less is no object that was cut
_CUT_LONGEST = 65536  # characters looked at
_PYTHON_LONGEST = 16384  # characters
_HALF = re.compile("[\ud800-\udfff]")
_TRIES = 64  # places before the end at which a cut object is closed


def document_in(text: str) -> dict[str, Any] | None:
    """The object; None when there is none. Never raises."""
    text = text.removeprefix("@cee:").strip()
    first = text[:1]
    if first == "[" and text[1:].lstrip()[:1] != "{":  # `[id] text` is more frequent than an array
        return None
    if first in ("{", "["):
        found = _loaded(text)
        if found is None and text.startswith("{'"):
            return _of_python(text)
        if found is None and text.startswith('{\\"'):  # as it stood inside a string
            return _loaded(text.replace('\\"', '"').replace("\\\\", "\\"))
        return _closed(text) if found is None and first == "{" else found
    if first == '"':  # encoded twice
        inner = _inner(text)
        return _loaded(inner) if inner[:1] == "{" else None
    if text[-1:] != "}":
        return None
    start = text.find('{"', 0, LONGEST_LEAD)
    return None if start < 0 or "=" in text[:start] else _loaded(text[start:])


def _inner(text: str) -> str:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return ""
    return found.strip() if isinstance(found, str) else ""


def _of_python(text: str) -> dict[str, Any] | None:
    """What Python prints of a dict: some collectors send that for JSON."""
    if len(text) > _PYTHON_LONGEST:
        return None
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return None
    return _readable(found) if isinstance(found, dict) and all(isinstance(key, str) for key in found) else None


def _loaded(text: str) -> dict[str, Any] | None:
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            document = _readable(json.loads(text, strict=False))
        except (ValueError, RecursionError):
            return None
    if isinstance(document, list) and document:
        document = document[0]
    return document if isinstance(document, dict) else None


def _readable(value: Any) -> Any:
    """The value with U+FFFD for half a surrogate pair, which is no character and no text can be read with."""
    if isinstance(value, str):
        return _HALF.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_readable(key): _readable(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_readable(one) for one in value]
    return value


def _closed(text: str) -> dict[str, Any] | None:
    """An object that was cut: what is whole of it. Closed where it ends, else after one of the last commas."""
    if len(text) < _CUT_SHORTEST or text[1:].lstrip()[:1] != '"':
        return None
    text = text[:_CUT_LONGEST]
    ends, closing = _commas(text)
    if not closing:  # it is not cut, it is no JSON
        return None
    for end, missing in ends:
        try:
            found = orjson.loads(text[:end].rstrip(", \t") + missing)
        except orjson.JSONDecodeError:
            continue
        return found if isinstance(found, dict) else None
    return None


def _commas(text: str) -> tuple[list[tuple[int, str]], str]:
    """(places to cut at and what closes the text there, last first), and what is open at the end."""
    open_: list[str] = []
    places: list[tuple[int, str]] = []
    in_string = is_escaped = False
    for at, char in enumerate(text):
        if in_string:
            if is_escaped:
                is_escaped = False
            elif char == "\\":
                is_escaped = True
            elif char == '"':
                in_string = False
        elif char == '"':
            in_string = True
        elif char in "{[":
            open_.append("}" if char == "{" else "]")
        elif char in "}]":
            if not open_:
                return [], ""
            open_.pop()
        elif char == "," and open_:
            places.append((at, "".join(reversed(open_))))
            del places[:-_TRIES]
    closing = ('"' if in_string else "") + "".join(reversed(open_))
    return [(len(text), closing), *reversed(places)], closing
