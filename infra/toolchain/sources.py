"""The Debian archives this machine is configured for, as far as they serve the release the lab runs.

Pure parsing of apt's two formats; whoever builds an image writes the result where mmdebstrap reads it.
Third-party archives (other suites, other components) stay out of a lab machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

SUITE = "bookworm"


def stanzas_of(text: str) -> tuple[str, ...]:
    """The stanzas of a deb822 `.sources` file that serve the release, as they are written."""
    return tuple(stanza for stanza in text.split("\n\n") if _serves(_fields(stanza)))


def lines_of(text: str) -> tuple[str, ...]:
    """The `deb` lines of a one-line-style `.list` file that serve the release."""
    return tuple(line.strip() for line in text.splitlines() if _line_serves(line))


def configured(apt: Path = Path("/etc/apt")) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(deb822 stanzas, one-line entries) of this machine."""
    folder = apt / "sources.list.d"
    stanzas = _each(sorted(folder.glob("*.sources")), stanzas_of)
    lines = _each([apt / "sources.list", *sorted(folder.glob("*.list"))], lines_of)
    return stanzas, lines


def _each(files: Iterable[Path], read: Callable[[str], tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(entry for file in files if file.is_file() for entry in read(file.read_text()))


def _fields(stanza: str) -> dict[str, list[str]]:
    """Field name, lower case, to its words; a comment is nothing, a continuation line belongs to its field."""
    fields: dict[str, list[str]] = {}
    name = ""
    for line in stanza.splitlines():
        if line.startswith("#"):
            continue
        if line[:1].isspace():
            fields.setdefault(name, []).extend(line.split())
        elif ":" in line:
            name, _, rest = line.partition(":")
            name = name.strip().lower()
            fields[name] = rest.split()
    return fields


def _serves(fields: dict[str, list[str]]) -> bool:
    enabled = fields.get("enabled", ["yes"]) != ["no"]
    suites = any(suite.startswith(SUITE) for suite in fields.get("suites", []))
    return enabled and suites and "deb" in fields.get("types", []) and "main" in fields.get("components", [])


def _line_serves(line: str) -> bool:
    words = line.split("#")[0].split()
    if not words or words[0] != "deb":
        return False
    if len(words) > 1 and words[1].startswith("["):
        end = next((i for i, word in enumerate(words) if word.endswith("]")), len(words))
        words = [words[0], *words[end + 1 :]]
    return len(words) >= 4 and words[2].startswith(SUITE) and "main" in words[3:]
