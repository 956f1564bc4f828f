"""The transport inside Scrapy: pinned, asserted, and quiet about addresses."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from scrapy import Request, Spider
from scrapy.core.downloader.handlers import DownloadHandlers
from scrapy.crawler import AsyncCrawlerProcess
from scrapy.exceptions import IgnoreRequest
from scrapy.http import HtmlResponse, TextResponse
from scrapy.settings import Settings

from caselog.errors import ConfigError
from crawler.transport import pin as transport_addon
from crawler.transport.fetch import Fetch, FetchFailed, Refused
from crawler.transport.handler import TextOnlyDownloadHandler
from crawler.transport.pin import PINNED, TransportAddon
from tests.servers.hostile import NOISE, HostileServer, answer, page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from scrapy.http import Response
    from twisted.python.failure import Failure

HTML = "Content-Type: text/html; charset=utf-8"
SCRIPTS = {
    "/": answer(page(9000), HTML),
    "/plain": answer(b"Bread.\n" * 90, "Content-Type: text/plain"),
    "/moved": answer(b"", "Location: /", status="302 Found"),
    "/error": answer(page(900), HTML, status="404 Not Found"),
    "/noise": answer(NOISE, HTML),
}


class Baker(Spider):
    """Asks for some addresses and keeps what came of them."""

    name = "baker"

    def __init__(self, requests: list[Request], got: dict[str, Any]) -> None:
        super().__init__()
        self.requests = requests
        self.got = got

    async def start(self) -> AsyncIterator[Any]:
        for request in self.requests:
            yield request.replace(callback=self.parse, errback=self.failed, dont_filter=True)

    def parse(self, response: Response, **_: Any) -> None:
        self.got[response.url] = response

    def failed(self, failure: Failure) -> None:
        self.got[failure.request.url] = failure.value  # type: ignore[attr-defined]


class StubbornBaker(Baker):
    """Tries to bring its own handler, and everything that is off by policy."""

    custom_settings = {  # noqa: RUF012  # Scrapy's own form
        "DOWNLOAD_HANDLERS": {
            "http": "scrapy.core.downloader.handlers._aiohttp.AiohttpDownloadHandler",
            "file": "scrapy.core.downloader.handlers.file.FileDownloadHandler",
            "data": "scrapy.core.downloader.handlers.datauri.DataURIDownloadHandler",
        },
        **{name: True for name, value in PINNED.items() if value is False},
    }


def crawl(*requests: Request, spider: type[Baker] = Baker, **settings: Any) -> tuple[dict[str, Any], str]:
    """Run a crawl and give what came of each address, and why the crawl ended."""
    got: dict[str, Any] = {}
    wanted = {
        "ADDONS": {TransportAddon: 200},
        "TWISTED_REACTOR_ENABLED": False,
        "LEADLINE_PRACTICE": True,
        "DOWNLOAD_DELAY": 0.001,
        "DOWNLOAD_DELAY_JITTER": 0,
        "STATS_DUMP": False,
        "LOG_INSTALL_ROOT_HANDLER": False,
    }
    process = AsyncCrawlerProcess(Settings({**wanted, **settings}))
    crawler = process.create_crawler(spider)
    process.crawl(crawler, requests=list(requests), got=got)
    process.start()
    assert crawler.stats is not None
    return got, str(crawler.stats.get_value("finish_reason"))


def test_noise_reaches_no_callback() -> None:
    with HostileServer(SCRIPTS) as server:
        got, _ = crawl(Request(server.url("/noise")))

    refusal = got[server.url("/noise")]
    assert isinstance(refusal, Refused)
    assert isinstance(refusal, IgnoreRequest)
    assert (refusal.code, refusal.fetch.status if refusal.fetch else None) == ("binary", 200)


def test_a_spider_cannot_bring_its_own_handler() -> None:
    with HostileServer(SCRIPTS) as server:
        urls = [server.url("/noise"), "file:///etc/hostname", "data:text/html,bread"]
        got, reason = crawl(*(Request(url) for url in urls), spider=StubbornBaker)

    assert reason == "finished"
    assert [type(got[url]).__name__ for url in urls] == ["IgnoredRefusal", "NotSupported", "NotSupported"]


def test_a_spider_cannot_turn_on_what_policy_turns_off() -> None:
    settings = Settings({"DOWNLOAD_DELAY": 1})
    settings.setdict(StubbornBaker.custom_settings, priority="spider")
    changed = {
        name: {"http": "mine"} if isinstance(value, dict) else "mine" for name, value in PINNED.items()
    }
    settings.setdict(changed, priority="cmdline")
    TransportAddon.update_settings(TransportAddon.__new__(TransportAddon), settings)

    plain = {name: value for name, value in PINNED.items() if not isinstance(value, dict)}
    assert {name: settings.get(name) for name in plain} == plain
    assert settings.getwithbase("DOWNLOAD_HANDLERS") == PINNED["DOWNLOAD_HANDLERS"]


@pytest.mark.parametrize("handler", [
    "scrapy.core.downloader.handlers.file.FileDownloadHandler",
    "tests.test_crawler_transport_addon.Lookalike",
])  # fmt: skip
def test_a_crawl_with_another_handler_ends_before_its_first_request(
    monkeypatch: pytest.MonkeyPatch, handler: str
) -> None:
    pinned = {**PINNED, "DOWNLOAD_HANDLERS": {**PINNED["DOWNLOAD_HANDLERS"], "http": handler}}
    monkeypatch.setattr(transport_addon, "PINNED", pinned)
    with HostileServer(SCRIPTS) as server:
        got, reason = crawl(Request(server.url("/")))

        assert (got, reason, server.visits) == ({}, "foreign_transport", [])


def test_a_crawl_ends_when_the_look_at_the_handlers_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> bool:
        raise ZeroDivisionError

    monkeypatch.setattr(transport_addon, "has_own_handlers", broken)
    with HostileServer(SCRIPTS) as server:
        got, reason = crawl(Request(server.url("/")))

        assert (got, reason, server.visits) == ({}, "foreign_transport", [])


def test_a_crawl_ends_when_a_handler_was_swapped_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = DownloadHandlers.__init__

    def swapped(self: DownloadHandlers, crawler: Any) -> None:
        loaded(self, crawler)
        self._handlers["https"] = Lookalike.from_crawler(crawler)

    monkeypatch.setattr(DownloadHandlers, "__init__", swapped)

    assert crawl(Request("http://127.0.0.1:9/")) == ({}, "foreign_transport")


class Lookalike(TextOnlyDownloadHandler):
    """A subclass could weaken anything, so it is foreign too."""


def test_no_delay_is_a_wrong_setting() -> None:
    with pytest.raises(ConfigError):
        TransportAddon.update_settings(
            TransportAddon.__new__(TransportAddon), Settings({"DOWNLOAD_DELAY": 0})
        )


def test_text_reaches_the_callback_with_its_facts() -> None:
    with HostileServer(SCRIPTS) as server:
        got, _ = crawl(Request(server.url("/")), Request(server.url("/plain")))

    html, plain = got[server.url("/")], got[server.url("/plain")]
    assert (type(html), type(plain)) == (HtmlResponse, TextResponse)
    assert (html.body, html.encoding, str(html.ip_address)) == (page(9000), "utf-8", "127.0.0.1")
    assert isinstance(html.meta["fetch"], Fetch)
    assert html.meta["fetch"].size_bytes == 9000


def test_redirects_and_errors_come_back_without_a_body() -> None:
    with HostileServer(SCRIPTS) as server:
        moved, error, read = (
            Request(server.url("/moved"), meta={"handle_httpstatus_all": True}),
            Request(server.url("/error"), meta={"handle_httpstatus_all": True}),
            Request(server.url("/error#read"), meta={"handle_httpstatus_all": True, "read_errors": True}),
        )
        got, _ = crawl(moved, error)
        again, _ = crawl(read)

    assert [(got[url].status, got[url].body) for url in (moved.url, error.url)] == [(302, b""), (404, b"")]
    assert again[read.url].body == page(900)


@pytest.mark.parametrize("request_", [Request("http://127.0.0.1:9/", method="POST"),
                                      Request("http://127.0.0.1:9/", method="HEAD"),
                                      Request("http://127.0.0.1:9/", body=b"bread")])  # fmt: skip
def test_only_get_goes_out(request_: Request) -> None:
    got, _ = crawl(request_)

    assert got[request_.url].code == "method"


def test_a_live_workspace_is_the_default() -> None:
    with HostileServer(SCRIPTS) as server:
        got, _ = crawl(Request(server.url("/")), LEADLINE_PRACTICE=None)

        assert (got[server.url("/")].code, server.visits) == ("private_address", [])


def test_refusals_and_failures_leave_no_address_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    class Careless(Baker):
        async def start(self) -> AsyncIterator[Any]:
            for request in self.requests:
                yield request.replace(dont_filter=True)

    with HostileServer(SCRIPTS) as server, caplog.at_level(logging.INFO):
        closed = f"http://127.0.0.2:{server.port}/rye"
        crawl(Request(server.url("/noise")), Request(closed), spider=Careless)

    assert "127.0.0" not in caplog.text


def test_a_failure_carries_its_code() -> None:
    with HostileServer({}) as server:
        url = server.url("/gone")
        got, _ = crawl(Request(url))

    assert isinstance(got[url], FetchFailed)
    assert got[url].code == "reset"
