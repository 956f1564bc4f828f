"""The crawler process of a worker: orders in, reports out, and an end in every case."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from caselog.records.ids import EvidenceId, LeadId, SiteId
from caselog.records.pages import Check, Evidence
from caselog.store import holds
from crawler.child.__main__ import ORPHANED
from crawler.child.wire import Alive, CheckOrder, ChecksDone, Failure, order_line, report_of, stop_line
from crawler.crawl.opening import CrawlOptions, prepare
from crawler.crawl.slices import Slice, SliceEnd
from tests.crawl_samples import HTML, ROOT, TERM, WAIT_S, crawl, page_rows, records, tree, work_at
from tests.servers.web import WebServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from crawler.child.wire import Report
    from tests.desk_calls import Desk
    from tests.servers.web import Reply, Request

SOON_S = 10.0
"""Far more than a process takes to end, and far less than what it waits for."""
PAGES = 8


class Child:
    """A crawler process, with what it has said so far."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.lines: list[bytes] = []
        self.warned = b""

    def send(self, *lines: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"".join(lines))
        self.process.stdin.flush()

    def next_report(self) -> tuple[str, Report]:
        """Give what becomes of an order; beats of the heart are passed over."""
        while True:
            name, report = self._read()
            if not isinstance(report, Alive):
                return name, report

    def wait_for_beat(self) -> Alive:
        name, report = self._read()
        assert (name, isinstance(report, Alive)) == ("", True)
        return report  # type: ignore[return-value]

    def _read(self) -> tuple[str, Report]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the process has ended"
        self.lines.append(line)
        return report_of(line)

    def end(self, within_s: float = WAIT_S) -> int:
        """Wait for its end, and read what is left of what it said."""
        status = self.process.wait(within_s)
        out, self.warned = self.process.communicate()
        self.lines += out.splitlines(keepends=True)
        return status


