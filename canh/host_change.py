"""Configuring hosts is a change like any other: journalled, so that what it causes is not taken for an attack."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5

from canh.context import Context
from network.journal import Journal
from network.lock import locked


@contextmanager
def host_change(ctx: Context, title: str, devices: Sequence[str]) -> Iterator[str]:
    """A change on `devices` that is open while the block runs. Gives its id.

    Closed as `confirmed`, or as `failed` when the block raises. Raises DeviceBusy while another change has a device.
    """
    opened = datetime.now(UTC)
    change_id = str(uuid5(NAMESPACE_URL, f"canh:hosts:{title}:{','.join(devices)}:{opened.isoformat()}"))
    with locked(ctx.data_dir, devices, change_id=change_id):
        journal = Journal(ctx.data_dir / "changes" / f"{change_id}.jsonl")
        sites = sorted({ctx.province.devices[name].site for name in devices})
        journal.append(
            "opened",
            opened,
            change_id=change_id,
            operator="canh",
            kind="hosts",
            title=title,
            devices=list(devices),
            blast_radius={"devices": list(devices), "sites": sites},
        )
        result = "failed"
        try:
            yield change_id
            result = "confirmed"
        finally:
            journal.append("closed", datetime.now(UTC), result=result)
            journal.close()
