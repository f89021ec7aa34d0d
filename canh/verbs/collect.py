"""`canh collect`: receive syslog and SNMP, keep it, make it searchable."""

from __future__ import annotations

import argparse

from canh.context import Context
from monitoring.receivers.sockets import Listen

HELP = "receive syslog and SNMP, poll devices, spool and store (until SIGTERM)"


def arguments(parser: argparse.ArgumentParser) -> None:
    for name, what in (
        ("--syslog-udp", "syslog over UDP (0.0.0.0:514)"),
        ("--syslog-tcp", "syslog over TCP (0.0.0.0:514)"),
        ("--traps", "SNMP traps and informs (0.0.0.0:162)"),
    ):
        text = f"where to receive {what}; may be repeated; 'off' for none"
        parser.add_argument(name, action="append", metavar="ADDRESS:PORT", help=text)
    text = "seconds between two polls of a device; 0 for no polling (default 60)"
    parser.add_argument("--poll-period", type=float, default=60.0, metavar="S", help=text)
    parser.add_argument("--no-store", action="store_true", help="only receive and spool")


def run(args: argparse.Namespace, ctx: Context) -> int:
    from monitoring.collector import CollectorSettings, collect

    default = CollectorSettings()
    settings = CollectorSettings(
        syslog_udp=_listens(args.syslog_udp, default.syslog_udp),
        syslog_tcp=_listens(args.syslog_tcp, default.syslog_tcp),
        traps=_listens(args.traps, default.traps),
        poll_period_s=args.poll_period,
        with_store=not args.no_store,
    )
    collect(settings, ctx.province, ctx.province_dir, ctx.data_dir)
    return 0


def _listens(texts: list[str] | None, default: tuple[Listen, ...]) -> tuple[Listen, ...]:
    if texts is None:
        return default
    return tuple(Listen.parse(text) for text in texts if text != "off")
