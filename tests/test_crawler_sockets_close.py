"""No socket outlives its transport, wherever its fetch ended."""

from __future__ import annotations

import asyncio
import gc
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from crawler.transport.client import Transport
from crawler.transport.fetch import FetchFailed, Limits, Refused
from crawler.transport.sockets import GuardedSocket
from tests.servers.certificates import new_authority
from tests.servers.hostile import HostileServer, answer, page, silence
from tests.servers.socks import SocksServer

if TYPE_CHECKING:
    import socket

    from tests.servers.certificates import Authority

ONION = "a2345672" * 7 + ".onion"


def still_open() -> list[int]:
    """Return the descriptors of all guarded sockets that nobody has closed."""
    return [one.fileno() for one in gc.get_objects() if isinstance(one, GuardedSocket) and one.fileno() >= 0]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return new_authority(tmp_path_factory.mktemp("authority"))


def no_goodbye(connection: socket.socket) -> None:
    """Answer in full, and then neither close nor say the closing words of TLS."""
    answer(page(3000), "Content-Type: text/html")(connection)
    silence(connection)


def left_by(url: str, *, ticks: int | None = None, total_s: float = 0.3, **options: object) -> list[int]:
    """Return what is open once a fetch and its transport have ended, the fetch cut short after some ticks."""

    async def once() -> list[int]:
        limits = Limits(connect_s=5, total_s=total_s, onion_total_s=total_s)
        transport = Transport(practice=True, user_agent="test", limits=limits, **options)  # type: ignore[arg-type]
        task = asyncio.create_task(transport.fetch(url))
        if ticks is not None:
            for _ in range(ticks):
                await asyncio.sleep(0)
            transport.cut_short()
        with suppress(Refused, FetchFailed):
            await task
        await transport.close()
        return still_open()

    return asyncio.run(once())


@pytest.mark.parametrize(
    "said", [b"", b"\x05", b"\x05\x02", b"\x05\x02\x01\x00", b"\x05\x00\x05\x00\x00\x01"]
)
def test_a_proxy_that_falls_silent_leaves_no_socket(said: bytes) -> None:
    def opening(connection: socket.socket) -> None:
        connection.sendall(said)
        while connection.recv(512):
            pass

    with HostileServer({}, opening=opening) as proxy:
        assert left_by(f"http://{ONION}/", tor_socks=f"127.0.0.1:{proxy.port}") == []


@pytest.mark.parametrize("proxied", [True, False])
def test_a_server_that_never_shakes_hands_leaves_no_socket(proxied: bool) -> None:
    with HostileServer({}, opening=silence) as server, SocksServer(server.port) as socks:
        url = f"https://{ONION}/" if proxied else f"https://127.0.0.1:{server.port}/"
        assert left_by(url, tor_socks=socks.address) == []


@pytest.mark.parametrize("proxied", [True, False])
@pytest.mark.parametrize("path", ["/silence", "/no-goodbye"])
def test_a_tls_server_that_never_says_goodbye_leaves_no_socket(
    authority: Authority, path: str, proxied: bool
) -> None:
    scripts = {"/silence": silence, "/no-goodbye": no_goodbye}
    with (
        HostileServer(scripts, authority.server_context(ONION)) as server,
        SocksServer(server.port) as socks,
    ):
        url = f"https://{ONION}{path}" if proxied else server.url(path)
        assert left_by(url, tor_socks=socks.address, ca_file=authority.file) == []


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_fetch_cut_short_at_any_moment_leaves_no_socket(authority: Authority, scheme: str) -> None:
    context = authority.server_context(ONION) if scheme == "https" else None
    with HostileServer({"/": no_goodbye}, context) as server, SocksServer(server.port) as socks:
        for ticks in (1, 2, 3, 5, 8, 10, 13, 21, 34, 60, 110, 200, 400):
            for url in (f"{scheme}://{ONION}/", server.url("/")):
                options = {"tor_socks": socks.address, "ca_file": authority.file}
                assert left_by(url, ticks=ticks, **options) == [], ticks
