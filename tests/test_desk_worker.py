"""A worker and the commands beside it: who does the work, who watches; nothing is lost when one dies."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from caselog.errors import RefusedError
from caselog.records.pages import Check, Page
from caselog.slots.local import is_held
from caselog.store import calls
from crawler.crawl.opening import CrawlOptions
from desk.engine import Orders
from desk.worker.orders import place_call
from desk.worker.slices import SiteJobs, slice_prefix
from tests.crawl_samples import (
    HTML,
    TERM,
    Program,
    crawl,
    evidence_urls,
    page_rows,
    records,
    running,
    tree,
    wait_until,
    work_at,
)
from tests.servers.web import WebServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.desk_calls import Desk
    from tests.servers.web import Reply, Request

PAUSE = threading.Event()


def slow(routes: dict[str, Reply], pause_s: float) -> dict[str, object]:
    def answer(request: Request) -> Reply:
        PAUSE.wait(pause_s)
        return routes.get(request.path, (404, HTML, b""))

    return {"*": answer}


def paths(work: Desk) -> Counter[str]:
    return Counter("/" + page.url.split("/", 3)[3] for page in page_rows(work))


def is_at_work(work: Desk) -> bool:
    """Tell whether a worker is at work and has made what jobs are placed in."""
    return is_held(work.folder) and bool(work.run("schedule", "list").rows[0]["next_at"])


def child_of(pid: int) -> int | None:
    """Give the crawler process of a worker."""
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return None
    return int(found[0]) if found else None


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Desk, Program, WebServer]]:
    """A workspace with a worker at work, for tests of commands beside it."""
    folder = tmp_path_factory.mktemp("beside")
    with WebServer(slow(tree(40, terms={3: TERM, 9: TERM}), 0.005)) as server:
        work = work_at(folder)
        program = Program(work=work, folder=folder / "run")
        with running(program.start("-v", "worker")) as worker:
            wait_until(lambda: is_at_work(work))
            yield work, program, server
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(30) == 0


def test_a_second_worker_on_sqlite_is_refused_in_one_sentence(
    shared: tuple[Desk, Program, WebServer],
) -> None:
    answer = shared[0].run("worker", options=())

    assert answer.code == 3
    said = "A worker is at work in this workspace already."
    hint = "On SQLite there is one; stop it first, or move to PostgreSQL."
    assert answer.err.splitlines() == [f"{said} {hint}"]


def test_a_crawl_beside_a_worker_is_done_by_it(shared: tuple[Desk, Program, WebServer]) -> None:
    work, _, server = shared
    work.add_leads(server.url("/"))

    answer = work.run("crawl", options=("--json",))

    assert "you watch" in answer.err
    summary = answer.last("summary")
    assert (summary["pages"], summary["evidence"], summary["requests"]) == (40, 2, 40)
    assert paths(work) == Counter(list(tree(40)))


def test_checks_beside_a_worker_are_done_by_it(shared: tuple[Desk, Program, WebServer]) -> None:
    work, _, server = shared
    if not page_rows(work):
        work.add_leads(server.url("/"))
        assert work.run("crawl").code == 0

    answer = work.run("checks", "run", "--all")

    assert answer.last("summary")["signals"] == {"PRESENT": 2}
    assert len(records(work, Check)) == 2


def test_the_schedule_says_when_what_comes_next(shared: tuple[Desk, Program, WebServer]) -> None:
    rows = shared[0].run("schedule", "list").rows

    assert {row["job"] for row in rows} >= {"crawl-due", "checks-due", "enrich", "seal", "retention", "prune"}
    assert all(row["next_at"] for row in rows)


def test_a_crawl_without_a_worker_becomes_it_and_goes_on_later(tmp_path: Path) -> None:
    with WebServer(tree(30, terms={7: TERM})) as server:
        work = work_at(tmp_path)
        work.add_leads(server.url("/"))
        first = work.run("crawl", "--pages", "5").last("summary")
        again = work.run("crawl").last("summary")

        assert (first["pages"], again["pages"]) == (5, 25)
        assert paths(work) == Counter(list(tree(30)))
        assert evidence_urls(work) == [server.url("/loaf/7")]
        assert work.run("ledger", "verify").last("unsealed") == 0
        # the jobs' tables hold numbers and tags only
        assert b"http" not in (work.folder / "jobs.db").read_bytes()
        assert str(server.port).encode() not in (work.folder / "jobs.db").read_bytes()


def test_a_call_that_names_a_lead_and_seconds_keeps_to_them(tmp_path: Path) -> None:
    with WebServer(slow(tree(200, width=199), 0.02)) as server, WebServer(tree(3)) as other:
        work = work_at(tmp_path, per_host=1)
        work.add_leads(server.url("/"), other.url("/"))

        summary = work.run("crawl", "--lead", "1", "--seconds", "2").last("summary")

        assert 0 < summary["pages"] < 200
        assert other.paths == []


def test_a_lead_that_nobody_confirmed_is_refused(tmp_path: Path) -> None:
    work = work_at(tmp_path)
    work.add_leads("http://127.0.0.1:9/", confirm=False)

    answer = work.run("crawl", "--lead", "1")

    assert (answer.code, answer.last("error")["kind"]) == (3, "refused")


def test_one_round_of_a_worker_crawls_what_is_due_and_seals_it(tmp_path: Path) -> None:
    with WebServer(tree(12)) as server:
        work = work_at(tmp_path)
        work.add_leads(server.url("/"))

        assert work.run("worker", "--once").code == 0

        assert paths(work) == Counter(list(tree(12)))
        assert work.run("worker", "--once").code == 0
        assert len(page_rows(work)) == 12
        assert work.run("ledger", "verify").last("unsealed") == 0


@pytest.mark.parametrize("command", [("worker",), ("crawl",)])
def test_a_stop_ends_it_in_time_and_the_next_call_goes_on(tmp_path: Path, command: tuple[str, ...]) -> None:
    with WebServer(slow(tree(60), 0.03)) as server:
        work = work_at(tmp_path, per_host=2)
        work.add_leads(server.url("/"))
        program = Program(work=work, folder=tmp_path / "run")
        with running(program.start("--quiet", *command)) as worker:
            if command == ("worker",):
                wait_until(lambda: is_at_work(work))
                with running(program.start("--quiet", "crawl")):
                    wait_until(lambda: len(server.paths) >= 5)
            wait_until(lambda: len(server.paths) >= 5)
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(6) == 0
        seen = len(server.paths)

        assert crawl(work)["pages"] > 0
        assert 5 <= seen < 60
        assert paths(work) == Counter(list(tree(60)))
        assert sum(Counter(server.paths).values()) <= 60 + 2


def test_a_killed_crawler_process_is_replaced_and_nothing_is_lost_or_twice(tmp_path: Path) -> None:
    with WebServer(slow(tree(80), 0.02)) as server:
        work = work_at(tmp_path, per_host=2)
        work.add_leads(server.url("/"))
        program = Program(work=work, folder=tmp_path / "run")
        with running(program.start("--json", "crawl")) as worker:
            wait_until(lambda: len(server.paths) >= 10)
            pid = child_of(worker.pid)
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            out, _ = worker.communicate(60)
        summary = json.loads(out.splitlines()[-1])["summary"]

        assert summary["pages"] < 80  # what the lost process had recorded of its slice is not counted
        assert paths(work) == Counter(list(tree(80)))
        assert sum(Counter(server.paths).values()) <= 80 + 2


def test_who_watches_takes_over_when_the_worker_dies(tmp_path: Path) -> None:
    with WebServer(slow(tree(60), 0.03)) as server:
        work = work_at(tmp_path, per_host=2)
        work.add_leads(server.url("/"))
        program = Program(work=work, folder=tmp_path / "run")
        with running(program.start("--quiet", "worker")) as worker:
            wait_until(lambda: is_at_work(work))
            with running(program.start("--json", "crawl")) as watcher:
                wait_until(lambda: len(server.paths) >= 5)
                worker.send_signal(signal.SIGKILL)
                watcher.communicate(60)
                assert watcher.wait() == 0

        assert paths(work) == Counter(list(tree(60)))
        assert len(records(work, Page)) == 60


def test_what_nobody_waits_for_any_more_is_not_crawled_under_the_next_call(tmp_path: Path) -> None:
    """A crawl that was killed leaves jobs without a limit; a later one must keep to its own."""
    with WebServer(tree(20)) as server:
        work = work_at(tmp_path)
        work.add_leads(server.url("/"))
        assert work.run("crawl", "--pages", "1").code == 0
        leave_a_call(work, waited_for_s=600)

        summary = work.run("crawl", "--pages", "3").last("summary")

        assert summary["pages"] == 3
        assert len(page_rows(work)) == 1 + 3
        assert crawl(work)["pages"] == 20 - 4


def leave_a_call(work: Desk, *, waited_for_s: float) -> None:
    """Call for a crawl as a process does that dies right then, so many seconds ago."""
    workspace = work.open()
    orders = Orders(workspace)
    try:
        placed = place_call(workspace, orders, CrawlOptions())
        assert orders.active(slice_prefix(placed.number))
        with workspace.log.write() as writer:
            calls.note_follower(writer, placed.number, datetime.now(UTC) - timedelta(seconds=waited_for_s))
    finally:
        orders.close()
        workspace.log.close()


@pytest.mark.parametrize("kind", [ValueError, RefusedError])
def test_an_error_in_a_job_leaves_no_address_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    with WebServer(tree(5)) as server:
        work = work_at(tmp_path)
        work.add_leads(server.url("/"))
        address = server.url("/loaf/secret")

        def trip(*_: object) -> None:
            raise kind(f"cannot open {address}")

        with monkeypatch.context() as patch:
            patch.setattr(SiteJobs, "_begin", trip)
            answer = work.run("crawl", options=("--json", "-v"))
        left = b"".join(path.read_bytes() for path in work.folder.glob("jobs.db*"))

        assert (answer.code, answer.last("summary")["pages"]) == (0, 0)
        for said in (answer.out.encode(), answer.err.encode(), left):
            assert address.encode() not in said
            assert b"127.0.0.1" not in said
            assert b"secret" not in said
        assert b'"failed"' in left
        assert crawl(work)["pages"] == 5
