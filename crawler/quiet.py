"""A log formatter without addresses: Scrapy's own writes one for every page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scrapy.logformatter import LogFormatter

if TYPE_CHECKING:
    from scrapy.logformatter import LogFormatterResult


class QuietFormatter(LogFormatter):
    """Write nothing about single pages or items; the session's summary tells the story."""

    def crawled(self, *_: Any, **__: Any) -> LogFormatterResult | None:  # type: ignore[override]  # any call is silent
        """Return None, which logs nothing."""
        return None

    def scraped(self, *_: Any, **__: Any) -> LogFormatterResult | None:  # type: ignore[override]  # any call is silent
        """Return None, which logs nothing."""
        return None

    def dropped(self, *_: Any, **__: Any) -> LogFormatterResult | None:  # type: ignore[override]  # any call is silent
        """Return None, which logs nothing."""
        return None

    def item_error(self, *_: Any, **__: Any) -> LogFormatterResult | None:  # type: ignore[override]  # any call is silent
        """Return None, which logs nothing."""
        return None

    def spider_error(self, failure: Any, *_: Any, **__: Any) -> LogFormatterResult | None:  # type: ignore[override]  # no request in it
        """Return the kind of the error, without the page it happened on."""
        return {"level": 40, "msg": "spider error %(kind)s", "args": {"kind": failure.type.__name__}}

    def download_error(self, *_: Any, **__: Any) -> LogFormatterResult | None:  # type: ignore[override]  # any call is silent
        """Return None, which logs nothing."""
        return None
