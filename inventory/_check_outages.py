"""Faults of declared outages: a link nobody has, an end before the beginning, a declaration that came too late."""

from __future__ import annotations

from collections.abc import Iterator

from inventory._check_documents import meant
from inventory._expand import Draft
from inventory._reading import Reading
from inventory._values import MOMENT
from inventory._yaml import pointer_of
from inventory.finding import Finding


def outage_findings(reading: Reading, draft: Draft) -> Iterator[Finding]:
    """Everything wrong in `policy.outages` that an entry alone does not show."""
    if reading.province is None:
        return
    written = reading.province.document
    links = {wire.name for wire in draft.wires if wire.b is not None}
    for i, outage in enumerate(reading.province.says.policy.outages):
        at = ("policy", "outages", i)
        if reading.is_complete and outage.link not in links:
            fix = meant(outage.link, links, "name a link as `canh links` does")
            yield written.finding(pointer_of(*at, "link"), f'an outage of the unknown link "{outage.link}"', fix)
        if outage.end <= outage.start:
            what = f"this outage ends at {outage.end:{MOMENT}}, before it begins"
            yield written.finding(pointer_of(*at, "to"), what, "write [from, to)")
        if outage.declared >= outage.start:
            what = f"this outage was declared at {outage.declared:{MOMENT}}, not before it began"
            yield written.finding(
                pointer_of(*at, "declared"), what, "remove it: only what is declared before counts (CPN-04)"
            )
