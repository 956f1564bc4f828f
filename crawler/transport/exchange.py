"""Send one GET over one connection of our own and take its answer: sockets, TLS, aiohttp's parser.

aiohttp's sessions, pools, redirects and repeats are left out: a request has its own connection, is written
once, and everything that may happen to it is decided by its flight.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import aiohttp
from aiohappyeyeballs import pop_addr_infos_interleave, start_connection
from aiohttp.client_proto import ResponseHandler

from caselog.errors import ConfigError
from crawler.transport.proxy import connect_through
from crawler.transport.sockets import (
    OPEN_PIECE_BYTES,
    AddressInfo,
    AddressRefusedError,
    GuardedSocket,
    open_guarded,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence

    from aiohttp.http import RawResponseMessage
    from aiohttp.streams import StreamReader
    from yarl import URL

    from crawler.transport.flight import Flight
    from crawler.transport.proxy import Proxy

ACCEPT = "text/html, application/xhtml+xml;q=0.9, text/plain;q=0.8, */*;q=0"
NEXT_ADDRESS_S = 0.25
"""How long one address is waited for before the next is tried beside it (RFC 8305, 5)."""
TLS_GOODBYE_S = 1.0
"""How long a TLS connection that we close may wait for the peer's last word."""
_LINE_BYTES = 8190
_HEADERS_MAX = 128
_SWITCHING = 101
_STREAM_BYTES = 4096
"""Bytes of a body that may wait before it is admitted; twice as many stop the reading."""


class HeaderLines:
    """The header lines that every request of a transport carries, after its own host.

    Raises:
        ConfigError: The User-Agent would break the request.
    """

    __slots__ = ("_rest",)

    def __init__(self, user_agent: str) -> None:
        if "\r" in user_agent or "\n" in user_agent or "\0" in user_agent:
            raise ConfigError("The User-Agent holds a line break.", "Write it on one line.")
        self._rest = (
            f"\r\nUser-Agent: {user_agent}\r\nAccept: {ACCEPT}\r\nAccept-Encoding: gzip\r\nConnection: close"
        )

    def of(self, target: URL) -> bytes:
        """Give the head of the request for ``target``, without the blank line that ends it."""
        return f"GET {target.raw_path_qs} HTTP/1.1\r\nHost: {_host_of(target)}{self._rest}".encode()


def _host_of(target: URL) -> str:
    host = target.host_port_subcomponent or ""
    if not host or any(character in "\r\n\0 " for character in host):
        raise aiohttp.InvalidURL("")
    return host


