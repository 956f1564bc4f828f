"""How names are resolved, and how the ways to fail are told apart."""

from __future__ import annotations

import asyncio

import pytest

from caselog.errors import ConfigError
from crawler.transport.resolver import ResolveError, Resolver, parse_nameserver
from tests.servers.dns import NXDOMAIN, SERVFAIL, SILENCE, DnsServer

Answers = tuple[dict[str, str | int | None], ...]


def look_up(server: DnsServer, *names: str, timeout_s: float = 5.0) -> list[Answers]:
    async def all_names() -> list[Answers]:
        resolver = Resolver([server.address], practice=True, timeout_s=timeout_s)
        return [await resolver.answers(name) for name in names]

    return asyncio.run(all_names())


@pytest.mark.parametrize(
    ("records", "code"),
    [(NXDOMAIN, "nxdomain"), (SERVFAIL, "servfail"), ([], "nodata"), (["TXT rye"], "nodata")],
)
def test_the_ways_to_have_no_address_are_told_apart(records: list[str] | str, code: str) -> None:
    with DnsServer({"bread.example": records}) as server, pytest.raises(ResolveError) as failure:
        look_up(server, "bread.example")

    assert failure.value.code == code


def test_a_silent_server_is_a_timeout() -> None:
    with DnsServer({"bread.example": SILENCE}) as server, pytest.raises(ResolveError) as failure:
        look_up(server, "bread.example", timeout_s=0.4)

    assert failure.value.code == "timeout"


@pytest.mark.parametrize("name", ["a2345672a2345672.onion", "www.rye.onion.", "ONION", "x.OnIoN"])
def test_an_onion_name_is_never_asked_for(name: str) -> None:
    with DnsServer() as server:
        with pytest.raises(ResolveError) as failure:
            look_up(server, name)

        assert (failure.value.code, sum(server.queries.values())) == ("onion", 0)


def test_an_onion_name_never_reaches_the_system() -> None:
    resolver = Resolver(practice=False)

    with pytest.raises(ResolveError):
        asyncio.run(resolver.answers("rye.onion"))


def test_addresses_aliases_and_times_to_live_are_reported() -> None:
    zone = {
        "bread.example": ["30 CNAME oven.example"],
        "oven.example": ["90 A 192.0.2.7", "A 192.0.2.8", "AAAA 2001:db8::7"],
    }
    with DnsServer(zone) as server:
        (answers,) = look_up(server, "Bread.example.")

    found = {(answer["name"], answer["type"], answer["value"], answer["ttl"]) for answer in answers}
    assert found >= {
        ("bread.example", "CNAME", "oven.example", 30),
        ("oven.example", "AAAA", "2001:db8::7", 60),
    }
    assert {answer["value"] for answer in answers if answer["type"] == "A"} == {"192.0.2.7", "192.0.2.8"}


def test_an_answer_is_kept_for_its_time_to_live() -> None:
    with DnsServer({"bread.example": ["A 192.0.2.7"]}) as server:
        look_up(server, "bread.example", "bread.example", "BREAD.example")

        assert server.queries["bread.example", "A"] == 1


def test_an_answer_that_lives_no_time_is_asked_for_again() -> None:
    with DnsServer({"bread.example": ["0 A 192.0.2.7"]}) as server:
        look_up(server, "bread.example", "bread.example")

        assert server.queries["bread.example", "A"] == 2


def test_records_may_change_while_the_server_runs() -> None:
    with DnsServer({"bread.example": ["0 A 192.0.2.7"]}) as server:
        (before,) = look_up(server, "bread.example")
        server.zone["bread.example"] = ["0 A 192.0.2.8"]
        (after,) = look_up(server, "bread.example")

    assert [before[0]["value"], after[0]["value"]] == ["192.0.2.7", "192.0.2.8"]


def test_the_system_resolves_when_no_server_is_configured() -> None:
    resolver = Resolver(practice=True)

    answers = asyncio.run(resolver.answers("localhost"))

    assert {answer["value"] for answer in answers} <= {"127.0.0.1", "::1"}


@pytest.mark.parametrize("text", ["bread.example", "bread.example:53", "1.2.3", "127.0.0.1:dns", "", "[::1"])
def test_a_name_server_that_is_no_address_is_a_wrong_setting(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_nameserver(text, practice=False) if text != "[::1" else parse_nameserver(
            "[rye]:53", practice=False
        )


def test_a_practice_workspace_asks_only_loopback_servers() -> None:
    with pytest.raises(ConfigError):
        parse_nameserver("192.0.2.53", practice=True)


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [("192.0.2.53", "192.0.2.53", 53), ("127.0.0.1:5353", "127.0.0.1", 5353), ("::1", "::1", 53),
     ("[2001:db8::53]:5353", "2001:db8::53", 5353), ("[::1]", "::1", 53)],
)  # fmt: skip
def test_name_servers_may_carry_a_port(text: str, address: str, port: int) -> None:
    server = parse_nameserver(text, practice=False)

    assert (server.answer_nameserver(), server.answer_port()) == (address, port)
