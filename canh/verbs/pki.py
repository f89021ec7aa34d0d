"""`canh pki`: the internal CA that browsers and probes must trust."""

from __future__ import annotations

import argparse
import json

from canh.context import Context
from soc.pki import Certificate, Pki

HELP = "show the internal CA and the console's certificate"


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    actions.add_parser("show", help="path, fingerprint and end of both certificates (default)")


def run(args: argparse.Namespace, ctx: Context) -> int:
    pki = Pki(ctx.data_dir / "pki")
    for kind, certificate in (("ca", pki.authority()), ("console", pki.server())):
        print(json.dumps(_document(kind, certificate)) if ctx.json else _text(kind, certificate))
    return 0


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
