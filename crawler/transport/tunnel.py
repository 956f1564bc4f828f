"""Ask an HTTP proxy for a tunnel, on a guarded socket (RFC 9110, 9.3.6): http and https targets alike."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Final

from crawler.transport.sockets import ProxyError

if TYPE_CHECKING:
    from crawler.transport.sockets import GuardedSocket

_HEAD_BYTES: Final = 8192
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: [^\r\n]*)?\r\n")
# What the proxy learned of the host (RFC 9110, 15.6); all else is the proxy's own trouble.
_STATUS_CODES: Final = {502: "unreachable", 504: "connect_timeout"}


async def ask_tunnel(guarded: GuardedSocket, host: str, port: int) -> None:
    """Ask for a connection to ``host``; raises `ProxyError`.

    Args:
        guarded: Connected to the proxy.
        host: A name, or an address without brackets.
        port: Of the host.
    """
    name = f"[{host}]" if ":" in host else host.rstrip(".")
    if not name.isascii() or not name.isprintable() or " " in name:
        raise ProxyError("proxy")
    place = f"{name}:{port}"
    await asyncio.get_running_loop().sock_sendall(
        guarded, f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n".encode("ascii")
    )
    status = _status(await _head(guarded))
    if not 200 <= status < 300:
        raise ProxyError(_STATUS_CODES.get(status, "proxy"))


async def _head(guarded: GuardedSocket) -> bytes:
    """Read the head of the answer and nothing behind it, where the server's bytes would begin."""
    loop = asyncio.get_running_loop()
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        piece = await loop.sock_recv(guarded, _missing_bytes(head))
        if not piece or len(head) > _HEAD_BYTES:
            raise ProxyError("proxy")
        head += piece
    return head


def _missing_bytes(head: bytes) -> int:
    """Return how many bytes the head lacks at least, so that no read goes past it."""
    end = b"\r\n\r\n"
    return next(size for size in range(1, 5) if head.endswith(end[: 4 - size]))


def _status(head: bytes) -> int:
    found = _STATUS_LINE.match(head)
    if found is None:
        raise ProxyError("proxy")
    return int(found[1])
