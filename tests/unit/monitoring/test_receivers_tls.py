"""Syslog and JSON lines over TLS: who is let in, who is not, and that neither harms the other."""

from __future__ import annotations

import asyncio
import re
import ssl
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitoring.errors import ReceiverError
from monitoring.receivers import streams, tls
from monitoring.receivers.streams import JsonLines, StreamConnection
from monitoring.receivers.tls import Clients, TlsKeys
from pki import Authority, rollover
from tests.unit.monitoring.streams import Stream, client_context, connected, eventually, listening, made_keys
from tests.unit.monitoring.test_receivers import connect, golden, run


async def say(stream: Stream, context: ssl.SSLContext, *data: bytes) -> None:
    """Connect, say it, and see the other side's answer to our handshake; raises OSError when refused."""
    reader, writer = await connected(stream, context)
    for one in data:
        writer.write(one)
        await writer.drain()
    with suppress(TimeoutError):
        # TLS 1.3: a server refuses our certificate only after we have begun to speak.
        if await asyncio.wait_for(reader.read(1), 0.3) == b"":
            raise ConnectionResetError("the other side has ended it")
    writer.close()


def test_both_framings_arrive_over_tls_in_order(tmp_path: Path) -> None:
    async def work() -> None:
        async with listening(tmp_path, "syslog-tls", StreamConnection, keys=made_keys(tmp_path)) as it:
            await say(it, client_context(tmp_path), b"<13>one\n<13>t", b"wo\n")
            await say(it, client_context(tmp_path), b"9 <13>three8 <13", b">four")
            found = await it.until(4)
            assert [r.raw for r in found] == [b"<13>one", b"<13>two", b"<13>three", b"<13>four"]
            assert {(r.receiver, r.peer) for r in found} == {("syslog-tls", "127.0.0.1")}

    run(work)


def test_a_line_of_json_is_a_record_whatever_it_begins_with(tmp_path: Path) -> None:
    async def work() -> None:
        async with listening(tmp_path, "json-tls", JsonLines, keys=made_keys(tmp_path)) as it:
            lines = [b'{"a": 1}', b"12 <is no octet count", b'{"text":"\xe2\x80\xa8 one line"}\r', b'{"last":true}']
            await say(it, client_context(tmp_path), b"\n".join(lines))
            assert [r.raw for r in await it.until(4)] == lines

    run(work)


@pytest.mark.parametrize(
    ("clients", "client", "is_heard"),
    [
        (Clients.NONE, "", True),
        (Clients.OPTIONAL, "", True),
        (Clients.OPTIONAL, "router", True),
        (Clients.REQUIRED, "router", True),
        (Clients.REQUIRED, "", False),
    ],
)
def test_who_needs_a_certificate(tmp_path: Path, clients: Clients, client: str, is_heard: bool) -> None:
    async def work() -> None:
        keys = made_keys(tmp_path, clients)
        async with listening(tmp_path, "syslog-tls", StreamConnection, keys=keys) as it:
            if is_heard:
                await say(it, client_context(tmp_path, client), b"<13>heard\n")
                assert [r.raw for r in await it.until(1)] == [b"<13>heard"]
                return
            with pytest.raises(OSError):
                await say(it, client_context(tmp_path, client), b"<13>unheard\n")
            await eventually(lambda: it.refused("tls-handshake") == 1)
            assert it.raws() == []

    run(work)


def test_a_certificate_of_another_ca_is_refused_even_when_none_is_needed(tmp_path: Path) -> None:
    async def work() -> None:
        made_keys(tmp_path / "foreign")
        foreign = client_context(tmp_path / "foreign", "router")
        foreign.check_hostname, foreign.verify_mode = False, ssl.CERT_NONE
        async with listening(tmp_path, "syslog-tls", StreamConnection, keys=made_keys(tmp_path)) as it:
            with pytest.raises(OSError):
                await say(it, foreign, b"<13>unheard\n")
            assert it.raws() == []

    run(work)


def test_a_revoked_sender_is_cut_off_at_once_and_not_let_in_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "LOOK_S", 0.05)
    monkeypatch.setattr(tls, "LOOK_S", 0.0)

    async def work() -> None:
        context = None
        async with listening(tmp_path, "syslog-tls", StreamConnection, keys=made_keys(tmp_path)) as it:
            context = client_context(tmp_path, "router")
            reader, writer = await connected(it, context)
            writer.write(b"<13>before\n")
            await it.until(1)
            honest, said = await connected(it, client_context(tmp_path, "switch"))
            Authority(tmp_path / "pki").revoke("router", reason="stolen", now=datetime.now(UTC))
            assert await asyncio.wait_for(reader.read(1), 60) == b"", "the open session ends"
            assert it.refused("certificate-revoked") == 1
            with pytest.raises(OSError):
                await say(it, context, b"<13>after\n")
            said.write(b"<13>not me\n")
            assert [r.raw for r in await it.until(2)] == [b"<13>before", b"<13>not me"]
            assert honest.at_eof() is False
            writer.close()
            said.close()

    run(work)


