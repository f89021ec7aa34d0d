"""The spool: where a message first comes to rest, fsynced, before anyone looks at it.

Writing (one process, the collector):
    spool = Spool(directory)
    spool.append([Received(...), ...])          # returns only after fsync; raises SpoolFull, SpoolUnwritable
Reading (any process, also while it is written):
    reader = SpoolReader(directory)
    records, position = reader.read(position, limit=1000)   # only what is fsynced; ([], position) at the end
    reader.commit("detect", position)           # readers/detect.json: nothing before it is needed any more

A position is a byte offset in the endless sequence of all segments: it only grows, is never
reused, and 0 is the beginning. A segment is removed when every registered reader has
committed past it and it is older than the minimum retention. Each receiving process of a collector
has a spool below `<data>/spool/`; `spools(data_dir)` lists those that exist.

Files of a spool directory:
    spool.json            {"format": 1, "id": "<uuid>"}; event ids are UUIDv5 of this id and the position
    <position, 20 digits>.seg   records, see `_record`; the name is the position of its first octet
    committed             8 octets, little endian: the position up to which everything is fsynced
    counts.json           {"id", "position", "received": {"<receiver> <peer>": n}, "octets", "last_us"}: all that
                          was appended before it
    taken                 how many messages its receivers took, see `monitoring.receivers.taken`
    readers/<name>.json   {"position", "at"}
    lock                  held (flock) by the writer; its pid as text
"""

from monitoring.spool._reader import SpoolReader, spools
from monitoring.spool._record import Received, SpoolRecord
from monitoring.spool._tally import Arrivals, Tally
from monitoring.spool._writer import Spool, SpoolCounts, SpoolLimits, locked, write_failure

__all__ = [
    "Arrivals",
    "Received",
    "Spool",
    "SpoolCounts",
    "SpoolLimits",
    "SpoolReader",
    "SpoolRecord",
    "Tally",
    "locked",
    "spools",
    "write_failure",
]
