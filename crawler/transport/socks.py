"""Reach a host through a SOCKS5 proxy on our own guarded socket (RFC 1928, RFC 1929).

The host name goes to the proxy as it is, so nothing is resolved here. The host is the user name, which keeps
each onion on circuits of its own (Tor isolates streams by SOCKS user). For onions and a second vantage.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING

import aiohttp

from caselog.errors import ConfigError
from caselog.guard import may_contact
from crawler.transport.sockets import GuardedSocket, open_to_proxy

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import ClientRequest, ClientTimeout
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.tracing import Trace

_VERSION = 5
_NO_LOGIN, _LOGIN = 0, 2
_CONNECT, _DOMAIN_NAME = 1, 3
_ADDRESS_BYTES = {1: 4, 4: 16}

# RFC 1928, 6, then Tor's proposal 304.
_REPLY_CODES = {
    0x03: "unreachable", 0x04: "unreachable", 0x05: "refused", 0x06: "connect_timeout",
    0xF0: "onion_not_found", 0xF1: "onion_invalid", 0xF2: "onion_unreachable", 0xF3: "onion_unreachable",
    0xF4: "onion_locked", 0xF5: "onion_locked", 0xF6: "onion_invalid", 0xF7: "onion_timeout",
}  # fmt: skip


class SocksError(OSError):
    """The proxy did not connect us.

    Args:
        code: The failure code for records, such as ``proxy`` or ``onion_not_found``.
    """

    def __init__(self, code: str) -> None:
        super().__init__(f"the proxy did not connect: {code}")
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class SocksProxy:
    """Where the proxy listens."""

    ip: str
    port: int


def parse_proxy(text: str, *, practice: bool) -> SocksProxy:
    """Give the proxy that ``text`` names: ``ip:port``, ``[ip6]:port``, with or without ``socks5h://``.

    Raises:
        ConfigError: It is no IP address with a port, or not loopback in a practice workspace.
    """
    host, _, port = text.removeprefix("socks5h://").rstrip("/").rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    try:
        ip_address(host)
    except ValueError:
        host = ""
    if not host or not port.isdigit():
        raise ConfigError("A SOCKS proxy is not an IP address with a port.", "Write 127.0.0.1:9050.")
    if practice and may_contact(host, practice=True) is not None:
        raise ConfigError("A practice workspace uses only proxies on loopback.", "Use 127.0.0.1.")
    return SocksProxy(ip=host, port=int(port))


class SocksConnector(aiohttp.BaseConnector):
    """Open each connection of aiohttp through one proxy.

    Args:
        proxy: Where it listens.
        opened: Called with each new socket before it connects; may raise to forbid it.
    """

    allowed_protocol_schema_set = frozenset({"http", "https"})

    def __init__(self, proxy: SocksProxy, opened: Callable[[GuardedSocket], None]) -> None:
        super().__init__(force_close=True, limit=0)
        self._proxy = proxy
        self._opened = opened

    async def _create_connection(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: ClientTimeout,  # noqa: ASYNC109  # aiohttp's signature
    ) -> ResponseHandler:
        """Connect, shake hands, hand the socket to aiohttp: the hook that its own connectors implement."""
        del traces
        host, port = req.url.raw_host or "", req.port or 0
        tls = req.ssl if req.is_ssl() and isinstance(req.ssl, ssl.SSLContext) else None
        try:
            async with asyncio.timeout(timeout.sock_connect):
                guarded = await connect_through(self._proxy, host, port, self._opened)
                _, protocol = await self._loop.create_connection(
                    self._factory, sock=guarded, ssl=tls, server_hostname=host if tls else None
                )
        except TimeoutError:
            raise
        except ssl.SSLCertVerificationError as error:
            raise aiohttp.ClientConnectorCertificateError(req.connection_key, error) from None
        except ssl.SSLError as error:
            raise aiohttp.ClientConnectorSSLError(req.connection_key, error) from None
        except OSError as error:
            raise aiohttp.ClientConnectorError(req.connection_key, error) from None
        return protocol


async def connect_through(
    proxy: SocksProxy, host: str, port: int, opened: Callable[[GuardedSocket], None]
) -> GuardedSocket:
    """Give a socket that is connected to ``host`` through ``proxy``; raises `SocksError` or ``OSError``."""
    family = socket.AF_INET6 if ":" in proxy.ip else socket.AF_INET
    info = (int(family), int(socket.SOCK_STREAM), 0, "", (proxy.ip, proxy.port))
    guarded = open_to_proxy(info, allowed_ip=proxy.ip)
    try:
        opened(guarded)
        await _connect(guarded, proxy)
        await _shake_hands(guarded, host, port)
    except BaseException:
        guarded.close()
        raise
    return guarded


async def _connect(guarded: GuardedSocket, proxy: SocksProxy) -> None:
    try:
        await asyncio.get_running_loop().sock_connect(guarded, (proxy.ip, proxy.port))
    except OSError:
        raise SocksError("proxy") from None


async def _shake_hands(guarded: GuardedSocket, host: str, port: int) -> None:
    """Log in with the host as the user name and ask for the connection.

    1. Offer log-in (RFC 1928, 3). 2. Log in (RFC 1929, 2). 3. Ask for the name (RFC 1928, 4).
    4. Read the reply (RFC 1928, 6).
    """
    loop = asyncio.get_running_loop()
    name = host.rstrip(".").encode("ascii", "strict")
    if not 0 < len(name) < 256:
        raise SocksError("proxy")
    # 1. (RFC 1928, 3)
    await loop.sock_sendall(guarded, bytes([_VERSION, 2, _NO_LOGIN, _LOGIN]))
    version, method = await _exactly(guarded, 2)
    if version != _VERSION or method not in {_NO_LOGIN, _LOGIN}:
        raise SocksError("proxy")
    # 2. (RFC 1929, 2)
    if method == _LOGIN:
        await loop.sock_sendall(guarded, b"\x01" + bytes([len(name)]) + name + b"\x01x")
        if (await _exactly(guarded, 2))[1] != 0:
            raise SocksError("proxy")
    # 3. (RFC 1928, 4)
    wanted = struct.pack("!BBBBB", _VERSION, _CONNECT, 0, _DOMAIN_NAME, len(name)) + name
    await loop.sock_sendall(guarded, wanted + struct.pack("!H", port))
    # 4. (RFC 1928, 6)
    version, reply, _, kind = await _exactly(guarded, 4)
    if version != _VERSION or reply != 0:
        raise SocksError(_REPLY_CODES.get(reply, "proxy"))
    length = (await _exactly(guarded, 1))[0] if kind == _DOMAIN_NAME else _ADDRESS_BYTES.get(kind)
    if length is None:
        raise SocksError("proxy")
    await _exactly(guarded, length + 2)


async def _exactly(guarded: GuardedSocket, size_bytes: int) -> bytes:
    """Read exactly ``size_bytes``; never a byte more, which would belong to the server's answer."""
    loop = asyncio.get_running_loop()
    data = b""
    while len(data) < size_bytes:
        piece = await loop.sock_recv(guarded, size_bytes - len(data))
        if not piece:
            raise SocksError("proxy")
        data += piece
    return data
