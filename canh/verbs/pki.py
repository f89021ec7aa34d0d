"""`canh pki`: certificates for the console, receivers and devices, and tokens for agents."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from canh.context import Context
from pki import Authority, Entry, PkiError, Purpose, Tokens, rollover
from pki.authority import SERVICES
from pki.register import documents
from pki.trust import Trusted
from pki.x509 import fingerprint_of
from soc.pki import Certificate, shown

HELP = "the internal CA: show, list, issue, renew, revoke, import, crl, trust, switch, distrust; tokens of agents"
_DAYS = {Purpose.SERVER: 397, Purpose.CLIENT: 730, Purpose.DEVICE: 730}


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    actions.add_parser("show", help="path, fingerprint and end of the CA and of our servers' certificates (default)")
    one = actions.add_parser("list", help="everything issued that is valid, the next to expire first")
    one.add_argument("--all", action="store_true", help="also what was revoked, replaced or has expired")
    one = actions.add_parser("issue", help="issue a certificate, with a key beside it or for a signing request")
    one.add_argument("name", metavar="NAME", help="of its files and its common name")
    one.add_argument(
        "--for", dest="purpose", choices=[str(p) for p in Purpose], default="client", help="default client"
    )
    one.add_argument(
        "--name", dest="names", action="append", default=[], metavar="HOST", help="host or address; repeat"
    )
    one.add_argument("--days", type=int, metavar="N", help="valid for (default 397 for a server, else 730)")
    one.add_argument(
        "--csr", type=Path, metavar="FILE", help="certify the key of this request; its owner keeps the key"
    )
    one = actions.add_parser("renew", help="a new certificate with the same names and purpose")
    one.add_argument("name", metavar="NAME")
    one.add_argument("--days", type=int, metavar="N", help="valid for (default as long as the old one was)")
    one = actions.add_parser("revoke", help="revoke all certificates of a name, or the one of a serial number")
    one.add_argument("name", metavar="NAME|SERIAL")
    one.add_argument("--reason", default="", help="for the register")
    one = actions.add_parser("import", help="issue under the province's own CA from now on, and trust no other")
    one.add_argument("--cert", type=Path, required=True, metavar="FILE", help="PEM: the issuing CA, then its chain")
    one.add_argument("--key", type=Path, required=True, metavar="FILE", help="PEM, without a pass phrase")
    one = actions.add_parser("trust", help="trust another CA too: the next one of our own unless told which")
    one.add_argument("--cert", type=Path, metavar="FILE", help="PEM: the province's CA, then its chain")
    one.add_argument("--key", type=Path, metavar="FILE", help="its key (PEM): it is to issue here later")
    one.add_argument(
        "--crl", type=Path, metavar="FILE", help="its revocation list: it issues elsewhere; again when new"
    )
    one = actions.add_parser("switch", help="issue under a trusted CA from now on; the one before is trusted on")
    one.add_argument("id", nargs="?", default="", metavar="ID", help="how its fingerprint begins, if there are several")
    one = actions.add_parser("distrust", help="trust a CA beside ours no more")
    one.add_argument("id", nargs="?", default="", metavar="ID", help="as above")
    actions.add_parser("crl", help="sign the revocation list anew (it is anyway, once a day)")
    one = actions.add_parser("token", help="tokens of agents that ship over HTTP")
    one.add_argument("what", choices=("add", "list", "remove"))
    one.add_argument("name", nargs="?", default="", metavar="NAME", help="of the agent, or of a group of them")


def run(args: argparse.Namespace, ctx: Context) -> int:
    action: Callable[[argparse.Namespace, Context, datetime], None] = _ACTIONS[args.action or "show"]
    action(args, ctx, datetime.now(UTC))
    return 0


def _authority(ctx: Context) -> Authority:
    return Authority(ctx.data_dir / "pki")


def _show(args: argparse.Namespace, ctx: Context, now: datetime) -> None:
    authority = _authority(ctx)
    services = [(name, authority.files_of(name)[0]) for name in SERVICES]
    kinds = [("ca", authority.certificate), *(one for one in services if one[1].exists())]
    for kind, path in kinds:
        certificate = shown(path)
        print(json.dumps(_document(kind, certificate)) if ctx.json else _text(kind, certificate))
    for one in authority.trust.all():
        _print_trusted(one, ctx)


def _print_trusted(one: Trusted, ctx: Context) -> None:
    listed = None if one.listed_until is None else one.listed_until.isoformat()
    more = {"id": one.id, "subject": one.ca.subject.rfc4514_string(), "may_issue_here": one.may_issue_here}
    document = _document("trusted", shown(one.certificate)) | more | {"listed_until": listed}
    text = f"{_text('trusted', shown(one.certificate))}\n  id       {one.id}\n  subject  {more['subject']}"
    text += "\n  its key is here" if one.may_issue_here else f"\n  list until {listed}"
    print(json.dumps(document) if ctx.json else text)


def _trust(args: argparse.Namespace, ctx: Context, now: datetime) -> None:
    if args.cert is None and (args.key or args.crl):
        raise PkiError("which CA is to be trusted?", fix="give --cert FILE as well")
    files = {n: _read(path) for n, path in (("certificate", args.cert), ("key", args.key), ("crl", args.crl)) if path}
    _print_trusted(rollover.take_in(_authority(ctx), now, **files), ctx)


def _switch(args: argparse.Namespace, ctx: Context, now: datetime) -> None:
    rollover.switch(_authority(ctx), args.id, now)
    _show(args, ctx, now)


def _distrust(args: argparse.Namespace, ctx: Context, now: datetime) -> None:
    gone = rollover.distrust(_authority(ctx), args.id, now)
    document = {"id": gone.id, "sha256": fingerprint_of(gone.ca), "subject": gone.ca.subject.rfc4514_string()}
    print(json.dumps(document) if ctx.json else f"{gone.id}: {document['subject']} is trusted no more")


def _list(args: argparse.Namespace, ctx: Context, now: datetime) -> None:
    entries = sorted(_authority(ctx).entries(), key=lambda e: e.expires)
    entries = [e for e in entries if args.all or (e.is_current and e.expires > now)]
    _print(entries, ctx, now)


def _issue(args: argparse.Namespace, ctx: Context, now: datetime) -> None:
    purpose = Purpose(args.purpose)
    life = timedelta(days=_DAYS[purpose] if args.days is None else args.days)
    request = None if args.csr is None else _read(args.csr)
    _authority(ctx).ensure(now)
    made = _authority(ctx).issue(args.name, names=args.names, purpose=purpose, life=life, now=now, request=request)
    _print([made], ctx, now, with_files=True)


def _renew(args: argparse.Namespace, ctx: Context, now: datetime) -> None:
    life = None if args.days is None else timedelta(days=args.days)
    _print([_authority(ctx).renew(args.name, now=now, life=life)], ctx, now, with_files=True)


def _revoke(args: argparse.Namespace, ctx: Context, now: datetime) -> None:
    _print(list(_authority(ctx).revoke(args.name, reason=args.reason, now=now)), ctx, now)


def _import(args: argparse.Namespace, ctx: Context, now: datetime) -> None:
    authority = _authority(ctx)
    authority.adopt(_read(args.cert), _read(args.key), now)
    print(
        json.dumps(_document("ca", shown(authority.certificate)))
        if ctx.json
        else _text("ca", shown(authority.certificate))
    )


def _crl(args: argparse.Namespace, ctx: Context, now: datetime) -> None:
    authority = _authority(ctx)
    authority.ensure(now, sign=True)
    revoked = sum(e.revoked is not None and e.expires > now for e in authority.entries())
    document = {"path": str(authority.crl), "revoked": revoked}
    print(json.dumps(document) if ctx.json else f"{authority.crl}: {revoked} revoked")


def _token(args: argparse.Namespace, ctx: Context, now: datetime) -> None:
    tokens = Tokens(ctx.data_dir / "pki")
    if args.what == "list":
        for name, one in sorted(tokens.list().items()):
            print(json.dumps({"name": name, "made": one["made"]}) if ctx.json else f"{name}  made {one['made']}")
        return
    if not args.name:
        raise PkiError(f"which token to {args.what}?", fix=f"canh pki token {args.what} NAME")
    if args.what == "remove":
        tokens.remove(args.name)
        return
    token = tokens.add(args.name, now)
    print(json.dumps({"name": args.name, "token": token}) if ctx.json else token)


_ACTIONS: dict[str, Callable[[argparse.Namespace, Context, datetime], None]] = {
    "show": _show,
    "list": _list,
    "issue": _issue,
    "renew": _renew,
    "revoke": _revoke,
    "import": _import,
    "trust": _trust,
    "switch": _switch,
    "distrust": _distrust,
    "crl": _crl,
    "token": _token,
}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PkiError(f"the file cannot be read: {error.strerror}", where=path, fix="give a PEM file") from error


def _print(entries: list[Entry], ctx: Context, now: datetime, *, with_files: bool = False) -> None:
    for entry, document in zip(entries, documents(entries), strict=True):
        certificate, key = _authority(ctx).files_of(entry.name)
        files: dict[str, Any] = {"certificate": str(certificate)} if with_files else {}
        if with_files and key.exists():
            files["key"] = str(key)
        document |= {"days_left": entry.days_left(now), **files}
        print(json.dumps(document) if ctx.json else _line(entry, now) + "".join(f"\n  {p}" for p in files.values()))


def _line(entry: Entry, now: datetime) -> str:
    state = "revoked" if entry.revoked else "replaced" if entry.is_replaced else f"{entry.days_left(now)} days left"
    names = ", ".join(entry.names) or "-"
    return f"{entry.name}  {entry.purpose}  {state}  until {entry.expires:%Y-%m-%d}  {entry.serial}  {names}"


def _document(kind: str, certificate: Certificate) -> dict[str, object]:
    return {
        "kind": kind,
        "path": str(certificate.path),
        "sha256": certificate.fingerprint,
        "expires": certificate.expires.isoformat(),
        "names": list(certificate.names),
    }


def _text(kind: str, certificate: Certificate) -> str:
    names = f"\n  names    {', '.join(certificate.names)}" if certificate.names else ""
    return (
        f"{kind}: {certificate.path}\n  sha256   {certificate.fingerprint}"
        f"\n  expires  {certificate.expires:%Y-%m-%d %H:%M} UTC{names}"
    )
