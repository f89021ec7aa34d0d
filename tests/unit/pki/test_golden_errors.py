"""Each way in which keys, certificates and tokens can be refused, and what is said: `tests/errors/pki-<case>.txt`.

`CANH_GOLDEN=write` rewrites them. A refusal without a case is found by the line that raises it.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from canh.cli import main
from pki import Authority, PkiError, Purpose, Tokens, rollover
from pki.x509 import pem_of, request_of, revocations, signing_key
from tests.unit.pki.test_authority import NOW, YEAR, own_ca, request

ROOT = Path(__file__).resolve().parents[3]
ERRORS = ROOT / "tests/errors"
SOURCES = (*sorted((ROOT / "pki").glob("*.py")), ROOT / "canh/verbs/pki.py")
Case = Callable[[Authority], object]


def issue(ca: Authority, name: str = "web1", **how: object) -> object:
    return ca.issue(name, **{"purpose": Purpose.CLIENT, "life": YEAR, "now": NOW} | how)  # type: ignore[arg-type]


def foreign(ca: Authority) -> tuple[bytes, bytes, bytes]:
    """Another CA: certificate, list, key."""
    other = Authority(ca.folder.parent / "other")
    other.ensure(NOW)
    return other.certificate.read_bytes(), other.crl.read_bytes(), (other.folder / "ca.key").read_bytes()


def leaf(ca: Authority) -> tuple[bytes, bytes]:
    issue(ca, "leaf")
    certificate, key = ca.files_of("leaf")
    return certificate.read_bytes(), key.read_bytes()


def verb(ca: Authority, *words: str) -> object:
    """As `canh pki` is called; what it prints is compared in its own tests."""
    from argparse import ArgumentParser

    from canh.context import Context
    from canh.verbs import pki

    parser = ArgumentParser()
    pki.arguments(parser)
    return pki.run(parser.parse_args(words), Context(province_dir=ROOT, data_dir=ca.folder.parent, json=False))


def altered_request() -> bytes:
    whole = request_of(request(ec.generate_private_key(ec.SECP256R1())))
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    der = whole.public_bytes(Encoding.DER).replace(b"whatever", b"WHATEVER")
    return x509.load_der_x509_csr(der).public_bytes(Encoding.PEM)


def bad_name(ca: Authority) -> object:
    return issue(ca, "../ca")


def no_days(ca: Authority) -> object:
    return issue(ca, life=timedelta(0))


def no_names(ca: Authority) -> object:
    return issue(ca, purpose=Purpose.SERVER)


def name_not_ascii(ca: Authority) -> object:
    return issue(ca, names=["thành-phố.vn"])


def issued_already(ca: Authority) -> object:
    return [issue(ca), issue(ca)]


def no_request(ca: Authority) -> object:
    return issue(ca, request=b"rubbish")


def weak_request(ca: Authority) -> object:
    return issue(ca, request=request(rsa.generate_private_key(65537, 1024)))


def altered(ca: Authority) -> object:
    return issue(ca, request=altered_request())


def nothing_to_renew(ca: Authority) -> object:
    return ca.renew("web1", now=NOW)


def nothing_to_revoke(ca: Authority) -> object:
    return ca.revoke("web1", reason="stolen", now=NOW)


def province_ca_expired(ca: Authority) -> object:
    chain, key, _ = own_ca(is_root=True, key=ec.generate_private_key(ec.SECP256R1()))
    ca.adopt(chain, key, NOW)
    return ca.ensure(NOW + YEAR)


def ca_key_of_another(ca: Authority) -> object:
    ca.key.write_bytes(foreign(ca)[2])
    return issue(ca)


def ca_key_lost(ca: Authority) -> object:
    ca.key.unlink()
    return issue(ca)


def ca_key_damaged(ca: Authority) -> object:
    ca.key.write_text("rubbish")
    return issue(ca)


def ca_damaged(ca: Authority) -> object:
    ca.certificate.write_text("rubbish")
    return issue(ca)


def register_damaged(ca: Authority) -> object:
    (ca.folder / "register.json").write_text("{")
    return issue(ca)


def no_place(ca: Authority) -> object:
    (ca.folder.parent / "file").write_text("")
    return Authority(ca.folder.parent / "file" / "pki").ensure(NOW)


def import_unreadable(ca: Authority) -> object:
    return ca.adopt(b"rubbish", b"rubbish", NOW)


def import_key_of_another(ca: Authority) -> object:
    return ca.adopt(foreign(ca)[0], leaf(ca)[1], NOW)


def import_of_no_ca(ca: Authority) -> object:
    return ca.adopt(*leaf(ca), NOW)


def import_not_valid(ca: Authority) -> object:
    chain, key, _ = own_ca(is_root=True, key=ec.generate_private_key(ec.SECP256R1()))
    return ca.adopt(chain, key, NOW + 2 * YEAR)


def trust_without_list(ca: Authority) -> object:
    return rollover.take_in(ca, NOW, certificate=foreign(ca)[0])


def trust_unreadable(ca: Authority) -> object:
    return rollover.take_in(ca, NOW, certificate=foreign(ca)[0], crl=b"rubbish")


def trust_of_no_ca(ca: Authority) -> object:
    return rollover.take_in(ca, NOW, certificate=leaf(ca)[0], crl=foreign(ca)[1])


def trust_list_of_another(ca: Authority) -> object:
    return rollover.take_in(ca, NOW, certificate=foreign(ca)[0], crl=ca.crl.read_bytes())


def trust_list_run_out(ca: Authority) -> object:
    certificate, _, key = foreign(ca)
    issuer = Authority(ca.folder.parent / "other").load(), signing_key(key)
    stale = revocations(issuer, (), 1, (NOW - YEAR, timedelta(days=1)))
    return rollover.take_in(ca, NOW, certificate=certificate, crl=pem_of(stale))


def trust_the_issuing_one(ca: Authority) -> object:
    return rollover.take_in(ca, NOW, certificate=ca.certificate.read_bytes(), crl=ca.crl.read_bytes())


def trust_of_nothing(ca: Authority) -> object:
    return verb(ca, "trust", "--crl", str(ca.crl))


def switch_to_none(ca: Authority) -> object:
    return rollover.switch(ca, "", NOW)


def distrust_an_unknown_one(ca: Authority) -> object:
    return rollover.distrust(ca, "AB:CD", NOW)


def switch_without_key(ca: Authority) -> object:
    certificate, crl, _ = foreign(ca)
    return rollover.switch(ca, rollover.take_in(ca, NOW, certificate=certificate, crl=crl).id, NOW)


def trusted_key_damaged(ca: Authority) -> object:
    rollover.take_in(ca, NOW).key.write_text("rubbish")
    return ca.ensure(NOW, sign=True)


def trusted_damaged(ca: Authority) -> object:
    rollover.take_in(ca, NOW).certificate.write_text("rubbish")
    return ca.trust.all()


def token_bad_name(ca: Authority) -> object:
    return Tokens(ca.folder).add("a token", NOW)


def token_twice(ca: Authority) -> object:
    return [Tokens(ca.folder).add("filebeat", NOW), Tokens(ca.folder).add("filebeat", NOW)]


def token_unknown(ca: Authority) -> None:
    Tokens(ca.folder).remove("filebeat")


def token_without_name(ca: Authority) -> object:
    return verb(ca, "token", "add")


def tokens_damaged(ca: Authority) -> object:
    (ca.folder / "tokens.json").write_text("{}")
    return Tokens(ca.folder).owner_of("Bearer x")


def no_such_file(ca: Authority) -> object:
    return verb(ca, "issue", "fw1", "--csr", str(ca.folder / "fw1.csr"))


CASES: tuple[Case, ...] = (
    bad_name, no_days, no_names, name_not_ascii, issued_already, no_request, weak_request, altered, nothing_to_renew,
    nothing_to_revoke, province_ca_expired, ca_key_of_another, ca_key_lost, ca_key_damaged, ca_damaged,
    register_damaged, no_place, import_unreadable, import_key_of_another, import_of_no_ca, import_not_valid,
    trust_without_list, trust_unreadable, trust_of_no_ca, trust_list_of_another, trust_list_run_out,
    trust_the_issuing_one, trust_of_nothing, switch_to_none, distrust_an_unknown_one, switch_without_key,
    trusted_key_damaged, trusted_damaged, token_bad_name, token_twice, token_unknown, token_without_name,
    tokens_damaged, no_such_file,
)  # fmt: skip


def refused(case: Case, folder: Path) -> pytest.ExceptionInfo[PkiError]:
    ca = Authority(folder / "pki")
    ca.ensure(NOW)
    with pytest.raises(PkiError) as caught:
        case(ca)
    return caught


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__.replace("_", "-"))
def test_a_refusal_says_what_where_and_how_to_fix(case: Case, tmp_path: Path) -> None:
    error = refused(case, tmp_path).value
    text = str(error).replace(str(tmp_path), "DATA") + "\n"
    text = re.sub(r"(cannot be read): .*", r"\1: WHY", text)  # a library's word
    text = re.sub(r"trusted/[0-9a-f]{16}\.", "trusted/ID.", text)
    text = re.sub(r"from [0-9-]{10} .* to [0-9-]{10} .*", "from BEGIN to END", text)
    golden = ERRORS / f"pki-{case.__name__.replace('_', '-')}.txt"
    if os.environ.get("CANH_GOLDEN") == "write":
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")
    assert error.fix


def test_no_refusal_is_without_a_case(tmp_path: Path) -> None:
    raised = set()
    for n, case in enumerate(CASES):
        last = refused(case, tmp_path / str(n)).traceback[-1]
        raised.add((Path(last.path).name, last.lineno + 1))
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text("utf-8"))):
            if isinstance(node, ast.Raise) and "PkiError" in ast.dump(node):
                lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
                assert any((source.name, n) in raised for n in lines), f"{source.name}:{node.lineno} has no case"


def test_no_golden_file_is_without_a_case() -> None:
    names = {f"pki-{case.__name__.replace('_', '-')}.txt" for case in CASES}
    assert {path.name for path in ERRORS.glob("pki-*.txt")} == names


def test_the_verb_prints_it_and_exits_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", str(tmp_path), "pki", "token", "add"]) == 2
    assert capsys.readouterr().err == "canh pki: " + (ERRORS / "pki-token-without-name.txt").read_text()
