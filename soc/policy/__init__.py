"""Detection rules the inventory itself gives: one for each service's clients and each bound account.

Loaded beside soc_rules (`soc.sigma.load(..., generated=documents(province))`), made again when the inventory changes.
"""

from soc.policy.generate import Generated, documents

__all__ = ["Generated", "documents"]
