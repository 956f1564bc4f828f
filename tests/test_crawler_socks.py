"""Onions go through the proxy with their names; nothing else finds a way around the guard."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from caselog.errors import ConfigError
from crawler.transport.client import Transport
from crawler.transport.fetch import Answer, FetchFailed, Limits, Refused
from crawler.transport.proxy import Proxy, parse_proxy
from tests.servers.certificates import new_authority
from tests.servers.dns import DnsServer
from tests.servers.hostile import NOISE, HostileServer, answer, endless, head, page, raw, silence
from tests.servers.socks import SocksServer

if TYPE_CHECKING:
    from pathlib import Path

ONION = "a2345672" * 7 + ".onion"
SCRIPTS = {
    "/": answer(page(3000), "Content-Type: text/html"),
    "/noise": endless(head("Content-Type: text/html"), NOISE, times=9),
    "/silence": silence,
}


def fetch(url: str, *, socks: str | None = None, total_s: float = 10, **options: object) -> Answer:
    async def once() -> Answer:
        transport = Transport(
            practice=True,
            user_agent="test",
            tor_socks=socks,
            limits=Limits(onion_total_s=total_s, connect_s=5),
            **options,  # type: ignore[arg-type]
        )
        try:
            return await transport.fetch(url)
        finally:
            await transport.close()

    return asyncio.run(once())


def test_an_onion_without_a_proxy_is_refused_and_never_resolved() -> None:
    with DnsServer() as names:
        with pytest.raises(Refused) as refusal:
            fetch(f"http://{ONION}/", nameservers=[names.address])

        assert (refusal.value.code, sum(names.queries.values())) == ("onion_without_tor", 0)


@pytest.mark.parametrize(
    ("reply", "code"),
    [(0x01, "proxy"), (0x02, "proxy"), (0x04, "unreachable"), (0x05, "refused"), (0x06, "connect_timeout"),
     (0xF0, "onion_not_found"), (0xF1, "onion_invalid"), (0xF2, "onion_unreachable"),
     (0xF3, "onion_unreachable"), (0xF4, "onion_locked"), (0xF5, "onion_locked"), (0xF6, "onion_invalid"),
     (0xF7, "onion_timeout"), (0x99, "proxy")],
)  # fmt: skip
def test_the_reasons_of_the_proxy_are_told_apart(reply: int, code: str) -> None:
    with SocksServer(1, reply=reply) as socks, pytest.raises(FetchFailed) as failure:
        fetch(f"http://{ONION}/", socks=socks.address)

    assert failure.value.code == code


@pytest.mark.parametrize(
    "garbage", [b"\x05\xff", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x05", b"\x05\x02\x01\x01", b"\x04\x00"]
)
def test_a_proxy_that_speaks_something_else_is_a_failure(garbage: bytes) -> None:
    with SocksServer(1, garbage=garbage) as socks, pytest.raises(FetchFailed) as failure:
        fetch(f"http://{ONION}/", socks=socks.address)

    assert failure.value.code == "proxy"


def test_a_proxy_that_does_not_listen_is_a_failure() -> None:
    with SocksServer(1) as socks:
        pass

    with pytest.raises(FetchFailed) as failure:
        fetch(f"http://{ONION}/", socks=socks.address)

    assert failure.value.code == "proxy"


@pytest.mark.parametrize("wants_login", [True, False])
def test_the_proxy_gets_the_name_and_the_onion_as_user(wants_login: bool) -> None:
    with HostileServer(SCRIPTS) as server, SocksServer(server.port, wants_login=wants_login) as socks:
        got = fetch(f"http://www.{ONION}:81/", socks=socks.address)

    user = f"www.{ONION}" if wants_login else ""
    assert socks.asked == [(user, f"www.{ONION}", 81)]
    assert (got.body, got.fetch.via, got.fetch.peer_ip) == (page(3000), "tor", None)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (f"http://{ONION.upper()}/", ONION),
        (f"HTTP://{ONION}./", ONION),
        (f"http://Forum.{ONION}/", f"forum.{ONION}"),
        (f"http://a.b.{ONION.upper()}./", f"a.b.{ONION}"),
    ],
)
def test_every_way_to_write_an_onion_goes_to_tor_and_none_to_dns(url: str, name: str) -> None:
    with HostileServer(SCRIPTS) as server, SocksServer(server.port) as socks, DnsServer() as names:
        fetch(url, socks=socks.address, nameservers=[names.address])
        with pytest.raises(Refused, match="onion_without_tor"):
            fetch(url, nameservers=[names.address])

        assert socks.asked == [(name, name, 80)]
        assert not names.queries


def test_a_name_that_is_an_alias_of_an_onion_leads_nowhere() -> None:
    with SocksServer(9) as socks, DnsServer({"bread.example": [f"CNAME {ONION}"]}) as names:
        with pytest.raises(FetchFailed, match="dns_nodata"):
            fetch("http://bread.example/", socks=socks.address, nameservers=[names.address])

        assert socks.asked == []
        assert {name for name, _ in names.queries} == {"bread.example"}


def test_a_redirect_to_an_onion_is_handed_back_and_not_followed() -> None:
    moved = {"/": raw(head(f"Location: http://{ONION}/", status="302 Found", length=0))}
    with HostileServer(moved) as server, SocksServer(9) as socks, DnsServer() as names:
        got = fetch(server.url("/"), socks=socks.address, nameservers=[names.address])

        assert (got.status, got.fetch.via, socks.asked, dict(names.queries)) == (302, "direct", [], {})


def test_another_circle_is_another_login() -> None:
    with HostileServer(SCRIPTS) as server, SocksServer(server.port) as socks:
        for circle in ("x", "7f"):
            fetch(f"http://{ONION}/", socks=socks.address, circle=circle)

    assert socks.circles == ["x", "7f"]


def test_media_through_the_proxy_is_refused() -> None:
    with HostileServer(SCRIPTS) as server, SocksServer(server.port) as socks:
        with pytest.raises(Refused) as refusal:
            fetch(f"http://{ONION}/noise", socks=socks.address)

        assert refusal.value.code == "binary"


def test_an_onion_has_its_own_deadline() -> None:
    with HostileServer(SCRIPTS) as server, SocksServer(server.port) as socks:
        with pytest.raises(FetchFailed) as failure:
            fetch(f"http://{ONION}/silence", socks=socks.address, total_s=0.3)

        assert failure.value.code == "deadline"


def test_an_onion_may_speak_tls(tmp_path: Path) -> None:
    authority = new_authority(tmp_path)
    with (
        HostileServer(SCRIPTS, authority.server_context(ONION)) as server,
        SocksServer(server.port) as socks,
    ):
        good = fetch(f"https://{ONION}/", socks=socks.address, ca_file=authority.file)
        bad = fetch(f"https://{ONION}/", socks=socks.address)

    assert (good.fetch.tls_valid, bad.fetch.tls_valid) == (True, False)
    assert good.body == bad.body == page(3000)


def test_a_second_vantage_takes_what_is_no_onion() -> None:
    with (
        HostileServer(SCRIPTS) as server,
        SocksServer(server.port) as socks,
        DnsServer({"bread.example": ["A 127.0.0.1"]}) as names,
    ):
        got = fetch(
            "http://bread.example/", vantage=f"socks5h://{socks.address}", nameservers=[names.address]
        )

    assert (got.fetch.via, socks.asked) == ("proxy", [("bread.example", "bread.example", 80)])


@pytest.mark.parametrize(
    ("records", "code"),
    [(["A 192.0.2.80"], "private_address"), (["A 127.0.0.1", "A 192.0.2.80"], "private_address")],
)
def test_a_practice_proxy_gets_no_name_that_leads_off_loopback(records: list[str], code: str) -> None:
    with (
        HostileServer(SCRIPTS) as server,
        SocksServer(server.port) as socks,
        DnsServer({"bread.example": records}) as names,
    ):
        with pytest.raises(Refused) as refusal:
            fetch("http://bread.example/", vantage=f"socks5h://{socks.address}", nameservers=[names.address])

        assert (refusal.value.code, socks.asked) == (code, [])


def test_a_practice_proxy_gets_no_name_that_our_resolver_does_not_know() -> None:
    with (
        HostileServer(SCRIPTS) as server,
        SocksServer(server.port) as socks,
        DnsServer() as names,
    ):
        with pytest.raises(FetchFailed, match="dns_nxdomain"):
            fetch("http://bread.example/", vantage=f"socks5h://{socks.address}", nameservers=[names.address])

        assert socks.asked == []


@pytest.mark.parametrize(
    "text", ["localhost:9050", "127.0.0.1", "127.0.0.1:", ":9050", "proxy.example:1", ""]
)
def test_a_proxy_that_is_no_address_is_a_wrong_setting(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_proxy(text, practice=False)


def test_a_practice_workspace_uses_proxies_on_loopback_only() -> None:
    with pytest.raises(ConfigError):
        parse_proxy("192.0.2.1:9050", practice=True)


@pytest.mark.parametrize("text", ["[::1]:9050", "socks5h://[::1]:9050/"])
def test_a_proxy_may_have_an_ipv6_address(text: str) -> None:
    assert parse_proxy(text, practice=True) == Proxy(ip="::1", port=9050)
