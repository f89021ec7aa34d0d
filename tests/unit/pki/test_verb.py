"""`canh pki` as a person or a program calls it."""

from __future__ import annotations

import json
import re
import shlex
import stat
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from canh.cli import main

GUIDE = (Path(__file__).parents[3] / "docs/guides/send-logs.md").read_text("utf-8")


def canh(data: Path, *words: str) -> int:
    return main(["--data", str(data), "--json", "pki", *words])


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_certificate_from_issue_to_revocation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert canh(tmp_path, "issue", "ce-0001", "--for", "device", "--name", "ce-0001", "--name", "10.9.0.1") == 0
    (made,) = lines(capsys)
    assert made["names"] == ["ce-0001", "10.9.0.1"] and made["days_left"] == 730
    key = Path(str(made["key"]))
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    checked = ["openssl", "verify", "-CAfile", str(tmp_path / "pki/ca.crt"), str(made["certificate"])]
    assert subprocess.run(checked, capture_output=True, text=True, check=True).stdout.endswith(": OK\n")
    assert canh(tmp_path, "renew", "ce-0001", "--days", "10") == 0
    assert lines(capsys)[0]["days_left"] == 10
    assert canh(tmp_path, "list") == 0
    assert [e["name"] for e in lines(capsys)] == ["ce-0001"]
    assert canh(tmp_path, "revoke", "ce-0001", "--reason", "stolen") == 0
    assert [(e["reason"], e["name"]) for e in lines(capsys)] == [("stolen", "ce-0001")] * 2
    assert canh(tmp_path, "list") == 0 and lines(capsys) == []
    assert canh(tmp_path, "list", "--all") == 0 and len(lines(capsys)) == 2
    assert canh(tmp_path, "crl") == 0
    assert lines(capsys)[0]["revoked"] == 2
    text = subprocess.run(
        ["openssl", "crl", "-in", str(tmp_path / "pki/ca.crl"), "-noout", "-text"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert text.count("Serial Number:") == 2
    with pytest.raises(subprocess.CalledProcessError):
        crl = ["-crl_check", "-CRLfile", str(tmp_path / "pki/ca.crl")]
        subprocess.run([*checked[:2], *crl, *checked[2:]], capture_output=True, check=True)


def test_a_request_made_with_openssl_is_signed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    request, key = tmp_path / "fw.csr", tmp_path / "fw.key"
    made = [
        "openssl",
        "req",
        "-new",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=fw",
        "-addext",
        "subjectAltName=DNS:fw.vn",
    ]
    subprocess.run([*made, "-keyout", str(key), "-out", str(request)], capture_output=True, check=True)
    assert canh(tmp_path, "issue", "fw", "--for", "server", "--csr", str(request)) == 0
    (issued,) = lines(capsys)
    assert issued["names"] == ["fw.vn"] and "key" not in issued and issued["days_left"] == 397


def test_tokens_are_shown_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert canh(tmp_path, "token", "add", "filebeat") == 0
    token = str(lines(capsys)[0]["token"])
    assert canh(tmp_path, "token", "list") == 0
    listed = capsys.readouterr().out
    assert "filebeat" in listed and token not in listed
    assert canh(tmp_path, "token", "remove", "filebeat") == 0
    assert canh(tmp_path, "token", "list") == 0 and lines(capsys) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("issue", "fw", "--csr", "/nowhere"), "canh pki: the file cannot be read: No such file or directory\n"),
        (
            ("issue", "web", "--for", "server"),
            "canh pki: a server certificate needs the names by which it is reached\n",
        ),
        (("renew", "nobody"), "canh pki: nobody has no valid certificate\n"),
        (("token", "add"), "canh pki: which token to add?\n"),
    ],
)
def test_a_refusal_says_what_and_how_to_fix(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    assert canh(tmp_path, *words) == 2
    error = capsys.readouterr().err
    assert error.startswith(said) and "fix: " in error


def test_the_guides_commands_run_one_after_the_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commands = [line for block in re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL) for line in block.splitlines()]
    assert len(commands) > 6
    for command in commands:
        words = shlex.split(command, comments=True)
        assert words[:2] == ["canh", "pki"] and main(["--data", str(tmp_path), *words[1:]]) == 0, command


def test_no_word_of_a_key_or_a_token_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", str(tmp_path), "pki", "issue", "agent"]) == 0
    assert main(["--data", str(tmp_path), "pki", "list", "--all"]) == 0
    printed = capsys.readouterr().out
    held = (tmp_path / "pki/issued/agent.key").read_text().splitlines()[1:-1]
    assert held and not any(line in printed for line in held)


def test_two_cas_from_the_first_to_the_second(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert canh(tmp_path, "issue", "old") == 0
    assert canh(tmp_path, "trust") == 0
    following = lines(capsys)[-1]
    assert following["kind"] == "trusted" and following["may_issue_here"] is True
    assert canh(tmp_path, "show") == 0
    first, _ = lines(capsys)
    assert canh(tmp_path, "switch", str(following["id"])) == 0
    now, before = lines(capsys)
    assert (now["sha256"], before["sha256"]) == (following["sha256"], first["sha256"])
    checked = ["openssl", "verify", "-CAfile", str(tmp_path / "pki/trust.crt"), str(tmp_path / "pki/issued/old.crt")]
    subprocess.run(checked, capture_output=True, check=True)
    assert canh(tmp_path, "distrust") == 0
    assert lines(capsys)[0]["sha256"] == first["sha256"]
    assert subprocess.run(checked, capture_output=True, check=False).returncode != 0


def test_the_provinces_ca_beside_ours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    province = tmp_path / "province"
    assert canh(province, "crl") == 0
    files = ["--cert", str(province / "pki/ca.crt"), "--crl", str(province / "pki/ca.crl")]
    lines(capsys)
    assert canh(tmp_path, "trust", *files) == 0
    (taken,) = lines(capsys)
    assert taken["may_issue_here"] is False and str(taken["listed_until"]) > datetime.now(UTC).isoformat()
    assert canh(tmp_path, "trust", *files[2:]) == 2
    assert "give --cert FILE" in capsys.readouterr().err
