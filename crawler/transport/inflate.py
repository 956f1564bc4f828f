"""Decode gzip piece by piece under a bound, one member only (RFC 1952)."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from aiohttp import ClientPayloadError

from crawler.transport.admission import NotTextError

if TYPE_CHECKING:
    from collections.abc import Iterator

_INFLATED_PIECE_BYTES = 32 * 1024


class Inflater:
    """Decode one body; whoever reads a piece judges it before asking for the next."""

    __slots__ = ("_inflate",)

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(31)

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Give what ``piece`` decodes to, never more than 32 KB at a time.

        Raises:
            NotTextError: ``encoding`` when it is no gzip, or goes on after its end.
        """
        if self._inflate.eof:
            raise NotTextError("bytes follow the end of the gzip body", code="encoding")
        try:
            while piece:
                yield self._inflate.decompress(piece, _INFLATED_PIECE_BYTES)
                piece = self._inflate.unconsumed_tail
        except zlib.error:
            raise NotTextError("the body is not gzip", code="encoding") from None
        if self._inflate.unused_data.strip(b"\x00"):
            raise NotTextError("bytes follow the end of the gzip body", code="encoding")

    def finish(self) -> None:
        """Take the end; raises when the gzip body is not whole."""
        if not self._inflate.eof:
            raise ClientPayloadError
