"""HTTP for agents: the official client and hostile ones, against a real socket and a real spool."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Timer
from typing import Any

import pytest
from elasticsearch import ApiError, AuthenticationException, Elasticsearch
from elasticsearch.helpers import bulk, streaming_bulk

from monitoring.receivers import bulk as bulk_body
from monitoring.receivers import bulk_http, http
from monitoring.receivers.bulk_http import bulk_connection
from monitoring.receivers.streams import StreamConnection
from pki import Authority, Tokens
from tests.unit.monitoring.streams import Stream, client_context, connected, eventually, listening, made_keys
from tests.unit.monitoring.test_receivers import ERRORS, run


@pytest.fixture(autouse=True)
def _short_farewells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "LINGER_S", 0.2)


BODY = b'{"create":{"_index":"logs"}}\n{"message":"one"}\n'


@dataclass
class Served(Stream):
    token: str
    folder: Path

    def client(self, **how: Any) -> Elasticsearch:
        how = how or {"bearer_auth": self.token}
        return Elasticsearch(
            f"https://localhost:{self.receiver.port}",
            ca_certs=str(Authority(self.folder / "pki").certificate),
            request_timeout=60,
            **{"max_retries": 0} | how,
        )

    async def say(self, data: bytes, *, then_close: bool = True) -> bytes:
        """Octets as they are; everything that is answered."""
        reader, writer = await connected(self, client_context(self.folder))
        writer.write(data)
        if then_close:
            await writer.drain()
        answer = await asyncio.wait_for(reader.read(-1), 60)
        writer.close()
        return answer

    def request(self, body: bytes = BODY, path: str = "/_bulk", **headers: str) -> bytes:
        named = {"authorization": f"Bearer {self.token}", "content-length": str(len(body)), "connection": "close"}
        named |= {k.replace("_", "-"): v for k, v in headers.items()}
        lines = [f"POST {path} HTTP/1.1", "host: soc", *(f"{k}: {v}" for k, v in named.items() if v)]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@asynccontextmanager
async def serving(tmp_path: Path, most: int | None = None) -> AsyncIterator[Served]:
    keys, tokens = made_keys(tmp_path), Tokens(tmp_path / "pki")
    token = tokens.add("agents", datetime.now(UTC))
    async with listening(tmp_path, "bulk", bulk_connection(tokens), keys=keys, most=most) as it:
        yield Served(it.receiver, it.spool, it.intake, token, tmp_path)


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def body_of(answer: bytes) -> Any:
    return json.loads(answer.split(b"\r\n\r\n", 1)[1])


def serve(tmp_path: Path, work: Callable[[Served], Any]) -> None:
    """Run `work` in a thread beside the server: the official client blocks."""

    async def beside() -> None:
        async with serving(tmp_path) as it:
            await asyncio.to_thread(work, it)

    run(beside)


def test_the_official_client_ships_in_bulk(tmp_path: Path) -> None:
    def work(it: Served) -> None:
        actions = ({"_index": f"logs-{n % 3}", "_op_type": "create", "n": n, "văn": "bản"} for n in range(2500))
        assert bulk(it.client(), actions) == (2500, [])
        documents = [json.loads(raw) for raw in it.raws()]
        assert documents == [{"_index": f"logs-{n % 3}", "n": n, "văn": "bản"} for n in range(2500)]
        assert {(r.receiver, r.peer) for r in it.records()} == {("bulk", "127.0.0.1")}

    serve(tmp_path, work)


def test_the_official_client_compresses_and_asks_what_agents_ask(tmp_path: Path) -> None:
    def work(it: Served) -> None:
        client = it.client(basic_auth=("agents", it.token), http_compress=True)
        assert client.info()["version"]["number"].startswith("9.")
        assert client.ping() is True
        assert client.cluster.health()["status"] == "green"
        assert client.license.get()["license"]["type"] == "basic"
        assert client.indices.exists(index="logs")
        assert client.indices.put_index_template(name="filebeat", index_patterns=["x"])["acknowledged"]
        assert bulk(client, [{"_index": "logs", "n": 1}]) == (1, [])
        assert bulk(it.client(api_key=("agents", it.token)), [{"_index": "logs", "n": 2}]) == (1, [])
        with pytest.raises(ApiError) as caught:
            client.search(index="logs")
        assert caught.value.status_code == 404

    serve(tmp_path, work)


def test_without_the_right_token_nothing_is_served(tmp_path: Path) -> None:
    def work(it: Served) -> None:
        for how in ({"bearer_auth": "wrong"}, {"basic_auth": ("agents", "wrong")}, {"basic_auth": ("x", it.token)}):
            with pytest.raises(AuthenticationException):
                bulk(it.client(**how), [{"_index": "logs", "n": 1}])
        with pytest.raises(AuthenticationException):
            it.client(bearer_auth="wrong").info()
        Tokens(tmp_path / "pki").remove("agents")
        with pytest.raises(AuthenticationException):
            it.client().info()
        assert it.raws() == [] and it.refused("token") == 5

    serve(tmp_path, work)


def test_each_document_is_answered_for_itself(tmp_path: Path) -> None:
    def work(it: Served) -> None:
        actions: list[dict[str, Any]] = [
            {"_index": "a", "n": 1},
            {"_index": "a", "x": "x" * 2_000_000},
            {"_op_type": "delete", "_index": "a", "_id": "1"},
        ]
        results = list(streaming_bulk(it.client(), actions, raise_on_error=False))
        assert [(ok, next(iter(item.values()))["status"]) for ok, item in results] == [
            (True, 201),
            (False, 413),
            (False, 400),
        ]
        assert [json.loads(raw) for raw in it.raws()] == [{"_index": "a", "n": 1}]
        assert it.refused("document-too-large") == 1 and it.refused("document-malformed") == 1

    serve(tmp_path, work)


def test_a_spool_that_takes_nothing_is_waited_for_and_then_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_http, "PATIENCE_S", 0.3)

    def work(it: Served) -> None:
        it.intake.nearly_full(True)
        with pytest.raises(ApiError) as caught:
            bulk(it.client(), [{"_index": "a", "n": 1}])
        assert caught.value.status_code == 429 and it.refused("spool-full") == 1
        retried = streaming_bulk(it.client(), [{"_index": "a", "n": 2}], max_retries=5, initial_backoff=0.2)
        asking = Timer(0.8, lambda: it.intake.nearly_full(False))
        asking.start()
        assert [ok for ok, _ in retried] == [True]
        assert [json.loads(raw)["n"] for raw in it.raws()] == [2], "what was told to come again came once"

    serve(tmp_path, work)


def test_who_would_give_up_when_told_to_come_again_is_not_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_http, "PATIENCE_S", 0.2)

    async def work() -> None:
        async with serving(tmp_path) as it:
            it.intake.nearly_full(True)
            assert await it.say(it.request()) == b"", "rsyslog sends no User-Agent"
            answer = await it.say(it.request(user_agent="Filebeat"))
            assert status(answer) == 429
            told("spool-full", answer)
            assert it.refused("spool-full") == 2 and it.raws() == []

    run(work)


def test_nothing_is_answered_before_it_is_on_the_disk(tmp_path: Path) -> None:
    async def work() -> None:
        async with serving(tmp_path) as it:
            reader, writer = await connected(it, client_context(tmp_path))
            writer.write(it.request(connection="keep-alive"))
            assert b" 200 " in await reader.readuntil(b"\r\n")
            reader, writer = await connected(it, client_context(tmp_path))
            body = BODY * 3
            writer.write(it.request(body)[: -len(BODY)])
            await asyncio.sleep(0.2)
            it.spool.is_full = True
            writer.write(BODY)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(1), 0.5)
            assert len(it.raws()) == 1
            it.spool.is_full = False
            assert b" 200 " in await asyncio.wait_for(reader.readuntil(b"\r\n"), 60)
            assert len(it.raws()) == 4
            writer.close()

    run(work)


def test_a_batch_that_comes_again_after_a_restart_is_answered_and_kept_once(tmp_path: Path) -> None:
    lines = [b'{"create":{"_id":"%d"}}\n{"n":%d}\n' % (n, n) for n in range(50)]

    async def work() -> None:
        async with serving(tmp_path) as it:
            _, writer = await connected(it, client_context(tmp_path))
            writer.write(it.request(b"".join(lines[:30])))  # the answer is not read
            await it.until(30)
            writer.transport.abort()
        async with listening(tmp_path, "bulk", bulk_connection(tokens), keys=made_keys(tmp_path)) as again:
            it = Served(again.receiver, again.spool, again.intake, it.token, tmp_path)
            for _ in range(2):  # a second time it is another batch, which is alike
                answer = await it.say(it.request(b"".join(lines)))
                assert [i["create"]["status"] for i in body_of(answer)["items"]] == [201] * 50
            assert [json.loads(raw)["n"] for raw in it.raws()] == [*range(50), *range(50)]
            assert it.refused("sent-again") == 30

    tokens = Tokens(tmp_path / "pki")
    run(work)


def test_requests_follow_each_other_also_without_waiting(tmp_path: Path) -> None:
    async def work() -> None:
        async with serving(tmp_path) as it:
            three = it.request(connection="keep-alive") * 2 + it.request()
            answer = await it.say(three)
            assert len(re.findall(rb"HTTP/1.1 200", answer)) == 3 and len(it.raws()) == 3
            assert answer.lower().count(b"x-elastic-product: elasticsearch") == 3

    run(work)


def told(case: str, answer: bytes) -> None:
    """What an agent, or who reads its log, is told: the status and the error."""
    error, head = body_of(answer)["error"], answer.partition(b"\r\n")[0].decode().rstrip()
    text = f"{head}\n{error['type']}: {error['reason']}\n"
    path = ERRORS / f"bulk-{case}.txt"
    if os.environ.get("CANH_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("case", "change", "expected", "counted"),
    [
        ("too-large", {"content_length": str(33 * 1024 * 1024)}, 413, "request-too-large"),
        ("encoding", {"content_encoding": "br"}, 415, ""),
        ("no-gzip", {"content_encoding": "gzip"}, 400, "bulk-malformed"),
        ("not-served", {"path": "/_search"}, 404, ""),
        ("no-token", {"authorization": ""}, 401, "token"),
        ("action", {"body": b"rubbish"}, 400, "bulk-malformed"),
        ("action-unknown", {"body": b'{"explode":{}}\n{}\n'}, 400, "bulk-malformed"),
        ("action-id", {"body": b'{"index":{"_id":{}}}\n{}\n'}, 400, "bulk-malformed"),
        ("action-long", {"body": b'{"index":{"_id":"' + b"x" * 9000}, 400, "bulk-malformed"),
        ("no-document", {"body": b'{"index":{}}\n'}, 400, "bulk-malformed"),
        ("empty", {"body": b"\n"}, 400, "bulk-malformed"),
        ("length", {"content_length": "ten"}, 400, "http-broken"),
        ("transfer", {"transfer_encoding": "gzip", "content_length": ""}, 501, "http-broken"),
        ("head", {"long": "x" * 2_000_000}, 431, "http-broken"),
    ],
)
def test_what_is_refused_and_how(
    tmp_path: Path, case: str, change: dict[str, Any], expected: int, counted: str
) -> None:
    async def work() -> None:
        async with serving(tmp_path) as it:
            answer = await it.say(it.request(**change))
            assert status(answer) == expected
            told(case, answer)
            assert it.raws() == [] and (not counted or it.refused(counted) == 1)
            assert status(await it.say(it.request())) == 200, "the next is served"

    run(work)


def test_a_small_body_that_unpacks_to_a_large_one_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_http, "REQUEST_OCTETS", 2_000_000)

    async def work() -> None:
        async with serving(tmp_path) as it:
            good = gzip.compress(BODY * 20)
            assert status(await it.say(it.request(good, content_encoding="gzip"))) == 200
            for bomb in (b'{"index":{}}\n"' + b"x" * 10_000_000, BODY * 60_000, gzip.compress(b"x" * 10_000_000)):
                answer = await it.say(it.request(gzip.compress(bomb), content_encoding="gzip"))
                assert status(answer) in (400, 413)
            assert len(it.raws()) == 20 and it.refused("request-too-large") >= 2

    run(work)


LONG_QUESTION = (  # its media type is given back: 15 kB, without a token
    b"GET / HTTP/1.1\r\nhost: soc\r\n"
    b"accept: application/vnd.elasticsearch+json;" + b" " * 15_000 + b"compatible-with=9\r\n\r\n"
)


def waiting_octets(it: Served) -> int:
    """Of answers that their clients do not read."""
    transports = [c.transport for c in it.receiver.open if isinstance(c, StreamConnection)]
    return sum(t.get_write_buffer_size() for t in transports)


def test_who_does_not_read_the_answers_is_not_answered_into_our_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "ANSWER_S", 0.5)

    async def work() -> None:
        async with serving(tmp_path) as it:
            _, writer = await connected(it, client_context(tmp_path))
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            most = 0
            for _ in range(40):  # 30 MB: more than the kernel holds for the two of them
                writer.write(LONG_QUESTION * 50)
                with suppress(TimeoutError, ConnectionError):
                    await asyncio.wait_for(writer.drain(), 0.05)
                most = max(most, waiting_octets(it))
            assert most < 1_000_000
            assert status(await it.say(it.request())) == 200, "the others are served"
            await eventually(lambda: it.refused("answer-not-read") == 1 and not it.receiver.open)
            writer.transport.abort()

    run(work)


def test_many_small_documents_are_refused_before_they_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_body, "MOST_LINES", 4000)

    async def work() -> None:
        async with serving(tmp_path) as it:
            for bomb in (b'{"create":{}}\n{}\n' * 2001, b"\n" * 4001):
                answer = await it.say(it.request(gzip.compress(bomb), content_encoding="gzip"))
                assert status(answer) == 413 and "lines" in body_of(answer)["error"]["reason"]
            assert status(await it.say(it.request(b'{"create":{}}\n{}\n' * 2000))) == 200
            assert len(it.raws()) == 2000

    run(work)


@pytest.mark.parametrize("length", ["1000", "20"])
def test_a_body_that_lies_about_its_length_harms_nobody(
    tmp_path: Path, length: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "BODY_S", 0.5)

    async def work() -> None:
        async with serving(tmp_path) as it:
            lying = asyncio.create_task(it.say(it.request(content_length=length)))
            assert status(await it.say(it.request())) == 200
            answer = await lying
            assert status(answer) in (400, 408)
            await eventually(lambda: not it.receiver.open)
            assert len(it.raws()) == 1

    run(work)


def test_a_request_that_trickles_in_is_ended_and_keeps_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "HEAD_S", 0.6)
    monkeypatch.setattr(http, "IDLE_S", 1.0)

    async def work() -> None:
        async with serving(tmp_path) as it:

            async def trickle() -> float:
                began = asyncio.get_running_loop().time()
                reader, writer = await connected(it, client_context(tmp_path))
                ended = asyncio.create_task(reader.read(-1))
                for octet in it.request()[:40]:
                    if ended.done():
                        break
                    writer.write(bytes([octet]))
                    await asyncio.sleep(0.1)
                writer.close()
                return asyncio.get_running_loop().time() - began

            slow = [asyncio.create_task(trickle()) for _ in range(30)]
            silent = [await connected(it, client_context(tmp_path)) for _ in range(10)]
            began = asyncio.get_running_loop().time()
            for _ in range(5):
                assert status(await it.say(it.request())) == 200
            assert asyncio.get_running_loop().time() - began < 2
            assert max(await asyncio.gather(*slow)) < 3
            await eventually(lambda: not it.receiver.open)
            assert {await reader.read(-1) for reader, _ in silent} == {b""}

    run(work)


def test_a_sender_that_leaves_in_the_middle_leaves_nothing_behind(tmp_path: Path) -> None:
    async def work() -> None:
        async with serving(tmp_path) as it:
            for cut in (10, 60, -20, -1):
                _, writer = await connected(it, client_context(tmp_path))
                writer.write(it.request()[:cut])
                await writer.drain()
                writer.transport.abort()
            await eventually(lambda: not it.receiver.open)
            assert it.raws() == []

    run(work)


def test_clear_text_is_not_spoken(tmp_path: Path) -> None:
    async def work() -> None:
        async with serving(tmp_path) as it:
            reader, writer = await asyncio.open_connection("127.0.0.1", it.receiver.port)
            writer.write(it.request())
            assert await reader.read(-1) == b""
            writer.close()
            assert it.raws() == []

    run(work)


def test_rubbish_over_tls_is_answered_and_ended(tmp_path: Path) -> None:
    async def work() -> None:
        async with serving(tmp_path) as it:
            for rubbish in (b"\x00" * 100 + b"\r\n\r\n", b"GET\r\n\r\n", b"<13>syslog\n\n"):
                assert status(await it.say(rubbish)) == 400
            assert it.refused("http-broken") == 3

    run(work)
