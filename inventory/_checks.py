"""What is wrong across documents."""

from __future__ import annotations

from inventory._expand import Draft
from inventory._reading import Folder
from inventory.finding import Finding
from inventory.plan import Allocations, missing


def check(folder: Folder, draft: Draft, given: Allocations, *, addressed: bool) -> list[Finding]:
    return [
        folder.sites[n.site].document.finding(
            "", f"{n.kind} {n.key} is not allocated", "run `canh validate --allocate`"
        )
        for n in missing(draft, given)
        if addressed
    ]
