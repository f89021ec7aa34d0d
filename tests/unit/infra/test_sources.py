"""Which of a machine's apt sources a lab machine may be made from."""

from __future__ import annotations

from pathlib import Path

from infra.toolchain.sources import configured, lines_of, stanzas_of

DEBIAN = """Types: deb deb-src
# a comment
URIs: http://debian.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg"""
OTHERS = [
    "Types: deb\nURIs: http://x.example/\nSuites: nodistro\nComponents: main",
    "Types: deb\nURIs: http://x.example/\nSuites: trixie\nComponents: main",
    "Types: deb\nURIs: http://x.example/\nSuites: bookworm\nComponents: stable",
    "Types: deb-src\nURIs: http://x.example/\nSuites: bookworm\nComponents: main",
    "Enabled: no\nTypes: deb\nURIs: http://x.example/\nSuites: bookworm\nComponents: main",
    "# only a comment",
]


def test_only_stanzas_of_the_release_are_taken_and_as_they_stand() -> None:
    assert stanzas_of("\n\n".join([OTHERS[0], DEBIAN, *OTHERS[1:]])) == (DEBIAN,)


def test_a_field_may_go_on_on_the_next_line() -> None:
    folded = "Types: deb\nURIs: http://x.example/\nSuites:\n bookworm\n bookworm-updates\nComponents: main"
    assert stanzas_of(folded) == (folded,)


def test_one_line_entries_with_and_without_options() -> None:
    plain = "deb http://debian.example/debian bookworm main contrib"
    signed = "deb [arch=amd64 signed-by=/k.gpg] http://debian.example/debian bookworm-security main"
    text = "\n".join(
        [
            f"  {plain}",
            signed,
            "deb-src http://debian.example/debian bookworm main",
            "# deb http://debian.example/debian bookworm main",
            "deb http://other.example/ stable main",
            "deb [x",
            "",
        ]
    )
    assert lines_of(text) == (plain, signed)


def test_both_formats_of_a_machine_are_read(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text("deb http://debian.example/debian bookworm main\n")
    (tmp_path / "sources.list.d/debian.sources").write_text(DEBIAN + "\n")
    stanzas, lines = configured(tmp_path)
    assert len(stanzas) == len(lines) == 1
    assert configured(tmp_path / "nowhere") == ((), ())
