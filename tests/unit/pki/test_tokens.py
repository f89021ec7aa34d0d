"""Tokens of agents: shown once, kept as a hash, good in the three ways agents show them."""

from __future__ import annotations

import base64
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pki import PkiError, Tokens

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def pair(name: str, token: str) -> str:
    return base64.b64encode(f"{name}:{token}".encode()).decode()


def test_a_token_opens_in_three_ways_and_only_by_its_own_name(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path)
    web, mail = tokens.add("web", NOW), tokens.add("mail", NOW)
    assert tokens.owner_of(f"Bearer {web}") == "web"
    assert tokens.owner_of(f"bearer  {mail}") == "mail"
    assert tokens.owner_of(f"ApiKey {pair('web', web)}") == "web"
    assert tokens.owner_of(f"Basic {pair('mail', mail)}") == "mail"
    for wrong in (
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {web}x",
        f"Basic {pair('mail', web)}",
        "Basic ???",
        "Basic /w==",
        web,
    ):
        assert tokens.owner_of(wrong) == ""
    for made in tokens.list().values():
        assert tokens.owner_of(f"Bearer {made['sha256']}") == "", "the hash on the disk opens nothing"


def test_another_process_sees_a_new_and_a_removed_token(tmp_path: Path) -> None:
    one, other = Tokens(tmp_path), Tokens(tmp_path)
    token = one.add("web", NOW)
    assert other.owner_of(f"Bearer {token}") == "web"
    one.remove("web")
    assert other.owner_of(f"Bearer {token}") == ""


def test_the_token_itself_is_nowhere_on_the_disk(tmp_path: Path) -> None:
    token = Tokens(tmp_path).add("web", NOW)
    held = (tmp_path / "tokens.json").read_text()
    assert token not in held
    assert stat.S_IMODE((tmp_path / "tokens.json").stat().st_mode) == 0o600


def test_what_cannot_be_done_says_why(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path)
    tokens.add("web", NOW)
    with pytest.raises(PkiError, match="already"):
        tokens.add("web", NOW)
    with pytest.raises(PkiError, match="no name for a token"):
        tokens.add("a:b", NOW)
    with pytest.raises(PkiError, match="no token mail"):
        tokens.remove("mail")
    (tmp_path / "tokens.json").write_text("[")
    with pytest.raises(PkiError, match="cannot be read"):
        Tokens(tmp_path).owner_of("Bearer x")
