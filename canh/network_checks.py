"""What must still work after a network change, looked at from the lab's own office machines.

For each workstation and each declared TCP service of a host: a flow says the workstation may reach it,
then it must; no flow says so, then it must not. Derived from the inventory; `network` runs them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address
from pathlib import Path

from canh.machines import MachineError, Machines
from inventory.model import Device, Province, Role, Service
from network.check import Check, Verdict

TRY_S = 2  # one attempt to connect; inside the lab an answer takes milliseconds, a dropped packet none
ROUND_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """`source` can, or cannot, connect to `service`."""

    machines: Machines
    source: str
    service: Service
    address: IPv4Address
    allowed: bool

    @property
    def name(self) -> str:
        return f"{self.source} {'reaches' if self.allowed else 'does not reach'} {self.service.name}"

    def run(self, *, within: timedelta) -> Verdict:
        deadline = time.monotonic() + within.total_seconds()
        while True:
            try:
                is_reached = self._connects()
            except MachineError as error:
                return Verdict(name=self.name, ok=False, detail=error.what)
            is_final = not self.allowed or is_reached or time.monotonic() >= deadline
            if is_final:
                seen = f"{self.address} port {self.service.port} {'answered' if is_reached else 'did not answer'}"
                return Verdict(name=self.name, ok=is_reached == self.allowed, detail=seen)
            time.sleep(ROUND_S)

    def _connects(self) -> bool:
        attempt = f"exec 3<>/dev/tcp/{self.address}/{self.service.port}"
        done = self.machines.run(self.source, "timeout", str(TRY_S), "bash", "-c", attempt, check=False)
        return done.returncode == 0


def checks_of(province: Province, data_dir: Path) -> Sequence[Check]:
    """Every reachability check of the lab in `data_dir`."""
    machines = Machines(data_dir=data_dir)
    return tuple(
        Reach(
            machines=machines,
            source=source.name,
            service=service,
            address=province.devices[service.device].service_address,
            allowed=_is_allowed(province, source, service),
        )
        for source in province.devices_of(Role.WORKSTATION)
        for service in province.services.values()
        if service.device is not None
        and service.protocol == "tcp"
        and not service.is_out_of_band
        and province.devices[service.device].role is Role.APPLICATION
    )


def _is_allowed(province: Province, source: Device, service: Service) -> bool:
    address = source.service_address
    return any(
        flow.service == service.name and any(address in network for network in flow.source_networks)
        for flow in province.flows.values()
    )
