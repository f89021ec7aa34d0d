"""What is measured of a device and what its answers come to. Pure: values by OID in, measurements out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from monitoring.snmp._documents import MetricDoc, StateDoc


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One measurement of a vendor's file, with its OIDs in full."""

    name: str
    columns: tuple[tuple[str, str], ...]  # what it is: (value | used | free | size, OID); several "free" add up
    label: str
    where: tuple[tuple[str, str], ...]
    scale: str
    precision: str
    times: float
    skip: frozenset[int]
    rows: str  # how several rows are one: first, max, mean, sum; each: they are not
    is_frequent: bool  # at every poll; else with the samples


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A column of states of a vendor's file."""

    name: str
    column: str
    label: str
    labels: Mapping[int, str]
    bad: frozenset[str]
    action: str
    cleared: str


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a device: its index, what it is called, and what its values are multiplied by."""

    index: str
    label: str = ""
    factor: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A metric a device has."""

    metric: Metric
    rows: tuple[Row, ...]

    @property
    def oids(self) -> tuple[str, ...]:
        return tuple(f"{column}.{row.index}" for row in self.rows for _, column in self.metric.columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A state a device has."""

    state: State
    rows: tuple[Row, ...]

    @property
    def oids(self) -> tuple[str, ...]:
        return tuple(f"{self.state.column}.{row.index}" for row in self.rows)


@dataclass(frozen=True, slots=True)
class Measurement:
    name: str
    value: float
    instance: str = ""  # of several: which


_ONE: Mapping[str, Callable[[Sequence[float]], float]] = {
    "first": lambda values: values[0],
    "max": max,
    "mean": fmean,
    "sum": sum,
}


def metric_of(document: MetricDoc, full: Callable[[str], str]) -> Metric:
    """full: an OID with its beginning written out."""
    given = [("value", document.value), ("used", document.used), ("free", document.free)]
    given += [("free", oid) for oid in document.also_free] + [("size", document.size)]
    return Metric(
        name=document.name,
        columns=tuple((what, full(oid)) for what, oid in given if oid),
        label=full(document.label),
        where=tuple((full(oid), str(value)) for oid, value in document.where.items()),
        scale=full(document.scale),
        precision=full(document.precision),
        times=document.times,
        skip=frozenset(document.skip),
        rows=document.rows,
        is_frequent=document.every == "poll",
    )


def state_of(document: StateDoc, labels: Mapping[int, str], full: Callable[[str], str]) -> State:
    """labels: the words of its numbers."""
    return State(
        name=document.name,
        column=full(document.value),
        label=full(document.label),
        labels=labels,
        bad=frozenset(document.bad),
        action=document.action,
        cleared=document.cleared,
    )


def measurements(measured: Measured, values: Mapping[str, Any]) -> list[Measurement]:
    """What the answers say; rows without an answer, or with one that means "not measured", are left out."""
    metric = measured.metric
    found = [(row, value) for row in measured.rows if (value := _row_value(metric, row, values)) is not None]
    if not found:
        return []
    if metric.rows == "each":
        return [Measurement(metric.name, round(value, 1), row.label or row.index) for row, value in found]
    return [Measurement(metric.name, round(_ONE[metric.rows]([value for _, value in found]), 1))]


def _row_value(metric: Metric, row: Row, values: Mapping[str, Any]) -> float | None:
    parts: dict[str, float] = {}
    for what, column in metric.columns:
        value = values.get(f"{column}.{row.index}")
        if isinstance(value, bytes | str):  # a number told as text: net-snmp's extensions, PAN-OS
            value = _number(value)
        if not isinstance(value, int | float) or not math.isfinite(value) or value in metric.skip:
            if what == "free" and "free" in parts:
                continue  # buffers and cache are not there everywhere
            return None
        parts[what] = parts.get(what, 0.0) + value
    if "value" in parts:
        return parts["value"] * metric.times * row.factor
    return _share(parts)


def _share(parts: Mapping[str, float]) -> float | None:
    """Per cent in use, of two of used, free and size."""
    if "used" in parts:
        size = parts["size"] if "size" in parts else parts["used"] + parts["free"]
        used = parts["used"]
    else:
        size, used = parts["size"], parts["size"] - parts["free"]
    return None if size <= 0 else 100 * used / size


def _number(text: bytes | str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
