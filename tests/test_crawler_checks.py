"""Rounds of checks on small sites: what is called gone, what is not, and who is asked."""

from __future__ import annotations

import shutil
import socket
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from caselog.errors import RefusedError
from caselog.records.pages import Check, Evidence, Page
from crawler.checks import looks
from crawler.checks.round import Round
from crawler.checks.watched import due_evidence
from crawler.child.spider import ServingSpider
from crawler.child.wire import CheckOrder, ChecksDone, Failure
from crawler.crawl.session import slice_session
from crawler.run import run_checks, run_spider
from crawler.transport.holds import Keeper
from desk.practice.answer import Style
from desk.practice.servers import PracticeWeb
from desk.worker.slices import SiteJobs
from tests.crawl_samples import (
    HTML,
    TERM,
    crawl,
    html,
    prose,
    records,
    redirect,
    work_at,
)
from tests.desk_calls import Desk
from tests.servers.dns import DnsServer
from tests.servers.web import WebServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from crawler.child.wire import Report
    from desk.engine import Job
    from tests.servers.web import Reply, Request

START = datetime.now(UTC)
FRAME = f"<p>{prose('frame', words=30)}</p>"
PAGE = html("thread", term=TERM, extra=FRAME)
ROOT_PAGE = html("root", links=("/t/1", "/t/2"), extra=FRAME)
ABSENT = {"GONE_PAGE", "GONE_SOFT", "UNIFORM"}
NOTHING = f"<html><body>{FRAME}<p>{prose('nothing here')}</p></body></html>".encode()
MISSING: Reply = (404, HTML, NOTHING)
SOFT: Reply = (200, HTML, NOTHING)
LOGIN: Reply = html("wall", words=3, extra='<form><input name="n"><input type="password" name="p"></form>')


def site() -> dict[str, Any]:
    return {"/": ROOT_PAGE, "/t/1": PAGE, "/t/2": html("other", extra=FRAME), "*": MISSING}


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[WebServer, Desk]]:
    """Give a site and a workspace that has crawled it, to copy."""
    with WebServer(site()) as server:
        yield server, watched(tmp_path_factory.mktemp("crawled"), server)


@pytest.fixture
def server(crawled: tuple[WebServer, Desk]) -> WebServer:
    """Give the site as it was when it was crawled."""
    server, _ = crawled
    server.routes = site()
    return server


@pytest.fixture
def work(crawled: tuple[WebServer, Desk], tmp_path: Path) -> Desk:
    """Give a workspace of the test's own that has crawled the site and found one evidence page."""
    _, made = crawled
    shutil.copytree(made.folder, tmp_path / "workspace")
    return Desk(folder=tmp_path / "workspace")


def watched(tmp_path: Path, server: WebServer) -> Desk:
    """Crawl a site with one evidence page, and give the workspace."""
    work = work_at(tmp_path)
    assert work.add_leads(server.url("/")).code == 0
    crawl(work)
    assert len(records(work, Evidence)) == 1
    return work


def look(work: Desk, *, hours: float = 0, everything: bool = True) -> list[Check]:
    """Make one round with the clock moved on, and give its checks."""

    def clock() -> datetime:
        return START + timedelta(hours=hours)

    before = len(records(work, Check))
    workspace = work.open()
    try:
        run_checks(workspace, due_evidence(workspace, clock(), everything=everything), clock=clock)
    finally:
        workspace.log.close()
    return [check for check in records(work, Check)[before:] if isinstance(check, Check)]


def signal_of(work: Desk, *, hours: float = 0) -> str:
    (check,) = look(work, hours=hours)
    return str(check.signal.value)


# ---- what is no removal


def test_a_page_that_stands_is_present(server: WebServer, work: Desk) -> None:
    (check,) = look(work)

    assert (check.signal.value, check.state.value, check.http_status) == ("PRESENT", "LIVE", 200)
    assert check.containment == 1.0
    assert (check.vantage, check.requests, check.peer_ip) == ("own", 1, "127.0.0.1")


WALLS: dict[str, Reply] = {
    "401": (401, HTML, b""),
    "403": (403, HTML, NOTHING),
    "451": (451, HTML, b""),
    "a log-in form": LOGIN,
    "a redirect to a log-in form": redirect("/login"),
    "a challenge": (503, {**HTML, "cf-mitigated": "challenge"}, NOTHING),
}


@pytest.mark.parametrize("name", WALLS)
def test_a_wall_is_blocked_and_not_gone(server: WebServer, work: Desk, name: str) -> None:
    server.routes |= {"/t/1": WALLS[name], "/login": LOGIN}

    assert signal_of(work) == "BLOCKED"


