"""The packet filter as the kernel runs it."""

from __future__ import annotations

import json
from typing import Any

from compliance.model import Facts

COMMAND = "nft -j list ruleset"
_NO_CONDITION = {"accept", "counter", "limit", "log"}


def facts(output: str) -> Facts:
    """`firewall.input` and `firewall.forward`: what befalls what no rule names; `firewall.logs`: some rule logs and
    drops; `firewall.accept_all`: how many rules accept whatever the packet is.
    """
    entries = json.loads(output)["nftables"]
    chains = [entry["chain"] for entry in entries if "chain" in entry and "hook" in entry["chain"]]
    rules = [entry["rule"] for entry in entries if "rule" in entry]
    policies = {chain["hook"]: chain.get("policy", "accept") for chain in chains if chain["type"] == "filter"}
    return {
        "firewall.input": policies.get("input", "none"),
        "firewall.forward": policies.get("forward", "none"),
        "firewall.logs": any({"log", "drop"} <= _words(rule) for rule in rules),
        "firewall.accept_all": sum("accept" in _words(rule) and not _words(rule) - _NO_CONDITION for rule in rules),
    }


def _words(rule: dict[str, Any]) -> set[str]:
    """What the statements of a rule are: {"match", "log", "accept"}."""
    return {word for statement in rule["expr"] for word in statement}
