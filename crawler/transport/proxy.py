"""Reach a host through a proxy, on our own guarded socket: Tor's SOCKS port, or the second vantage.

The host name goes to the proxy as it is, so nothing is resolved here.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import TYPE_CHECKING

from caselog.errors import ConfigError
from caselog.guard import may_contact
from crawler.transport.sockets import ProxyError, open_to_proxy
from crawler.transport.socks import ask_socks
from crawler.transport.tunnel import ask_tunnel

if TYPE_CHECKING:
    from collections.abc import Callable

    from crawler.transport.sockets import GuardedSocket


class ProxyKind(StrEnum):
    """What the proxy speaks; both take the host by its name."""

    SOCKS = "socks5h"
    HTTP = "http"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """Where the proxy listens, and how it is spoken to."""

    ip: str
    port: int
    kind: ProxyKind = ProxyKind.SOCKS
    circle: str = "x"
    """The SOCKS password: Tor makes other circuits for another user or password."""


def parse_proxy(text: str, *, practice: bool, circle: str = "x") -> Proxy:
    """Give the proxy that ``text`` names: ``socks5h://ip:port``, ``http://ip:port``, or ``ip:port`` (SOCKS).

    Raises:
        ConfigError: It is no IP address with a port, or not loopback in a practice workspace.
    """
    scheme, has_scheme, place = text.rpartition("://")
    known = {kind.value: kind for kind in ProxyKind}
    host, _, port = place.rstrip("/").rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    kind = known.get(scheme.lower()) if has_scheme else ProxyKind.SOCKS
    if kind is None or not _is_ip(host) or not port.isdigit() or not 0 < int(port) < 65536:
        raise ConfigError(
            "A proxy is not an IP address with a port.", "Write 127.0.0.1:9050 or http://127.0.0.1:3128."
        )
    if practice and may_contact(host, practice=True) is not None:
        raise ConfigError("A practice workspace uses only proxies on loopback.", "Use 127.0.0.1.")
    return Proxy(ip=host, port=int(port), kind=kind, circle=circle)


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


async def connect_through(
    proxy: Proxy, host: str, port: int, opened: Callable[[GuardedSocket], None]
) -> GuardedSocket:
    """Give a socket that is connected to ``host`` through ``proxy``; raises `ProxyError` or ``OSError``.

    Args:
        proxy: Where it listens.
        host: A name, or an address without brackets.
        port: Of the host.
        opened: Called with the new socket before it connects; may raise to forbid it.
    """
    family = socket.AF_INET6 if ":" in proxy.ip else socket.AF_INET
    info = (int(family), int(socket.SOCK_STREAM), 0, "", (proxy.ip, proxy.port))
    guarded = open_to_proxy(info, allowed_ip=proxy.ip)
    try:
        opened(guarded)
        await _connect(guarded, proxy)
        if proxy.kind is ProxyKind.HTTP:
            await ask_tunnel(guarded, host, port)
        else:
            await ask_socks(guarded, host, port, circle=proxy.circle)
    except BaseException:
        guarded.close()
        raise
    return guarded


async def _connect(guarded: GuardedSocket, proxy: Proxy) -> None:
    try:
        await asyncio.get_running_loop().sock_connect(guarded, (proxy.ip, proxy.port))
    except OSError:
        raise ProxyError("proxy") from None
