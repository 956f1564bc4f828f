"""How politely a crawl asks, counted at the server: how many requests at once, how long between two."""

from __future__ import annotations

import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from crawler.transport.retry_after import retry_after_s
from tests.crawl_samples import HTML, TERM, crawl, html, outcomes, tree, work_at
from tests.servers.dns import DnsServer
from tests.servers.socks import SocksServer
from tests.servers.web import NOT_FOUND, WebServer, _Handler, _Server

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.servers.web import Reply, Request

DELAY_S = 0.1


class BothFamilies(WebServer):
    """A server that hears the same port of 127.0.0.1 and of ::1."""

    def __enter__(self) -> WebServer:
        super().__enter__()
        self._also = _OverIPv6(("::1", self.port), _Handler)
        self._also.web = self
        self._beside = threading.Thread(target=self._also.serve_forever, args=(0.02,), daemon=True)
        self._beside.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self._also.shutdown()
        self._beside.join()
        self._also.server_close()
        super().__exit__(*error)


class _OverIPv6(_Server):
    address_family = socket.AF_INET6


def slowly(routes: dict[str, Reply], seconds: float) -> Callable[[Request], Reply]:
    def reply(request: Request) -> Reply:
        threading.Event().wait(seconds)
        return routes.get(request.path, NOT_FOUND)

    return reply


def gaps(server: WebServer) -> list[float]:
    return [b.at_s - a.at_s for a, b in pairwise(server.requests)]


@pytest.mark.parametrize("per_host", [1, 2, 4])
def test_a_host_sees_no_more_requests_at_once_and_none_sooner_than_set(tmp_path: Path, per_host: int) -> None:
    with WebServer({"*": slowly(tree(9), 0.25)}) as server:
        work = work_at(tmp_path, delay_seconds=DELAY_S, per_host=per_host)
        work.add_leads(server.url("/"))
        crawl(work)

        assert len(server.paths) == 9
        assert server.most_in_flight <= per_host
        assert min(gaps(server)) >= DELAY_S


def test_many_names_on_one_server_share_its_limit(tmp_path: Path) -> None:
    names = ["rye.example", "oat.example", "spelt.example"]
    with (
        DnsServer({name: ["A 127.0.0.1"] for name in names}) as dns,
        WebServer({"*": slowly(tree(4), 0.05)}) as server,
    ):
        work = work_at(tmp_path, delay_seconds=DELAY_S, per_host=1, resolver=dns.address)
        work.add_leads(*(f"http://{name}:{server.port}/" for name in names))
        crawl(work)

        assert len(server.paths) == 12
        assert server.most_in_flight == 1
        assert min(gaps(server)) >= DELAY_S


def test_ports_on_loopback_are_servers_of_their_own(tmp_path: Path) -> None:
    with WebServer({"*": slowly(tree(3), 0.05)}) as one, WebServer({"*": slowly(tree(3), 0.05)}) as other:
        work = work_at(tmp_path, delay_seconds=0.3, per_host=1)
        work.add_leads(one.url("/"), other.url("/"))
        crawl(work)

        for server in (one, other):
            assert len(server.paths) == 3
            assert server.most_in_flight == 1
            assert min(gaps(server)) >= 0.3
        # They took turns, so neither waited for the other's delay.
        assert min(other.requests[-1].at_s, one.requests[-1].at_s) > max(
            one.requests[0].at_s, other.requests[0].at_s
        )


def test_a_name_on_both_families_is_one_host(tmp_path: Path) -> None:
    with BothFamilies({"*": slowly(tree(3), 0.05)}) as server, DnsServer() as dns:
        dns.zone["rye.example"] = ["A 127.0.0.1", "AAAA ::1"]
        dns.zone["oat.example"] = ["AAAA ::1"]
        work = work_at(tmp_path, delay_seconds=DELAY_S, per_host=1, resolver=dns.address)
        port = server.port
        work.add_leads(f"http://rye.example:{port}/", f"http://oat.example:{port}/", f"http://[::1]:{port}/")
        crawl(work)

        assert len(server.paths) == 9
        assert server.most_in_flight == 1
        assert min(gaps(server)) >= DELAY_S


def test_control_pages_and_checks_keep_the_same_pace(tmp_path: Path) -> None:
    pages = {"/": html("root", links=("/a", "/b")), "/a": html("a", term=TERM), "/b": html("b", term=TERM)}
    with WebServer(pages) as server:
        work = work_at(tmp_path, delay_seconds=DELAY_S, per_host=1)
        work.add_leads(server.url("/"))
        crawl(work)
        assert work.run("checks", "run", "--all").code == 0

        assert len(server.paths) > 6
        assert server.most_in_flight == 1
        assert min(gaps(server)) >= DELAY_S


def test_a_second_vantage_and_the_first_keep_one_pace(tmp_path: Path) -> None:
    pages = {"/": html("root", links=("/a",)), "/a": html("a", term=TERM)}
    with WebServer(pages) as server, SocksServer(server.port) as socks:
        work = work_at(tmp_path, delay_seconds=DELAY_S, per_host=1)
        work.add_leads(server.url("/"))
        crawl(work)
        del server.routes["/a"]
        settings = work.folder / "leadline.toml"
        second = f'[network]\nsecond_vantage = "socks5h://{socks.address}"\n'
        settings.write_text(settings.read_text(encoding="utf-8") + second, encoding="utf-8")
        assert work.run("checks", "run", "--all").code == 0

        assert socks.asked
        assert server.most_in_flight == 1
        assert min(gaps(server)) >= DELAY_S


