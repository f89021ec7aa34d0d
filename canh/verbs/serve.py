"""`canh serve`: the web console."""

from __future__ import annotations

import argparse

from canh.context import Context

HELP = "run the web console (TLS from the internal CA)"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--listen",
        type=_address,
        metavar="ADDR:PORT",
        default=("0.0.0.0", 8443),  # noqa: S104 - the SOC host's firewall decides who reaches it
        help="where to listen (default 0.0.0.0:8443)",
    )


def run(args: argparse.Namespace, ctx: Context) -> int:
    from soc.console.server import serve
    from soc.rulesets import libraries

    serve(ctx.province, ctx.data_dir, libraries(ctx.province_dir), args.listen)
    return 0


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is not ADDR:PORT, for example 127.0.0.1:8443")
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104
