"""Real receivers on loopback: an SMTP server, a web server, syslog sockets; with TLS from a CA of their own."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from pki import Authority

PASSWORD = "mật khẩu thư"


@dataclass
class Tls:
    """A CA and a server certificate for localhost."""

    ca_file: Path
    server: ssl.SSLContext


def tls_of(folder: Path) -> Tls:
    authority = Authority(folder / "pki")
    now = datetime.now(UTC)
    authority.ensure(now)
    authority.ensure_server("receiver", ["localhost"], now)
    certificate, key = authority.files_of("receiver")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return Tls(folder / "pki" / "ca.crt", context)


@dataclass
class Mailbox:
    """What an SMTP server was given. refuse: an answer instead of taking it."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    refuse: str = ""

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.refuse:
            return self.refuse
        octets = cast(bytes, envelope.original_content)
        self.mails.append(cast(EmailMessage, message_from_bytes(octets, policy=policy.default)))
        return "250 OK"

    @property
    def ids(self) -> list[str]:
        return [str(mail["Message-ID"]) for mail in self.mails]


@contextmanager
def mail_server(tls: Tls, port: int = 0) -> Iterator[Mailbox]:
    """STARTTLS and a login are required."""
    box = Mailbox(port=port or free_port())

    def checked(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        right = isinstance(data, LoginPassword) and (data.login, data.password) == (b"canh", PASSWORD.encode())
        return AuthResult(success=right, handled=False)

    controller = Controller(
        box,
        hostname="127.0.0.1",
        port=box.port,
        tls_context=tls.server,
        require_starttls=True,
        auth_required=True,
        authenticator=checked,
        enable_SMTPUTF8=True,
    )
    controller.start()
    try:
        yield box
    finally:
        controller.stop()


@dataclass
class Hook:
    """What a web server was posted: headers and body. answer: its status."""

    url: str = ""
    posts: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answer: int = 200

    @property
    def documents(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.posts]


@contextmanager
def web_server(tls: Tls) -> Iterator[Hook]:
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            hook.posts.append((dict(self.headers), body))
            self.send_response(hook.answer)
            if hook.answer == 302:
                self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = tls.server.wrap_socket(server.socket, server_side=True)
    hook.url = f"https://localhost:{server.server_address[1]}/hook"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        server.server_close()
        thread.join(60)


@contextmanager
def syslog_server(transport: str, tls: Tls) -> Iterator[tuple[int, list[bytes]]]:
    """The port, and what came."""
    came: list[bytes] = []
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(60)
        if transport != "udp":
            listener.listen()

        def take() -> None:
            if transport == "udp":
                came.append(listener.recv(65535))
                return
            stream, _ = listener.accept()
            if transport == "tls":
                stream = tls.server.wrap_socket(stream, server_side=True)
            with stream:
                came.append(b"".join(iter(lambda: stream.recv(4096), b"")))

        thread = threading.Thread(target=take)
        thread.start()
        yield listener.getsockname()[1], came
        thread.join(60)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
