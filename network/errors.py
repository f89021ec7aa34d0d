"""What can go wrong between an inventory and a router.

NetworkError
├── PlatformError        a platform folder that is not there or does not hold together
├── ConfigError          a configuration that cannot be read as one
├── RenderError          an inventory value that no configuration line can carry
├── UnknownTarget        a site or device nobody declared
├── NotOnFile            a plan, change or backup that is not in the data directory
├── StalePlan            the device, or the inventory, moved since the plan was made
├── DeviceBusy           another change holds the device
├── SecretLost           a backup cannot be put back because a secret of it is gone from the device
└── DeviceError          about one device; `device` is its name
    ├── DeviceUnreachable
    ├── LoginRefused
    ├── HostKeyRefused
    ├── LineRejected     the device refused a line; `line` and `reply` say which and how
    └── SaveFailed
"""

from __future__ import annotations

from inventory.errors import OpsError


class NetworkError(OpsError):
    """Anything this package cannot go on from."""


class PlatformError(NetworkError):
    pass


class ConfigError(NetworkError):
    pass


class RenderError(NetworkError):
    pass


class UnknownTarget(NetworkError):
    pass


class NotOnFile(NetworkError):
    pass


class StalePlan(NetworkError):
    pass


class DeviceBusy(NetworkError):
    pass


class SecretLost(NetworkError):
    pass


class DeviceError(NetworkError):
    def __init__(self, what: str, *, device: str, where: object = None, fix: str = "") -> None:
        super().__init__(what, where=where or device, fix=fix)
        self.device = device


class DeviceUnreachable(DeviceError):
    pass


class LoginRefused(DeviceError):
    pass


class HostKeyRefused(DeviceError):
    pass


class LineRejected(DeviceError):
    def __init__(self, *, device: str, line: str, reply: str) -> None:
        super().__init__(
            f"{device} refused the line {line!r}: {reply}",
            device=device,
            fix="correct the template or the inventory value that gives this line, then plan again",
        )
        self.line, self.reply = line, reply


class SaveFailed(DeviceError):
    pass
