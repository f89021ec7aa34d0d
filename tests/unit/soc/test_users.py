"""Accounts: hashed, locked after wrong passwords, never betrayed by the answer."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from soc.errors import UserError
from soc.users import FIRST_USERS, LOCK_TIME, MAX_FAILURES, Refusal, Role, User, UserStore
from tests.unit.soc.alert_factory import NOW

PASSWORD = "a long enough password"


@pytest.fixture
def users(tmp_path: Path) -> UserStore:
    store = UserStore(tmp_path)
    store.add("nhung", Role.ANALYST, at=NOW, full_name="Lê Thị Hồng Nhung", password=PASSWORD)
    return store


def test_the_right_password_lets_in_and_is_nowhere_on_disk(users: UserStore, tmp_path: Path) -> None:
    user = users.authenticate("nhung", PASSWORD, NOW)
    assert isinstance(user, User) and user.role is Role.ANALYST
    assert users.get("nhung").last_login_at == NOW
    users.database.close()
    for path in tmp_path.iterdir():
        assert PASSWORD.encode() not in path.read_bytes()
    assert b"$argon2id$" in (tmp_path / "soc.db").read_bytes()


def test_five_wrong_passwords_lock_even_the_right_one_out(users: UserStore) -> None:
    for left in range(MAX_FAILURES - 1, 0, -1):
        assert users.authenticate("nhung", "wrong", NOW) == Refusal(tries_left=left, known=True)
    fifth = users.authenticate("nhung", "wrong", NOW)
    assert isinstance(fifth, Refusal) and fifth.locked_until == NOW + LOCK_TIME
    still = users.authenticate("nhung", PASSWORD, NOW + LOCK_TIME - timedelta(seconds=1))
    assert isinstance(still, Refusal) and still.locked_until
    assert isinstance(users.authenticate("nhung", PASSWORD, NOW + LOCK_TIME), User)


def test_a_lock_that_ended_leaves_five_new_tries(users: UserStore) -> None:
    for _ in range(MAX_FAILURES):
        users.authenticate("nhung", "wrong", NOW)
    again = users.authenticate("nhung", "wrong", NOW + LOCK_TIME)
    assert again == Refusal(tries_left=MAX_FAILURES - 1, known=True)


def test_a_right_password_forgets_the_wrong_ones(users: UserStore) -> None:
    users.authenticate("nhung", "wrong", NOW)
    users.authenticate("nhung", PASSWORD, NOW)
    assert users.authenticate("nhung", "wrong", NOW) == Refusal(tries_left=MAX_FAILURES - 1, known=True)


def test_a_stranger_is_answered_like_a_colleague(users: UserStore) -> None:
    def answers(name: str) -> list[tuple[int, bool]]:
        outcomes = [users.authenticate(name, "wrong", NOW) for _ in range(MAX_FAILURES + 1)]
        return [(r.tries_left, r.locked_until is not None) for r in outcomes if isinstance(r, Refusal)]

    assert answers("nobody") == answers("nhung")


def test_a_locked_account_takes_as_long_as_a_stranger(users: UserStore, monkeypatch: pytest.MonkeyPatch) -> None:
    verified = []
    monkeypatch.setattr("soc.users._verify", lambda hashed, _: bool(verified.append(hashed)))
    for name in ("nhung", "nobody"):
        verified.clear()
        for _ in range(MAX_FAILURES + 3):
            users.authenticate(name, "wrong", NOW)
        assert len(verified) == MAX_FAILURES + 3, name


def test_a_disabled_account_stays_out_and_looks_wrong(users: UserStore) -> None:
    users.disable("nhung")
    assert isinstance(users.authenticate("nhung", PASSWORD, NOW), Refusal)
    users.disable("nhung", False)
    assert isinstance(users.authenticate("nhung", PASSWORD, NOW), User)


def test_the_last_administrator_cannot_be_disabled(users: UserStore) -> None:
    users.add("one", Role.ADMIN, at=NOW)
    with pytest.raises(UserError, match="last administrator"):
        users.disable("one")
    users.add("two", Role.ADMIN, at=NOW)
    users.disable("one")


def test_bootstrap_makes_each_role_once(users: UserStore) -> None:
    made = users.bootstrap(NOW)
    assert set(made) == set(FIRST_USERS) and len(set(made.values())) == len(made)
    assert users.bootstrap(NOW) == {}
    assert {u.role for u in users.list()} == set(Role)
    for name, password in made.items():
        assert isinstance(users.authenticate(name, password, NOW), User)


def test_reset_unlocks_and_the_old_password_is_gone(users: UserStore) -> None:
    for _ in range(MAX_FAILURES):
        users.authenticate("nhung", "wrong", NOW)
    fresh = users.reset("nhung")
    assert isinstance(users.authenticate("nhung", PASSWORD, NOW), Refusal)
    assert isinstance(users.authenticate("nhung", fresh, NOW), User)


@pytest.mark.parametrize("name", ["", "x", "Nhung", "a b", "-x", "a" * 33, "ă", "../etc"])
def test_a_name_that_is_none_is_refused(users: UserStore, name: str) -> None:
    with pytest.raises(UserError, match="cannot be a user name"):
        users.add(name, Role.AUDITOR, at=NOW)


def test_a_taken_name_and_a_short_password_are_refused(users: UserStore) -> None:
    with pytest.raises(UserError, match="already"):
        users.add("nhung", Role.AUDITOR, at=NOW)
    with pytest.raises(UserError, match="11 characters"):
        users.add("dat", Role.AUDITOR, at=NOW, password="short-words")
    with pytest.raises(UserError, match="no user"):
        users.reset("nobody")


def test_a_very_long_password_costs_no_hash(users: UserStore) -> None:
    assert isinstance(users.authenticate("nhung", "x" * 1_000_000, NOW), Refusal)
