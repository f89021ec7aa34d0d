"""Writing to the cluster: acknowledged items, then the checkpoint.

`write` returns when every item is acknowledged or refused for good; full queues, full disks and lost nodes are
waited for and tried again, and past PATIENCE_S the whole is a StoreError, after which the worker begins at
its checkpoint. Killed in between, it sends the same events under the same ids, which are there already.
"""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from typing import Any
from uuid import UUID, uuid4

from elasticsearch import ApiError, TransportError

from monitoring.durable import replace_json
from monitoring.elastic import _documents, _templates
from monitoring.elastic._bulk import TRY_AGAIN, outcome
from monitoring.elastic._cluster import Cluster, reason_of
from monitoring.elastic._settings import ElasticSettings
from monitoring.errors import StoreError
from monitoring.event import Event
from monitoring.retention import DEFAULT_STREAM, Retention, Steady
from monitoring.sink import Refusal
from monitoring.store.lock import locked

PATIENCE_S = 30.0  # then the worker starts again at its checkpoint
PAUSE_S, LONGEST_PAUSE_S = 0.2, 5.0
SHARD_WAIT = "10s"  # for a shard that moves; then the item is sent again
ITEMS, OCTETS = 1000, 5_000_000  # of one bulk request
AT_ONCE = 3  # requests under way
MAINTAIN_EVERY_S = 600.0

log = logging.getLogger("canh.store")


