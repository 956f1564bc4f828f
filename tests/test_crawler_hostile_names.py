"""Names: what is told to the server, where a name may lead, and which of several addresses is taken."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from crawler.transport.client import Transport
from crawler.transport.fetch import Answer, FetchFailed, Limits, Refused
from tests.servers.certificates import new_authority
from tests.servers.dns import DnsServer
from tests.servers.hostile import HostileServer, answer, page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dnslib import DNSRecord

PAGE = page(3000)
SCRIPTS = {"/": answer(PAGE, "Content-Type: text/html")}
Zone = dict[str, list[str] | str]
LIMITS = Limits(connect_s=2, idle_s=2, total_s=4)


def run(*urls: str, practice: bool = True, limits: Limits = LIMITS, **options: object) -> list[Answer | str]:
    """Fetch one address after another with one transport."""

    async def one(transport: Transport, url: str) -> Answer | str:
        try:
            return await transport.fetch(url)
        except (Refused, FetchFailed) as error:
            return error.code if "example" not in str(error) else "the address is in the message"

    async def all_urls() -> list[Answer | str]:
        transport = Transport(practice=practice, user_agent="test", limits=limits, **options)
        try:
            return [await one(transport, url) for url in urls]
        finally:
            await transport.close()

    return asyncio.run(all_urls())


# ---- what the server is told

NAMES = {
    "bread.example": ("bread.example", "bread.example"),
    "bread.example.": ("bread.example", "bread.example"),
    "BREAD.example": ("BREAD.example", "BREAD.example"),
    "br\u00f6tchen.example": ("xn--brtchen-b1a.example", "xn--brtchen-b1a.example"),
    "xn--brtchen-b1a.example": ("xn--brtchen-b1a.example", "xn--brtchen-b1a.example"),
    "br\u0435ad.example": ("xn--brad-w4d.example", "xn--brad-w4d.example"),
    "bread\u3002example": ("bread.example", "bread.example"),
    "127.0.0.1": (None, "127.0.0.1"),
}
"""Host of the address: SNI (RFC 6066, 3: no literal, no port, no last dot) and Host (RFC 9110, 7.2)."""


def test_sni_and_host_name_exactly_what_was_asked_for(tmp_path: Path) -> None:
    seen: list[str | None] = []
    authority = new_authority(tmp_path)
    told = [sni for sni, _ in NAMES.values()]
    hosts = [host for _, host in NAMES.values()]
    context = authority.server_context("127.0.0.1", *{sni for sni in told if sni})
    context.sni_callback = lambda _talking, name, _context: seen.append(name)
    zone: Zone = {sni.lower(): ["A 127.0.0.1"] for sni in told if sni}
    with DnsServer(zone) as names, HostileServer(SCRIPTS, context) as server:
        urls = [server.url("/", host=host) for host in NAMES]
        got = run(*urls, nameservers=[names.address], ca_file=authority.file)
        visits = server.wait_over(len(NAMES))

    assert [answer if isinstance(answer, str) else answer.body for answer in got] == [PAGE] * len(NAMES)
    assert told == seen
    assert [f"{host}:{server.port}" for host in hosts] == [_host(visit.request) for visit in visits]


def test_an_ipv6_literal_stands_in_brackets_and_gets_no_sni(tmp_path: Path) -> None:
    seen: list[str | None] = []
    authority = new_authority(tmp_path)
    context = authority.server_context("::1")
    context.sni_callback = lambda _talking, name, _context: seen.append(name)
    with HostileServer(SCRIPTS, context, "::1") as server:
        (got,) = run(server.url("/"), ca_file=authority.file)
        (visit,) = server.wait_over(1)

    assert isinstance(got, Answer)
    assert got.fetch.tls_valid
    assert (seen, _host(visit.request)) == ([None], f"[::1]:{server.port}")


def _host(request: bytes) -> str:
    lines = [line for line in request.split(b"\r\n") if line.lower().startswith(b"host:")]
    assert len(lines) == 1
    return lines[0].partition(b":")[2].strip().decode()


def test_the_usual_port_is_not_named_in_host() -> None:
    try:
        socket.create_server(("127.0.0.80", 80)).close()
    except OSError:
        pytest.skip("port 80 is taken, or not ours to take")
    with HostileServer(SCRIPTS, host="127.0.0.80", wanted_port=80) as server:
        run("http://127.0.0.80/", "http://127.0.0.80:80/")
        visits = server.wait_over(2)

    assert [_host(visit.request) for visit in visits] == ["127.0.0.80"] * 2


@pytest.mark.parametrize("url", [
    "http://xn--zz.example/", "http://bre\u00adad.example/", "http://bread%00.example/", "http://.example/",
    "http://bread..example/", f"http://{'a' * 64}.example/", f"http://{'a.' * 127}example/", "http://[::1",
    "http://[v7.bread]/", "http://bread.example:99999/", "http://bread.example:-1/", "http://bread.example:8x/",
    "http://\u2488.example/", "http://*.example/", "http://bread_.example/", "http://-bread.example/",
    "http://\u202ebread.example/", "http://bread.example\u2044.rye.example/", "http://b\u0338.example/",
    "http://bread.example:0x50/", "http://bread;example/", "http://bread'example/", "http://br{ead}.example/",
])  # fmt: skip
def test_an_odd_host_is_an_outcome_and_never_in_a_message(url: str) -> None:
    with DnsServer({}) as names:
        (got,) = run(url, nameservers=[names.address])

    assert got in {"bad_url", "dns_nxdomain", "bad_http"}


# ---- where a name may lead

PRIVATE = [
    "A 127.0.0.1", "A 127.9.9.9", "A 0.0.0.0", "A 10.0.0.1", "A 100.64.0.1", "A 169.254.169.254",
    "A 172.16.0.1", "A 192.168.0.1", "A 192.0.0.8", "A 198.18.0.1", "A 224.0.0.1", "A 255.255.255.255",
    "A 240.0.0.1", "AAAA ::1", "AAAA ::", "AAAA ::ffff:7f00:1", "AAAA ::ffff:a00:1", "AAAA ::7f00:1",
    "AAAA 2002:7f00:1::", "AAAA 2002:a00:1::1", "AAAA 64:ff9b::7f00:1", "AAAA 64:ff9b:1::7f00:1",
    "AAAA 2001:0:5ef5:79fd::80ff:fffe", "AAAA fe80::1", "AAAA fec0::1", "AAAA fc00::1", "AAAA ff02::1",
    "AAAA 2001:db8::1", "AAAA 100::1",
]  # fmt: skip


@contextmanager
def listeners() -> Iterator[tuple[int, list[socket.socket]]]:
    """Give a port at which several private addresses listen, none of which may be knocked at."""
    with ExitStack() as stack:
        first = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        port = first.getsockname()[1]
        others = [(socket.AF_INET, "127.9.9.9"), (socket.AF_INET6, "::1")]
        found = [first]
        for family, host in others:
            with suppress(OSError):
                found.append(stack.enter_context(socket.create_server((host, port), family=family)))
        for listener in found:
            listener.setblocking(False)
        yield port, found


def knocks(found: list[socket.socket]) -> int:
    """Count the connections that wait at the listeners."""
    count = 0
    for listener in found:
        with suppress(BlockingIOError):
            listener.accept()[0].close()
            count += 1
    return count


def test_no_private_address_is_knocked_at_whatever_its_form() -> None:
    zone: Zone = {f"rye{number}.example": [record] for number, record in enumerate(PRIVATE)}
    zone["all.example"] = list(PRIVATE)
    zone["alias.example"] = ["CNAME rye0.example"]
    with DnsServer(zone) as names, listeners() as (port, found):
        got = run(*(f"http://{name}:{port}/" for name in zone), practice=False, nameservers=[names.address])

        assert got == ["private_address"] * len(zone)
        assert knocks(found) == 0


@dataclass
class TurningDns(DnsServer):
    """Answer each query of a type with the next of ``turns``, and never the same twice in a row."""

    turns: list[list[str]] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)

    def _reply(self, query: DNSRecord) -> DNSRecord | None:
        name = str(query.q.qname).rstrip(".").lower()
        kind = str(query.q.qtype)
        self.zone[name] = self.turns[self.asked[kind] % len(self.turns)]
        self.asked[kind] += 1
        return super()._reply(query)


def test_answers_that_change_with_each_query_never_lead_to_a_private_address() -> None:
    turns = [["0 " + record] for record in PRIVATE[:24]]
    with TurningDns(turns=turns) as names, listeners() as (port, found):
        urls = [f"http://bread.example:{port}/"] * len(turns)
        got = run(*urls, practice=False, nameservers=[names.address])

        assert set(got) <= {"private_address", "dns_nodata"}
        assert knocks(found) == 0
        assert names.asked["1"] == len(turns), "a time to live of 0 is not kept"


def test_answers_that_change_are_judged_each_time_and_the_allowed_ones_read() -> None:
    turns = [["0 A 127.0.0.1"], ["0 A 10.0.0.1"], ["0 A 10.0.0.1", "0 A 127.0.0.1"]]
    with TurningDns(turns=turns) as names, HostileServer(SCRIPTS) as server:
        got = run(*[server.url("/", host="bread.example")] * 6, nameservers=[names.address])
        visits = server.wait_over(4)

    outcomes = [one if isinstance(one, str) else one.fetch.connections for one in got]
    assert outcomes == [1, "private_address", 1, 1, "private_address", 1]
    assert len(visits) == 4


# ---- which of several addresses is taken


@contextmanager
def full_backlog(host: str, port: int) -> Iterator[None]:
    """Hold a port whose system answers no more: connections hang there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with ExitStack() as stack:
        stack.enter_context(socket.create_server((host, port), family=family, backlog=0))
        for _ in range(4):
            knock = stack.enter_context(socket.socket(family))
            knock.setblocking(False)
            with suppress(BlockingIOError):
                knock.connect((host, port))
        yield


