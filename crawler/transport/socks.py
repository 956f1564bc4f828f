"""Ask a SOCKS5 proxy for a connection, on a guarded socket (RFC 1928, RFC 1929).

The host is the user name, which keeps each onion on circuits of its own: Tor isolates streams by SOCKS user.
"""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING, Final

from crawler.transport.sockets import ProxyError

if TYPE_CHECKING:
    from crawler.transport.sockets import GuardedSocket

_VERSION = 5
_NO_LOGIN, _LOGIN = 0, 2
_CONNECT, _DOMAIN_NAME = 1, 3
_ADDRESS_BYTES = {1: 4, 4: 16}

# RFC 1928, 6: all else is the proxy's own trouble, which may be over at the next try. Tor says 1 for that
# too, 4 for an onion that it cannot find or reach, 5 for one that hung up and 6 when it took too long.
# From 0xF0 on: Tor's proposal 304, sent where its SocksPort has the flag ExtendedErrors.
_REPLY_CODES: Final = {
    0x03: "unreachable", 0x04: "unreachable", 0x05: "refused", 0x06: "connect_timeout",
    0xF0: "onion_not_found", 0xF1: "onion_invalid", 0xF2: "onion_unreachable", 0xF3: "onion_unreachable",
    0xF4: "onion_locked", 0xF5: "onion_locked", 0xF6: "onion_invalid", 0xF7: "onion_timeout",
}  # fmt: skip


async def ask_socks(guarded: GuardedSocket, host: str, port: int, *, circle: str) -> None:
    """Log in with the host as the user name and ask for the connection; raises `ProxyError`.

    1. Offer log-in (RFC 1928, 3). 2. Log in (RFC 1929, 2). 3. Ask for the name (RFC 1928, 4).
    4. Read the reply (RFC 1928, 6).

    Args:
        guarded: Connected to the proxy.
        host: The name to reach; goes out in lower case and without the dot of the root.
        port: Of the host.
        circle: The password, where the proxy wants a log-in.
    """
    loop = asyncio.get_running_loop()
    try:
        name = host.rstrip(".").lower().encode("ascii")
    except UnicodeEncodeError:
        raise ProxyError("proxy") from None
    if not 0 < len(name) < 256:
        raise ProxyError("proxy")
    # 1. (RFC 1928, 3)
    await loop.sock_sendall(guarded, bytes([_VERSION, 2, _NO_LOGIN, _LOGIN]))
    version, method = await _exactly(guarded, 2)
    if version != _VERSION or method not in {_NO_LOGIN, _LOGIN}:
        raise ProxyError("proxy")
    # 2. (RFC 1929, 2)
    if method == _LOGIN:
        await loop.sock_sendall(guarded, b"\x01" + _counted(name) + _counted(circle.encode("ascii")))
        if (await _exactly(guarded, 2))[1] != 0:
            raise ProxyError("proxy")
    # 3. (RFC 1928, 4)
    wanted = struct.pack("!BBBB", _VERSION, _CONNECT, 0, _DOMAIN_NAME) + _counted(name)
    await loop.sock_sendall(guarded, wanted + struct.pack("!H", port))
    # 4. (RFC 1928, 6)
    await _read_reply(guarded)


async def _read_reply(guarded: GuardedSocket) -> None:
    """Read the whole reply: the byte after it is the server's first."""
    version, reply, _, kind = await _exactly(guarded, 4)
    if version != _VERSION or reply != 0:
        raise ProxyError(_REPLY_CODES.get(reply, "proxy") if version == _VERSION else "proxy")
    length = (await _exactly(guarded, 1))[0] if kind == _DOMAIN_NAME else _ADDRESS_BYTES.get(kind)
    if length is None:
        raise ProxyError("proxy")
    await _exactly(guarded, length + 2)


def _counted(text: bytes) -> bytes:
    return bytes([len(text)]) + text


async def _exactly(guarded: GuardedSocket, size_bytes: int) -> bytes:
    """Read exactly ``size_bytes``; never a byte more, which would belong to the server's answer."""
    loop = asyncio.get_running_loop()
    data = b""
    while len(data) < size_bytes:
        piece = await loop.sock_recv(guarded, size_bytes - len(data))
        if not piece:
            raise ProxyError("proxy")
        data += piece
    return data
