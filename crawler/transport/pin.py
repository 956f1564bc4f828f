"""Pin the transport: no spider, project or command line can put another download handler in its place.

The add-on writes at a priority above all others and then, when the spider opens, looks at the live handlers
themselves; a crawl whose handlers are not ours is ended before its first request.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from scrapy import signals
from scrapy.utils.misc import load_object

from caselog.errors import ConfigError
from crawler.transport.configured import transport_from

if TYPE_CHECKING:
    from scrapy.crawler import Crawler
    from scrapy.settings import BaseSettings

    from crawler.transport.client import Transport

logger = logging.getLogger(__name__)

PRIORITY = 1000
"""Above the command line (40) and above whatever a spider can set (30)."""
FOREIGN_TRANSPORT = "foreign_transport"
"""Why a crawl was ended whose handlers are not ours."""

_HANDLER = "crawler.transport.handler.TextOnlyDownloadHandler"
PINNED: dict[str, Any] = {
    "DOWNLOAD_HANDLERS": {
        "http": _HANDLER, "https": _HANDLER, "data": None, "file": None, "ftp": None, "s3": None,
    },
    "DOWNLOAD_HANDLERS_BASE": {},
    # A slot of its own could have a delay of 0; the transport's pace adds what makes it irregular.
    "DOWNLOAD_SLOTS": {},
    "DOWNLOAD_DELAY_JITTER": 0.0,
    "REMOTE_CONTROL_ENABLED": False,
    "TELNETCONSOLE_ENABLED": False,
    "COOKIES_ENABLED": False,
    "REFERER_ENABLED": False,
    "METAREFRESH_ENABLED": False,
    "HTTPCACHE_ENABLED": False,
    "COMPRESSION_ENABLED": False,
    "REDIRECT_ENABLED": False,
    "RETRY_ENABLED": False,
    "HTTPPROXY_ENABLED": False,
    "ASYNCIO_EVENT_LOOP": None,
}  # fmt: skip


class TransportAddon:
    """Set the transport and what is off by policy, and check it when the spider opens."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._transport: Transport | None = None
        crawler.signals.connect(self.spider_opened, signal=signals.spider_opened)

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> TransportAddon:
        """Make the add-on of one crawler."""
        return cls(crawler)

    @property
    def transport(self) -> Transport:
        """Give the one transport of the crawl: all its requests share connections' rules and one pace."""
        if self._transport is None:
            self._transport = transport_from(self._crawler.settings)
        return self._transport

    def update_settings(self, settings: BaseSettings) -> None:
        """Write the pinned settings.

        Raises:
            ConfigError: ``DOWNLOAD_DELAY`` is not above 0: Scrapy then does not hold its limit for one host.
        """
        for name, value in PINNED.items():
            settings.set(name, value, priority=PRIORITY)
        if settings.getfloat("DOWNLOAD_DELAY") <= 0:
            raise ConfigError("The delay between two requests is not above 0.", "Set [crawl] delay_seconds.")

    async def spider_opened(self) -> None:
        """End the crawl unless both live handlers are ours."""
        is_ours = False
        try:
            is_ours = has_own_handlers(self._crawler)
        finally:
            # Scrapy swallows what a signal's receiver raises, so a bug in the look must end the crawl too.
            if not is_ours:
                await self._end()

    async def _end(self) -> None:
        logger.error("The download handlers are not ours: the crawl ends before its first request")
        engine = self._crawler.engine
        if engine is not None:
            await engine.close_spider_async(reason=FOREIGN_TRANSPORT)


def has_own_handlers(crawler: Crawler) -> bool:
    """Say whether the live http and https handlers are exactly our class, and no other scheme has one."""
    engine = crawler.engine
    if engine is None:
        return False
    live = getattr(engine.downloader, "handlers", None)
    handlers = getattr(live, "_handlers", {})
    schemes = getattr(live, "_schemes", {})
    ours = {"http", "https"}
    return set(schemes) == ours and all(
        type(handlers.get(scheme)) is load_object(_HANDLER) for scheme in ours
    )
