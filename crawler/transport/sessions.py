"""Make aiohttp do one request as we need it: our sockets, our resolver, sent once, nothing kept.

aiohttp offers no way to hand a request's own objects down to its sockets and look-ups; they find their flight
in a context variable, which follows each task.
"""

from __future__ import annotations

import hashlib
import socket
from contextvars import ContextVar
from typing import TYPE_CHECKING

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from crawler.transport.certificate import BadCertificateError
from crawler.transport.sockets import AddressInfo, AddressRefusedError, GuardedSocket, open_guarded
from crawler.transport.socks import SocksConnector

if TYPE_CHECKING:
    from aiohttp.connector import Connection

    from crawler.transport.fetch import Limits
    from crawler.transport.flight import Flight
    from crawler.transport.socks import SocksProxy

ACCEPT = "text/html, application/xhtml+xml;q=0.9, text/plain;q=0.8, */*;q=0"

FLIGHT: ContextVar[Flight] = ContextVar("flight")


class _Request(aiohttp.ClientRequest):
    """Tell the flight about the chosen connection, and mark the request as sent just before it goes out."""

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """See aiohttp; raises `BadCertificateError` where the certificate alone was wanted."""
        flight = FLIGHT.get()
        flight.connected(conn.transport)
        if not flight.may_send:
            raise BadCertificateError
        lines = [f"{self.method} {self.url.raw_path_qs} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        flight.request_sha256 = hashlib.sha256("\r\n".join(lines).encode()).hexdigest()
        flight.sends()
        return await super().send(conn)


class _FlightResolver(AbstractResolver):
    """Give the addresses that the flight resolved before it took its turn, and ask nobody again."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """See aiohttp."""
        found = [_result(host, port, address) for address in FLIGHT.get().addresses]
        return [result for result in found if family in {socket.AF_UNSPEC, result["family"]}]

    async def close(self) -> None:
        """Keep nothing."""


def _result(host: str, port: int, address: str) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    return ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=flags)


def direct_connector(*, practice: bool) -> aiohttp.TCPConnector:
    """Give a connector that makes each socket only after the guard saw its final address."""

    def open_socket(address_info: AddressInfo) -> GuardedSocket:
        flight = FLIGHT.get()
        try:
            guarded = open_guarded(address_info, practice=practice)
        except AddressRefusedError as error:
            flight.refused_address = error.code
            raise
        try:
            flight.opened(guarded)
        except BaseException:
            guarded.close()
            raise
        return guarded

    return aiohttp.TCPConnector(
        socket_factory=open_socket, resolver=_FlightResolver(), use_dns_cache=False, force_close=True, limit=0
    )


def proxy_connector(proxy: SocksProxy) -> SocksConnector:
    """Give a connector that reaches everything through ``proxy``."""
    return SocksConnector(proxy, lambda guarded: FLIGHT.get().opened(guarded))


def open_session(
    connector: aiohttp.BaseConnector, *, user_agent: str, limits: Limits
) -> aiohttp.ClientSession:
    """Give a session without cookies, environment, decoding or long headers."""
    return aiohttp.ClientSession(
        connector=connector,
        headers={
            "User-Agent": user_agent,
            "Accept": ACCEPT,
            "Accept-Encoding": "gzip",
            "Connection": "close",
        },
        skip_auto_headers=("Content-Type",),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        request_class=_Request,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=limits.connect_s, sock_read=limits.idle_s),
        read_bufsize=4096,
        max_line_size=8190,
        max_field_size=8190,
        max_headers=128,
    )