class Exchange(ResponseHandler):
    """One request and its answer on one connection.

    The body is handed on in the moment in which it arrives, so that no task wakes up for each piece.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._content: StreamReader | None = None
        self._take: Callable[[bytes], None] | None = None
        self._is_handing_on = False
        self._idle_s = 0.0
        self._heard_s = 0.0
        self._watch: asyncio.TimerHandle | None = None

    def send(self, head: bytes, idle_s: float) -> None:
        """Write the request and wait for its answer, never longer than ``idle_s`` for the next bytes."""
        if self.transport is None:
            raise ConnectionResetError
        self.set_response_params(
            read_until_eof=True,
            auto_decompress=False,
            read_bufsize=_STREAM_BYTES,
            max_line_size=_LINE_BYTES,
            max_field_size=_LINE_BYTES,
            max_headers=_HEADERS_MAX,
        )
        self._idle_s = idle_s
        self._heard_s = self._loop.time()
        self._watch = self._loop.call_at(self._heard_s + idle_s, self._look)
        self.transport.write(head + b"\r\n\r\n")

    async def answer(self) -> tuple[RawResponseMessage, StreamReader]:
        """Give the head of the answer and its body; interim answers are passed over (RFC 9110, 15.2)."""
        while True:
            message, content = await self.read()
            if not 100 <= message.code <= 199 or message.code == _SWITCHING:
                self._content = content
                return message, content

    async def body(self, take: Callable[[bytes], None]) -> None:
        """Hand every piece of the body to ``take`` as it arrives; return at its end.

        What ``take`` raises ends the reading and is raised here.
        """
        content = self._content
        if content is None:
            return
        self._take = take
        # Nothing stays unread from now on; a piece must not stop the reading before it is handed on.
        content.set_read_chunk_size(OPEN_PIECE_BYTES)
        try:
            self._hand_on(content, take)
            # Nothing may come between the last look at the stream and the wait for its end.
            await content.wait_eof()
            self._hand_on(content, take)
        finally:
            self._take = None

    def end(self) -> None:
        """Close the connection."""
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        self.close()

    def data_received(self, data: bytes) -> None:
        """Parse what arrived, and hand on what it holds of the body."""
        if data:
            self._heard_s = self._loop.time()
        super().data_received(data)
        take, content = self._take, self._content
        if take is None or content is None or self._is_handing_on or content.exception() is not None:
            return
        try:
            self._hand_on(content, take)
        except BaseException as error:  # noqa: BLE001  # raised again where the end of the body is awaited
            self._take = None
            content.set_exception(error)

    def _hand_on(self, content: StreamReader, take: Callable[[bytes], None]) -> None:
        # Reading may let the parser go on, which calls back; its pieces come after this one.
        self._is_handing_on = True
        try:
            while piece := content.read_nowait():
                take(piece)
        finally:
            self._is_handing_on = False

    def _look(self) -> None:
        """End an exchange whose peer was silent for too long; else look again when it may be."""
        silent_until_s = self._heard_s + self._idle_s
        if self._loop.time() < silent_until_s:
            self._watch = self._loop.call_at(silent_until_s, self._look)
            return
        self._watch = None
        error = aiohttp.SocketTimeoutError()
        self.set_exception(error)
        if self._content is not None:
            self._content.set_exception(error)


async def connect(
    flight: Flight,
    target: URL,
    tls: ssl.SSLContext | None,
    *,
    proxy: Proxy | None,
    connect_s: float,
    practice: bool,
) -> Exchange:
    """Give a new connection for a request: through the proxy, or to an address that the flight resolved.

    Raises:
        ssl.SSLError: The handshake failed, or the certificate did.
        OSError: No address could be connected to; an `AddressRefusedError`, a `ProxyError` and, when it took
            longer than ``connect_s``, an `aiohttp.ConnectionTimeoutError`.
    """
    host, port = target.raw_host or "", target.port or 0
    if proxy is None:
        return await _directly(flight, host, port, tls, connect_s=connect_s, practice=practice)
    try:
        async with asyncio.timeout(connect_s):
            guarded = await connect_through(proxy, host, port, flight.opened)
            return await _over(guarded, tls, host)
    except TimeoutError:
        raise aiohttp.ConnectionTimeoutError from None


async def _directly(
    flight: Flight, host: str, port: int, tls: ssl.SSLContext | None, *, connect_s: float, practice: bool
) -> Exchange:
    """Connect to one of the addresses; where the handshake with one fails, the others are tried."""
    places = [_place(address, port) for address in flight.addresses]
    failure: OSError = ConnectionRefusedError()
    while places:
        guarded = None
        try:
            async with asyncio.timeout(connect_s):
                guarded = await _first_connected(flight, places, practice=practice)
                return await _over(guarded, tls, host)
        except TimeoutError:
            failure = aiohttp.ConnectionTimeoutError()
        except OSError as error:
            failure = error
        if guarded is None:
            break
        pop_addr_infos_interleave(places, 1)
    raise failure


async def _first_connected(flight: Flight, places: Sequence[AddressInfo], *, practice: bool) -> socket.socket:
    """Give the first socket that connects; several addresses are tried side by side (RFC 8305, 5)."""

    def open_socket(info: AddressInfo) -> GuardedSocket:
        return _opened(flight, info, practice=practice)

    if len(places) > 1:
        return await start_connection(
            places, happy_eyeballs_delay=NEXT_ADDRESS_S, interleave=1, socket_factory=open_socket
        )
    guarded = open_socket(places[0])
    try:
        await asyncio.get_running_loop().sock_connect(guarded, places[0][4])
    except BaseException:
        guarded.close()
        raise
    return guarded


def _opened(flight: Flight, info: AddressInfo, *, practice: bool) -> GuardedSocket:
    """Make a socket only after the guard saw its final address."""
    try:
        guarded = open_guarded(info, practice=practice)
    except AddressRefusedError as error:
        flight.refused_address = error.code
        raise
    try:
        flight.opened(guarded)
    except BaseException:
        guarded.close()
        raise
    return guarded


async def _over(guarded: socket.socket, tls: ssl.SSLContext | None, host: str) -> Exchange:
    """Give the exchange over a connected socket, after the TLS handshake if there is one."""
    loop = asyncio.get_running_loop()
    try:
        _, exchange = await loop.create_connection(
            lambda: Exchange(loop),
            sock=guarded,
            ssl=tls,
            # Certificates hold names without the dot of the root (RFC 6066, 3).
            server_hostname=host.rstrip(".") if tls else None,
            ssl_shutdown_timeout=TLS_GOODBYE_S if tls else None,
        )
    except ValueError as error:
        if not isinstance(error, OSError):  # no transport has taken the socket
            guarded.close()
        raise
    return exchange


def _place(address: str, port: int) -> AddressInfo:
    is_ipv6 = ":" in address
    place: tuple[object, ...] = (address, port, 0, 0) if is_ipv6 else (address, port)
    return (
        socket.AF_INET6 if is_ipv6 else socket.AF_INET,
        socket.SOCK_STREAM,
        socket.IPPROTO_TCP,
        "",
        place,
    )
