"""Rules on what a stream cannot say: a value never seen before, a rare one, nothing where something should be.

Sigma documents with `canh.scheduled`, asked of the store (either one) every so often; alerts go to the case store.
"""

from soc.scheduled.counts import Counts
from soc.scheduled.filters import load
from soc.scheduled.rule import Scheduled, is_scheduled
from soc.scheduled.runner import Ran, Runner

__all__ = ["Counts", "Ran", "Runner", "Scheduled", "is_scheduled", "load"]