@contextmanager
def child_of(work: Desk) -> Iterator[Child]:
    process = subprocess.Popen(
        [sys.executable, "-m", "crawler.child", str(work.folder)],
        env={**os.environ, "PYTHONPATH": ROOT, "LEADLINE_LOG_LEVEL": "10"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    guard = threading.Timer(WAIT_S, process.kill)
    guard.start()
    try:
        yield Child(process)
    finally:
        guard.cancel()
        process.kill()
        process.communicate()


def orders_of(work: Desk, **changes: Any) -> list[Slice]:
    """Give the first slice of each site of the workspace."""
    workspace = work.open()
    try:
        with workspace.log.write() as writer:
            found = prepare(writer, workspace, CrawlOptions())
    finally:
        workspace.log.close()
    wanted = {"pages": 500, "seconds": 60.0, **changes}
    return [Slice(site_id=number, lead_ids=leads, **wanted) for number, leads in found.items()]


def hold(work: Desk, server: WebServer, *, is_over: bool = False) -> None:
    """Let another worker ask a host, or leave it."""
    workspace = work.open()
    with workspace.log.write() as writer:
        if is_over:
            holds.leave(writer, [f"127.0.0.1:{server.port}"], "another", 0.0)
        else:
            assert holds.take(writer, [f"127.0.0.1:{server.port}"], "another", 600.0).is_held
    workspace.log.close()


def test_orders_are_carried_out_and_nothing_else_is_said(tmp_path: Path) -> None:
    with WebServer(tree(PAGES, terms={5: TERM})) as server:
        work = work_at(tmp_path)
        work.add_leads(server.url("/"))
        (order,) = orders_of(work, pages=PAGES - 2)
        checks = CheckOrder(site_id=order.site_id, evidence_ids=(EvidenceId(1),))
        nobodys = Slice(site_id=SiteId(99), lead_ids=(LeadId(99),), pages=5, seconds=5.0)
        with child_of(work) as child:
            begun = child.wait_for_beat()
            child.send(order_line("a", order), order_line("b", nobodys), order_line("c", order))
            early = dict(child.next_report() for _ in range(2))
            _, first = child.next_report()
            child.send(order_line("d", order))
            _, last = child.next_report()
            found = records(work, Evidence)
            child.send(order_line("e", checks))
            _, seen = child.next_report()
            child.send(stop_line())
            assert child.end() == 0

    assert begun.pages == 0
    assert isinstance(early["b"], SliceEnd)
    assert (early["b"].ending, early["b"].counts) == ("over", {})
    assert isinstance(early["c"], Failure)
    assert early["c"].kind == "held"
    assert isinstance(first, SliceEnd)
    assert isinstance(last, SliceEnd)
    assert [(one.ending, one.counts["pages"]) for one in (first, last)] == [("spent", PAGES - 2), ("over", 2)]
    assert len(page_rows(work)) == PAGES
    assert len(found) == 1
    assert seen == ChecksDone(checks=1, requests=1, signals={"PRESENT": 1}, states={"LIVE": 1})
    assert len(records(work, Check)) == 1
    # numbers and words of our own, and no word of where
    assert all(isinstance(report_of(line)[0], str) for line in child.lines)
    said = b"".join(child.lines) + child.warned
    assert not any(one in said for one in (b"127.0.0.1", str(server.port).encode(), b"http:", b"/loaf"))
    assert b"".join(child.lines).count(b"\n") == len(child.lines)


def test_a_site_that_another_worker_asks_waits_and_nobody_is_asked(tmp_path: Path) -> None:
    with WebServer(tree(PAGES)) as server:
        work = work_at(tmp_path)
        work.add_leads(server.url("/"))
        (order,) = orders_of(work)
        hold(work, server)
        with child_of(work) as child:
            child.send(order_line("a", order))
            _, end = child.next_report()
            asked = list(server.requests)
            hold(work, server, is_over=True)
            child.send(order_line("b", order))
            _, again = child.next_report()

    assert isinstance(end, SliceEnd)
    assert (end.ending, end.goes_on, end.counts.get("pages", 0)) == ("waits", True, 0)
    assert asked == []
    assert isinstance(again, SliceEnd)
    assert (again.ending, again.counts["pages"]) == ("over", PAGES)


class Hanging:
    """A site whose second page keeps its client waiting until the test is over."""

    def __init__(self) -> None:
        self.has_come = threading.Event()
        self.is_over = threading.Event()
        self.routes = tree(PAGES)

    def __call__(self, request: Request) -> Reply:
        if request.path == "/loaf/1" and not self.is_over.is_set():
            self.has_come.set()
            self.is_over.wait(WAIT_S)
        return self.routes.get(request.path, (404, HTML, b""))


@pytest.fixture
def hanging(tmp_path: Path) -> Iterator[tuple[Desk, Hanging]]:
    """Give a workspace with a lead on a site that hangs; its first page is on record when it does."""
    site = Hanging()
    with WebServer({"*": site}) as server:
        work = work_at(tmp_path, per_host=1)
        work.add_leads(server.url("/"))
        yield work, site
        site.is_over.set()


def goes_on(work: Desk, site: Hanging) -> bool:
    """Tell whether the next crawl records what was cut off, and nothing twice."""
    site.is_over.set()
    crawl(work)
    paths = sorted("/" + page.url.split("/", 3)[3] for page in page_rows(work))
    return paths == sorted(site.routes)


def cut(child: Child) -> None:
    assert child.process.stdin is not None
    child.process.stdin.close()
    child.process.stdin = None


def in_request(child: Child, work: Desk, site: Hanging) -> None:
    (order,) = orders_of(work)
    child.send(order_line("a", order))
    assert site.has_come.wait(WAIT_S)


ENDS: dict[str, Callable[[Child], object]] = {
    "its worker is gone": cut,
    "its worker is gone after it told to stop": lambda child: (child.send(stop_line()), cut(child)),
    "its worker sends what is no order": lambda child: child.send(b'{"name":"b","slice":{}}\n'),
    "its worker sends nothing": lambda child: child.send(b"\n"),
}


@pytest.mark.parametrize("why", ENDS)
def test_it_ends_at_once_in_the_midst_of_a_request_when(hanging: tuple[Desk, Hanging], why: str) -> None:
    work, site = hanging
    with child_of(work) as child:
        in_request(child, work, site)
        ENDS[why](child)

        assert child.end(SOON_S) == ORPHANED
        assert not site.is_over.is_set()
    assert (b"is no order" in child.warned) == ("sends" in why)
    assert b"Traceback" not in child.warned
    assert goes_on(work, site)


def test_it_ends_when_its_worker_is_killed(hanging: tuple[Desk, Hanging]) -> None:
    """Though another process has inherited nothing of the pipe, and nobody says a word."""
    work, site = hanging
    (order,) = orders_of(work)
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-m', 'crawler.child', sys.argv[1]],"
        " stdin=subprocess.PIPE, stdout=sys.stdout)\n"
        "child.stdin.write(sys.argv[2].encode())\n"
        "child.stdin.flush()\n"
        "child.wait()\n"
    )
    worker = subprocess.Popen(
        [sys.executable, "-c", code, str(work.folder), order_line("a", order).decode()],
        env={**os.environ, "PYTHONPATH": ROOT},
        stdout=subprocess.PIPE,
    )
    with worker:
        assert site.has_come.wait(WAIT_S)
        worker.send_signal(signal.SIGKILL)
        assert worker.stdout is not None
        worker.stdout.read()  # it ends when the last process that can write to it has ended

        assert not site.is_over.is_set()
    assert goes_on(work, site)


def test_what_the_order_to_stop_cuts_off_is_reported_in_time_and_stays(
    hanging: tuple[Desk, Hanging],
) -> None:
    work, site = hanging
    with child_of(work) as child:
        in_request(child, work, site)
        began_s = time.monotonic()
        child.send(stop_line(), order_line("late", orders_of(work)[0]))
        reports = dict(child.next_report() for _ in range(2))
        took_s = time.monotonic() - began_s
        assert not site.is_over.is_set()
        cut(child)
        child.end()

    end = reports["a"]
    assert took_s < SOON_S
    assert isinstance(end, SliceEnd)
    assert (end.ending, end.goes_on, end.counts["pages"]) == ("stopped", True, 1)
    # the page under way was not recorded, so it counts as not asked
    assert end.unspent == 499
    assert isinstance(reports["late"], Failure)
    assert reports["late"].kind == "source"
    assert goes_on(work, site)
