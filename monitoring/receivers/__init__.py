"""Receivers: messages from the network into the spool.

`framing` cuts a TCP stream into messages, `intake` commits what came in together, `udp` and
`tcp` are thin shells around sockets, `counters` remembers what was dropped, cut or refused.
"""

from monitoring.receivers.counters import Counters
from monitoring.receivers.intake import Intake
from monitoring.receivers.sockets import Listen, Ports
from monitoring.receivers.tcp import SyslogTcp
from monitoring.receivers.udp import SyslogUdp, UdpReceiver

__all__ = ["Counters", "Intake", "Listen", "Ports", "SyslogTcp", "SyslogUdp", "UdpReceiver"]