def test_a_renewed_certificate_is_served_without_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls, "LOOK_S", 0.0)

    async def work() -> None:
        async with listening(tmp_path, "syslog-tls", StreamConnection, keys=made_keys(tmp_path)) as it:
            shown = []
            for _ in range(2):
                _, writer = await connected(it, client_context(tmp_path))
                shown.append(writer.get_extra_info("ssl_object").getpeercert(True))
                writer.close()
                Authority(tmp_path / "pki").ensure_server("collector", ["another.name"], datetime.now(UTC))
            assert shown[0] != shown[1]

    run(work)


def test_senders_of_two_cas_are_let_in_and_revoked_without_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "LOOK_S", 0.05)
    monkeypatch.setattr(tls, "LOOK_S", 0.0)

    async def work() -> None:
        async with listening(tmp_path, "syslog-tls", StreamConnection, keys=made_keys(tmp_path)) as it:
            ca, now = Authority(tmp_path / "pki"), datetime.now(UTC)
            old = client_context(tmp_path, "old")
            rollover.switch(ca, rollover.take_in(ca, now).id, now)
            new = client_context(tmp_path, "new")
            new.load_verify_locations(ca.trust.bundle)  # our own certificate is still of the one before
            for context, text in ((old, b"<13>old\n"), (new, b"<13>new\n")):
                await say(it, context, text)
            assert [r.raw for r in await it.until(2)] == [b"<13>old", b"<13>new"]
            for name, context in (("old", old), ("new", new)):
                reader, writer = await connected(it, context)
                await asyncio.sleep(0.1)  # the handshake is over on both sides
                ca.revoke(name, reason="stolen", now=now)
                assert await asyncio.wait_for(reader.read(1), 60) == b"", "cut off in the middle"
                writer.close()
            assert it.refused("certificate-revoked") == 2

    run(work)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1")
def test_old_tls_is_refused(tmp_path: Path) -> None:
    async def work() -> None:
        async with listening(tmp_path, "syslog-tls", StreamConnection, keys=made_keys(tmp_path)) as it:
            old = client_context(tmp_path)
            old.set_ciphers("ALL:@SECLEVEL=0")
            old.minimum_version = ssl.TLSVersion.TLSv1
            old.maximum_version = ssl.TLSVersion.TLSv1_1
            with pytest.raises(OSError):
                await say(it, old, b"<13>unheard\n")

    run(work)


def test_handshakes_that_never_end_are_ended_and_keep_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "HANDSHAKE_S", 0.5)
    monkeypatch.setattr(streams, "MOST_OF_ONE_PEER", 30)

    async def work() -> None:
        async with listening(tmp_path, "syslog-tls", StreamConnection, keys=made_keys(tmp_path), most=100) as it:
            silent = [await connect(it.receiver.port) for _ in range(60)]
            for sock in silent[::2]:
                sock.send(b"\x16\x03\x01\x02\x00\x01")  # the front of a ClientHello
            await eventually(lambda: it.refused("connections-of-one-peer") == 30)
            await eventually(lambda: it.refused("tls-handshake") == 30)
            await say(it, client_context(tmp_path), b"<13>heard\n")
            assert [r.raw for r in await it.until(1)] == [b"<13>heard"]
            assert not it.receiver._shaking and not it.receiver._opening
            for sock in silent:
                sock.close()

    run(work)


def test_rubbish_instead_of_tls_is_counted(tmp_path: Path) -> None:
    async def work() -> None:
        async with listening(tmp_path, "syslog-tls", StreamConnection, keys=made_keys(tmp_path)) as it:
            with await connect(it.receiver.port) as sock:
                sock.send(b"<13>clear text to the port of TLS\n")
                await eventually(lambda: it.refused("tls-handshake") == 1)
            assert it.raws() == []

    run(work)


def test_senders_over_tls_wait_while_the_spool_takes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitoring.receivers.intake.STOP_READING_OCTETS", 200_000)
    monkeypatch.setattr("monitoring.receivers.intake.GO_ON_OCTETS", 50_000)
    count = 40_000

    async def work() -> None:
        async with listening(tmp_path, "syslog-tls", StreamConnection, keys=made_keys(tmp_path)) as it:
            it.spool.is_full = True
            _, writer = await connected(it, client_context(tmp_path))
            data = b"".join(b"<13>message:%06d %s\n" % (n, b"x" * 200) for n in range(count))
            writer.write(data)
            await eventually(lambda: it.receiver.is_paused)
            await asyncio.sleep(0.3)
            assert it.intake.held_octets < 4_000_000, "it stopped reading"
            it.spool.is_full = False
            found = await it.until(count)
            assert [r.raw[12:18] for r in found] == [b"%06d" % n for n in range(count)]
            writer.close()

    run(work)


def test_keys_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    made_keys(tmp_path)
    authority = Authority(tmp_path / "pki")
    authority.files_of("collector")[1].write_text("no key")
    with pytest.raises(ReceiverError, match="cannot be used") as caught:
        TlsKeys(authority, Clients.OPTIONAL)
    text = re.sub("cannot be used: .*", "cannot be used: WHY", str(caught.value)).replace(str(tmp_path), "DATA")
    golden("certificate-unusable", ReceiverError(text))
