"""The door to registries: guarded, bounded in time and size, and not led astray."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING

import pytest

from caselog.errors import RefusedError, SourceError
from enrich.fetching import Fetcher, server_of
from tests.servers.certificates import new_authority
from tests.servers.rdap import RdapServer

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2026, 11, 20, tzinfo=UTC)


@contextmanager
def dripping(first: bytes, context: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve `first`, then one byte at a time until the client leaves."""
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def serve() -> None:
        try:
            sock, _ = listener.accept()
            with sock, context.wrap_socket(sock, server_side=True) if context else sock as peer:
                peer.sendall(first)
                while not stop.wait(0.02):
                    peer.sendall(b"x")
        except OSError:
            return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stop.set()
        thread.join(5)
        listener.close()


@pytest.mark.parametrize(
    "first", [b"", b"HTTP/1.1 200 OK\r\nX-A: ", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"]
)
def test_a_dripping_server_is_left_at_the_deadline(first: bytes) -> None:
    with dripping(first) as server:
        began = monotonic()
        with pytest.raises(SourceError):
            Fetcher(practice=True, timeout_s=0.4).get(f"http://{server}/ip/192.0.2.7", {server}, NOW)

    assert monotonic() - began < 20  # it would drip for hours


def test_an_unknown_certificate_is_a_failure(tmp_path: Path) -> None:
    context = new_authority(tmp_path).server_context("127.0.0.1")
    with dripping(b"HTTP/1.1 200 OK\r\n\r\n{}", context) as server, pytest.raises(SourceError):
        Fetcher(practice=True, timeout_s=5).get(f"https://{server}/ip/192.0.2.7", {server}, NOW)


def test_a_closed_port_is_a_failure() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        server = f"127.0.0.1:{bound.getsockname()[1]}"
        with pytest.raises(SourceError):
            Fetcher(practice=True).get(f"http://{server}/", {server}, NOW)


def test_a_server_off_the_bootstrap_is_refused() -> None:
    with pytest.raises(RefusedError) as caught:
        Fetcher(practice=True).get("http://127.0.0.1:9/", set(), NOW)

    assert caught.value.code == "redirect_scope"


@pytest.mark.parametrize("address", ["192.0.2.7", "10.0.0.1", "8.8.8.8", "169.254.169.254"])
def test_a_name_that_leads_off_loopback_is_refused_in_practice(address: str) -> None:
    fetcher = Fetcher(practice=True, find_addresses=lambda _: [address])

    with pytest.raises(RefusedError) as caught:
        fetcher.get("http://rdap.test/ip/192.0.2.7", {"rdap.test:80"}, NOW)

    assert caught.value.code == "private_address"


def test_a_name_that_leads_to_loopback_is_refused_live() -> None:
    fetcher = Fetcher(practice=False, find_addresses=lambda _: ["127.0.0.1", "::ffff:127.0.0.1"])

    with pytest.raises(RefusedError) as caught:
        fetcher.get("https://rdap.test/ip/192.0.2.7", {"rdap.test:443"}, NOW)

    assert caught.value.code == "private_address"


def test_a_body_comes_back_with_its_address() -> None:
    with RdapServer() as rdap:
        rdap.paths["help"] = {"notices": []}
        url, body = Fetcher(practice=True).get(f"{rdap.url}help", {server_of(rdap.url) or ""}, NOW)

        assert (url, body) == (f"{rdap.url}help", b'{"notices": []}')
