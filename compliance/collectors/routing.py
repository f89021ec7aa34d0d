"""Routing neighbours as the router's own daemon sees them."""

from __future__ import annotations

import json

from compliance.model import Facts

COMMAND = "vtysh -c 'show ip ospf neighbor json'"


def facts(output: str) -> Facts:
    """`routing.neighbours`: router ids of the neighbours in state Full."""
    table = json.loads(output).get("neighbors", {})
    full = [router for router, entries in table.items() for entry in entries if str(_state(entry)).startswith("Full")]
    return {"routing.neighbours": sorted(full)}


def _state(entry: dict[str, object]) -> object:
    return entry.get("nbrState") or entry.get("state") or ""
