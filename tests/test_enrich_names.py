"""Host names as they are read, and name servers as they are asked."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from enrich.fetching import retry_time, server_of
from enrich.names import HostKind, Resolver, Suffixes, canonical_name, read_host, resolve_host
from enrich.sources import no_log
from tests.servers.dns import SERVFAIL, SILENCE, DnsServer

NOW = datetime(2026, 11, 20, tzinfo=UTC)
SUFFIXES = Suffixes()


@pytest.mark.parametrize(
    ("host", "name", "kind", "registrable"),
    [
        ("bread.onion", "bread.onion", HostKind.ONION, None),
        ("Sub.Bread.ONION.:80", "sub.bread.onion", HostKind.ONION, None),
        ("192.0.2.7:8080", "192.0.2.7", HostKind.ADDRESS, None),
        ("[2001:DB8::7]:80", "2001:db8::7", HostKind.ADDRESS, None),
        ("2001:db8::7", "2001:db8::7", HostKind.ADDRESS, None),
        ("::ffff:192.0.2.7", "192.0.2.7", HostKind.ADDRESS, None),
        ("WWW.Bread.Example.", "www.bread.example", HostKind.DOMAIN, "bread.example"),
        ("bäcker.example", "xn--bcker-gra.example", HostKind.DOMAIN, "xn--bcker-gra.example"),
        ("shop.bread.co.uk", "shop.bread.co.uk", HostKind.DOMAIN, "bread.co.uk"),
        ("baker.github.io", "baker.github.io", HostKind.PLATFORM, "github.io"),
        ("017.0.0.1", "017.0.0.1", HostKind.DOMAIN, None),
        ("onion.example", "onion.example", HostKind.DOMAIN, "onion.example"),
    ],
)
def test_hosts(host: str, name: str, kind: HostKind, registrable: str | None) -> None:
    found = read_host(host, SUFFIXES)

    assert (found.name, found.kind, found.registrable) == (name, kind, registrable)


@pytest.mark.parametrize(
    "host", ["", ".", "..", "[", "a" * 300, "bread..example", "\u0000", "x:y:z", "%eth0", "💥" * 80]
)
def test_odd_hosts_are_read_without_a_crash(host: str) -> None:
    assert read_host(host, SUFFIXES).name == read_host(canonical_name(host), SUFFIXES).name


def test_answers_carry_aliases_and_times_to_live() -> None:
    with DnsServer() as server:
        server.zone["www.bread.example"] = ["CNAME a.oven.test"]
        server.zone["a.oven.test"] = ["CNAME b.oven.test"]
        server.zone["b.oven.test"] = ["300 A 192.0.2.7"]
        found = Resolver([server.address], no_log).ask("www.bread.example", "A", NOW)

    assert (found.values, found.ttl_s, found.chain) == (("192.0.2.7",), 300, ("a.oven.test", "b.oven.test"))


def test_each_failure_has_its_own_word() -> None:
    asked: list[Any] = []

    def note(**row: Any) -> None:
        asked.append((row["kind"], row["name"], row["outcome"]))

    with DnsServer() as server:
        server.zone["broken.example"] = SERVFAIL
        server.zone["empty.example"] = ["TXT bread"]
        resolver = Resolver([server.address], note)
        errors = [resolver.ask(f"{name}.example", "A", NOW).error for name in ("broken", "empty", "missing")]
        long_name = resolver.ask("a" * 80 + ".example", "A", NOW).error

    assert errors == ["servfail", "nodata", "nxdomain"]
    assert long_name == "bad_name"
    assert asked[0] == ("dns", "broken.example", "servfail")


def test_a_silent_name_server_is_a_time_out_and_not_asked_five_times() -> None:
    with DnsServer() as server:
        server.zone["bread.example"] = SILENCE
        resolver = Resolver([server.address], no_log)
        resolver._resolver.timeout = resolver._resolver.lifetime = 0.2
        found = resolve_host(read_host("bread.example", SUFFIXES), resolver, NOW)

    assert [(answer.kind, answer.error) for answer in found.answers] == [
        ("A", "timeout"),
        ("AAAA", "timeout"),
    ]


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc",
        "http://u:p@bread.example/",
        "ftp://bread.example/",
        "http:///x",
        "http://b.example:x/",
        "http://ä.example/",
        "http://a b/",
        "x",
    ],
)
def test_what_is_no_plain_web_address_has_no_server(url: str) -> None:
    assert server_of(url) is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        ("-5", 300),
        ("soon", 300),
        (None, 300),
        ("999999999999", 86400),
        ("Fri, 20 Nov 2026 00:10:00 GMT", 600),
    ],
)
def test_retry_after_is_read_and_bounded(value: str | None, seconds: int) -> None:
    assert (retry_time(value, NOW) - NOW).total_seconds() == seconds
