"""Pulumi's property maps as plain Python values, and back.

A property map is a protobuf Struct in which a secret is a map with a well-known signature.
The plugin keeps the maps it was given and only adds to copies of them, so a secret stays marked as one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import struct_pb2

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"  # pulumi: a value not known before the update
SIGNATURE = "4dabf18193072939515e22adb298388d"  # pulumi: key that marks a special map
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - pulumi's signature of a secret, not one


def plain(struct: struct_pb2.Struct) -> dict[str, Any]:
    """The map as Python values, secrets unwrapped: for using, never for logging."""
    return {key: _value(value) for key, value in struct.fields.items()}


def with_outputs(struct: struct_pb2.Struct, outputs: Mapping[str, object]) -> struct_pb2.Struct:
    """A copy of the inputs with outputs beside them."""
    copy = struct_pb2.Struct()
    copy.CopyFrom(struct)
    copy.update(dict(outputs))
    return copy


def _value(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        inner = plain(value.struct_value)
        return inner.get("value") if inner.get(SIGNATURE) == SECRET else inner
    if kind == "list_value":
        return [_value(item) for item in value.list_value.values]
    return None if kind in (None, "null_value") else getattr(value, kind)
