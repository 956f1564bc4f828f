"""A disk that is full in the middle of a crawl: it waits, and loses nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from caselog.records.pages import Page
from crawler.crawl.opening import CrawlOptions
from crawler.crawl.session import open_session
from tests.crawl_samples import HTML, records, run_crawl, tree, work_at
from tests.servers.web import WebServer

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.servers.web import Reply, Request

PAGES = 40


def test_a_full_disk_is_waited_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    routes = tree(PAGES)

    def answer(request: Request) -> Reply:
        return routes.get(request.path, (404, HTML, b""))

    with WebServer({"*": answer}) as server:
        work = work_at(tmp_path, per_host=1)
        work.add_leads(server.url("/"))
        workspace = work.open()

        def limit(connection: Any, *_: object) -> None:
            """Let the database grow no more from the tenth page on, until somebody has been told so."""
            is_full = len(server.page_requests) >= 10 and "is full" not in caplog.text
            connection.execute(f"PRAGMA max_page_count={1 if is_full else 2**30}").close()

        sa.event.listen(workspace.log._engine, "checkout", limit)
        summary = run_crawl(open_session(workspace, CrawlOptions()))
        workspace.log.close()

    assert summary["pages"] == PAGES
    assert len(records(work, Page)) == PAGES
    assert len(server.page_requests) == PAGES
    assert [line.split(" What")[0] for line in caplog.messages if "full" in line or "back" in line] == [
        "The disk of the database is full.",
        "The database is back; what was kept is recorded",
    ]
