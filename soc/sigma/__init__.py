"""Sigma: loading rules, filling in placeholders, routing by log source, matching, correlating.

rules = load([OWN_RULES], placeholders.of(province))      # rules.refused says what is not used, and why
for match in Matcher(rules).match([encode(event)]): ...
"""

from pathlib import Path

from soc.sigma.loader import load
from soc.sigma.matcher import Match, Matcher, decode, encode
from soc.sigma.rule import AnyRule, Correlation, Kind, LogSource, Origin, Refusal, Rule
from soc.sigma.rule_set import RuleSet

OWN_RULES = Path(__file__).resolve().parents[2] / "soc_rules"

__all__ = [
    "OWN_RULES",
    "AnyRule",
    "Correlation",
    "Kind",
    "LogSource",
    "Match",
    "Matcher",
    "Origin",
    "Refusal",
    "Rule",
    "RuleSet",
    "decode",
    "encode",
    "load",
]
