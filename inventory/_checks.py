"""Everything that is wrong with a province, once each of its documents can be read.

Fourth step of the loader: pure functions from documents to findings, one module a subject. A check
that looks for a name stays silent when a document is missing, so that one fault is told once.
"""

from __future__ import annotations

from collections.abc import Iterator

from inventory._check_documents import profile_findings, province_findings, unit_findings
from inventory._check_lists import list_findings
from inventory._check_outages import outage_findings
from inventory._check_plan import allocation_findings, missing_findings
from inventory._check_services import service_findings
from inventory._check_sites import reach_findings, site_findings
from inventory._expand import Draft
from inventory._reading import Reading
from inventory.finding import Finding


def check(reading: Reading, draft: Draft, *, addressed: bool) -> Iterator[Finding]:
    """All findings across documents, in no order. addressed: what has no address yet is one, too."""
    found = [
        *province_findings(reading),
        *unit_findings(reading),
        *profile_findings(reading),
        *site_findings(reading, draft),
        *service_findings(reading, draft),
        *outage_findings(reading, draft),
        *list_findings(reading),
        *allocation_findings(reading, draft),
    ]
    yield from found
    if reading.is_complete and not found:
        reach = list(reach_findings(draft))
        yield from reach
        if addressed and not reach:
            yield from missing_findings(reading, draft)
