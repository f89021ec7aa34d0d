"""Telling people of alerts: mail, web hooks, syslog; once, not too often, not at night, and when detection is dead.

Right of the case store: nothing here changes an alert. `<province>/delivery.yaml` says who is told.
"""

from soc.delivery.deliverer import Deliverer
from soc.delivery.queue import Queue
from soc.delivery.reading import FILE, load, read
from soc.delivery.settings import Settings

__all__ = ["FILE", "Deliverer", "Queue", "Settings", "load", "read"]
