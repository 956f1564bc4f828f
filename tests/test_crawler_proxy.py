"""The second vantage behind an HTTP proxy: a tunnel for every address, never for an onion."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from caselog.errors import ConfigError
from crawler.transport.client import Transport
from crawler.transport.fetch import Answer, FetchFailed, Limits, Refused
from crawler.transport.proxy import ProxyKind, parse_proxy
from tests.servers.certificates import new_authority
from tests.servers.dns import DnsServer
from tests.servers.hostile import NOISE, HostileServer, answer, endless, head, page
from tests.servers.socks import SocksServer
from tests.servers.tunnel import TunnelServer

if TYPE_CHECKING:
    from pathlib import Path

ONION = "a2345672" * 7 + ".onion"
NAMES = {"bread.example": ["A 127.0.0.1"]}
SCRIPTS = {
    "/": answer(page(3000), "Content-Type: text/html"),
    "/noise": endless(head("Content-Type: text/html"), NOISE, times=9),
}


def fetch(url: str, **options: object) -> Answer:
    async def once() -> Answer:
        limits = Limits(connect_s=5, total_s=5)
        transport = Transport(practice=True, user_agent="test", limits=limits, **options)  # type: ignore[arg-type]
        try:
            return await transport.fetch(url)
        finally:
            await transport.close()

    return asyncio.run(once())


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "proxy"),
        (b"HTTP/1.1 407 Log in\r\n\r\n", "proxy"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "unreachable"),
        (b"HTTP/1.0 503 Busy\r\n\r\n", "proxy"),
        (b"HTTP/1.1 504\r\n\r\n", "connect_timeout"),
        (b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", "proxy"),
        (b"HTTP/2 200 OK\r\n\r\n", "proxy"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "proxy"),
        (b"SSH-2.0-bread\r\n\r\n", "proxy"),
        (b"HTTP/1.1 403 Cut", "proxy"),
        (b"HTTP/1.1 403 Long\r\n" + b"A: b\r\n" * 4000, "proxy"),
    ],
)
def test_what_a_proxy_answers_instead_of_a_tunnel_is_a_failure(reply: bytes, code: str) -> None:
    with TunnelServer(9, reply=reply) as proxy, DnsServer(NAMES) as names:
        with pytest.raises(FetchFailed) as failure:
            fetch("http://bread.example/", vantage=proxy.address, nameservers=[names.address])

        assert failure.value.code == code


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("http://bread.example/", "bread.example:80"),
        ("http://bread.example.:8080/", "bread.example:8080"),
        ("http://127.0.0.1:81/", "127.0.0.1:81"),
        ("http://[::1]:81/", "[::1]:81"),
    ],
)
def test_a_page_comes_through_the_tunnel(url: str, asked: str) -> None:
    with HostileServer(SCRIPTS) as server, TunnelServer(server.port) as proxy, DnsServer(NAMES) as names:
        got = fetch(url, vantage=proxy.address, nameservers=[names.address])

    assert proxy.asked == [f"CONNECT {asked} HTTP/1.1"]
    assert (got.body, got.fetch.via, got.fetch.peer_ip) == (page(3000), "proxy", None)


def test_tls_goes_through_the_tunnel_to_the_host(tmp_path: Path) -> None:
    authority = new_authority(tmp_path)
    with (
        HostileServer(SCRIPTS, authority.server_context("bread.example")) as server,
        TunnelServer(server.port) as proxy,
        DnsServer(NAMES) as names,
    ):
        options = {"vantage": proxy.address, "nameservers": [names.address], "ca_file": authority.file}
        got = fetch("https://bread.example/", **options)

    assert proxy.asked == ["CONNECT bread.example:443 HTTP/1.1"]
    assert (got.body, got.fetch.tls_valid) == (page(3000), True)


def test_media_through_the_tunnel_is_refused() -> None:
    with HostileServer(SCRIPTS) as server, TunnelServer(server.port) as proxy, DnsServer(NAMES) as names:
        with pytest.raises(Refused) as refusal:
            fetch("http://bread.example/noise", vantage=proxy.address, nameservers=[names.address])

        assert refusal.value.code == "binary"


def test_an_onion_goes_to_tor_and_never_to_the_second_vantage() -> None:
    with HostileServer(SCRIPTS) as server, TunnelServer(9) as proxy, SocksServer(server.port) as socks:
        got = fetch(f"http://{ONION}/", vantage=proxy.address, tor_socks=socks.address)
        with pytest.raises(Refused) as refusal:
            fetch(f"http://{ONION}/", vantage=proxy.address)

    assert (got.fetch.via, refusal.value.code, proxy.asked) == ("tor", "onion_without_tor", [])


def test_a_practice_proxy_gets_no_name_that_leads_off_loopback() -> None:
    with TunnelServer(9) as proxy, DnsServer({"bread.example": ["A 192.0.2.80"]}) as names:
        with pytest.raises(Refused):
            fetch("http://bread.example/", vantage=proxy.address, nameservers=[names.address])

        assert proxy.asked == []


@pytest.mark.parametrize(
    "text", ["https://127.0.0.1:1", "socks4://127.0.0.1:1", "http://user@127.0.0.1:1", "http://127.0.0.1",
             "http://127.0.0.1:0", "http://127.0.0.1:65536", "://127.0.0.1:1", "http://bread.example:1"]
)  # fmt: skip
def test_a_proxy_of_another_kind_is_a_wrong_setting(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_proxy(text, practice=False)


def test_the_kind_of_a_proxy_is_told_by_its_scheme() -> None:
    texts = ("http://127.0.0.1:1", "HTTP://[::1]:1/", "socks5h://127.0.0.1:1", "127.0.0.1:1")

    kinds = [parse_proxy(text, practice=True).kind for text in texts]

    assert kinds == [ProxyKind.HTTP, ProxyKind.HTTP, ProxyKind.SOCKS, ProxyKind.SOCKS]