def test_a_crawl_that_follows_another_keeps_the_pace_from_the_start(tmp_path: Path) -> None:
    delay_s = 0.8
    with WebServer(tree(2)) as server:
        work = work_at(tmp_path, delay_seconds=delay_s, per_host=1)
        for path in ("/", "/loaf/1"):
            work.add_leads(server.url(path))
            crawl(work, "--pages", "1")

        assert len(server.paths) == 2
        assert min(gaps(server)) >= delay_s


def test_pages_that_are_compared_keep_the_pace(tmp_path: Path) -> None:
    with WebServer(tree(3)) as server:
        work = work_at(tmp_path, delay_seconds=DELAY_S, per_host=1)
        work.add_leads(server.url("/"))
        assert work.run("evidence", "compare", *(server.url(path) for path in tree(3))).code == 0

        assert len(server.paths) == 3
        assert min(gaps(server)) >= DELAY_S


def test_a_check_waits_until_the_date_that_it_was_told(tmp_path: Path) -> None:
    pages = {"/": html("root", term=TERM)}
    with WebServer(pages) as server:
        work = work_at(tmp_path, delay_seconds=0.01, per_host=1)
        work.add_leads(server.url("/"))
        crawl(work)
        until = datetime.now(UTC) + timedelta(seconds=6)
        busy = 429, {**HTML, "Retry-After": format_datetime(until, usegmt=True)}, b""
        server.routes["/"] = lambda _: (
            busy if datetime.now(UTC) < until.replace(microsecond=0) else pages["/"]
        )
        asked = len(server.requests)
        assert work.run("checks", "run", "--all").code == 0

        assert len(server.requests) == asked + 2


def after_a_while(status: int, retry_after: Callable[[], str] | None) -> Callable[[Request], Reply]:
    """Ask to wait at the first request, then answer."""
    first = iter([True])

    def reply(_request: Request) -> Reply:
        if next(first, False):
            named = {"Retry-After": retry_after()} if retry_after else {}
            return status, {**HTML, **named}, b""
        return html("loaf")

    return reply


@pytest.mark.parametrize(
    ("status", "retry_after"),
    [
        (429, lambda: "2"),
        (503, lambda: "2"),
        (429, lambda: format_datetime(datetime.now(UTC) + timedelta(seconds=3), usegmt=True)),
    ],
)
def test_a_host_that_asks_to_wait_is_left_alone_for_so_long(
    tmp_path: Path, status: int, retry_after: Callable[[], str]
) -> None:
    with WebServer({"/": after_a_while(status, retry_after)}) as server:
        work = work_at(tmp_path, delay_seconds=0.01)
        work.add_leads(server.url("/"))
        crawl(work)

        assert outcomes(work)["/"] == "text"
        assert gaps(server)[0] >= 1.9


def test_a_date_of_the_past_is_no_wait_and_nonsense_a_pause_of_our_own(tmp_path: Path) -> None:
    stamp = format_datetime(datetime.now(UTC) - timedelta(days=1), usegmt=True)
    with WebServer({"/": after_a_while(429, lambda: stamp)}) as server:
        work = work_at(tmp_path, delay_seconds=0.01)
        work.add_leads(server.url("/"))
        started_s = time.monotonic()
        crawl(work)

        assert outcomes(work)["/"] == "text"
        assert gaps(server)[0] < time.monotonic() - started_s


def test_the_user_agent_is_as_set_and_nothing_else_is_told(tmp_path: Path) -> None:
    with WebServer(tree(2)) as server:
        work = work_at(tmp_path)
        work.add_leads(server.url("/"))
        crawl(work)

        told = {frozenset(request.headers) for request in server.requests}
        agents = {request.headers["user-agent"] for request in server.requests}
        assert told == {frozenset({"host", "user-agent", "accept", "accept-encoding", "connection"})}
        assert agents == {"Mozilla/5.0 (compatible)"}


@pytest.mark.parametrize(
    ("raw", "seconds"),
    [
        (b"", None),
        (b"soon", None),
        (b"-5", None),
        (b"1.5", None),
        (b"\xff\xfe", None),
        (b"Mon, 99 Foo 2026 00:00:00 GMT", None),
        (b"0", 0.0),
        (b" 120 ", 120.0),
        (b"9" * 400, 999999999.0),
        (b"Fri, 01 May 2026 12:00:30 GMT", 30.0),
        (b"Fri, 01 May 2026 11:00:00 GMT", 0.0),
        (b"Friday, 01-May-26 12:00:30 GMT", 30.0),
    ],
)
def test_retry_after_is_a_number_or_a_date(raw: bytes, seconds: float | None) -> None:
    assert retry_after_s(raw, datetime(2026, 5, 1, 12, tzinfo=UTC)) == seconds
