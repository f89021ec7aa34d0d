"""The plugin itself: Pulumi's provider protocol over gRPC, in front of `resources`.

It ends with its engine: a killed `pulumi` leaves no plugin behind. Secrets arrive in clear;
they go into the machine they are for and nowhere else, so an error tells what failed, never with what.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent import futures
from typing import Any, TypeVar

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from infra.errors import LabError
from infra.provider.properties import plain, with_outputs
from infra.provider.resources import RESOURCES, Resource, changed, missing

VERSION = "0.1.0"
WORKERS = 32
ENGINE_CHECK_S = 0.25
MESSAGE_OCTETS = 64 << 20
Result = TypeVar("Result")


class Canh(provider_pb2_grpc.ResourceProviderServicer):
    """One provider for all types; the type is read from the resource's URN."""

    def Handshake(self, request: Any, context: Any) -> Any:
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True, accept_resources=True, accept_outputs=False)

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version=VERSION)

    def CheckConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: Any) -> Any:
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, acceptResources=True, acceptOutputs=False
        )

    def Cancel(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()

    def Check(self, request: Any, context: Any) -> Any:
        absent = missing(_resource(request.urn), plain(request.news))
        failures = [provider_pb2.CheckFailure(property=name, reason="is required") for name in absent]
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    def Diff(self, request: Any, context: Any) -> Any:
        names = changed(plain(request.old_inputs), plain(request.news))
        replaces = [name for name in names if name in _resource(request.urn).replaces]
        changes = provider_pb2.DiffResponse.DIFF_SOME if names else provider_pb2.DiffResponse.DIFF_NONE
        # Names come from content, so the old object must be gone before the new one can have its name.
        return provider_pb2.DiffResponse(changes=changes, replaces=replaces, diffs=names, deleteBeforeReplace=True)

    def Create(self, request: Any, context: Any) -> Any:
        resource, inputs = _resource(request.urn), plain(request.properties)
        if not request.preview:
            _carry_out(context, lambda: resource.make(inputs))
        return provider_pb2.CreateResponse(
            id=resource.identity(inputs), properties=with_outputs(request.properties, resource.outputs(inputs))
        )

    def Read(self, request: Any, context: Any) -> Any:
        resource, inputs = _resource(request.urn), plain(request.inputs)
        if not inputs or not _carry_out(context, lambda: resource.is_there(inputs)):
            return provider_pb2.ReadResponse(id="")  # gone: the next update makes it again
        return provider_pb2.ReadResponse(id=request.id, inputs=request.inputs, properties=request.properties)

    def Update(self, request: Any, context: Any) -> Any:
        resource, inputs = _resource(request.urn), plain(request.news)
        if not request.preview:
            _carry_out(context, lambda: resource.make(inputs))
        return provider_pb2.UpdateResponse(properties=with_outputs(request.news, resource.outputs(inputs)))

    def Delete(self, request: Any, context: Any) -> Any:
        resource, inputs = _resource(request.urn), plain(request.properties)
        _carry_out(context, lambda: resource.remove(inputs))
        return empty_pb2.Empty()


def serve() -> None:
    """Serve on a loopback port, tell it to the engine on standard output, and end when the engine does."""
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=WORKERS), options=[("grpc.max_receive_message_length", MESSAGE_OCTETS)]
    )
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Canh(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    print(port, flush=True)
    server.wait_for_termination()


def _resource(urn: str) -> Resource:
    """The type of a URN `urn:pulumi:STACK::PROJECT::[PARENT$]TYPE::NAME`."""
    return RESOURCES[urn.split("::")[2].rpartition("$")[2]]


def _carry_out(context: Any, work: Callable[[], Result]) -> Result:
    """Do it; an error of ours becomes the message the engine shows, without a stack trace."""
    try:
        return work()
    except LabError as error:
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        raise  # abort has raised already; this is for the reader and the type checker


def _end_with(engine: int) -> None:
    """Leave at once when the engine is no longer our parent; all work is repeatable, so half of it is harmless."""
    while os.getppid() == engine:
        time.sleep(ENGINE_CHECK_S)
    os._exit(1)
