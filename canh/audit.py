"""What somebody does with a command of ours that colleagues should be able to read afterwards: a line of `canh.audit`.

The line goes to the syslog socket of the host, and from there the way all its lines go, to the collector; where there
is no such socket nothing is said. The console says the same of what is done there (`soc.console._security.audit`).
"""

from __future__ import annotations

import getpass
import json
import logging
import os
from contextlib import suppress
from logging.handlers import SysLogHandler
from pathlib import Path

SOCKET = Path("/dev/log")


def say(event: str, *, socket: Path = SOCKET, **facts: str | int) -> None:
    """One line: who did what. Never a password or token. Failing to say it does not undo what was done."""
    if not socket.is_socket():
        return
    line = json.dumps({"event": event, "user": person(), **facts}, ensure_ascii=False)
    with suppress(OSError):
        handler = SysLogHandler(address=str(socket), facility=SysLogHandler.LOG_AUTHPRIV)
        handler.ident = f"canh[{os.getpid()}]: "
        handler.append_nul = False
        try:
            handler.emit(logging.LogRecord("canh.audit", logging.INFO, "", 0, f"canh.audit {line}", None, None))
        finally:
            handler.close()


def person() -> str:
    """Who sits there: the account behind sudo, else the one that runs us."""
    with suppress(OSError, KeyError):
        return os.environ.get("SUDO_USER") or getpass.getuser()
    return str(os.getuid())
