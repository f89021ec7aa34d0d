"""The plugin's side of Pulumi's protocol, without touching the host: previews, differences, secrets, its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from infra.process import is_alive
from infra.provider.properties import SECRET, SIGNATURE, plain, with_outputs
from infra.provider.server import Canh

PLUGIN = Path(__file__).parents[3] / "infra/provider/pulumi-resource-canh"
URN = "urn:pulumi:unit::canh::canh:lab:{kind}::{name}"
LINK = {
    "lab": "unit",
    "name": "a--b",
    "a": {"device": "a", "interface": "eth1", "mac": "02:00:00:00:00:01"},
    "b": {"device": "b", "interface": "eth1", "mac": "02:00:00:00:00:02"},
}
MACHINE = {
    "lab": "unit",
    "device": "core1",
    "kind": "router",
    "layers": ["/base"],
    "files": [],
    "secretFiles": {SIGNATURE: SECRET, "value": [{"path": "/k", "content": "PRIVATE", "mode": 384, "owner": 0}]},
    "management": "10.250.255.11/24",
    "mac": "02:00:00:00:00:03",
    "forwards": True,
}


def struct(values: dict[str, Any]) -> struct_pb2.Struct:
    made = struct_pb2.Struct()
    made.update(values)
    return made


def check(kind: str, values: dict[str, Any]) -> list[str]:
    urn = URN.format(kind=kind, name="x")
    answer = Canh().Check(provider_pb2.CheckRequest(urn=urn, news=struct(values)), None)
    return [failure.property for failure in answer.failures]


def diff(kind: str, old: dict[str, Any], new: dict[str, Any]) -> Any:
    urn = URN.format(kind=kind, name="x")
    request = provider_pb2.DiffRequest(urn=urn, old_inputs=struct(old), news=struct(new))
    return Canh().Diff(request, None)


def test_missing_inputs_are_all_named() -> None:
    assert check("Link", LINK) == []
    assert check("Link", {"lab": "unit", "name": ""}) == ["a", "b", "name"]
    assert check("Machine", MACHINE) == []
    assert check("Station", {}) == ["address", "lab", "network", "network6"]


def test_no_change_is_no_difference() -> None:
    answer = diff("Machine", MACHINE, MACHINE)
    assert answer.changes == provider_pb2.DiffResponse.DIFF_NONE
    assert not answer.diffs


def test_an_absent_input_equals_an_empty_one() -> None:
    assert diff("Machine", MACHINE, {**MACHINE, "binds": None}).changes == provider_pb2.DiffResponse.DIFF_NONE


def test_a_changed_image_is_an_update_and_a_changed_name_a_replacement() -> None:
    update = diff("Machine", MACHINE, {**MACHINE, "layers": ["/newer"]})
    assert (list(update.diffs), list(update.replaces)) == (["layers"], [])
    other = diff("Machine", MACHINE, {**MACHINE, "device": "core2"})
    assert list(other.replaces) == ["device"]
    assert other.deleteBeforeReplace


def test_a_preview_makes_nothing_and_knows_the_outcome() -> None:
    urn = URN.format(kind="Machine", name="core1")
    request = provider_pb2.CreateRequest(urn=urn, properties=struct(MACHINE), preview=True)
    answer = Canh().Create(request, None)
    assert answer.id == "unit/core1"
    assert plain(answer.properties)["netns"] == "canh-unit-core1"
    assert not Path("/run/netns/canh-unit-core1").exists()


def test_a_secret_stays_marked_as_one() -> None:
    given = struct(MACHINE)
    kept = with_outputs(given, {"netns": "x"})
    assert kept.fields["secretFiles"].struct_value.fields[SIGNATURE].string_value == SECRET
    assert plain(kept)["secretFiles"][0]["content"] == "PRIVATE"
    assert "netns" not in given.fields, "the engine's own map is not written to"


def test_a_machine_that_is_not_there_is_read_as_gone() -> None:
    urn = URN.format(kind="Link", name="a--b")
    request = provider_pb2.ReadRequest(urn=urn, id="unit/a--b", inputs=struct(LINK), properties=struct(LINK))
    assert Canh().Read(request, None).id == ""


def test_the_plugin_serves_on_loopback_and_ends_with_its_engine() -> None:
    # An engine of a shell: it starts the plugin, tells its pid, and is then killed.
    engine = subprocess.Popen(
        ["sh", "-c", 'PATH="$2:$PATH" "$1" & echo $!; wait', "sh", PLUGIN, Path(sys.executable).parent],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert engine.stdout is not None
    plugin, port = int(engine.stdout.readline()), int(engine.stdout.readline())
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = provider_pb2_grpc.ResourceProviderStub(channel)
        assert stub.GetPluginInfo(empty_pb2.Empty(), timeout=60).version
    os.kill(engine.pid, signal.SIGKILL)
    engine.wait()
    deadline = time.monotonic() + 10
    while is_alive(plugin) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(plugin)
    engine.stdout.close()


@pytest.mark.parametrize("value", [None, True, 1.0, "x", [1.0, "y"], {"k": [None]}])
def test_plain_values_come_back_as_they_went(value: object) -> None:
    assert plain(struct({"v": value})) == {"v": value}
