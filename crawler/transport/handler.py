"""Scrapy's side of the transport: a download handler that lets only proven text through.

Facts go to ``request.meta["fetch"]``; refusals and failures reach the errback as `Refused` and `FetchFailed`,
each also an ``IgnoreRequest``, so that Scrapy neither retries them nor logs their address.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from scrapy.core.downloader.handlers.base import BaseDownloadHandler
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Headers, HtmlResponse, TextResponse

from crawler.transport.configured import transport_from
from crawler.transport.fetch import Answer, FetchFailed, Refused
from crawler.transport.pin import TransportAddon

if TYPE_CHECKING:
    from scrapy import Request
    from scrapy.crawler import Crawler
    from scrapy.http import Response

    from crawler.transport.client import Transport


class IgnoredRefusal(Refused, IgnoreRequest):
    """A refusal that Scrapy hands to the errback alone."""


class IgnoredFailure(FetchFailed, IgnoreRequest):
    """A failure that Scrapy hands to the errback alone."""


class TextOnlyDownloadHandler(BaseDownloadHandler):
    """Answer http and https requests by text or not at all.

    Settings: ``LEADLINE_PRACTICE``, ``LEADLINE_RESOLVER``, ``LEADLINE_TOR_SOCKS``,
    ``LEADLINE_TOR_CONTROL``, ``LEADLINE_VANTAGE``, ``LEADLINE_CA_FILE``, ``LEADLINE_TLS_INVALID`` (``read``
    or ``refuse``), ``LEADLINE_PAGE_BYTES``, ``LEADLINE_CONNECT_S``, ``LEADLINE_IDLE_S``,
    ``LEADLINE_TOTAL_S``, ``LEADLINE_ONION_TOTAL_S`` and ``USER_AGENT``.
    ``request.meta["read_errors"]`` asks for the text of error pages as well;
    ``request.meta["reads_invalid_tls"]`` False refuses pages behind a certificate that fails.
    """

    lazy = False

    def __init__(self, crawler: Crawler, *, transport: Transport) -> None:
        super().__init__(crawler)
        self._transport = transport

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> TextOnlyDownloadHandler:
        """Make the handler over the one transport of the crawl."""
        addon = crawler.get_addon(TransportAddon)
        return cls(crawler, transport=addon.transport if addon else transport_from(crawler.settings))

    async def download_request(self, request: Request) -> Response:
        """Give the text answer; raises `Refused` or `FetchFailed`."""
        if request.method != "GET" or request.body:
            raise IgnoredRefusal("method")
        try:
            answer = await self._transport.fetch(
                request.url,
                read_errors=bool(request.meta.get("read_errors")),
                reads_invalid_tls=request.meta.get("reads_invalid_tls", True),
            )
        except Refused as refusal:
            request.meta["fetch"] = refusal.fetch
            raise IgnoredRefusal(refusal.code, refusal.fetch) from None
        except FetchFailed as failure:
            request.meta["fetch"] = failure.fetch
            raise IgnoredFailure(failure.code, failure.fetch) from None
        return _response(request, answer)

    async def close(self) -> None:
        """Close the transport."""
        await self._transport.close()


def _response(request: Request, answer: Answer) -> Response:
    """Give Scrapy's response: decoded body, proven charset, and no header that would decode it again."""
    fetch = answer.fetch
    request.meta["fetch"] = fetch
    headers = Headers()
    for name, value in answer.headers:
        if name.lower() not in {b"content-encoding", b"content-length", b"transfer-encoding"}:
            headers.appendlist(name, value)
    kind = TextResponse if fetch.media_type == "text/plain" else HtmlResponse
    return kind(
        url=request.url,
        status=answer.status,
        headers=headers,
        body=answer.body,
        encoding=fetch.charset or "utf-8",
        request=request,
        ip_address=ipaddress.ip_address(fetch.peer_ip.partition("%")[0]) if fetch.peer_ip else None,
    )
