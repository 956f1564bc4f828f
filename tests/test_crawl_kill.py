"""A crawl that is killed again and again: nothing is lost, nothing is recorded twice."""

from __future__ import annotations

import random
import signal
import threading
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from caselog.records.pages import Page
from tests.crawl_samples import (
    HTML,
    TERM,
    Program,
    crawl,
    evidence_urls,
    records,
    running,
    tree,
    wait_until,
    work_at,
)
from tests.servers.web import WebServer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.web import Reply, Request

PAGES = 200
KILLS = 20
TERM_PAGES = dict.fromkeys(range(5, PAGES, 20), TERM)


@pytest.mark.slow
def test_a_crawl_killed_twenty_times_records_every_page_once(tmp_path: Path) -> None:
    chance = random.Random(20)
    routes = tree(PAGES, terms=TERM_PAGES)
    pause = threading.Event()

    def answer(request: Request) -> Reply:
        pause.wait(0.01)
        return routes.get(request.path, (404, HTML, b""))

    with WebServer({"*": answer}) as server:
        work = work_at(tmp_path, per_host=3)
        work.add_leads(server.url("/"))
        program = Program(work=work, folder=tmp_path / "run")
        with program.warmed():
            for _ in range(KILLS):
                wanted = len(server.paths) + chance.randint(1, 12)
                with running(program.start("--quiet", "crawl")) as child:
                    wait_until(lambda wanted=wanted: len(server.paths) >= wanted)  # type: ignore[misc]
                    pause.wait(chance.uniform(0, 0.04))
                    child.send_signal(signal.SIGKILL)
                    assert child.wait() == -signal.SIGKILL
        recorded_before_the_end = len(records(work, Page))
        assert program.run("--json", "crawl") == 0
        asked = Counter(path for path in server.paths if path in routes)

    pages = Counter("/" + page.url.split("/", 3)[3] for page in records(work, Page))
    assert recorded_before_the_end < PAGES
    assert pages == Counter(list(routes))
    assert sorted(evidence_urls(work)) == sorted(server.url(f"/loaf/{number}") for number in TERM_PAGES)
    # what was under way at a kill is asked again; nothing else is
    assert sum(asked.values()) <= PAGES + KILLS * 4
    assert crawl(work)["requests"] == 0
    assert work.run("ledger", "verify").code == 0
