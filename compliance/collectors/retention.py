"""How long the running store keeps events, and whether its disk has room for them. Asked on the machine it runs on."""

from __future__ import annotations

import re

from compliance.model import Facts

# The store's worker is told its inventory and its data directory; they are its fourth and fifth word.
COMMAND = r"""
pid=$(pgrep -u canh -of 'monitoring[.]storing') || { echo 'no store is running'; exit 1; }
set -- $(tr '\0' ' ' </proc/"$pid"/cmdline)
echo "store of $4 in $5"
sed -n 's/^ *log_retention_days: */days /p' "$4/province.yaml"
df --output=pcent "$5" | tail -n 1 | sed 's/ */used /'
"""


def facts(output: str) -> Facts:
    """`retention.days` as the running store applies it, `retention.free_share` of its disk in per cent."""
    found = dict(re.findall(r"^(days|used) (\d+)", output, re.M))
    if "used" not in found:
        raise ValueError("it does not say how full the disk is")
    facts: dict[str, object] = {"retention.free_share": 100 - int(found["used"])}
    return facts | {"retention.days": int(found["days"])} if "days" in found else facts