BOTH = {"bread.example": ["A 127.0.0.1", "AAAA ::1"]}


@pytest.mark.parametrize("lives_at", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("other", ["refuses", "hangs"])
def test_the_address_that_answers_is_taken_and_asked_once(lives_at: str, other: str) -> None:
    dead = "::1" if lives_at == "127.0.0.1" else "127.0.0.1"
    with ExitStack() as stack:
        names = stack.enter_context(DnsServer(BOTH))
        server = stack.enter_context(HostileServer(SCRIPTS, host=lives_at))
        if other == "hangs":
            stack.enter_context(full_backlog(dead, server.port))
        (got,) = run(server.url("/", host="bread.example"), nameservers=[names.address])
        visits = server.wait_over(1)

    assert isinstance(got, Answer)
    assert got.fetch.peer_ip == lives_at
    assert got.fetch.connections <= 2
    assert [bool(visit.request) for visit in visits] == [True]


def test_a_refused_address_beside_an_allowed_one_gets_no_socket() -> None:
    zone: Zone = {"bread.example": ["AAAA fd00::1", "A 10.0.0.1", "A 127.0.0.1"]}
    with DnsServer(zone) as names, HostileServer(SCRIPTS) as server:
        (got,) = run(server.url("/", host="bread.example"), nameservers=[names.address])

    assert isinstance(got, Answer)
    assert (got.fetch.peer_ip, got.fetch.connections) == ("127.0.0.1", 1)


def test_a_broken_answer_at_one_address_is_not_asked_for_at_the_other() -> None:
    with DnsServer(BOTH) as names, HostileServer({}) as server:
        second = HostileServer(SCRIPTS, host="::1", wanted_port=server.port)
        with second:
            (got,) = run(server.url("/", host="bread.example"), nameservers=[names.address])

    assert len(server.visits) + len(second.visits) == 1
    assert isinstance(got, str) == bool(server.visits)


def test_a_full_backlog_is_a_connect_timeout() -> None:
    with HostileServer({}) as server:
        port = server.port
    with full_backlog("127.0.0.1", port):
        assert run(f"http://127.0.0.1:{port}/", limits=Limits(connect_s=0.4, total_s=4)) == [
            "connect_timeout"
        ]


def test_an_answer_that_comes_before_the_request_is_still_asked_for_once() -> None:
    def early(connection: socket.socket) -> None:
        SCRIPTS["/"](connection)
        connection.shutdown(socket.SHUT_WR)
        requests.append(connection.recv(65536))

    requests: list[bytes] = []
    with HostileServer({}, opening=early) as server:
        (got,) = run(server.url("/"))
        server.wait_over(1)

    assert isinstance(got, str) or got.body == PAGE
    assert len(requests) <= 1
    assert len(server.visits) == 1
