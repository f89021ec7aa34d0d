"""What can go wrong while collecting, understanding and keeping events.

MonitoringError              the family; an OpsError, so it prints what, where, fix
├── SpoolError               the spool cannot take or give records
│   ├── SpoolLocked          another process writes this spool
│   ├── SpoolFull            no space on the disk, or the spool's budget is used up
│   └── SpoolUnwritable      read-only or failing directory
├── ReceiverError            a receiver cannot start (port in use, no right to bind)
├── SecretsError             secrets.json is missing or not as documented
├── ParserError               a parser's folder is not as it should be
├── StoreError               the store cannot be read or written
└── QueryError               a search expression that does not parse
"""

from __future__ import annotations

from inventory.errors import OpsError


class MonitoringError(OpsError):
    """Anything of monitoring that stops an operation."""


class SpoolError(MonitoringError):
    """The spool cannot take or give records."""


class SpoolLocked(SpoolError):
    """Another process is the writer."""


class SpoolFull(SpoolError):
    """No space left, or the disk budget is reached; worth another try when space returns."""


class SpoolUnwritable(SpoolError):
    """The directory cannot be written (read-only, permissions, input/output error)."""


class ReceiverError(MonitoringError):
    """A receiver cannot start."""


class SecretsError(MonitoringError):
    """The credentials file cannot be used."""


class ParserError(MonitoringError):
    """A parser's folder is not as it should be."""


class StoreError(MonitoringError):
    """The store cannot be read or written."""


class QueryError(MonitoringError):
    """A search expression that does not parse; `where` names the offending character."""
