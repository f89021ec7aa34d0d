"""The Pulumi program: one resource for the station, for each link and for each machine of the inventory.

The stack's name is the lab's id; its configuration says where the inventory and the data directory are.
`canh lab up` runs it; `canh lab pulumi -- preview` shows what it would do.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pulumi

from infra.images import layers_of
from infra.keys import read_keys
from infra.layout import SocPaths, layout_of
from infra.spec import LabSpec, LinkSpec, MachineFile, MachineSpec, StationSpec
from infra.stack import APP, library_dir
from inventory import load


class Station(pulumi.CustomResource):  # type: ignore[misc]
    netns: pulumi.Output[str]

    def __init__(self, spec: StationSpec, opts: pulumi.ResourceOptions | None = None) -> None:
        inputs = {
            "lab": spec.lab,
            "address": str(spec.address),
            "network": spec.network,
            "network6": spec.network6,
            "netns": None,
        }
        super().__init__("canh:lab:Station", "station", inputs, opts)


class Link(pulumi.CustomResource):  # type: ignore[misc]
    def __init__(self, spec: LinkSpec, opts: pulumi.ResourceOptions | None = None) -> None:
        ends = {
            side: {"device": end.device, "interface": end.interface, "mac": end.mac}
            for side, end in (("a", spec.a), ("b", spec.b))
        }
        super().__init__("canh:lab:Link", spec.name, {"lab": spec.lab, "name": spec.name, **ends}, opts)


class Machine(pulumi.CustomResource):  # type: ignore[misc]
    netns: pulumi.Output[str]
    root: pulumi.Output[str]

    def __init__(self, spec: MachineSpec, opts: pulumi.ResourceOptions | None = None) -> None:
        inputs = {
            "lab": spec.lab,
            "device": spec.device,
            "kind": spec.kind,
            "layers": list(spec.layers),
            "files": _documents([f for f in spec.files if not f.is_secret]),
            "secretFiles": pulumi.Output.secret(_documents([f for f in spec.files if f.is_secret])),
            "binds": [{"source": b.source, "target": b.target, "readOnly": b.is_read_only} for b in spec.binds],
            "management": str(spec.management),
            "mac": spec.mac,
            "forwards": spec.forwards,
            "netns": None,
            "root": None,
        }
        super().__init__("canh:lab:Machine", spec.device, inputs, opts)


def declare(spec: LabSpec) -> None:
    """Station first, then the links with the namespaces they join, then the machines that boot into them."""
    station = Station(spec.station)
    links = {link.name: Link(link, pulumi.ResourceOptions(depends_on=[station])) for link in spec.links}
    for machine in spec.machines:
        own = [links[link.name] for link in spec.links if machine.device in (link.a.device, link.b.device)]
        Machine(machine, pulumi.ResourceOptions(depends_on=[station, *own]))
    pulumi.export("machines", [machine.device for machine in spec.machines])


def _documents(files: Sequence[MachineFile]) -> list[dict[str, object]]:
    return [{"path": f.path, "content": f.content, "mode": f.mode, "owner": f.owner} for f in files]


def main() -> None:
    config = pulumi.Config()
    data_dir = Path(config.require("data"))
    declare(
        layout_of(
            load(Path(config.require("province"))),
            lab=pulumi.get_stack(),
            keys=read_keys(data_dir),
            layers_of=layers_of,
            soc_paths=SocPaths(app=APP, lib=library_dir(), data=data_dir),
        )
    )


main()
