"""Bodies that are compressed, in pieces of bounded size: a small request may hold a very large one."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

PIECE_OCTETS = 64 * 1024
_GZIP = 16 + zlib.MAX_WBITS


class Gunzip:
    """One body, one or more gzip members."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP)
        self._begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Raises ValueError for what is no gzip."""
        while data:
            if self._member.eof:
                self._member = zlib.decompressobj(_GZIP)
            self._begun = True
            try:
                piece = self._member.decompress(data, PIECE_OCTETS)
            except zlib.error as error:
                raise ValueError(f"the body is no gzip: {error}") from error
            data = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            if piece:
                yield piece

    def close(self) -> None:
        """Raises ValueError when it ended early."""
        if self._begun and not self._member.eof:
            raise ValueError("the compressed body ends early")
