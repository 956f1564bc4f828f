"""Follow one request in the air: its sockets, what it sent and saw, and how to end it at once."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING

import aiohttp

from crawler.transport.certificate import is_closed_by_peer, tls_facts
from crawler.transport.fetch import DnsAnswer, Fetch

if TYPE_CHECKING:
    import ssl

    from crawler.transport.pace import Turn
    from crawler.transport.sockets import GuardedSocket

CLOSING_S = 1.0
"""How long a socket that was cut may take to be closed, before we close it."""


class SentTwiceError(OSError):
    """A second connection was asked for after the request had gone out: aiohttp repeats a broken GET."""


class Flight:
    """Collect the facts of one request while it runs."""

    __slots__ = (
        "_content", "_peer", "_response_sha256", "_socket", "_sockets", "_ssl_object", "_transport",
        "addresses", "charset", "clock_offset_ms", "content_encoding", "dns_answers", "encoded",
        "encoded_size_bytes", "is_sent", "may_send", "media_type", "reads_invalid_tls", "refused_address",
        "request_sha256", "size", "started_at", "status", "tls", "tls_problem", "turn", "via",
    )  # fmt: skip

    def __init__(self, via: str) -> None:
        self.via = via
        self.turn: Turn | None = None
        self.addresses: tuple[str, ...] = ()
        """What the host resolved to; no other address is connected to."""
        self.started_at = datetime.now(UTC)
        self.dns_answers: tuple[DnsAnswer, ...] = ()
        self.status: int | None = None
        self.media_type: str | None = None
        self.charset: str | None = None
        self.content_encoding: str | None = None
        self.encoded = hashlib.sha256()
        self.encoded_size_bytes: int | None = None
        self.size: tuple[int, str] | None = None
        """Length and digest of the decoded body."""
        self.is_sent = False
        self.reads_invalid_tls = True
        self.may_send = True
        """False: connect to see the certificate, and ask for nothing."""
        self.refused_address: str | None = None
        self.request_sha256: str | None = None
        self.tls: tuple[str | None, str | None] | None = None
        self.tls_problem: str | None = None
        self.clock_offset_ms: int | None = None
        self._response_sha256: str | None = None
        self._sockets: list[GuardedSocket] = []
        self._socket: GuardedSocket | None = None
        self._transport: asyncio.BaseTransport | None = None
        self._ssl_object: ssl.SSLObject | None = None
        self._content: aiohttp.StreamReader | None = None
        self._peer: tuple[str | None, int | None] = (None, None)

    @property
    def is_spent(self) -> bool:
        """Say whether a socket's byte budget ran out."""
        return any(guarded.is_spent for guarded in self._sockets)

    @property
    def has_connected(self) -> bool:
        """Say whether any socket was made."""
        return bool(self._sockets)

    def opened(self, guarded: GuardedSocket) -> None:
        """Take a new socket into account; raises `SentTwiceError` when the request has already gone out."""
        if self.is_sent:
            raise SentTwiceError
        # All sockets of a flight share one budget: a bad certificate takes a second connection.
        guarded.budget_bytes -= sum(one.received_bytes for one in self._sockets)
        guarded.when_closed = self._socket_closed
        self._sockets.append(guarded)

    def connected(self, transport: asyncio.BaseTransport | None) -> None:
        """Take the connection that aiohttp chose, before its answer is read."""
        if transport is None:
            raise ConnectionResetError
        self._transport = transport
        wrapped = transport.get_extra_info("socket")
        descriptor = wrapped.fileno() if wrapped is not None else -1
        self._socket = next(one for one in self._sockets if one.fileno() == descriptor)
        if self.via == "direct":
            peer = transport.get_extra_info("peername") or (None, None)
            self._peer = (peer[0], peer[1])
        tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        if tls is not None:
            self._ssl_object = tls
            facts = tls_facts(tls)
            self.tls = (facts.sha256, facts.version)

    def sends(self) -> None:
        """Note that the request goes out now."""
        self.is_sent = True
        if self.turn is not None:
            self.turn.sent()

    def answered(self, status: int, raw_headers: tuple[tuple[bytes, bytes], ...], date: str | None) -> None:
        """Take the head of the answer."""
        self.status = status
        if self.turn is not None:
            self.turn.answered()
        block = b"".join(name + b": " + value + b"\r\n" for name, value in raw_headers)
        self._response_sha256 = hashlib.sha256(block).hexdigest()
        self.clock_offset_ms = _clock_offset_ms(date, datetime.now(UTC))

    def reads(self, content: aiohttp.StreamReader, *, encoding: str | None) -> None:
        """Take the stream that the body comes from."""
        self._content = content
        self.content_encoding = encoding
        self.encoded_size_bytes = 0

    def received(self, piece: bytes) -> int:
        """Take one piece of the body before content-decoding; give the length so far."""
        self.encoded.update(piece)
        self.encoded_size_bytes = (self.encoded_size_bytes or 0) + len(piece)
        return self.encoded_size_bytes

    def finished(self, size_bytes: int, sha256: str | None) -> None:
        """Take the decoded body's length and digest; None: it is the body as received."""
        self.size = (size_bytes, sha256 or self.encoded.hexdigest())

    def is_cut_off(self) -> bool:
        """Say whether the connection broke off: what it carried last is then no end of a body."""
        if any(guarded.is_broken for guarded in self._sockets):
            return True
        return self._ssl_object is not None and not is_closed_by_peer(self._ssl_object)

    def _socket_closed(self) -> None:
        """End the body with its connection: aiohttp forgets to when the trailers are malformed."""
        if self._content is not None and not self._content.is_eof():
            asyncio.get_running_loop().call_soon(self._end_content)

    def _end_content(self) -> None:
        content = self._content
        if content is not None and not content.is_eof() and content.exception() is None:
            content.set_exception(aiohttp.ClientPayloadError())

    def open_window(self, more_bytes: int) -> None:
        """Let the proven text come faster."""
        # A short answer may be whole, and its socket closed, by now.
        if self._socket is not None and self._socket.fileno() >= 0:
            self._socket.open_window(more_bytes)

    def reset(self) -> None:
        """End every connection at once, by a reset."""
        for guarded in self._sockets:
            guarded.reset_on_close()
        abort = getattr(self._transport, "abort", None)
        if abort is not None:
            abort()
        if self.tls is not None:
            # Once aiohttp has closed a TLS transport, abort does nothing and its closing words may take 30 s.
            for guarded in self._sockets:
                guarded.cut()

    def end(self) -> bool:
        """Cut what is still open, now that nobody reads it; say whether the loop has something to close.

        A TLS transport would wait half a minute for the other side's closing words; a plain one that has sent
        its request closes by itself.
        """
        left = self._open_sockets()
        if self.tls is not None or not self.is_sent:
            for guarded in left:
                guarded.cut()
        return bool(left)

    @property
    def is_open(self) -> bool:
        """Say whether any socket is still open."""
        return bool(self._open_sockets())

    async def closed(self) -> None:
        """Wait until all sockets are closed, as they are a few turns of the loop after `end`."""
        loop = asyncio.get_running_loop()
        for guarded in self._open_sockets():
            done = loop.create_future()
            guarded.when_closed = partial(done.set_result, None)
            await asyncio.wait([done], timeout=CLOSING_S)
            guarded.close()

    def _open_sockets(self) -> list[GuardedSocket]:
        return [guarded for guarded in self._sockets if guarded.fileno() >= 0]

    def facts(self) -> Fetch:
        """Give what is known by now."""
        sha256, version = self.tls or (None, None)
        return Fetch(
            status=self.status,
            media_type=self.media_type,
            charset=self.charset,
            content_encoding=self.content_encoding,
            size_bytes=self.size[0] if self.size else None,
            body_sha256=self.size[1] if self.size else None,
            encoded_size_bytes=self.encoded_size_bytes,
            encoded_sha256=self.encoded.hexdigest() if self.size else None,
            via=self.via,
            dns_answers=self.dns_answers,
            peer_ip=self._peer[0],
            peer_port=self._peer[1],
            tls_sha256=sha256,
            tls_version=version,
            tls_valid=None if self.tls is None and self.tls_problem is None else self.tls_problem is None,
            tls_problem=self.tls_problem,
            request_headers_sha256=self.request_sha256,
            response_headers_sha256=self._response_sha256,
            connections=len(self._sockets),
            pace_keys=self.turn.keys if self.turn is not None else (),
            clock_offset_ms=self.clock_offset_ms,
            started_at=self.started_at,
            fetched_at=datetime.now(UTC),
        )


def _clock_offset_ms(date: str | None, now: datetime) -> int | None:
    """Give the server's clock minus ours, as far as its Date header tells (RFC 9110, 6.6.1)."""
    if not date:
        return None
    try:
        told = parsedate_to_datetime(date)
    except ValueError:
        return None
    told = told if told.tzinfo else told.replace(tzinfo=UTC)
    return round((told - now).total_seconds() * 1000)
