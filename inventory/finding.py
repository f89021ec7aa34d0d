"""What is wrong in someone's input: a value, not an exception."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing to mend in an inventory.

    where: "file:line"; pointer: RFC 6901 path inside the document, "" for all of it.
    """

    what: str
    where: str
    pointer: str
    fix: str

    def __str__(self) -> str:
        place = f"{self.where} {self.pointer}".rstrip()
        return f"{self.what}\n  at {place}\n  fix: {self.fix}"

    def as_json(self) -> dict[str, str]:
        """The four words as a mapping: what `canh --json validate` prints."""
        return asdict(self)
