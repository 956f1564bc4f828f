"""The crawl as a whole, on small sites on loopback: what it asks, what it records, where it stops."""

from __future__ import annotations

import hashlib
import signal
import socket
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any

import pytest
from scrapy.core.engine import ExecutionEngine

from caselog.errors import RefusedError
from caselog.records.choices import Origin
from caselog.records.leads import Lead, Proposal
from caselog.records.pages import Evidence
from caselog.store.sites import site_for
from crawler.crawl import judge, site_state
from crawler.crawl.opening import CrawlOptions
from crawler.crawl.session import open_session
from crawler.reading.address import host_key
from desk.practice.servers import PracticeWeb
from tests.crawl_samples import (
    HTML,
    TERM,
    Program,
    add_terms,
    age_pages,
    crawl,
    evidence_urls,
    html,
    outcomes,
    page_rows,
    prose,
    records,
    redirect,
    run_crawl,
    running,
    tree,
    wait_until,
    work_at,
)
from tests.servers.dns import DnsServer
from tests.servers.web import WebServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.desk_calls import Desk
    from tests.servers.web import Reply, Request


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait as shortly as can be before another try; only waiting time is changed."""
    monkeypatch.setattr(judge, "WAITS_S", (0.01, 0.01, 0.01))
    monkeypatch.setattr(ExecutionEngine, "_SLOT_HEARTBEAT_INTERVAL", 0.02)


def crawled(tmp_path: Path, server: WebServer, *arguments: str, **settings: Any) -> Desk:
    """Crawl a site from its root and give the workspace."""
    work = work_at(tmp_path, **settings)
    assert work.add_leads(server.url("/")).code == 0
    crawl(work, *arguments)
    return work


# ---- the practice forum


class Forum:
    """One crawl of the practice forum, for several tests to look at."""

    def __init__(self, web: PracticeWeb, work: Desk) -> None:
        self.hits = web.hits
        self.paths = {hit.path for hit in web.hits.all("forum.crumb.example")}
        self.others = [hit for hit in web.hits.all() if hit.site != "forum.crumb.example"]
        self.threads = [one for one in web.truth() if one.site == "forum"]
        self.pages = page_rows(work)
        self.evidence = evidence_urls(work)


@pytest.fixture(scope="module")
def forum(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forum]:
    folder = tmp_path_factory.mktemp("forum")
    with PracticeWeb(folder / "web") as web:
        work = work_at(folder, resolver=web.nameserver)
        (folder / "terms.csv").write_text(web.terms_csv(), encoding="utf-8")
        assert work.run("terms", "import", str(folder / "terms.csv")).code == 0
        work.add_leads(web.addresses["forum"])
        crawl(work)
        yield Forum(web, work)


def test_nothing_that_is_not_text_or_changes_something_is_asked_for(forum: Forum) -> None:
    counts = forum.hits.counts()

    assert (counts["media_hits"], counts["attachment_hits"]) == (0, 0)
    assert (counts["state_changing_hits"], counts["post_hits"]) == (0, 0)


def test_every_page_of_every_public_thread_is_read(forum: Forum) -> None:
    wanted = {url for one in forum.threads if one.access == "public" for url in one.pages}
    read = {page.url for page in forum.pages if page.outcome.value in {"text", "alias"}}

    assert len(wanted) > 20
    assert wanted - read == set()


def test_members_threads_give_no_text(forum: Forum) -> None:
    closed = {url for one in forum.threads if one.access == "members" for url in one.pages}

    assert closed
    assert closed & {page.url for page in forum.pages if page.outcome.value == "text"} == set()
    assert closed & set(forum.evidence) == set()


def test_evidence_stands_on_the_pages_that_reach_the_threshold_and_on_no_other(forum: Forum) -> None:
    """A print view with more posts than one page of its thread is a document of its own."""
    weights = {"t1": 1.0, "t2": 0.6, "t3": 0.5, "t4": 1.0}
    wanted, printed = set(), set()
    for one in forum.threads:
        for number, url in enumerate(one.pages, 1):
            score = sum(weights[term] for term, pages in one.terms.items() if number in pages)
            if score >= 1 and one.access == "public":
                wanted.add(url)
        if one.weight >= 1 and one.access == "public" and len(one.pages) > 1:
            printed.add(f"{one.pages[0]}/print")

    assert wanted
    assert wanted - set(forum.evidence) == set()
    assert set(forum.evidence) - wanted - printed == set()
    assert len(forum.evidence) == len(set(forum.evidence))


def test_the_endless_calendar_of_the_forum_is_given_up(forum: Forum) -> None:
    calendar = [path for path in forum.paths if path.startswith("/calendar/")]

    assert len(calendar) < 40
    assert len(forum.pages) < 120


def test_other_sites_that_the_forum_names_are_not_contacted(forum: Forum) -> None:
    assert forum.others == []


# ---- where a crawl may not begin


def test_an_unconfirmed_lead_is_refused(tmp_path: Path) -> None:
    with WebServer(tree(3)) as server:
        work = work_at(tmp_path)
        work.add_leads(server.url("/"), confirm=False)
        error = crawl(work, "--lead", "1", code=3)
        crawl(work)

    assert error["kind"] == "refused"
    assert "Lead 1 is not confirmed." in error["message"]
    assert server.paths == []


@pytest.mark.parametrize("command", [("exclude", "add"), ("stop",)])
@pytest.mark.parametrize("named", ["127.0.0.1", "host and port"])
def test_a_host_that_was_excluded_or_stopped_is_never_contacted(
    tmp_path: Path, command: tuple[str, ...], named: str
) -> None:
    with WebServer(tree(3)) as server:
        work = work_at(tmp_path)
        work.add_leads(server.url("/"))
        host = f"127.0.0.1:{server.port}" if named == "host and port" else named
        assert work.run(*command, host).code == 0
        summary = crawl(work)

    assert (summary["requests"], server.paths) == (0, [])


def test_an_exclusion_of_a_domain_holds_for_the_names_below_it(tmp_path: Path) -> None:
    with DnsServer({"help.bread.example": ["A 127.0.0.1"]}) as names, WebServer(tree(3)) as server:
        work = work_at(tmp_path, resolver=names.address)
        work.add_leads(f"http://help.bread.example:{server.port}/")
        work.run("exclude", "add", "bread.example")
        crawl(work)

    assert server.paths == []


def test_a_name_that_leads_off_loopback_gets_no_connection(tmp_path: Path) -> None:
    with DnsServer({"bread.example": ["A 192.0.2.80"]}) as names:
        work = work_at(tmp_path, resolver=names.address)
        work.add_leads("http://bread.example/")
        crawl(work)

    (page,) = page_rows(work)
    assert (page.outcome.value, page.refused) == ("refused", "private_address")
    assert (page.peer_ip, page.connections) == (None, 0)


def test_a_crawl_whose_site_was_taken_by_another_records_nothing_more(tmp_path: Path) -> None:
    with WebServer(tree(3)) as server:
        work = work_at(tmp_path)
        work.add_leads(server.url("/"))
        workspace = work.open()
        late = open_session(workspace, CrawlOptions())
        open_session(workspace, CrawlOptions())
        with pytest.raises(RefusedError) as refusal:
            run_crawl(late)
        workspace.log.close()

    assert refusal.value.code == "fenced"
    assert page_rows(work) == []


# ---- budgets


def test_no_more_pages_are_asked_than_the_call_allows(tmp_path: Path) -> None:
    with WebServer(tree(60)) as server:
        work = crawled(tmp_path, server, "--pages", "5")

        assert len(server.paths) == len(page_rows(work)) == 5


def test_no_more_pages_are_asked_than_a_lead_may_cost(tmp_path: Path) -> None:
    with WebServer(tree(60)) as server:
        work = crawled(tmp_path, server, pages_per_lead=5)
        crawl(work)

        assert len(server.paths) == len(page_rows(work)) == 5


def test_a_later_call_goes_on_where_the_budget_ended(tmp_path: Path) -> None:
    with WebServer(tree(60)) as server:
        work = crawled(tmp_path, server, "--pages", "5")
        crawl(work)

        assert sorted(server.paths) == sorted(tree(60))
        assert len(page_rows(work)) == 60


def test_a_crawl_ends_when_its_seconds_are_over(tmp_path: Path) -> None:
    """Each answer takes a while, so that all of them would take far longer than the crawl may."""
    with WebServer({"*": _slow(tree(400), 0.05)}) as server:
        work = crawled(tmp_path, server, "--seconds", "0.5", per_host=1)

        assert 0 < len(page_rows(work)) < 100
        assert len(page_rows(work)) == len(server.paths)


def test_links_deeper_than_the_depth_are_not_followed(tmp_path: Path) -> None:
    with WebServer(tree(60, width=3)) as server:
        crawled(tmp_path, server, depth=2)

        assert len(server.paths) == 1 + 3 + 9


def test_links_outside_the_path_of_a_lead_are_not_followed(tmp_path: Path) -> None:
    routes = {
        "/rye": html("rye", links=("/rye/2", "/ryegrass", "/wheat")),
        "/rye/2": html("rye two", links=("/rye/3", "/")),
        "/rye/3": html("rye three"),
    }
    with WebServer(routes) as server:
        work = work_at(tmp_path)
        add_lead_below(work, server.url("/rye"), "/rye")
        assert work.run("leads", "confirm", "1", "--reason", "assessed").code == 0
        crawl(work)

        assert sorted(server.paths) == ["/rye", "/rye/2", "/rye/3"]


# ---- politeness


def test_no_more_requests_are_in_flight_than_one_host_is_given(tmp_path: Path) -> None:
    with WebServer({"*": _slow(tree(30), 0.02)}) as server:
        crawled(tmp_path, server, per_host=2)

        assert len(server.paths) == 30
        assert server.most_in_flight == 2


def test_the_pages_of_two_sites_are_asked_in_turn(tmp_path: Path) -> None:
    with WebServer(tree(20)) as one, WebServer(tree(20)) as other:
        work = work_at(tmp_path, per_host=1)
        work.add_leads(one.url("/"), other.url("/"))
        crawl(work)
        asked = [(request.at_s, server.port) for server in (one, other) for request in server.page_requests]

    order = [port for _, port in sorted(asked)]
    assert len(order) == 40
    assert max(len(list(run)) for _, run in groupby(order)) <= 5


def test_a_site_that_asks_to_wait_is_left_alone_and_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ExecutionEngine, "_SLOT_HEARTBEAT_INTERVAL", 0.02)
    routes: dict[str, Any] = dict(tree(8))
    busy = iter([(429, {"Retry-After": "1"}, b"")])
    routes["/loaf/3"] = lambda _: next(busy, tree(8)["/loaf/3"])
    with WebServer(routes) as server:
        work = crawled(tmp_path, server, per_host=1)
        requests = server.page_requests

    assert set(outcomes(work).values()) == {"text"}
    assert len(requests) == 9
    at = [request.path for request in requests].index("/loaf/3")
    assert requests[at + 1].at_s - requests[at].at_s >= 0.9


def test_a_disallowed_page_is_not_asked_where_robots_are_obeyed(tmp_path: Path) -> None:
    robots = (200, {"Content-Type": "text/plain"}, b"User-agent: *\nDisallow: /loaf/2\n")
    with WebServer({**tree(4), "/robots.txt": robots}) as server:
        work = crawled(tmp_path, server, robots="obey")

        assert "/loaf/2" not in server.paths
        assert outcomes(work)["/loaf/2"] == "refused robots"


def test_a_stop_during_a_crawl_ends_it(tmp_path: Path) -> None:
    """All pages are known from the first one on, so that only the stop itself can end the crawl."""
    with WebServer({"*": _slow(tree(400, width=399), 0.1)}) as server:
        work = work_at(tmp_path, per_host=1)
        work.add_leads(server.url("/"))
        program = Program(work=work, folder=tmp_path / "run")
        with running(program.start("--json", "crawl")) as child:
            wait_until(lambda: len(server.paths) >= 2)
            assert work.run("stop", f"127.0.0.1:{server.port}").code == 0
            assert child.wait(60) == 0

        assert len(server.paths) < 200
        assert len(page_rows(work)) == len(server.paths)


def test_a_terminated_crawl_keeps_what_it_saw_and_goes_on_later(tmp_path: Path) -> None:
    with WebServer({"*": _slow(tree(30), 0.03)}) as server:
        work = work_at(tmp_path, per_host=2)
        work.add_leads(server.url("/"))
        program = Program(work=work, folder=tmp_path / "run")
        with running(program.start("--json", "crawl")) as child:
            wait_until(lambda: len(server.paths) >= 5)
            child.send_signal(signal.SIGTERM)
            child.wait(60)
        before = len(page_rows(work))
        crawl(work)

        assert 0 < before < 30
        assert len(page_rows(work)) == 30
        assert sorted(server.paths) == sorted(tree(30))


# ---- what an answer is taken for

PASSWORD = '<form method="post"><input name="n"><input type="password" name="p"></form>'
WALLS: dict[str, Reply] = {
    "a log-in form": html("wall", words=3, extra=PASSWORD),
    "401": (401, HTML, b""),
    "403": (403, HTML, b"<p>Members only</p>"),
    "451": (451, HTML, b""),
    "a redirect to the log-in": redirect("/login?next=/"),
}


@pytest.mark.parametrize("name", WALLS)
def test_a_wall_is_recorded_as_a_wall(tmp_path: Path, name: str) -> None:
    with WebServer({"/": html("root", links=("/closed",)), "/closed": WALLS[name]}) as server:
        work = crawled(tmp_path, server)

        assert outcomes(work)["/closed"] == "wall"
        assert sorted(server.paths) == ["/", "/closed"]


@pytest.mark.parametrize("status", [404, 410])
def test_a_missing_page_is_recorded_as_gone(tmp_path: Path, status: int) -> None:
    with WebServer({"/": html("root", links=("/eaten",)), "/eaten": (status, HTML, b"")}) as server:
        work = crawled(tmp_path, server)

        assert outcomes(work)["/eaten"] == "gone"
        assert server.paths.count("/eaten") == 1


@pytest.mark.usefixtures("quick_retries")
def test_a_server_error_is_asked_three_times_and_then_an_error(tmp_path: Path) -> None:
    with WebServer({"/": html("root", links=("/burnt",)), "/burnt": (500, HTML, b"")}) as server:
        work = crawled(tmp_path, server)

        assert outcomes(work)["/burnt"] == "error http_500"
        assert server.paths.count("/burnt") == 3


@pytest.mark.usefixtures("quick_retries")
def test_a_page_that_comes_at_the_second_try_is_read(tmp_path: Path) -> None:
    answers = iter([(500, HTML, b"")])
    late: Callable[[Request], Reply] = lambda _: next(answers, html("late", term=TERM))  # noqa: E731
    with WebServer({"/": html("root", links=("/late",)), "/late": late}) as server:
        work = crawled(tmp_path, server)

        assert outcomes(work)["/late"] == "text"
        assert evidence_urls(work) == [server.url("/late")]


@pytest.mark.usefixtures("quick_retries")
def test_a_port_where_nobody_listens_is_an_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]
    work = work_at(tmp_path)
    work.add_leads(f"http://127.0.0.1:{port}/")
    crawl(work)

    assert outcomes(work) == {"/": "error refused"}


@pytest.mark.usefixtures("quick_retries")
def test_a_page_that_trips_our_own_code_does_not_keep_the_crawl_from_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = judge.Judge.answer

    def trips(self: judge.Judge, site: Any, row: Any, response: Any, fetch: Any) -> Any:
        if row.url.endswith("/loaf/2"):
            raise ZeroDivisionError
        return sound(self, site, row, response, fetch)

    monkeypatch.setattr(judge.Judge, "answer", trips)
    with WebServer(tree(8)) as server:
        work = crawled(tmp_path, server)

    assert outcomes(work)["/loaf/2"] == "error internal"
    assert len(page_rows(work)) == 8


# ---- media, traps, aliases


def test_the_pattern_of_an_attachment_is_asked_once(tmp_path: Path) -> None:
    links = tuple(f"/fetch?id={number}" for number in range(1, 9))
    file = (200, {"Content-Type": "application/octet-stream"}, bytes(range(256)) * 40)
    with WebServer({"/": html("root", links=links), "/fetch": file}) as server:
        work = work_at(tmp_path, per_host=1)
        work.add_leads(server.url("/"))
        summary = crawl(work)

        assert len(server.paths) == 2
        assert summary["refused_media"] == 1
        assert sorted(outcomes(work).values()) == ["refused media_type", "text"]


def test_an_endless_calendar_is_given_up(tmp_path: Path) -> None:
    def month(request: Request) -> Reply:
        number = int(request.path.rpartition("/")[2] or 0)
        links = "".join(f'<a href="/month/{number + step}">Month {number + step}</a>' for step in (1, 2, 3))
        return 200, HTML, f"<p>Days of this month</p>{links}".encode()

    with WebServer({"*": month}) as server:
        crawled(tmp_path, server, depth=1000)

        assert len(server.paths) < 60


_LETTERS = str.maketrans("0123456789", "ghijklmnop")


def _hops(request: Request) -> Reply:
    """Lead on for ever: to itself, in a ring, by numbers, by ever new words, by ever longer paths."""
    kind, _, rest = request.path[1:].partition("/")
    match kind:
        case "ring":
            return redirect("/ring/a" if rest == "b" else "/ring/b")
        case "count":
            return redirect(f"/count/{int(rest) + 1}")
        case "words":
            return redirect(f"/words/{hashlib.sha256(rest.encode()).hexdigest().translate(_LETTERS)[:9]}")
        case "nest":
            return redirect(f"{request.path}/deeper")
        case "query":
            return redirect(f"{request.path}&again=1")
    return redirect(request.path)


def test_redirects_without_end_cost_few_requests_and_no_text(tmp_path: Path) -> None:
    links = ("/same/", "/ring/a", "/count/0", "/words/rye", "/nest/a", "/query/?next=1")
    texts = {f"/loaf/{number}": html(("loaf", number)) for number in range(5)}
    routes = {"/": html("root", links=(*links, *texts)), **texts, "*": _hops}
    with WebServer(routes) as server:
        work = crawled(tmp_path, server)

        counts = Counter(path.split("/")[1] for path in server.paths)
        assert {path for path, outcome in outcomes(work).items() if outcome == "text"} == {"/", *texts}
        assert min(counts[kind] for kind in ("same", "ring", "count", "words", "nest", "query")) >= 1
        assert max(counts.values()) <= judge.MOST_HOPS + 1, counts
        assert "refused redirects" in outcomes(work).values()


def test_a_text_behind_some_redirects_is_read(tmp_path: Path) -> None:
    words = ("rye", "oat", "spelt", "teff", "bran", "einkorn", "emmer", "millet", "barley")
    chain = {f"/{one}": redirect(f"/{following}") for one, following in pairwise((*words, "loaf"))}
    with WebServer({"/": redirect("/rye"), **chain, "/loaf": html("loaf")}) as server:
        work = crawled(tmp_path, server)

    assert outcomes(work)["/loaf"] == "text"


def test_one_text_at_several_addresses_is_one_evidence(tmp_path: Path) -> None:
    links = ("/t/1", "/t/1?sort=oldest", "/t/1?view=flat", "/old/1")
    text = html("thread", term=TERM)
    routes = {"/": html("root", links=links), "/t/1": text, "/old/1": redirect("/t/1", 301)}
    with WebServer(routes) as server:
        work = crawled(tmp_path, server)

    found = outcomes(work)
    assert len(evidence_urls(work)) == 1
    assert sorted(found[path] for path in links) == ["alias", "alias", "alias", "text"]


def test_the_frame_of_a_site_is_no_part_of_its_evidence(tmp_path: Path) -> None:
    """What stands on the answer to a surely missing address and on the root says nothing of the page."""
    frame = f"<p>{prose('frame', words=40)}</p>"
    missing = (404, HTML, f"<html><body>{frame}<p>{prose('nothing')}</p></body></html>".encode())
    routes = {
        "/": html("root", links=("/t/1",), extra=frame),
        "/t/1": html("thread", term=TERM, extra=frame),
        "*": missing,
    }
    with WebServer(routes) as server:
        work = crawled(tmp_path, server)

    (evidence,) = records(work, Evidence)
    assert evidence.frame_blocks >= 1


# ---- other sites


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_off_the_site_is_refused_and_proposed(tmp_path: Path, status: int) -> None:
    with WebServer(tree(3)) as other, WebServer({"/": redirect(other.url("/new"), status)}) as server:
        work = crawled(tmp_path, server)

        assert outcomes(work) == {"/": "refused redirect_scope"}
        (proposal,) = records(work, Proposal)
        assert "redirected" in proposal.reasons
        assert [lead.url for lead in records(work, Lead)] == [server.url("/"), other.url("/new")]
        assert other.paths == []


def test_a_redirect_to_an_address_off_loopback_is_refused(tmp_path: Path) -> None:
    with WebServer({"/": redirect("http://192.0.2.80/bread")}) as server:
        work = crawled(tmp_path, server)

    assert outcomes(work) == {"/": "refused private_address"}
    assert records(work, Proposal) == []


def test_a_site_linked_from_evidence_is_proposed_with_reasons_and_not_contacted(tmp_path: Path) -> None:
    with WebServer(tree(3)) as other:
        routes = {
            "/": html("root", links=("/t/1", "/t/2")),
            "/t/1": html("thread", term=TERM, links=(other.url("/copy"),)),
            "/t/2": html("no term", links=("http://unrelated.example/",)),
        }
        with WebServer(routes) as server:
            work = crawled(tmp_path, server)

        (proposal,) = records(work, Proposal)
        (listed,) = work.run("leads", "list", "--origin", "discovered").rows
        assert set(proposal.reasons) >= {"linked_from_evidence", "near_matches"}
        assert 0 < proposal.score <= 1
        assert listed["state"] == "new"
        crawl(work)
        assert other.paths == []


def test_a_proposal_is_crawled_once_a_person_confirmed_it(tmp_path: Path) -> None:
    with WebServer({"/copy": html("copy", term=TERM)}) as other:
        with WebServer({"/": html("root", term=TERM, links=(other.url("/copy"),))}) as server:
            work = crawled(tmp_path, server)
            assert work.run("leads", "confirm", "2", "--reason", "looked at it").code == 0
            crawl(work)

        assert "/copy" in other.paths
        assert other.url("/copy") in evidence_urls(work)


def test_an_excluded_site_is_not_even_proposed(tmp_path: Path) -> None:
    with WebServer({"/": html("root", term=TERM, links=("http://help.bread.example/",))}) as server:
        work = work_at(tmp_path)
        work.add_leads(server.url("/"))
        work.run("exclude", "add", "bread.example")
        crawl(work)

    assert records(work, Proposal) == []


# ---- rounds


def test_a_finished_site_is_left_alone_until_it_is_due(tmp_path: Path) -> None:
    with WebServer(tree(5)) as server:
        work = crawled(tmp_path, server)
        crawl(work)

        assert len(server.paths) == 5


def test_a_host_that_never_answers_is_cut_short_when_all_others_are_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Left to itself its request would end by silence, after fifteen seconds."""
    monkeypatch.setattr(site_state, "STALL_S", 0.2)
    with WebServer(tree(3)) as server, socket.create_server(("127.0.0.2", 0)) as silent:
        work = work_at(tmp_path)
        silent_url = f"http://127.0.0.2:{silent.getsockname()[1]}/"
        assert work.add_leads(server.url("/"), silent_url).code == 0
        summary = crawl(work)

    assert [(page.url, page.error) for page in page_rows(work) if page.error] == [(silent_url, "deadline")]
    assert (summary["pages"], summary["put_off"]) == (4, 1)


