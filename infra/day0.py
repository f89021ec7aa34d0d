"""The files a machine must have before its first boot: its name, its keys, its addresses.

Pure: text from the inventory. systemd-networkd gives an interface its address whenever the
interface appears, so a link made again on a running machine works again by itself.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface

from infra.names import machine_id_of
from infra.spec import MachineFile
from inventory.model import Device, Interface, Province

AUTOMATION_UID = 770  # the user `ansible` of the base image
NETWORKD_PATH = "/etc/systemd/networkd.conf.d/canh.conf"
NETWORKD = "[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\n"


def network_files(province: Province, device: Device) -> tuple[MachineFile, ...]:
    """One systemd-networkd file an interface, loopback and mgmt0 included."""
    files = [MachineFile(path=NETWORKD_PATH, content=NETWORKD)]
    if device.loopback is not None:
        files.append(_network_file("lo", f"{device.loopback}/32", None))
    for interface in device.interfaces:
        files.append(_network_file(interface.name, str(interface.address), gateway_of(province, device, interface)))
    return tuple(files)


def management_files(address: IPv4Interface) -> tuple[MachineFile, ...]:
    """What a machine with nothing but mgmt0 needs to be reached."""
    return (MachineFile(path=NETWORKD_PATH, content=NETWORKD), _network_file("mgmt0", str(address), None))


def gateway_of(province: Province, device: Device, interface: Interface) -> IPv4Address | None:
    """Default gateway of a host: the router at the other end of its access link. Routers have none."""
    if device.is_router or interface.link is None:
        return None
    return province.links[interface.link].other_end(device.name).address.ip


def identity_files(lab: str, name: str, authorized_key: str, host_key: tuple[str, str]) -> tuple[MachineFile, ...]:
    """Host name, machine id, host key (private, public) and the automation account's way in."""
    private, public = host_key
    return (
        MachineFile(path="/etc/hostname", content=f"{name}\n"),
        MachineFile(path="/etc/machine-id", content=f"{machine_id_of(lab, name)}\n", mode=0o444),
        MachineFile(path="/etc/ssh/ssh_host_ed25519_key", content=private, mode=0o600, is_secret=True),
        MachineFile(path="/etc/ssh/ssh_host_ed25519_key.pub", content=public + "\n"),
        MachineFile(
            path="/home/ansible/.ssh/authorized_keys", content=authorized_key + "\n", mode=0o600, owner=AUTOMATION_UID
        ),
    )


def hosts_file(province: Province) -> MachineFile:
    """/etc/hosts: a device by its service address, and by its management address as `<name>.mgmt`."""
    lines = ["127.0.0.1 localhost"]
    for device in province.devices.values():
        lines.append(f"{device.service_address} {device.name}")
        lines.append(f"{device.management_address} {device.name}.mgmt")
    return MachineFile(path="/etc/hosts", content="\n".join(lines) + "\n")


def _network_file(name: str, address: str, gateway: IPv4Address | None) -> MachineFile:
    lines = [
        "[Match]",
        f"Name={name}",
        "[Link]",
        "RequiredForOnline=no",
        "[Network]",
        f"Address={address}",
        "LinkLocalAddressing=no",
        "IPv6AcceptRA=no",
        # Addresses stay when a cable is out, as on a router; what that means is the routing daemon's business.
        "ConfigureWithoutCarrier=yes",
    ]
    if gateway is not None:
        lines.append(f"Gateway={gateway}")
    return MachineFile(path=f"/etc/systemd/network/10-canh-{name}.network", content="\n".join(lines) + "\n")