class ElasticWriter:
    """The one writer of a data directory (not of the cluster: several directories may share one)."""

    def __init__(
        self,
        data_dir: Path,
        settings: ElasticSettings,
        *,
        retention: Retention | None = None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """Raises StoreError when another process writes for this directory, or the cluster does not answer."""
        self._settings, self._retention, self._patience_s = settings, retention or Retention(), patience_s
        self._steady = Steady()
        self._touched: set[str] = set()
        self._stop = Flag()
        self._thread: Thread | None = None
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="store")
        self._lock = locked(Path(data_dir) / "store")
        self._cluster = Cluster(settings)
        try:
            self._id = _writer_id(Path(data_dir) / "store")
            self._checkpoints = f"{settings.prefix}-checkpoints"
            self._prepare()
            self._checkpoint, self._version = self._load()
        except BaseException:
            self.close()
            raise

    @property
    def checkpoint(self) -> Mapping[str, Any]:
        """As given to the last `commit` that returned; empty for a new store."""
        return dict(self._checkpoint)

    def write(self, events: Sequence[Event]) -> Sequence[Refusal]:
        """Index events; returns what the cluster refuses for good. Raises StoreError past the patience."""
        tasks = [self._pool.submit(self._send, items) for items in _requests(self._items(events))]
        results = [(task.exception(), task) for task in tasks]  # waits for all, also when one fails
        for error, _ in results:
            if error is not None:
                raise error
        return tuple(refusal for _, task in results for refusal in task.result())

    def commit(self, checkpoint: Mapping[str, Any]) -> None:
        """Let readers see what was written, then keep the checkpoint. Raises StoreError."""
        if self._touched:
            names = ",".join(sorted(self._touched))
            self._patiently(
                "refresh", lambda: self._cluster.client.indices.refresh(index=names, ignore_unavailable=True)
            )
            self._touched.clear()
        self._save(checkpoint)
        self._checkpoint = dict(checkpoint)

    def maintain(self, now: datetime | None = None) -> None:
        """Delete the days whose time is over. Raises StoreError."""
        indices = self._cluster.client.indices
        pattern = f"{_templates.alias(self._settings)}-*"
        named = self._cluster.ask("retention", indices.get_alias, index=pattern)
        due = expired(named.keys(), self._settings, self._retention, now or self._steady.now())
        for name in due:
            self._cluster.ask("retention", indices.delete, index=name, ignore_unavailable=True)
            log.info("deleted %s: its time is over", name)

    def start(self) -> None:
        """Maintain in the background until `close`."""
        if self._thread is None:
            self._thread = Thread(target=self._maintain_for_ever, name="store-maintenance", daemon=True)
            self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._cluster.close()
        self._lock.close()

    def _prepare(self) -> None:
        """The templates as this version has them, and the index of checkpoints."""
        client = self._cluster.client
        for name, template in _templates.components(self._settings).items():
            self._cluster.ask("templates", client.cluster.put_component_template, name=name, template=template)
        for name, body in _templates.index_templates(self._settings, self._retention.streams).items():
            self._cluster.ask("templates", client.indices.put_index_template, name=name, **_keywords(body))
        if not self._cluster.ask("checkpoints", client.indices.exists, index=self._checkpoints):
            with suppress(StoreError):  # another writer was quicker
                self._cluster.ask("checkpoints", self._make_checkpoints)

    def _make_checkpoints(self) -> object:
        kept = {"type": "keyword", "index": False, "doc_values": False}
        return self._cluster.client.indices.create(
            index=self._checkpoints,
            settings={"number_of_shards": 1, **_templates.copies(self._settings)},
            mappings={"dynamic": False, "properties": {"document": kept, "at": {"type": "date"}}},
        )

    def _load(self) -> tuple[dict[str, Any], dict[str, int]]:
        """The checkpoint, and the version of its document that a save replaces."""
        client = self._cluster.client.options(ignore_status=404)
        answer = self._patiently("checkpoint", lambda: client.get(index=self._checkpoints, id=self._id, realtime=True))
        if not answer.get("found"):
            return {}, {}
        version = {"if_seq_no": answer["_seq_no"], "if_primary_term": answer["_primary_term"]}
        return json.loads(answer["_source"]["document"]), version

    def _save(self, checkpoint: Mapping[str, Any]) -> None:
        """Raises StoreError also when somebody else moved it: then two write for one data directory."""
        document = {"document": json.dumps(dict(checkpoint)), "at": datetime.now(UTC).isoformat(timespec="seconds")}
        options: dict[str, Any] = self._version or {"op_type": "create"}
        client = self._cluster.client.options(ignore_status=409)
        answer = self._patiently(
            "checkpoint",
            lambda: client.index(index=self._checkpoints, id=self._id, document=document, **options),
        )
        if answer.meta.status == 409:  # or ours, whose acknowledgement was lost
            found, version = self._load()
            if found != json.loads(document["document"]):
                raise StoreError(
                    "another process moved this data directory's checkpoint",
                    where=self._settings,
                    fix="let one `canh run` write for a data directory, and no copy of it",
                )
            self._version = version
        else:
            self._version = {"if_seq_no": answer["_seq_no"], "if_primary_term": answer["_primary_term"]}

    def _items(self, events: Sequence[Event]) -> list[tuple[str, bytes]]:
        """Of each event the index and the two lines of its request."""
        items = []
        for event in events:
            stream, day = self._retention.stream_of(event), _documents.day_of(event)
            index = _templates.index_of(self._settings, stream, day)
            action = b'{"create":{"_index":"%s","_id":"%s"}}\n' % (index.encode(), _documents.id_of(event).encode())
            items.append((index, action + _documents.encoded(event) + b"\n"))
            self._touched.add(index)
        return items

    def _send(self, items: dict[int, bytes]) -> list[Refusal]:
        """One request until every item of it is acknowledged or refused."""
        refused: list[Refusal] = []

        bulk: Any = self._cluster.client.bulk  # its types know of no encoded lines

        def attempt() -> str:
            answer = bulk(operations=b"".join(items.values()), timeout=SHARD_WAIT, filter_path=_ANSWER)
            result = outcome(answer.body, list(items))
            refused.extend(result.refused)
            for number in set(items) - set(result.again):
                del items[number]
            return result.reason

        self._patiently("bulk", attempt, done=lambda reason: not items)
        return refused

    def _patiently(self, what: str, call: Callable[[], Any], done: Callable[[Any], bool] = lambda _: True) -> Any:
        """What `call` answers once it is done; tried again with growing pauses. Raises StoreError past the patience."""
        until, pause_s, reason = time.monotonic() + self._patience_s, PAUSE_S, ""
        while True:
            try:
                answer = call()
                if done(answer):
                    return answer
                reason = str(answer)
            except ApiError as error:
                if error.status_code not in TRY_AGAIN:
                    raise self._cluster.failure(what, error) from error
                reason = f"{error.status_code} {reason_of(error)}"
            except TransportError as error:
                reason = f"no answer ({type(error).__name__})"
            if time.monotonic() + pause_s > until or self._stop.is_set():
                raise StoreError(
                    f"{what}: {reason}, {self._patience_s:.0f} s long",
                    where=self._settings,
                    fix="nothing is lost: it goes on from the spool when the cluster answers",
                )
            self._stop.wait(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - not a secret
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    def _maintain_for_ever(self) -> None:
        while True:
            try:
                self.maintain()
            except Exception as error:  # the next round tries again
                log.warning("the store cannot be maintained: %s", error)
            if self._stop.wait(MAINTAIN_EVERY_S):
                return


_ANSWER = "errors,items.*.status,items.*.error.type,items.*.error.reason,items.*.error.caused_by"


def expired(names: Sequence[str], settings: ElasticSettings, retention: Retention, now: datetime) -> list[str]:
    """The indices of days that ended longer ago than their stream is kept, by their names. Pure."""
    begin = f"{_templates.alias(settings)}-"
    due = []
    for name in sorted(names):
        stream, _, day = name.removeprefix(begin).rpartition("-")
        try:
            ends = datetime.strptime(day, "%Y.%m.%d").replace(tzinfo=UTC) + timedelta(days=1)
        except ValueError:
            continue  # not ours
        if name.startswith(begin) and ends + retention.of(stream or DEFAULT_STREAM) < now:
            due.append(name)
    return due


def _requests(items: list[tuple[str, bytes]]) -> list[dict[int, bytes]]:
    """Items by their place in the batch, in requests of a bounded size."""
    requests: list[dict[int, bytes]] = []
    size = 0
    for number, (_, item) in enumerate(items):
        if not requests or len(requests[-1]) >= ITEMS or size + len(item) > OCTETS:
            requests.append({})
            size = 0
        requests[-1][number] = item
        size += len(item)
    return requests


def _writer_id(folder: Path) -> str:
    """The name of this data directory's checkpoint, made once."""
    path = folder / "elasticsearch.json"
    try:
        return str(UUID(json.loads(path.read_text("utf-8"))["writer"]))
    except FileNotFoundError:
        made = str(uuid4())
        replace_json(path, {"writer": made}, durable=True)
        return made
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"the name of this store's writer cannot be read: {error}",
            where=path,
            fix="remove it; events are sent again",
        ) from error


def _keywords(body: dict[str, Any]) -> dict[str, Any]:
    """A template as the client takes it."""
    return {name.lstrip("_"): value for name, value in body.items()}