def test_a_page_whose_status_alone_says_missing_is_present(server: WebServer, work: Desk) -> None:
    server.routes["/t/1"] = (404, *PAGE[1:])

    assert signal_of(work) == "PRESENT"


def test_a_server_that_refuses_connections_is_unreachable(tmp_path: Path) -> None:
    with WebServer(site()) as server:
        work = watched(tmp_path, server)

    assert signal_of(work) == "UNREACH"


def test_trouble_of_the_server_is_no_removal(server: WebServer, work: Desk) -> None:
    server.routes["/t/1"] = (500, HTML, b"")

    assert signal_of(work) == "TRANSIENT"


def test_a_server_that_asks_to_wait_is_asked_again(
    server: WebServer, work: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looks, "BUSY_WAITS_S", (0.01, 0.01, 0.01))
    busy = iter([(429, {"Retry-After": "0"}, b"")])
    server.routes["/t/1"] = lambda _: next(busy, PAGE)
    (check,) = look(work)

    assert (check.signal.value, check.requests) == ("PRESENT", 2)


def test_another_text_in_the_place_is_changed(server: WebServer, work: Desk) -> None:
    server.routes["/t/1"] = html("something else", extra=FRAME)

    assert signal_of(work) == "CHANGED"


def test_media_in_the_place_is_not_read(server: WebServer, work: Desk) -> None:
    server.routes["/t/1"] = (200, {"Content-Type": "image/png"}, bytes(range(256)) * 9)
    (check,) = look(work)

    assert check.body_sha256 is None
    assert check.signal.value in {"CHANGED", "GONE_SOFT", "GONE_PAGE"}


# ---- what is


def test_a_page_that_says_missing_is_gone(server: WebServer, work: Desk) -> None:
    server.routes["/t/1"] = MISSING

    assert signal_of(work) == "GONE_PAGE"


def test_a_page_that_looks_like_a_missing_sibling_is_gone(server: WebServer, work: Desk) -> None:
    server.routes["*"] = SOFT
    del server.routes["/t/1"]
    (check,) = look(work)

    assert (check.signal.value, check.http_status) == ("GONE_SOFT", 200)
    assert check.requests == 1 + 2 + 1


def test_a_name_that_is_gone_is_gone(tmp_path: Path) -> None:
    with DnsServer({"bread.example": ["A 127.0.0.1"]}) as names, WebServer(site()) as server:
        work = work_at(tmp_path, resolver=names.address)
        work.add_leads(f"http://bread.example:{server.port}/")
        crawl(work)
        del names.zone["bread.example"]

        assert signal_of(work) in {"GONE_DNS", "DNS_GONE_HOST_ALIVE"}


def test_three_removed_documents_are_called_gone_and_no_other(tmp_path: Path) -> None:
    """One host answers 404, one a soft 404, one sends visitors home."""
    gone = {"forum": "thread-3", "mirror": "thread-1", "paste": "paste-2"}
    with PracticeWeb(tmp_path / "web") as web:
        web.answer_missing("forum", Style.NOT_FOUND)
        work = work_at(tmp_path, resolver=web.nameserver)
        (tmp_path / "terms.csv").write_text(web.terms_csv(), encoding="utf-8")
        work.run("terms", "import", str(tmp_path / "terms.csv"))
        work.add_leads(*web.addresses.values())
        crawl(work)
        before = {check.signal.value for check in look(work)}
        for place, name in gone.items():
            web.remove(name, site=place)
        removed = {url for one in web.truth() if not one.present for url in one.pages}
        checks = look(work, hours=8)

    urls = {page.id: page.url for page in records(work, Page)}
    # print and raw views are the document as well
    plain = {number: url.removesuffix("/print").replace("/raw/", "/") for number, url in urls.items()}
    where = {item.id: plain[item.page_id] for item in records(work, Evidence)}
    called = {where[check.evidence_id] for check in checks if check.signal.value in ABSENT}
    others = {check.signal.value for check in checks if where[check.evidence_id] not in called}
    assert before == {"PRESENT"}
    assert len({url.split("/")[2] for url in called}) == 3
    assert called == removed & set(where.values())
    assert others == {"PRESENT"}


# ---- elsewhere


def test_a_page_that_moved_to_another_confirmed_host_is_present_and_moved(
    server: WebServer, work: Desk
) -> None:
    with WebServer({"/": html("other root"), "/t/1": PAGE}) as other:
        work.add_leads(other.url("/"))
        server.routes["/t/1"] = redirect(other.url("/t/1"))
        (check,) = look(work)

        assert (check.signal.value, check.moved) == ("PRESENT", True)
        assert check.final_url == other.url("/t/1")


