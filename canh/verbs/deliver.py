"""`canh deliver`: tell people of alerts, by mail, web hook and syslog, and when detection stands still."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from pathlib import Path

from canh.context import Context

HELP = "tell people of alerts as delivery.yaml of the province says (until SIGTERM)"
_LOOK_AGAIN_S = 3.0


def arguments(parser: argparse.ArgumentParser) -> None:
    """None: everything is in delivery.yaml."""


def run(args: argparse.Namespace, ctx: Context) -> int:
    path, stop = ctx.province_dir / "delivery.yaml", threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    while not path.exists():  # nobody is to be told: wait without what would take memory
        if stop.wait(_LOOK_AGAIN_S):
            return 0
    logging.basicConfig(level=logging.INFO, format="canh deliver: %(message)s", stream=sys.stderr)
    return _deliver(path, ctx, stop)


def _deliver(path: Path, ctx: Context, stop: threading.Event) -> int:
    from inventory import load as load_province
    from inventory.errors import OpsError
    from soc.cases import CaseStore
    from soc.delivery import Deliverer, Settings, load
    from soc.hold_keeper import HoldKeeper
    from soc.known import KnownRules
    from soc.policy import documents
    from soc.rulesets import libraries

    # What cannot be read is waited for as what is not there: receiving does not end for a slip in this file.
    seen = _mark(path)
    settings: Settings | None = None
    while settings is None:
        try:
            settings = load(ctx.province_dir, load_province(ctx.province_dir))
        except OpsError as error:
            logging.getLogger("canh.deliver").error("nobody is told of alerts: %s", error)
            while _mark(path) == seen:
                if stop.wait(_LOOK_AGAIN_S):
                    return 0
            seen = _mark(path)
    known = KnownRules(libraries(ctx.province_dir), documents(ctx.province))
    holds = HoldKeeper(CaseStore(ctx.data_dir), ctx.data_dir)

    def fresh() -> Settings | None:
        nonlocal seen
        now = _mark(path)
        if now == seen:
            return None
        seen = now
        try:
            return load(ctx.province_dir, load_province(ctx.province_dir))
        except OpsError as error:
            logging.getLogger("canh.deliver").error("the settings changed and are not used: %s", error)
            return None

    following: Settings | None = settings
    while following is not None and not stop.is_set():
        deliverer = Deliverer(
            following,
            lambda: CaseStore(ctx.data_dir),
            ctx.data_dir,
            stop,
            title_of=known.title_of,
            look_after_held=holds.look,
        )
        following = deliverer.run(fresh)
    return 0


def _mark(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size
