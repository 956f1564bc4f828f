"""Run a spider of this project in the present process, to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scrapy.crawler import AsyncCrawlerProcess
from scrapy.settings import Settings

from caselog.errors import RefusedError
from crawler.quiet_hours import quiet_now
from crawler.spiders.checks import ChecksSpider

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from scrapy import Spider

    from caselog.records.pages import Check
    from caselog.workspace import Workspace
    from crawler.checks.watched import Watched


def run_spider(
    spider: type[Spider],
    folder: Path,
    *,
    handles_signals: bool = True,
    settings: Mapping[str, Any] | None = None,
    **arguments: Any,
) -> str:
    """Run `spider` over the workspace in `folder` and return why it ended.

    Args:
        spider: Its class.
        folder: The workspace.
        handles_signals: Ctrl-C and SIGTERM end it cleanly: what is under way is finished or stays pending.
        settings: More of Scrapy's settings.
        arguments: What the spider is made with.
    """
    chosen = Settings()
    chosen.setmodule("crawler.settings", priority="project")
    chosen.update({"LEADLINE_WORKSPACE": str(folder), **(settings or {})}, priority="cmdline")
    process = AsyncCrawlerProcess(chosen)
    crawler = process.create_crawler(spider)
    task = process.crawl(crawler, **arguments)
    process.start(install_signal_handlers=handles_signals)
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error
    return str(crawler.stats.get_value("finish_reason", "unknown"))


def run_checks(
    workspace: Workspace,
    watched: list[Watched],
    *,
    clock: Callable[[], datetime] | None = None,
    progress: Callable[[Check], None] | None = None,
) -> None:
    """Look at each watched item once and record what was seen; in quiet hours nothing is asked.

    Raises:
        RefusedError: The workspace lacks its authority, or the transport was not ours.
    """
    workspace.require_authority()
    if not watched or quiet_now(workspace.config.crawl.quiet_hours):
        return
    arguments: dict[str, Any] = {"watched": watched, "clock": clock, "progress": progress}
    reason = run_spider(ChecksSpider, workspace.folder, workspace=workspace, **arguments)
    if reason not in {"finished", "shutdown"}:
        raise RefusedError(f"The checks were stopped: {reason}.", "Run leadline doctor.", code=reason)
