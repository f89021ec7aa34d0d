"""Runs the console: certificate, socket, one uvicorn process, a graceful end."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import logging
import signal
import socket
import ssl
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import uvicorn

from inventory.model import Province
from soc.console._certificate import Shown
from soc.console._console import Console, console_for
from soc.console._patience import Patient
from soc.console.app import create_app
from soc.errors import ServeError
from soc.pki import Pki

GRACE_S = 5


def serve(province: Province, data_dir: Path, rule_folders: Sequence[Path], listen: tuple[str, int]) -> None:
    """Serve the console until SIGTERM or SIGINT. Raises ServeError, DatabaseError, PkiError."""
    _log_to_stderr()
    _few_arenas()
    console = console_for(province, data_dir, rule_folders)
    pki = Pki(data_dir / "pki")
    pki.ensure(names_of(province), datetime.now(UTC))
    shown = Shown(pki, names_of(province))
    bound = bind(*listen)
    config = uvicorn.Config(
        create_app(console),
        ssl_keyfile=str(pki.key),
        ssl_certfile=str(pki.certificate),
        http=Patient,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=20,
    )
    config.load()
    if config.ssl is not None:
        config.ssl.minimum_version = ssl.TLSVersion.TLSv1_2
        shown.attach(config.ssl)
    address, port = bound.getsockname()[:2]
    logging.getLogger(__name__).info("console listens on https://%s:%s", address, port)
    asyncio.run(_Server(config, console, shown).serve(sockets=[bound]))


def names_of(province: Province) -> tuple[str, ...]:
    """What people may call the SOC host: its name and its addresses."""
    soc = province.soc
    return (soc.name, *(str(address) for address in soc.addresses))


def bind(address: str, port: int) -> socket.socket:
    """A listening socket. Raises ServeError naming what is wrong with the address."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((address, port))
        listening.listen(128)
    except (OSError, OverflowError) as error:
        listening.close()
        busy = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        raise ServeError(
            "the port is already in use" if busy else f"cannot listen there: {error}",
            where=f"{address}:{port}",
            fix=f"stop what listens there (`ss -ltnp 'sport = :{port}'`), or choose another with --listen",
        ) from error
    return listening


class _Server(uvicorn.Server):
    """Keeps its certificate current; lets open event streams go when asked to stop: the end is not waited out."""

    def __init__(self, config: uvicorn.Config, console: Console, shown: Shown) -> None:
        super().__init__(config)
        self._console, self._shown = console, shown
        self._keeping: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._keeping = asyncio.create_task(self._shown.keep())

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's, but a signal that was obeyed is not raised again: ending as asked is exit code 0."""
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._console.live.close()
        if self._keeping is not None:
            self._keeping.cancel()
        await super().shutdown(sockets)


def _few_arenas() -> None:
    """Let threads share malloc's arenas: one each kept 30 MB of what requests had long given back."""
    m_arena_max = -8  # malloc.h
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(m_arena_max, 2)


def _log_to_stderr() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    for name in ("canh.audit", "soc", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.WARNING if name == "uvicorn.error" else logging.INFO)
        logger.handlers, logger.propagate = [handler], False
