"""What a machine of an office can really reach: services it may, and ports nobody declared."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from compliance.model import Facts
from inventory.model import Device

if TYPE_CHECKING:
    from compliance.gather import Scene

PROBED_PORTS = (22, 23, 80, 443, 514, 6514, 8443)

_SCRIPT = r"""
import json, select, socket, sys, time
waiting, open_ = {}, []
for host, port in json.loads(sys.argv[1]):
    s = socket.socket(); s.setblocking(False); s.connect_ex((host, port)); waiting[s] = f"{host}:{port}"
end = time.monotonic() + 3
while waiting and time.monotonic() < end:
    _, ready, _ = select.select([], list(waiting), [], max(0, end - time.monotonic()))
    for s in ready:
        name = waiting.pop(s)
        if s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0: open_.append(name)
        s.close()
print(json.dumps(sorted(open_)))
"""


def command(scene: Scene, device: Device) -> str:
    """Tries every probed port of every other device, from `device`, in band, three seconds in all."""
    targets = [
        [str(other.service_address), port]
        for other in scene.province.devices.values()
        if other.name != device.name
        for port in PROBED_PORTS
    ]
    return f"python3 - '{json.dumps(targets)}' <<'PROGRAM'\n{_SCRIPT}\nPROGRAM"


def facts(output: str) -> Facts:
    """`reach.open`: ["address:port", ...] that accepted a connection."""
    return {"reach.open": json.loads(output)}
