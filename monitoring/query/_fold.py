"""Text as it is compared: any case, and a letter with its marks the same however it was typed.

"ĐĂNG NHẬP" finds "đăng nhập", also where one of them is written with combining marks (NFD), as macOS
and some agents do. Both stores fold with this function or with one that gives the same.
"""

from __future__ import annotations

from unicodedata import is_normalized, normalize


def fold(text: str) -> str:
    """Text in small letters and composed (NFC). One letter stays one letter: "İ" is "i"."""
    if text.isascii():
        return text.lower()
    return "".join(map(_small, normalize("NFC", text)))


def forms(value: str) -> tuple[str, ...]:
    """A value as written and its composed and decomposed forms: keywords are compared letter by letter."""
    if value.isascii() or (is_normalized("NFC", value) and is_normalized("NFD", value)):
        return (value,)
    return tuple(dict.fromkeys((value, normalize("NFC", value), normalize("NFD", value))))


def forms_of(parts: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """A wildcard with its literal pieces as written, composed and decomposed."""
    several = [forms(part) for part in parts]
    most = max(map(len, several))
    return tuple(dict.fromkeys(tuple(f[min(n, len(f) - 1)] for f in several) for n in range(most)))


def _small(letter: str) -> str:
    small = letter.lower()
    return small if len(small) == 1 else small[0]
