"""Values as ECS wants them, from whatever a message or someone's JSON holds. None of these raises."""

from __future__ import annotations

from typing import Any


def mac_text(text: str) -> str:
    """A MAC address as ECS wants it, 00-00-5E-00-53-23, however it is grouped."""
    digits = text.replace(":", "").replace("-", "").replace(".", "").upper()
    return "-".join(digits[at : at + 2] for at in range(0, len(digits), 2))


def text_of(value: object) -> str:
    """A JSON value as text, "" for null."""
    return "" if value is None else value if isinstance(value, str) else str(value)


def number_of(value: object) -> int | float | None:
    """A JSON number; None for anything else (true and NaN are no numbers)."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and value == value
    return value if is_number else None  # type: ignore[return-value]


def mapping_of(value: object) -> dict[str, Any]:
    """A JSON object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}
