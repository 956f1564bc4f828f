"""The spider that looks at evidence again and records what it saw."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scrapy import Spider

from caselog.workspace import open_workspace
from crawler.checks.round import Round
from crawler.checks.watched import due_evidence

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from typing import Self

    from scrapy.crawler import Crawler

    from caselog.records.pages import Check
    from caselog.workspace import Workspace
    from crawler.checks.watched import Watched


class ChecksSpider(Spider):
    """Look at each watched evidence item once; sites side by side, one site's items in turn."""

    name = "checks"
    custom_settings = {"SCHEDULER": "crawler.crawl.frontier.NoFrontier"}  # noqa: RUF012 - Scrapy's own form

    def __init__(
        self,
        *,
        workspace: Workspace,
        watched: list[Watched],
        clock: Callable[[], datetime] | None = None,
        progress: Callable[[Check], None] | None = None,
    ) -> None:
        super().__init__(self.name)
        self._workspace = workspace
        self._watched = watched
        self._clock = clock
        self._progress = progress
        self._slots = asyncio.Semaphore(workspace.config.crawl.hosts_at_once)

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, **kwargs: Any) -> Self:
        """Return the spider; `scrapy crawl checks` looks at what is due."""
        del args
        if "workspace" not in kwargs:
            workspace = open_workspace(Path(crawler.settings["LEADLINE_WORKSPACE"]))
            workspace.require_authority()
            kwargs = {"workspace": workspace, "watched": due_evidence(workspace, datetime.now(UTC))}
        spider = cls(**kwargs)
        spider._set_crawler(crawler)
        return spider

    async def start(self) -> AsyncIterator[Any]:
        """Make the whole round; yields nothing."""
        by_site: dict[int, list[Watched]] = {}
        for item in self._watched:
            by_site.setdefault(item.evidence.site_id, []).append(item)
        checks = Round(self.crawler, self._workspace, clock=self._clock, progress=self._progress)
        try:
            await asyncio.gather(*(self._check_site(checks, items) for items in by_site.values()))
        finally:
            await checks.close()
        return
        yield

    async def _check_site(self, checks: Round, items: list[Watched]) -> None:
        async with self._slots:
            await checks.check_site(items)
