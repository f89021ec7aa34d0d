"""`canh deliver`: tell people of alerts, by mail, web hook and syslog, and when detection stands still."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING

from canh.context import Context

if TYPE_CHECKING:
    from soc.delivery import Settings
    from soc.known import KnownRules

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
    lock = _lock(ctx, stop)  # two would tell everything twice
    return 0 if lock is None else _deliver(ctx, stop)


def _lock(ctx: Context, stop: threading.Event) -> int | None:
    """Held until this process ends; None when it is to stop. Who has it, one that still ends perhaps, is waited for."""
    from soc.alone import locked
    from soc.errors import DeliveryError

    told = ""
    while True:
        try:
            return locked(ctx.data_dir / "deliver.db.lock", "delivery", DeliveryError)
        except DeliveryError as error:
            if error.what != told:
                logging.getLogger("canh.deliver").error("it waits: %s", error)
            told = error.what
        if stop.wait(_LOOK_AGAIN_S):
            return None


def _deliver(ctx: Context, stop: threading.Event) -> int:
    from inventory.errors import OpsError
    from soc.cases import CaseStore
    from soc.delivery import Deliverer
    from soc.hold_keeper import HoldKeeper
    from soc.inputs import fingerprint

    log = logging.getLogger("canh.deliver")
    # What cannot be read is waited for as what is not there: receiving does not end for a slip in this file.
    seen = fingerprint([ctx.province_dir])
    following: Settings | None = None
    while following is None:
        try:
            following, known = _loaded(ctx)
        except OpsError as error:
            log.error("nobody is told of alerts: %s", error)
            while fingerprint([ctx.province_dir]) == seen:
                if stop.wait(_LOOK_AGAIN_S):
                    return 0
            seen = fingerprint([ctx.province_dir])
    holds = HoldKeeper(CaseStore(ctx.data_dir), ctx.data_dir)
    looked = time.monotonic()

    def fresh() -> Settings | None:
        """Other settings, when the file, or sites and units of the inventory, say other things than before."""
        nonlocal seen, looked, known
        if time.monotonic() - looked < _LOOK_AGAIN_S:
            return None
        looked, before, seen = time.monotonic(), seen, fingerprint([ctx.province_dir])
        if before == seen:
            return None
        try:
            settings, known = _loaded(ctx)
        except Exception as error:  # a defect that one file shows must not end what runs without it
            log.error("the settings or the inventory changed and are not used: %s", error)
            return None
        return None if settings == following else settings

    while following is not None and not stop.is_set():
        deliverer = Deliverer(
            following,
            lambda: CaseStore(ctx.data_dir),
            ctx.data_dir,
            stop,
            title_of=lambda alert, language: known.title_of(alert, language),
            look_after_held=holds.look,
        )
        following = deliverer.run(fresh)
    return 0


def _loaded(ctx: Context) -> tuple[Settings, KnownRules]:
    """The settings and what rules are called, by the inventory as it is now. Raises OpsError."""
    from inventory import load as load_province
    from soc.delivery import load
    from soc.known import KnownRules
    from soc.policy import documents
    from soc.rulesets import libraries

    province = load_province(ctx.province_dir)
    return load(ctx.province_dir, province), KnownRules(libraries(ctx.province_dir), documents(province))
