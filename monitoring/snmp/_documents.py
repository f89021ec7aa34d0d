"""A vendor's file as written in YAML; unknown keys are refused. `catalogue` turns it into what the code uses."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

Scalar = str | int | float | bool


class TrapDoc(BaseModel, extra="forbid"):
    """A notification that needs more than "name = action"."""

    name: str
    action: str = ""
    by: dict[str, dict[str, str]] = {}  # object: its word, ~part of its text, or "otherwise": action
    cleared: bool = False  # the end of what the action names
    set: dict[str, Scalar] = {}
    syslog: str = ""  # a syslog message inside: objects' names in braces; what it says is asked of its own parser


class MetricDoc(BaseModel, extra="forbid"):
    """A measurement: a column or a scalar, or a share of a size."""

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    value: str = ""
    used: str = ""
    free: str = ""
    also_free: list[str] = []
    size: str = ""
    label: str = ""  # a column that names the rows
    where: dict[str, str | int] = {}  # only rows whose column has this value
    scale: str = ""  # ENTITY-SENSOR-MIB: a column of powers of a thousand (9: units)
    precision: str = ""  # and one of decimal places
    times: float = 1.0
    skip: list[int] = []  # values that mean "not measured"
    rows: Literal["first", "max", "mean", "sum", "each"] = "first"
    every: Literal["poll", "sample"] = "sample"


class StateDoc(BaseModel, extra="forbid"):
    """A column of states; an action when a row goes bad, another when it is well again."""

    name: str
    value: str
    label: str = ""
    enumeration: str = ""  # where the object is not listed with one
    bad: list[str]
    action: str
    cleared: str = ""  # an action of its own for "well again"


class VendorDoc(BaseModel, extra="forbid"):
    title: str
    system: list[str] = []  # beginnings of sysObjectID; none: every device
    version: str = ""  # a regular expression over sysDescr; its first group is the software's version
    enumerations: dict[str, dict[int, str]] = {}
    objects: dict[str, str] = {}  # OID: "name [enumeration | octets | secret] [> field, field@index]"
    traps: dict[str, str | TrapDoc] = {}  # OID, also "a.b.1-7/2": "name [= [cleared] action]"
    metrics: list[MetricDoc] = []
    states: list[StateDoc] = []