def test_the_frontier_knows_when_a_host_is_free(tmp_path: Path) -> None:
    with WebServer(tree(2)) as server:
        work = work_at(tmp_path)
        assert work.add_leads(server.url("/")).code == 0
        session = open_session(work.open(), CrawlOptions())
        before = session.free_at((host_key(server.url("/")),))
        run_crawl(session)
        session.workspace.log.close()

    assert before == 0.0
    assert session.free_at((host_key(server.url("/")),)) > 0.0


def test_a_site_is_visited_again_when_it_is_due(tmp_path: Path) -> None:
    with WebServer(tree(5, terms={3: TERM})) as server:
        work = crawled(tmp_path, server)
        age_pages(work, datetime.now(UTC) - timedelta(days=8))
        crawl(work)

        rounds = [page.round for page in page_rows(work)]
        assert sorted(rounds) == [1] * 5 + [2] * 5
        assert len(records(work, Evidence)) == 1


def test_a_site_with_a_trap_is_visited_again_too(tmp_path: Path) -> None:
    """Addresses of a given-up pattern wait for ever; they must not keep a site from its next round."""

    def trap(request: Request) -> Reply:
        number = int(request.path.rpartition("/")[2])
        links = "".join(f'<a href="/month/{number + step}">Month</a>' for step in (1, 2, 3))
        return 200, HTML, f"<p>Days</p>{links}".encode()

    routes: dict[str, Any] = {"/": html("root", links=("/loaf/1", "/month/1")), "/loaf/1": html("loaf")}
    with WebServer({**routes, "*": trap}) as server:
        work = crawled(tmp_path, server, depth=1000)
        age_pages(work, datetime.now(UTC) - timedelta(days=8))
        crawl(work)

        assert server.paths.count("/loaf/1") == 2


def test_a_new_rule_finds_evidence_on_the_next_round(tmp_path: Path) -> None:
    word = prose(("loaf", 1)).split()[4]
    with WebServer({"/": html("root", links=("/loaf",)), "/loaf": html("loaf")}) as server:
        work = crawled(tmp_path, server)
        add_terms(work, word)
        age_pages(work, datetime.now(UTC) - timedelta(days=8))
        crawl(work)

        assert evidence_urls(work) == [server.url("/loaf")]


def add_lead_below(work: Desk, url: str, path: str) -> None:
    """Add a lead whose site is followed below a path only."""
    workspace = work.open()
    host = host_key(url)
    with workspace.log.write() as writer:
        site = site_for(writer, host)
        lead = Lead(
            url=url,
            host=host,
            site_id=site,
            origin=Origin.REPORTED,
            path_prefix=path,
            added_by="ada",
            added_at=datetime.now(UTC),
        )
        writer.append(lead)
    workspace.log.close()


def _slow(routes: dict[str, Reply], delay_s: float) -> Callable[[Request], Reply]:
    """Answer from `routes` after a while, as a server far away does."""

    def answer(request: Request) -> Reply:
        threading.Event().wait(delay_s)
        return routes.get(request.path, (404, HTML, b""))

    return answer