@pytest.mark.parametrize("why", ["unconfirmed", "excluded"])
def test_a_redirect_is_not_followed_to_a_host_that_may_not_be_asked(
    server: WebServer, work: Desk, why: str
) -> None:
    with WebServer({"/t/1": PAGE}) as other:
        work.add_leads(other.url("/"), confirm=why == "excluded")
        if why == "excluded":
            work.run("exclude", "add", f"127.0.0.1:{other.port}")
        server.routes["/t/1"] = redirect(other.url("/t/1"))
        (check,) = look(work)

        assert other.paths == []
        assert check.error == "redirect_scope"
        assert not check.signal.value.startswith("GONE")


@pytest.mark.parametrize("command", [("exclude", "add"), ("stop",)])
@pytest.mark.parametrize("named", ["127.0.0.1", "host and port"])
def test_an_excluded_host_is_not_asked(
    server: WebServer, work: Desk, command: tuple[str, ...], named: str
) -> None:
    asked = len(server.paths)
    work.run(*command, f"127.0.0.1:{server.port}" if named == "host and port" else named)

    assert look(work) == []
    assert len(server.paths) == asked


def test_what_a_redirect_off_loopback_leads_to_is_not_asked(server: WebServer, work: Desk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        server.routes["/t/1"] = redirect(f"http://bread.example:{listener.getsockname()[1]}/")
        (check,) = look(work)
        with pytest.raises(BlockingIOError):
            listener.accept()

    assert check.error == "redirect_scope"


# ---- rounds


def test_evidence_of_leads_that_were_closed_or_rejected_is_not_asked(server: WebServer, work: Desk) -> None:
    work.run("evidence", "reject", "1", "--reason", "a news article")

    assert look(work) == []


def test_only_what_is_due_is_asked(server: WebServer, work: Desk) -> None:
    early = look(work, everything=False)
    due = look(work, hours=6.5, everything=False)
    again = look(work, hours=7, everything=False)

    assert (len(early), len(due), len(again)) == (0, 1, 0)


def test_a_page_that_stays_gone_is_removed_at_first_for_now_then_for_good(
    server: WebServer, work: Desk
) -> None:
    states = [look(work, hours=0)[0].state.value]
    server.routes["/t/1"] = MISSING
    hours = (8, 20, 33, 57, 105, 210)
    states += [look(work, hours=at)[0].state.value for at in hours]
    last = records(work, Check)[-1]

    assert states[:2] == ["LIVE", "SUSPECT"]
    assert states[3:] == ["REMOVED_PROVISIONAL"] * 3 + ["REMOVED_CONFIRMED"]
    assert last.first_absent is not None
    assert timedelta(hours=7) < last.first_absent - START < timedelta(hours=9)
    assert last.last_present < last.first_absent


def test_a_page_that_comes_back_has_reappeared(server: WebServer, work: Desk) -> None:
    server.routes["/t/1"] = MISSING
    for hours in (8, 20, 33):
        look(work, hours=hours)
    server.routes["/t/1"] = PAGE
    (check,) = look(work, hours=57)

    assert check.state.value == "REAPPEARED"


def test_one_good_look_ends_a_suspicion(server: WebServer, work: Desk) -> None:
    server.routes["/t/1"] = MISSING
    look(work, hours=8)
    server.routes["/t/1"] = PAGE
    (check,) = look(work, hours=16)

    assert check.state.value == "LIVE"


def test_walls_for_days_are_never_a_removal(server: WebServer, work: Desk) -> None:
    server.routes["/t/1"] = (403, HTML, b"")
    states = {look(work, hours=hours)[0].state.value for hours in (8, 32, 56, 80, 400)}

    assert not {state for state in states if state.startswith("REMOVED")}
    assert "BLOCKED" in states


def test_the_word_of_a_person_is_obeyed(server: WebServer, work: Desk) -> None:
    server.routes["/t/1"] = html("something else", extra=FRAME)
    for hours in (8, 20, 33):
        (check,) = look(work, hours=hours)
    review = check.state.value
    answer = work.run("checks", "decide", str(check.id), "removed", "--reason", "read by two people")
    (after,) = look(work, hours=57)

    assert review == "REVIEW"
    assert answer.code == 0
    assert after.state.value.startswith("REMOVED")


def test_the_list_of_checks_can_hold_only_what_waits_for_a_person(server: WebServer, work: Desk) -> None:
    server.routes["/t/1"] = html("something else", extra=FRAME)
    made = [look(work, hours=hours)[0] for hours in (8, 20, 33)]

    def listed(*options: str) -> list[int]:
        return [row["id"] for row in work.run("checks", "list", *options).rows]

    assert listed() == [check.id for check in made]
    assert listed("--newest", "--state", "REVIEW") == listed("--newest") == [made[-1].id]
    assert listed("--newest", "--state", "LIVE") == []
    for state in {check.state.value for check in made}:
        assert listed("--state", state) == [check.id for check in made if check.state.value == state]


def test_a_round_that_breaks_is_not_taken_for_a_whole_one(
    server: WebServer, work: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trip(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(Round, "_compared", trip)
    workspace = work.open()
    with pytest.raises(RefusedError, match="start_error"):
        run_checks(workspace, due_evidence(workspace, datetime.now(UTC), everything=True))
    workspace.log.close()

    assert records(work, Check) == []


def test_a_site_whose_checks_broke_stays_due_and_is_told(work: Desk) -> None:
    placed: list[Job] = []
    broken = Failure(kind="bug", message="it broke")
    workspace = work.open()
    jobs = SiteJobs(workspace=workspace, ask=lambda _: broken, place=placed.append, stopping=Event())

    result = jobs.checks(0, 1, [1])
    workspace.log.close()

    assert (result, placed) == ({"failed": "bug", "is_tried_again": False}, [])


# ---- in a worker's crawler process


def served(work: Desk, keeper: Keeper | None = None, seen: list[ServingSpider] | None = None) -> Report:
    """Have all evidence looked at as a worker's crawler process does, and give what is reported."""
    reports: list[Report] = []
    serving: list[ServingSpider] = [] if seen is None else seen
    workspace = work.open()
    items = due_evidence(workspace, START, everything=True)
    order = CheckOrder(
        site_id=items[0].evidence.site_id, evidence_ids=tuple(item.evidence.id for item in items)
    )

    def note(name: str, report: Report) -> None:
        assert name == "a"
        reports.append(report)
        serving[0].take("", None)

    def begin(spider: ServingSpider, loop: object) -> None:
        del loop
        serving.append(spider)
        spider.take("a", order)

    try:
        run_spider(
            ServingSpider,
            work.folder,
            handles_signals=False,
            settings={"LEADLINE_KEEPER": keeper},
            session=slice_session(workspace),
            report=note,
            begin=begin,
        )
    finally:
        workspace.log.close()
    (report,) = reports
    return report


def still_due(work: Desk) -> list[int]:
    """Give what is due at its first time; when a looked-at item is due again has chance in it."""
    looked_at = {check.evidence_id for check in records(work, Check)}
    workspace = work.open()
    try:
        due = due_evidence(workspace, START + timedelta(hours=7))
    finally:
        workspace.log.close()
    return [item.evidence.id for item in due if item.evidence.id not in looked_at]


def test_a_worker_that_stops_ends_the_look_under_way_and_begins_no_other(tmp_path: Path) -> None:
    serving: list[ServingSpider] = []

    def answer(_: Request) -> Reply:
        if serving:
            serving[0].session.is_stopping = True
        return PAGE

    other = html("other thread", term=TERM, extra=FRAME)
    with WebServer({"/": ROOT_PAGE, "/t/1": answer, "/t/2": other, "*": MISSING}) as server:
        work = work_at(tmp_path)
        work.add_leads(server.url("/"))
        crawl(work)
        before = len(server.paths)
        first, second = (item.id for item in records(work, Evidence))
        report = served(work, seen=serving)

        assert report == ChecksDone(checks=1, requests=1, signals={"PRESENT": 1}, states={"LIVE": 1})
        assert server.paths[before:] == ["/t/1"]
    assert [check.evidence_id for check in records(work, Check)] == [first]
    assert second in still_due(work)


def test_a_host_that_another_worker_asks_is_not_asked_and_stays_due(server: WebServer, work: Desk) -> None:
    asked = len(server.requests)
    workspace = work.open()
    theirs, ours = Keeper(workspace.log, "theirs"), Keeper(workspace.log, "ours")
    theirs.hold([f"127.0.0.1:{server.port}"])
    try:
        refused = served(work, ours)
        requests, recorded, due = len(server.requests), records(work, Check), still_due(work)
        theirs.leave(theirs.held(), 0.0)
        seen = served(work, ours)
    finally:
        workspace.log.close()

    assert isinstance(refused, Failure)
    assert refused.kind == "held"
    assert (requests, recorded, due) == (asked, [], [1])
    assert isinstance(seen, ChecksDone)
    assert seen.signals == {"PRESENT": 1}
    assert len(records(work, Check)) == 1
