"""The transport against servers that lie, drip, flood and bomb."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import socket
from typing import TYPE_CHECKING, Any

import pytest

from crawler.transport import admission, client, exchange, sockets
from crawler.transport.client import Transport
from crawler.transport.fetch import Answer, FetchFailed, Limits, Refused
from tests.servers.certificates import new_authority
from tests.servers.dns import NXDOMAIN, SERVFAIL, DnsServer
from tests.servers.hostile import (
    BREAD,
    KB,
    NOISE,
    HostileServer,
    answer,
    drip,
    endless,
    head,
    page,
    raw,
    silence,
)
from tests.servers.lies import Lie, lies

if TYPE_CHECKING:
    from pathlib import Path

LIES = list(lies())
HTML = "Content-Type: text/html; charset=utf-8"
SHORT = Limits(connect_s=1, idle_s=5, total_s=1.5)
MB = 1024 * KB


async def outcome(transport: Transport, url: str, **options: Any) -> Answer | str:
    """Give the answer, or the code of the refusal or failure."""
    try:
        return await transport.fetch(url, **options)
    except (Refused, FetchFailed) as error:
        return error.code if "127.0.0.1" not in str(error) else "the address is in the message"


def run(
    *urls: str, practice: bool = True, limits: Limits | None = None, **options: Any
) -> list[Answer | str]:
    """Fetch one address after another with one transport."""

    async def all_urls() -> list[Answer | str]:
        transport = Transport(practice=practice, user_agent="test", limits=limits, **options)
        try:
            return [await outcome(transport, url) for url in urls]
        finally:
            await transport.close()

    return asyncio.run(all_urls())


def one(server: HostileServer, path: str, **options: Any) -> Answer | str:
    return run(server.url(path), **options)[0]


def text_of(got: Answer | str) -> Answer:
    assert isinstance(got, Answer), got
    return got


# ---- lies


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.name)
def test_a_lie_is_refused_and_little_of_it_acknowledged(lie: Lie) -> None:
    """Also on the second request to a host that first told the truth."""
    with HostileServer({"/": answer(page(30_000), HTML), "/lie": raw(lie.data)}) as server:
        honest, told, again = run(server.url("/"), server.url("/lie"), server.url("/lie"))
        visits = server.wait_over(3)

    assert text_of(honest).body == page(30_000)
    assert isinstance(told, str)
    assert isinstance(again, str)
    assert max(visit.acked_bytes for visit in visits[1:]) <= lie.bound_bytes


def test_there_are_well_over_a_hundred_lies() -> None:
    assert len({lie.name for lie in LIES}) == len(LIES) >= 200


@pytest.mark.parametrize("lie", LIES[::3], ids=lambda lie: lie.name)
def test_a_lie_under_tls_is_refused_after_one_record_more(lie: Lie, tmp_path: Path) -> None:
    authority = new_authority(tmp_path)
    scripts = {"/": answer(page(30_000), HTML), "/lie": raw(lie.data)}
    with HostileServer(scripts, authority.server_context("127.0.0.1")) as server:
        _, told = run(server.url("/"), server.url("/lie"), ca_file=authority.file)
        visits = server.wait_over(2)

    assert isinstance(told, str)
    assert visits[1].acked_bytes <= lie.bound_bytes + (16 * KB if lie.disproved_at is None else 0)


def test_a_page_over_the_cap_ends_soon_after_it() -> None:
    script = endless(head(HTML), BREAD * 100, times=2000)
    with HostileServer({"/": script}) as server:
        got = one(server, "/", limits=Limits(page_bytes=256 * KB))
        (visit,) = server.wait_over(1)

    assert got == "too_large"
    assert visit.acked_bytes <= (256 + 64) * KB


@pytest.mark.parametrize(
    ("status", "lines"),
    [("302 Found", ["Location: /next"]), ("301 Moved", []), ("404 Not Found", []), ("500 Oops", [])],
)
def test_no_body_of_a_redirect_or_error_is_read(status: str, lines: list[str]) -> None:
    start = head(HTML, *lines, status=status, length=50 * MB)
    with HostileServer({"/": endless(start, BREAD * 500, times=1000)}) as server:
        got = text_of(one(server, "/"))
        (visit,) = server.wait_over(1)

    assert (got.status, got.body) == (int(status[:3]), b"")
    assert visit.acked_bytes <= 4 * KB


@pytest.mark.parametrize("lie", LIES[1:112:9], ids=lambda lie: lie.name)
def test_an_error_page_that_lies_is_refused_when_errors_are_read(lie: Lie) -> None:
    data = lie.data.replace(b"200 OK", b"404 Not Found", 1)

    async def errors_too(url: str) -> Answer | str:
        transport = Transport(practice=True, user_agent="test")
        try:
            return await outcome(transport, url, read_errors=True)
        finally:
            await transport.close()

    with HostileServer({"/": raw(data)}) as server:
        assert isinstance(asyncio.run(errors_too(server.url("/"))), str)


def test_the_text_of_an_error_page_is_read_when_asked_for() -> None:
    async def errors_too(url: str) -> Answer:
        transport = Transport(practice=True, user_agent="test")
        try:
            return await transport.fetch(url, read_errors=True)
        finally:
            await transport.close()

    with HostileServer({"/": answer(page(900), HTML, status="410 Gone")}) as server:
        got = asyncio.run(errors_too(server.url("/")))

    assert (got.status, got.body) == (410, page(900))


# ---- fail closed


def broken(*_: object, **__: object) -> None:
    raise ZeroDivisionError("a bug")


@pytest.mark.parametrize(
    ("holder", "name"),
    [
        (sockets, "may_contact"),
        (exchange, "open_guarded"),
        (client, "admit_url"),
        (client, "admit_headers"),
        (client, "TextProof"),
        (admission, "DisguiseWatch"),
        (admission, "judge_for"),
        (client.TextProof, "feed"),
        (client.TextProof, "finish"),
        (client.Inflater, "feed"),
        (client.Inflater, "finish"),
        (client.Flight, "connected"),
        (client.Flight, "received"),
        (client.Flight, "open_window"),
        (client.Flight, "opened"),
        (client.Flight, "answered"),
        (sockets.GuardedSocket, "_allowed"),
        (sockets.GuardedSocket, "open_window"),
    ],
)
def test_a_bug_in_any_guard_lets_nothing_through(
    monkeypatch: pytest.MonkeyPatch, holder: object, name: str
) -> None:
    body = gzip.compress("".join(f"<p>Loaf {n * 7919 % 10007}</p>\n" for n in range(40_000)).encode())
    script = answer(body, HTML, "Content-Encoding: gzip")
    monkeypatch.setattr(holder, name, broken)

    with HostileServer({"/": script}) as server:

        async def once() -> Answer:
            loop = asyncio.get_running_loop()
            # The loop reports what broke while reading a socket; here that is on purpose.
            loop.set_exception_handler(lambda *_: None)
            transport = Transport(practice=True, user_agent="test")
            try:
                return await transport.fetch(server.url("/"))
            finally:
                await transport.close()

        with pytest.raises((ZeroDivisionError, FetchFailed)):
            asyncio.run(once())


# ---- private addresses


@pytest.mark.parametrize(
    "record",
    [
        "A 127.0.0.1",
        "A 10.0.0.1",
        "AAAA ::1",
        "AAAA ::ffff:7f00:1",
        "A 169.254.169.254",
        "AAAA 64:ff9b::7f00:1",
    ],
)
def test_a_name_that_leads_to_a_private_address_gets_no_packet(record: str) -> None:
    with (
        DnsServer({"bread.example": [record]}) as names,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        listener.settimeout(0)
        (got,) = run(
            f"http://bread.example:{listener.getsockname()[1]}/", practice=False, nameservers=[names.address]
        )

        assert got == "private_address"
        with pytest.raises(BlockingIOError):
            listener.accept()


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "2130706433", "0x7f000001", "127.1", "[::ffff:7f00:1]"]
)
def test_a_private_literal_gets_no_packet(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        (got,) = run(f"http://{host}:{listener.getsockname()[1]}/", practice=False)

        assert got == "private_address"
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_a_redirect_to_a_private_address_is_handed_back_and_sends_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        target = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        with HostileServer({"/": answer(b"", f"Location: {target}", status="302 Found")}) as server:
            got = text_of(one(server, "/"))

        assert (got.status, dict(got.headers)[b"Location"]) == (302, target.encode())
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_a_name_that_changes_between_look_up_and_connection_is_judged_by_its_last_address() -> None:
    with DnsServer({"bread.example": ["0 A 127.0.0.1"]}) as names, HostileServer({}) as server:
        url = server.url("/", host="bread.example")
        names.zone["bread.example"] = ["0 A 10.0.0.1"]
        (got,) = run(url, practice=True, nameservers=[names.address])

    assert (got, server.visits) == ("private_address", [])


# ---- floods, drips and bombs


def test_the_deadline_holds_where_idle_time_does_not() -> None:
    with HostileServer({"/": drip(head(HTML, length=100_000), b"a", 0.05)}) as server:
        assert one(server, "/", limits=SHORT) == "deadline"


def test_silence_ends_by_idle_time() -> None:
    with HostileServer({"/": silence}) as server:
        assert one(server, "/", limits=Limits(idle_s=0.2, total_s=20)) == "read_timeout"


def test_a_port_where_nobody_listens_is_refused() -> None:
    with HostileServer({}) as server:
        url = server.url("/")

    assert run(url) == ["refused"]


@pytest.mark.parametrize(
    ("records", "code"), [(NXDOMAIN, "dns_nxdomain"), (SERVFAIL, "dns_servfail"), ([], "dns_nodata")]
)
def test_a_name_without_an_address_says_why(records: list[str] | str, code: str) -> None:
    with DnsServer({"bread.example": records}) as names:
        assert run("http://bread.example/", nameservers=[names.address]) == [code]


# ---- what a record gets


def test_the_facts_of_a_page_are_recorded() -> None:
    body = page(30_000)
    packed = gzip.compress(body)
    lines = (HTML, "Content-Encoding: gzip", "Date: Mon, 01 Jan 2024 00:00:00 GMT")
    with (
        DnsServer({"bread.example": ["A 127.0.0.1"]}) as names,
        HostileServer({"/rye?page=2": answer(packed, *lines)}) as server,
    ):
        (got,) = run(server.url("/rye?page=2", host="bread.example"), nameservers=[names.address])
        (visit,) = server.wait_over(1)

    fetch = text_of(got).fetch
    assert (fetch.status, fetch.media_type, fetch.charset, fetch.content_encoding) == (
        200,
        "text/html",
        "utf-8",
        "gzip",
    )
    assert (fetch.size_bytes, fetch.body_sha256) == (len(body), hashlib.sha256(body).hexdigest())
    assert (fetch.encoded_size_bytes, fetch.encoded_sha256) == (
        len(packed),
        hashlib.sha256(packed).hexdigest(),
    )
    assert (fetch.peer_ip, fetch.peer_port, fetch.via) == ("127.0.0.1", server.port, "direct")
    assert fetch.dns_answers == ({"name": "bread.example", "type": "A", "value": "127.0.0.1", "ttl": 60},)
    block = head(*lines, length=len(packed)).split(b"\r\n", 1)[1].removesuffix(b"\r\n")
    assert fetch.response_headers_sha256 == hashlib.sha256(block).hexdigest()
    assert fetch.request_headers_sha256 == hashlib.sha256(visit.request.removesuffix(b"\r\n\r\n")).hexdigest()
    assert fetch.clock_offset_ms is not None
    assert fetch.clock_offset_ms < 0
    assert (fetch.connections, fetch.tls_sha256, fetch.tls_valid) == (1, None, None)
    assert fetch.started_at <= fetch.fetched_at


def test_a_refusal_keeps_the_facts_up_to_there() -> None:
    async def refused(url: str) -> Refused:
        transport = Transport(practice=True, user_agent="test")
        with pytest.raises(Refused) as refusal:
            await transport.fetch(url)
        await transport.close()
        return refusal.value

    with HostileServer({"/": answer(NOISE, "Content-Type: image/png")}) as server:
        fetch = asyncio.run(refused(server.url("/"))).fetch

    assert fetch is not None
    assert (fetch.status, fetch.media_type, fetch.peer_ip, fetch.size_bytes) == (
        200,
        "image/png",
        "127.0.0.1",
        None,
    )
    assert fetch.response_headers_sha256


def test_a_request_names_nobody_and_asks_for_text_only() -> None:
    with HostileServer({"/": answer(page(900), HTML)}) as server:
        one(server, "/")
        (visit,) = server.wait_over(1)

    names = [line.split(b":")[0].decode() for line in visit.request.split(b"\r\n")[1:-2]]
    assert sorted(names) == ["Accept", "Accept-Encoding", "Connection", "Host", "User-Agent"]
    assert b"*/*;q=0\r\n" in visit.request
    assert b"Accept-Encoding: gzip\r\n" in visit.request


def test_the_path_is_sent_as_it_was_written() -> None:
    path = "/a%2Fb/%7Erye//c/../d?q=%20+&x=%e2%80%93"
    with HostileServer({path: answer(page(900), HTML)}) as server:
        assert text_of(one(server, path)).body == page(900)


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_a_status_without_a_body_is_an_empty_answer(status: str) -> None:
    with HostileServer({"/": raw(head(status=status))}) as server:
        got = text_of(one(server, "/"))

    assert (got.status, got.body) == (int(status[:3]), b"")


def test_a_page_without_a_type_passes_when_its_bytes_prove_it() -> None:
    with HostileServer({"/": answer(page(9000)), "/plain": answer(b"Bread.\n" * 100)}) as server:
        html, plain = run(server.url("/"), server.url("/plain"))

    assert [text_of(got).fetch.media_type for got in (html, plain)] == ["text/html", "text/plain"]


def test_many_pages_at_once_keep_their_facts_apart() -> None:
    scripts = {f"/{number}": answer(page(3000 + number), HTML) for number in range(40)}

    async def all_at_once(server: HostileServer) -> list[Answer]:
        transport = Transport(practice=True, user_agent="test")
        try:
            return await asyncio.gather(*(transport.fetch(server.url(path)) for path in scripts))
        finally:
            await transport.close()

    with HostileServer(scripts) as server:
        got = asyncio.run(all_at_once(server))

    assert [answer.fetch.size_bytes for answer in got] == [3000 + number for number in range(40)]
    assert {answer.fetch.connections for answer in got} == {1}


def test_the_transport_refuses_another_kind_of_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client.asyncio, "SelectorEventLoop", type("Other", (), {}))

    with pytest.raises(client.ConfigError):
        run("http://127.0.0.1:9/")


def test_an_answer_whose_connection_is_already_gone_is_not_read() -> None:
    with pytest.raises(ConnectionResetError):
        client.Flight("direct").connected(None)
