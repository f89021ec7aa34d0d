"""People as the console names them: full name, given name, initials. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from soc._case import SYSTEM
from soc.users import FIRST_USERS, User

_FUNCTIONS = frozenset(full_name for _, full_name in FIRST_USERS.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    name: str  # of the account
    full_name: str

    @property
    def given(self) -> str:
        """What colleagues say: the last word of a Vietnamese name; of an account that is nobody's own all of it."""
        if self.full_name in _FUNCTIONS:
            return self.full_name
        return self.full_name.split()[-1] if self.full_name.split() else self.name

    @property
    def initials(self) -> str:
        return "".join(word[0] for word in self.full_name.split()[-2:]).upper() or self.name[:2].upper()


class People:
    """Accounts by name; one that is gone is shown by its name."""

    def __init__(self, users: Iterable[User]) -> None:
        self._people: Mapping[str, Person] = {u.name: Person(name=u.name, full_name=u.full_name) for u in users}

    def __call__(self, name: str) -> Person:
        return self._people.get(name) or Person(name=name, full_name="Canh" if name == SYSTEM else name)
