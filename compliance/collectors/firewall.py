"""The packet filter as the kernel runs it."""

from __future__ import annotations

import json

from compliance.model import Facts

COMMAND = "nft -j list ruleset"


def facts(output: str) -> Facts:
    """`firewall.policies`: {"input": "drop", ...} of inet base chains; `firewall.logs`: whether refusals are logged."""
    entries = json.loads(output)["nftables"]
    chains = [entry["chain"] for entry in entries if "chain" in entry and "hook" in entry["chain"]]
    rules = [entry["rule"] for entry in entries if "rule" in entry]
    policies = {chain["hook"]: chain.get("policy", "accept") for chain in chains if chain["type"] == "filter"}
    return {
        "firewall.input": policies.get("input", "none"),
        "firewall.forward": policies.get("forward", "none"),
        "firewall.logs": any("log" in statement for rule in rules for statement in rule["expr"]),
        # A rule that only accepts, whatever the packet is: the filter is open.
        "firewall.accept_all": sum(rule["expr"] == [{"accept": None}] for rule in rules),
    }
