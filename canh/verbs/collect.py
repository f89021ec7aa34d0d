"""`canh collect`: receive syslog and SNMP, keep it, make it searchable."""

from __future__ import annotations

import argparse

from canh.context import Context
from monitoring.receivers.assembly import NAMES, PORTS, StreamSettings
from monitoring.receivers.sockets import Listen
from monitoring.receivers.tls import Clients
from monitoring.usage import UsagePolicy, default_parsers, default_receivers

HELP = "receive syslog and SNMP, poll devices, spool and store (until SIGTERM)"


def arguments(parser: argparse.ArgumentParser) -> None:
    for name, what in (
        ("--syslog-udp", "syslog over UDP (0.0.0.0:514)"),
        ("--syslog-tcp", "syslog over TCP (0.0.0.0:514)"),
        ("--traps", "SNMP traps and informs (0.0.0.0:162)"),
        ("--syslog-tls", "syslog over TLS (0.0.0.0:6514)"),
        ("--relp-tcp", "syslog in RELP, acknowledged when it is on the disk (0.0.0.0:2514)"),
        ("--relp-tls", "RELP over TLS (0.0.0.0:2515)"),
        ("--json-tcp", "a JSON document a line, in clear text (none; 5170 is usual)"),
        ("--json-tls", "a JSON document a line over TLS (0.0.0.0:5171)"),
        ("--bulk", "what agents ship to Elasticsearch, over HTTPS with a token (0.0.0.0:9243)"),
    ):
        text = f"where to receive {what}; may be repeated; 'off' for none"
        parser.add_argument(name, action="append", metavar="ADDRESS:PORT", help=text)
    text = "only syslog over UDP and TCP, and traps: none of the other receivers unless it is given an address"
    parser.add_argument("--plain-only", action="store_true", help=text)
    text = "whether senders over TLS show a certificate of our CA (default optional)"
    parser.add_argument("--tls-clients", choices=[str(c) for c in Clients], default=str(Clients.OPTIONAL), help=text)
    text = "seconds between two polls of a device; 0 for no polling (default 60)"
    parser.add_argument("--poll-period", type=float, default=60.0, metavar="S", help=text)
    text = f"receiving processes, each with a spool (default {default_receivers()}, by the number of cores)"
    parser.add_argument("--receivers", type=_positive, default=default_receivers(), metavar="N", help=text)
    text = f"processes that parse when storing is behind; 0: none (default {default_parsers()}, one a core)"
    parser.add_argument("--parsers", type=int, default=default_parsers(), metavar="N", help=text)
    text = "MiB that the spools may hold together until they are read (default 8192)"
    parser.add_argument("--spool-budget", type=_positive, default=8192, metavar="MIB", help=text)
    text = "per cent of the budget at which an event says so, and at which senders over TCP wait; UDP is dropped at 100"
    parser.add_argument(
        "--spool-marks", type=_marks, default="70,90", metavar="ALERT,WAIT", help=f"{text} (default 70,90)"
    )
    parser.add_argument("--no-store", action="store_true", help="only receive and spool")


def run(args: argparse.Namespace, ctx: Context) -> int:
    from monitoring.collecting import collect
    from monitoring.collector import CollectorSettings

    default = CollectorSettings()
    settings = CollectorSettings(
        syslog_udp=_listens(args.syslog_udp, default.syslog_udp),
        syslog_tcp=_listens(args.syslog_tcp, default.syslog_tcp),
        traps=_listens(args.traps, default.traps),
        streams=StreamSettings(listen=_streams(args), clients=Clients(args.tls_clients)),
        poll_period_s=args.poll_period,
        with_store=not args.no_store,
        receivers=args.receivers,
        parsers=args.parsers,
        spool_budget_octets=args.spool_budget * 1024 * 1024,
        usage=_usage(args.spool_marks),
    )
    return collect(settings, ctx.province, ctx.province_dir, ctx.data_dir)


def _listens(texts: list[str] | None, default: tuple[Listen, ...]) -> tuple[Listen, ...]:
    if texts is None:
        return default
    return tuple(Listen.parse(text) for text in texts if text != "off")


def _streams(args: argparse.Namespace) -> dict[str, tuple[Listen, ...]]:
    usual = {} if args.plain_only else {n: (Listen.parse(str(port)),) for n, port in PORTS.items()}
    return {name: _listens(getattr(args, name.replace("-", "_")), usual.get(name, ())) for name in NAMES}


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not 1 or more")
    return number


def _marks(text: str) -> str:
    """As written, checked: `canh run` hands it on."""
    try:
        alert, wait = (int(part) for part in text.split(","))
    except ValueError:
        alert = wait = 0
    if not 0 < alert <= wait <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is not two percentages in order, for example 70,90")
    return text


def _usage(marks: str) -> UsagePolicy:
    alert, wait = (int(part) for part in marks.split(","))
    return UsagePolicy(alert_share=alert / 100, tcp_waits_share=wait / 100)
