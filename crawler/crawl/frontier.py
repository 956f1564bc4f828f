"""Scrapy's scheduler over the frontier in the case log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from scrapy.core.scheduler import BaseScheduler

from caselog.errors import OutageError

if TYPE_CHECKING:
    from typing import Self

    from scrapy import Request, Spider
    from scrapy.crawler import Crawler

    from caselog.store.frontier import Pending
    from crawler.crawl.session import CrawlSession


class Follower(Protocol):
    """What the scheduler needs of the spider that follows leads."""

    session: CrawlSession

    def request_for(self, row: Pending) -> Request:
        """Return the request of one frontier row."""


class Frontier(BaseScheduler):
    """Hand out what the session's frontier says, never more than a site may have under way.

    Nothing is enqueued from outside: addresses enter the frontier with the page that holds them.
    """

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        """Return the scheduler of one crawl."""
        del crawler
        return cls()

    def open(self, spider: Spider) -> None:
        """Take the session of the spider."""
        self._spider: Follower = spider  # type: ignore[assignment]  # no other has it
        self._session: CrawlSession = self._spider.session

    def close(self, reason: str) -> None:
        """Leave the frontier as it is: it lies in the case log."""
        del reason

    def has_pending_requests(self) -> bool:
        """Tell whether anything is left to ask."""
        return not self._session.is_over()

    def enqueue_request(self, request: Request) -> bool:
        """Refuse a request from outside the frontier."""
        del request
        return False

    def next_request(self) -> Request | None:
        """Return the next request, or None when none may go out now."""
        try:
            self._session.watch()
            row = self._session.next_pending()
        except OutageError:
            self._session.note_outage()
            return None
        return None if row is None else self._spider.request_for(row)


class NoFrontier(BaseScheduler):
    """Schedule nothing: the checks ask for what they need themselves."""

    def has_pending_requests(self) -> bool:
        """Return False."""
        return False

    def enqueue_request(self, request: Request) -> bool:
        """Refuse every request."""
        del request
        return False

    def next_request(self) -> Request | None:
        """Return None."""
        return None
