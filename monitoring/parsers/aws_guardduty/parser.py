"""GuardDuty findings as the API, EventBridge and the exporter to S3 write them: the keys with or without capitals."""

from __future__ import annotations

from functools import lru_cache

from monitoring.parsers import Line, Pairs, flat_of


def read(line: Line) -> Pairs | None:
    """The finding's values below the names that EventBridge gives them."""
    if line.document is None:
        return None
    return {_small(key): value for key, value in flat_of(line.document).items()}


@lru_cache(maxsize=4096)
def _small(key: str) -> str:
    return ".".join(part[:1].lower() + part[1:] for part in key.split("."))
