"""What became of each item of a bulk request. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monitoring.sink import Refusal

DONE = frozenset({200, 201, 409})  # 409: it is there already, of an earlier try
TRY_AGAIN = frozenset({408, 429, 502, 503, 504})  # full queues, a full disk, a shard between two nodes
# Of the cluster, not of the event: shards that move, an index being made, and what an operator has to mend.
PASSING = frozenset(
    {
        "already_closed_exception",
        "circuit_breaking_exception",
        "cluster_block_exception",
        "es_rejected_execution_exception",
        "index_closed_exception",
        "index_not_found_exception",
        "master_not_discovered_exception",
        "no_shard_available_action_exception",
        "node_closed_exception",
        "node_disconnected_exception",
        "node_not_connected_exception",
        "primary_missing_action_exception",
        "process_cluster_event_timeout_exception",
        "retry_on_primary_exception",
        "security_exception",
        "shard_not_found_exception",
        "shard_not_in_primary_mode_exception",
        "unavailable_shards_exception",
        "validation_exception",  # the cluster has as many shards as it may have
    }
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one request: which items to send again and why, which are refused for good."""

    again: tuple[int, ...]
    reason: str  # of the first of them, "" for none
    refused: tuple[Refusal, ...]


def outcome(answer: Mapping[str, Any], numbers: Sequence[int]) -> Outcome:
    """numbers: of each item sent, its place in the sequence given to `write`."""
    again: list[int] = []
    refused: list[Refusal] = []
    reason = ""
    if not answer.get("errors"):
        return Outcome((), "", ())
    for number, item in zip(numbers, answer["items"], strict=True):
        result = next(iter(item.values()))
        status = int(result.get("status", 500))
        if status in DONE:
            continue
        error = result.get("error") or {}
        kind = str(error.get("type", status))
        if status in TRY_AGAIN or kind in PASSING:
            again.append(number)
            reason = reason or f"{kind}: {error.get('reason', '')}"
        else:
            refused.append(Refusal(index=number, reason=f"{_word(kind)}: {_detail(error)}"))
    return Outcome(tuple(again), reason, tuple(refused))


def _word(kind: str) -> str:
    return kind.removesuffix("_exception").replace("_", "-") or "refused"


def _detail(error: Mapping[str, Any]) -> str:
    """The whole chain of reasons, bounded; parts of the event may be in it."""
    parts: list[str] = []
    cause: Any = error
    while isinstance(cause, Mapping) and len(parts) < 4:
        parts.append(str(cause.get("reason", "")))
        cause = cause.get("caused_by")
    return ": ".join(filter(None, parts))[:500]
