"""The formats in which devices write pairs: key=value, CEF, LEEF, CSV, JSON, RFC 5424's structured data.

Each function gives a flat mapping of the sender's own keys to text (JSON: to plain values). None of them
raises; a text that is cut off gives what is there.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from typing import Any

from canh_native import pairs

Pairs = dict[str, Any]
_CEF = re.compile(r"CEF: ?(\d)\|")
_LEEF = re.compile(r"LEEF: ?(\d(?:\.\d)?)\|")
_CEF_KEY = re.compile(r"(?:\A|(?<=\s))([A-Za-z_][\w.\-]{0,127}(?:\[[^\]\s]{0,64}\])?)=")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
# Many senders leave the backslash of DOMAIN\user and C:\new as it is: only what CEF escapes is taken for an escape, and
# only where whole sentences stand is `\n` the end of a line.
_CEF_ESCAPED = re.compile(r"\\([\\=|])")
_CEF_LINES = re.compile(r"\\([\\=|nrt])")
_CEF_TEXTS = frozenset(("msg", "message", "reason", "details", "Description", "description"))
_PIPE = re.compile(r"(?<!\\)((?:\\\\)*)\|")
_ELEMENT = re.compile(r"\[([^\s\]=\"]+)((?: [^\s\]=\"]+=\"(?:[^\"\\]|\\.)*\")*) ?\]")
_PARAMETER = re.compile(r" ([^\s\]=\"]+)=\"((?:[^\"\\]|\\.)*)\"")
DEEPEST = 12
MOST_OBJECTS = 16  # of a list looked at


def pairs_of(text: str, stop: str = " ") -> Pairs:
    """key=value pairs, values quoted or ending at `stop`; of a key that comes twice the first."""
    found: Pairs = pairs(text, stop)
    return found


def csv_of(text: str, separator: str = ",", quote: str = '"') -> list[str]:
    """The columns of one line; a quote inside a quoted column is doubled."""
    if quote not in text:
        return text.split(separator)
    try:
        return next(csv.reader((text,), delimiter=separator, quotechar=quote))
    except (csv.Error, StopIteration):
        return text.split(separator)


def cef_of(text: str) -> Pairs | None:
    """`cef.vendor product version id name severity` and the extension; None when there is no CEF in the text.

    `cs1=v cs1Label=Rule` gives both `cs1` and `Rule`.
    """
    match = _CEF.search(text)
    if match is None:
        return None
    header = _split(text[match.end() :], 6)
    names = ("cef.vendor", "cef.product", "cef.version", "cef.id", "cef.name", "cef.severity")
    found: Pairs = dict(zip(names, header, strict=False))
    if len(header) > 6:
        found |= _extension(header[6])
    return found


def _split(text: str, most: int) -> list[str]:
    """The parts between unescaped pipes, at most `most` and the rest."""
    parts, start = [], 0
    for match in _PIPE.finditer(text):
        parts.append(_ESCAPED.sub(r"\1", text[start : match.end() - 1]).strip())
        start = match.end()
        if len(parts) == most:
            break
    return [*parts, text[start:]]


def _extension(text: str) -> Pairs:
    keys = list(_CEF_KEY.finditer(text))
    found: Pairs = {}
    for at, key in enumerate(keys):
        end = keys[at + 1].start() if at + 1 < len(keys) else len(text)
        value = text[key.end() : end].strip()
        if value[:1] == '"' and value[-1:] == '"' and value.count('"') == 2:  # some quote, which CEF does not
            value = value[1:-1]
        if "\\" in value:
            escaped = _CEF_LINES if key[1] in _CEF_TEXTS else _CEF_ESCAPED
            value = escaped.sub(lambda m: {"n": "\n", "r": "\r", "t": "\t"}.get(m[1], m[1]), value)
        found.setdefault(key[1], value)
    for name in [name for name in found if name.endswith("Label")]:
        labelled = found.get(name.removesuffix("Label"))
        if labelled is not None and found[name]:
            found.setdefault(found[name], labelled)
    return found


def leef_of(text: str) -> Pairs | None:
    """`leef.vendor product version id` and the attributes; None when there is no LEEF in the text."""
    match = _LEEF.search(text)
    if match is None:
        return None
    header = _split(text[match.end() :], 4)
    found: Pairs = dict(zip(("leef.vendor", "leef.product", "leef.version", "leef.id"), header, strict=False))
    if len(header) < 5:
        return found
    rest, delimiter = header[4], "\t"
    if match[1].startswith("2"):
        written, bar, after = rest.partition("|")
        if bar and len(written) <= 5:
            delimiter, rest = _delimiter(written), after
    if delimiter not in rest:
        delimiter = next((d for d in ("\t", "|", "^") if d in rest), delimiter)
        if delimiter not in rest:
            return found | _extension(rest)
    for part in rest.split(delimiter):
        key, equals, value = part.partition("=")
        if equals and key.strip():
            found.setdefault(key.strip(), value.strip())
    return found


def _delimiter(written: str) -> str:
    if len(written) <= 1:
        return written or "\t"
    try:
        return chr(int(written.removeprefix("0").removeprefix("x"), 16))
    except (ValueError, OverflowError):
        return "\t"


def structured_pairs(text: str) -> Pairs:
    """RFC 5424's structured data: parameters by name; `sd.id` is the first element's id."""
    found: Pairs = {}
    for element in _ELEMENT.finditer(text):
        found.setdefault("sd.id", element[1])
        for name, value in _PARAMETER.findall(element[2]):
            found.setdefault(name, _ESCAPED.sub(r"\1", value) if "\\" in value else value)
    return found


def flat_of(document: Mapping[str, Any]) -> Pairs:
    """A JSON object with its nested keys joined by dots.

    A list of scalars stays a list; of a list of objects each with a name and a value (`Name`/`Value`, `key`/`value`)
    the names become keys; of any other the first object's keys are taken, as if it stood alone, and what only a
    later one has (the evidence of an alert: a host, then a file, then an address).
    """
    found: Pairs = {}
    _fill(found, document, "", DEEPEST)
    return found


def _fill(found: Pairs, document: Mapping[str, Any], prefix: str, deeper: int) -> None:
    for key, value in document.items():
        name = f"{prefix}{key}"
        if type(value) is str:
            found[name] = value
        elif isinstance(value, dict):
            if deeper:
                _fill(found, value, f"{name}.", deeper - 1)
        elif isinstance(value, list):
            _fill_list(found, value, name, deeper)
        else:
            found[name] = value


def _fill_list(found: Pairs, values: Sequence[Any], name: str, deeper: int) -> None:
    objects = [value for value in values if isinstance(value, dict)]
    if not objects:
        found[name] = [value for value in values if not isinstance(value, list)]
        return
    for label, content in (("Name", "Value"), ("name", "value"), ("key", "value"), ("Key", "Value"), ("type", "value")):
        if all(label in one and content in one for one in objects):
            for one in objects:
                if not isinstance(one[content], dict | list):
                    found[f"{name}.{one[label]}"] = one[content]
            return
    if deeper:
        _fill(found, objects[0], f"{name}.", deeper - 1)
        for one in objects[1:MOST_OBJECTS]:
            more: Pairs = {}
            _fill(more, one, f"{name}.", deeper - 1)
            for key, value in more.items():
                if found.get(key) in (None, "", []):
                    found[key] = value
