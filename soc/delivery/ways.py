"""The ways a message goes out: mail (RFC 5321), a web hook, syslog (RFC 5424). Blocking, each with a time limit.

A server's name is checked against its certificate unless the settings say that there is none. Nothing a
server answers, and no secret, gets into an error beyond one printable line.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import os
import smtplib
import socket
import ssl
import stat
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import datetime
from email.header import Header
from email.mime.text import MIMEText
from email.utils import format_datetime
from functools import singledispatch
from pathlib import Path
from typing import Any

from soc.alert import Level
from soc.delivery.message import Message, clean
from soc.delivery.settings import Channel, Heartbeat, Mail, Syslog, Webhook
from soc.errors import DeliveryError

TIMEOUT_S = 15.0  # for each step until the message itself
WHOLE_S = 60.0
SECRETS = "secrets"
_GOODBYE_S = 2.0
_SEVERITY = {Level.CRITICAL: 2, Level.HIGH: 3, Level.MEDIUM: 4, Level.LOW: 5, Level.INFORMATIONAL: 6}  # RFC 5424
_FACILITY = 13  # log audit
_LONGEST_SECRET = 4096


_OF_CONTENT = frozenset({400, 413, 422})  # answers of a web server that is there and does not want this body
_TOO_LARGE = 552  # RFC 5321: the size, said before the message is sent


class SendError(Exception):
    """It did not go out; one printable line says why."""


class Refused(SendError):
    """This message was refused for what it says: the next one may go out."""


class Partly(SendError):
    """Some have it, others were refused. It is not sent again: those who have it would get it each time."""


def send(channel: Channel, message: Message, data_dir: Path, at: datetime) -> None:
    """Send it. Raises SendError."""
    try:
        _in_time(lambda: _send(channel.how, channel, message, Secrets(data_dir / SECRETS), at))
    except DeliveryError as error:
        raise SendError(clean(f"{error.what}; {error.fix}")) from error
    except (OSError, smtplib.SMTPException, http.client.HTTPException, ValueError) as error:
        raise (Refused if _is_of_content(error) else SendError)(_worded(error)) from error


def _is_of_content(error: Exception) -> bool:
    if isinstance(error, smtplib.SMTPDataError):
        return error.smtp_code >= 500
    if isinstance(error, smtplib.SMTPSenderRefused):
        return error.smtp_code == _TOO_LARGE
    return isinstance(error, UnicodeError)


def beat(heartbeat: Heartbeat, data_dir: Path) -> None:
    """Tell the watchdog elsewhere that all is well. Raises SendError."""
    try:
        headers = _bearer(Secrets(data_dir / SECRETS), heartbeat.token_file)
        _in_time(lambda: _post(heartbeat.url, b"", headers, heartbeat.ca_file))
    except DeliveryError as error:
        raise SendError(clean(f"{error.what}; {error.fix}")) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise SendError(_worded(error)) from error


def _in_time(act: Callable[[], None]) -> None:
    """Give up after WHOLE_S: a server that says a letter now and then keeps every step's limit, for hours.

    The thread that hangs ends with its connection. Raises SendError, or what `act` raises.
    """
    failed: list[Exception] = []

    def run() -> None:
        try:
            act()
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(WHOLE_S)
    if thread.is_alive():
        raise SendError("no answer in time")
    if failed:
        raise failed[0]


class Secrets:
    """Files only their owner may read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, name: str) -> str:
        """What the file holds, without the line feed at its end; "" for no name. Raises DeliveryError."""
        if not name:
            return ""
        path = self._folder / name
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # a pipe would be waited for
            with os.fdopen(handle, "rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                text = file.read(_LONGEST_SECRET + 1)
        except OSError as error:
            fix = "write it there, readable for the user that runs canh alone (mode 0600)"
            raise DeliveryError(f"the secret {name} cannot be read: {error.strerror}", where=path, fix=fix) from error
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise DeliveryError(f"others may read the secret {name}", where=path, fix="chmod 600 it, and change it")
        if len(text) > _LONGEST_SECRET:
            raise DeliveryError(f"the secret {name} is too long", where=path, fix=f"{_LONGEST_SECRET} octets at most")
        return text.decode("utf-8", "replace").rstrip("\r\n")


@singledispatch
def _send(how: Any, channel: Channel, message: Message, secrets: Secrets, at: datetime) -> None:
    raise TypeError(f"no way to send by {type(how).__name__}")


@_send.register
def _(how: Mail, channel: Channel, message: Message, secrets: Secrets, at: datetime) -> None:
    mail = MIMEText(message.text, "plain", "utf-8")
    # The newer classes lose a blank where they fold a long subject that is not ASCII (Python 3.11).
    subject: Any = Header(message.subject, "utf-8")
    mail["Subject"], mail["From"], mail["To"] = subject, how.sender, ", ".join(how.to)
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = f"<{message.id}@{how.sender.rpartition('@')[2]}>"  # the same again when sent again
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
    if message.level is Level.CRITICAL:
        mail["Importance"] = "high"
    context, password = _tls(channel.ca_file), secrets.read(how.password_file)
    with _smtp(how, context) as server:
        if how.security == "starttls":
            server.starttls(context=context)
        if how.user:
            _log_in(server, how.user, password)
        if server.sock is not None:
            server.sock.settimeout(WHOLE_S)  # who looks for malware before answering; asked again it has it twice
        refused = server.send_message(mail)
    if refused:
        raise Partly(_refused(refused))


def _refused(by: dict[str, tuple[int, bytes]]) -> str:
    """Who is refused, and why the first is."""
    code, said = next(iter(by.values()))
    return clean(f"refused for {', '.join(sorted(by))}: {code} {said.decode('utf-8', 'replace')}")


def _smtp(how: Mail, context: ssl.SSLContext) -> smtplib.SMTP:
    if how.security == "tls":
        return smtplib.SMTP_SSL(how.server, how.port, timeout=TIMEOUT_S, context=context)
    return smtplib.SMTP(how.server, how.port, timeout=TIMEOUT_S)


def _log_in(server: smtplib.SMTP, user: str, password: str) -> None:
    """The library's own way knows ASCII alone, and its error would show a letter of the password."""
    if user.isascii() and password.isascii():
        server.login(user, password)
        return
    server.ehlo_or_helo_if_needed()
    plain = base64.b64encode(f"\0{user}\0{password}".encode()).decode()  # RFC 4616: UTF-8
    code, said = server.docmd("AUTH", f"PLAIN {plain}")
    if code != 235:
        raise smtplib.SMTPAuthenticationError(code, said)


@_send.register
def _(how: Webhook, channel: Channel, message: Message, secrets: Secrets, at: datetime) -> None:
    told: dict[str, Any] = {"subject": message.subject, "text": message.text, **message.document}
    if how.form == "text":
        told = {"text": f"{message.subject}\n{message.text}"}
    body = json.dumps(told | dict(how.add), ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json", "Idempotency-Key": message.id}
    headers |= _bearer(secrets, how.token_file)
    if key := secrets.read(how.key_file):
        headers["X-Canh-Signature"] = "sha256=" + hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
    _post(how.url, body, headers, channel.ca_file)


@_send.register
def _(how: Syslog, channel: Channel, message: Message, secrets: Secrets, at: datetime) -> None:
    line = syslog_line(message, at, socket.gethostname())
    if how.transport == "udp":
        family, kind, protocol, _, address = socket.getaddrinfo(how.server, how.port, type=socket.SOCK_DGRAM)[0]
        with closing(socket.socket(family, kind, protocol)) as datagram:
            datagram.sendto(line, address)
        return
    with socket.create_connection((how.server, how.port), TIMEOUT_S) as plain:
        stream = plain
        if how.transport == "tls":
            stream = _tls(channel.ca_file).wrap_socket(plain, server_hostname=how.server)
        stream.sendall(b"%d %s" % (len(line), line))  # RFC 6587 octet counting, RFC 5425
        if isinstance(stream, ssl.SSLSocket):
            with suppress(OSError):  # not everybody says good-bye
                stream.settimeout(_GOODBYE_S)
                stream.unwrap()


def syslog_line(message: Message, at: datetime, host: str) -> bytes:
    """RFC 5424, with the facts of the first alert as structured data."""
    pri = _FACILITY * 8 + _SEVERITY[message.level]
    facts = {"id": message.id, "kind": message.document.get("kind", ""), "level": str(message.level)}
    alerts = message.document.get("alerts") or [{}]
    facts |= {
        name: alerts[0].get(name, "") for name in ("rule_id", "device", "site", "count", "url") if alerts[0].get(name)
    }
    data = " ".join(f'{name}="{_escaped(str(value))}"' for name, value in facts.items())
    name = "".join(c for c in host if c.isascii() and c.isprintable() and c != " ")[:255] or "-"
    head = f"<{pri}>1 {at.isoformat(timespec='milliseconds')} {name} canh {os.getpid()} alert [canh@32473 {data}]"
    return f"{head} \ufeff{clean(message.subject)}".encode()


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")


def _bearer(secrets: Secrets, name: str) -> dict[str, str]:
    """The header a token goes in. Raises DeliveryError: the library would show what it cannot send."""
    token = secrets.read(name)
    if not (token.isascii() and token.isprintable()):
        raise DeliveryError(f"the secret {name} is no token", fix="write one line of ASCII letters, digits and signs")
    return {"Authorization": f"Bearer {token}"} if token else {}


def _post(url: str, body: bytes, headers: dict[str, str], ca_file: str) -> None:
    request = urllib.request.Request(url, body, {"User-Agent": "canh", **headers}, method="POST")  # noqa: S310 - checked
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=_tls(ca_file)), _NoRedirect)
    try:
        answer = opener.open(request, timeout=TIMEOUT_S)
        with answer, suppress(OSError, http.client.HTTPException):  # it was taken, however badly it says so
            answer.read(1024)
    except urllib.error.HTTPError as error:
        error.close()
        raise (Refused if error.code in _OF_CONTENT else SendError)(f"answered {error.code}") from error


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A token must not follow to where somebody else says."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _tls(ca_file: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _worded(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error.decode("utf-8", "replace") if isinstance(error.smtp_error, bytes) else error.smtp_error
        return clean(f"answered {error.smtp_code} {said}")
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return _refused(error.recipients)
    if isinstance(error, http.client.HTTPException):
        return clean(f"its answer is no HTTP: {type(error).__name__}")
    if isinstance(error, urllib.error.URLError):
        return clean(str(error.reason))
    return clean(f"{type(error).__name__}: {error}" if not isinstance(error, TimeoutError) else "no answer in time")


Send = Callable[[Channel, Message, Path, datetime], None]
