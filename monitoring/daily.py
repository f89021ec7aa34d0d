"""Once a day: how far each link to the state's network was used, as events (`kpi-computed`), exact and to be kept.

The figures come from the store (`links`), and what reads the store needs more memory than receiving. So a program of
its own computes them (`python -m monitoring.daily`), prints a line for each link and direction, and ends; the first
receiving process starts it after midnight and puts what it says into its spool. Days that were missed follow, a week
of them at most. The last day told is kept: a restart tells nothing twice, a crash in between tells a day again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from inventory.errors import OpsError
from inventory.model import Province
from monitoring.durable import read_json, replace_json
from monitoring.errors import StoreError
from monitoring.receivers.intake import Intake
from monitoring.spool import Received
from monitoring.usage import message

LOOK_S = 600.0
AFTER_MIDNIGHT = timedelta(minutes=10)  # the day's last readings are stored by then
MOST_DAYS = 7
WITHIN_S = 3600.0
LINKS_AT_ONCE = 50  # their readings of a week are 100 MB
NICE = 10
NAME = "cpn04_p95_pct"

log = logging.getLogger("canh.collect")


class Daily:
    """Whose turn it is, and what was told."""

    def __init__(self, province: Province, province_dir: Path, data_dir: Path) -> None:
        self._zone = ZoneInfo(province.time_zone)
        self._file = data_dir / "stats" / "daily.json"
        self._command = (sys.executable, "-m", "monitoring.daily", str(province_dir), str(data_dir))

    async def watch(self, intake: Intake) -> None:
        """For ever. What cannot be computed now is said and tried again."""
        while True:
            try:
                for day in self.due(datetime.now(UTC)):
                    if await intake.put_all_kept(await self._computed(day)):
                        self.note(day)
            except (StoreError, OSError, ValueError, TimeoutError) as error:
                log.error("the figures of the day: %s", error)
            await asyncio.sleep(LOOK_S)

    def due(self, now: datetime) -> tuple[date, ...]:
        """Days that are over and not told, oldest first. The first day of all is the one on which we began.

        Raises OSError.
        """
        last = (now.astimezone(self._zone) - AFTER_MIDNIGHT).date() - timedelta(days=1)
        told = read_json(self._file).get("told")
        if not told:
            self.note(last)
            return ()
        missed = (last - date.fromisoformat(str(told))).days
        return tuple(last - timedelta(days=n) for n in range(min(missed, MOST_DAYS) - 1, -1, -1))

    def note(self, day: date) -> None:
        """That a day is told. Raises OSError."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        replace_json(self._file, {"told": day.isoformat()})

    async def _computed(self, day: date) -> list[Received]:
        """Raises StoreError, OSError, ValueError, TimeoutError."""
        paths = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        process = await asyncio.create_subprocess_exec(
            *self._command, day.isoformat(), stdout=asyncio.subprocess.PIPE, env=paths
        )
        try:
            said, _ = await asyncio.wait_for(process.communicate(), WITHIN_S)
        finally:
            if process.returncode is None:
                process.kill()
        if process.returncode:
            raise StoreError(f"the program that computes them ended with {process.returncode}")
        return [received(json.loads(line)) for line in said.splitlines()]


def received(said: dict[str, Any]) -> Received:
    """A figure as a message of the platform, from the device it is about."""
    peer = str(said.pop("peer"))
    return message("kpi-computed", said)._replace(peer=peer)


def figures(province: Province, data_dir: Path, day: date) -> Iterator[dict[str, str | int | float | None]]:
    """For each link to the state's network and each direction: the 7 days that end with `day`. Raises StoreError."""
    from monitoring.links import link_uses, measuring, wan_links
    from monitoring.store import reader

    zone = ZoneInfo(province.time_zone)
    end = datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(days=1)
    store = reader(data_dir)
    links = tuple(wan_links(province))
    for first in range(0, len(links), LINKS_AT_ONCE):
        names = links[first : first + LINKS_AT_ONCE]
        for use in link_uses(province, store, end.astimezone(UTC), names):
            device = use.measured_at or measuring(province, use.link, use.site)[0]
            for direction, one in (("inbound", use.into_site), ("outbound", use.out_of_site)):
                yield {
                    "peer": str(province.devices[device].addresses[0]),
                    "name": NAME,
                    "day": day.isoformat(),
                    "link": use.link.name,
                    "site": use.site,
                    "direction": direction,
                    "device": device,
                    "value": None if one.p95_pct is None else round(one.p95_pct, 2),
                    "samples": one.samples,
                    "judgement": str(one.judgement),
                    "contract_bps": use.link.bandwidth_bps,
                    "from": use.start.isoformat(),
                    "to": end.astimezone(UTC).isoformat(),
                    "paused_s": round(use.paused.total_seconds()),
                }


def main(words: Sequence[str] | None = None) -> int:
    """The program."""
    parser = argparse.ArgumentParser(prog="python -m monitoring.daily")
    parser.add_argument("province", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("day", type=date.fromisoformat)
    args = parser.parse_args(words)
    from inventory import load

    try:
        for figure in figures(load(args.province), args.data, args.day):
            print(json.dumps(figure, ensure_ascii=False), flush=True)
    except OpsError as error:
        print(f"canh daily: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    os.nice(NICE)
    sys.exit(main())
