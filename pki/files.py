"""Files of a pki directory: replaced as a whole, owned by the owner of the directory, one writer at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pki.errors import PkiError

OWNER_ONLY, PUBLIC = 0o600, 0o644


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Hold the directory, made when missing. The console and the collector may both be the first.

    Raises PkiError for what the operating system refuses inside.
    """
    try:
        make_folder(folder)
        # Root may write here for the platform's user, who could have laid a link: no file but this one is given away.
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, OWNER_ONLY)
        try:
            _give_to_owner(handle, folder)
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)
    except OSError as error:
        raise PkiError(
            f"the certificate cannot be written: {error.strerror}",
            where=folder,
            fix="make the directory writable by this user",
        ) from error


def make_folder(folder: Path) -> None:
    """Make it for the owner of the directory above. Raises OSError."""
    if folder.exists():
        return
    owner = folder.parent.stat() if folder.parent.exists() else None
    folder.mkdir(parents=True, mode=0o755, exist_ok=True)  # another may have been quicker
    if os.geteuid() == 0 and owner is not None:
        os.chown(folder, owner.st_uid, owner.st_gid, follow_symlinks=False)


def replace(path: Path, content: bytes, mode: int) -> None:
    """Write all of it or nothing; the file belongs to the owner of the directory. Raises OSError."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), mode)  # whatever the umask: what is public has to be read
        file.write(content)
        _give_to_owner(file.fileno(), path.parent)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _give_to_owner(handle: int, folder: Path) -> None:
    if os.geteuid() == 0:
        owner = folder.stat()
        os.fchown(handle, owner.st_uid, owner.st_gid)
