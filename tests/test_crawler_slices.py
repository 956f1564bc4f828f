"""Slices of sites: how they end, what goes over the pipe about them, and outages in their midst."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caselog.errors import OutageError
from caselog.records.ids import EvidenceId, LeadId, SiteId
from caselog.records.pages import Evidence
from caselog.store import calls, frontier
from caselog.store.log import CaseLog
from crawler.child.spider import ServingSpider
from crawler.child.wire import (
    Alive,
    CheckOrder,
    ChecksDone,
    Failure,
    order_line,
    order_of,
    report_line,
    report_of,
    stop_line,
)
from crawler.crawl import recorder, session
from crawler.crawl.lanes import MOST_STALLS
from crawler.crawl.opening import CrawlOptions, prepare
from crawler.crawl.session import slice_session
from crawler.crawl.site_state import SiteState
from crawler.crawl.slices import GOES_ON, SHORT_WAIT_S, Ending, Slice, SliceEnd, ending_of
from crawler.run import run_spider
from tests.crawl_samples import HTML, TERM, page_rows, records, tree, work_at
from tests.servers.web import WebServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from crawler.child.wire import Report
    from crawler.crawl.session import CrawlSession
    from tests.desk_calls import Desk
    from tests.servers.web import Reply, Request

NOW_S = 1000.0
PAGES = 12
LONGEST_S = 30.0


# ---- how a slice ends


def site(**changes: Any) -> SiteState:
    """Give a site with addresses that wait and pages that may be asked."""
    made = SiteState(site_id=SiteId(1), tag="t", host="rye.example", epoch=1, per_host=1)
    made.waiting, made.slice_pages, made.slice_ends_s = {"p": 3}, 5, NOW_S + 60
    for name, value in changes.items():
        setattr(made, name, value)
    return made


SOON, LATE = NOW_S + SHORT_WAIT_S / 2, NOW_S + SHORT_WAIT_S * 2
ROW: Any = None
ENDINGS: dict[str, tuple[dict[str, Any], Ending | None]] = {
    "another has it, whatever else": ({"is_fenced": True, "stopped": True, "slice_pages": 0}, Ending.FENCED),
    "the host was closed in a full slice": ({"stopped": True}, Ending.CLOSED),
    "it was closed though nothing is left": ({"stopped": True, "waiting": {}}, Ending.CLOSED),
    "the host held up too many": ({"stalls": MOST_STALLS}, Ending.LEFT),
    "nothing is left and all is spent": ({"waiting": {}, "slice_pages": 0}, Ending.OVER),
    "nothing is left": ({"waiting": {"p": 0}}, Ending.OVER),
    "no page is left": ({"slice_pages": 0}, Ending.SPENT),
    "more was asked than it had": ({"slice_pages": -1}, Ending.SPENT),
    "its time is over": ({"slice_ends_s": NOW_S}, Ending.SPENT),
    "the host asks for a long pause": ({"paused_until": LATE}, Ending.WAITS),
    "all that is left was put off for long": ({"waiting": {}, "later": [(LATE, "p")]}, Ending.WAITS),
    "a page is still under way, though closed": ({"stopped": True, "in_flight": {1: ROW}}, None),
    "a page is still under way, though fenced": ({"is_fenced": True, "in_flight": {1: ROW}}, None),
    "the last page is under way": ({"slice_pages": 0, "in_flight": {1: ROW}}, None),
    "the host asks for a short pause": ({"paused_until": SOON}, None),
    "what is left is due soon": ({"waiting": {}, "later": [(SOON, "p")]}, None),
    "it held up once": ({"stalls": 1}, None),
    "without limits": ({"slice_pages": None, "slice_ends_s": None}, None),
    "there is work": ({}, None),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_a_slice_ends_for_the_first_reason_that_holds(name: str) -> None:
    changes, expected = ENDINGS[name]

    assert ending_of(site(**changes), NOW_S, is_quiet=False, is_stopping=False) == expected


@pytest.mark.parametrize(
    ("changes", "is_quiet", "is_stopping", "expected"),
    [
        ({"is_fenced": True}, True, True, Ending.FENCED),
        ({"waiting": {}}, True, True, Ending.STOPPED),
        ({"waiting": {}}, True, False, Ending.QUIET),
        ({"slice_pages": 0}, True, False, Ending.QUIET),
        ({"in_flight": {1: ROW}}, True, True, None),
    ],
)
def test_a_worker_that_stops_and_quiet_hours_end_every_slice(
    changes: dict[str, Any], is_quiet: bool, is_stopping: bool, expected: Ending | None
) -> None:
    assert ending_of(site(**changes), NOW_S, is_quiet=is_quiet, is_stopping=is_stopping) == expected


@pytest.mark.parametrize("ending", Ending)
def test_another_slice_follows_only_where_it_is_worth_it(ending: Ending) -> None:
    with_more = SliceEnd(ending=ending, counts={}, has_more=True)
    without = SliceEnd(ending=ending, counts={}, has_more=False)

    assert with_more.goes_on == (ending.value in {"spent", "waits", "stopped"}) == (ending in GOES_ON)
    assert not without.goes_on


# ---- over the pipe

COUNT = st.integers(min_value=0, max_value=2**53)
SECONDS = st.floats(min_value=0, max_value=1e9)
TALLY = st.dictionaries(st.text(max_size=9), COUNT, max_size=3)
SLICES = st.builds(
    Slice,
    site_id=COUNT.map(SiteId),
    lead_ids=st.lists(COUNT.map(LeadId), max_size=5).map(tuple),
    pages=COUNT,
    seconds=SECONDS,
    is_first=st.booleans(),
    has_page_limit=st.booleans(),
    elapsed_s=SECONDS,
)
CHECKS = st.builds(
    CheckOrder,
    site_id=COUNT.map(SiteId),
    evidence_ids=st.lists(COUNT.map(EvidenceId), max_size=5).map(tuple),
)
ENDS = st.builds(
    SliceEnd,
    ending=st.sampled_from(Ending),
    counts=TALLY,
    unspent=COUNT,
    has_more=st.booleans(),
    wait_s=SECONDS,
    has_good=st.booleans(),
    cpu_s=SECONDS,
)
REPORTS: st.SearchStrategy[Any] = (
    ENDS
    | st.builds(ChecksDone, checks=COUNT, requests=COUNT, signals=TALLY, states=TALLY)
    | st.builds(Failure, kind=st.text(), message=st.text(), hint=st.text())
    | st.builds(Alive, pages=COUNT, sites=COUNT)
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)
KINDS = st.sampled_from(["slice", "checks", "failure", "alive", "stop", ""])
ALMOST = st.dictionaries(
    KINDS | st.just("name"),
    JSON | st.dictionaries(st.sampled_from(["site_id", "lead_ids", "evidence_ids", "ending"]), JSON),
    max_size=3,
)
GARBAGE = st.binary() | (JSON | ALMOST).map(lambda value: json.dumps(value).encode())


@given(st.text(), SLICES | CHECKS)
def test_an_order_arrives_as_it_was_sent_in_one_line(name: str, order: Slice | CheckOrder) -> None:
    line = order_line(name, order)

    assert (line.count(b"\n"), line[-1:]) == (1, b"\n")
    assert order_of(line) == (name, order)


@given(st.text(), REPORTS)
def test_a_report_arrives_as_it_was_sent_in_one_line(name: str, report: Report) -> None:
    line = report_line(name, report)

    assert (line.count(b"\n"), line[-1:]) == (1, b"\n")
    assert report_of(line) == (name, report)


def test_the_order_to_stop_is_no_other() -> None:
    assert order_of(stop_line()) == ("stop", None)


DEEP = b"[" * 200_000
NO_ORDERS = [b"", b"\n", b"{}", b"stop", b'"stop"', b"null", b'{"name":"stopp"}', b'{"name":null}', DEEP]
NO_ORDERS += [b'{"name":"1","slice":{}}', b'{"name":"1","slice":7}', b'{"name":"1","checks":null}']
NO_ORDERS += [b'{"name":"1","slice":{"site_id":1,"lead_ids":[],"pages":1,"seconds":1,"url":"x"}}']
NO_REPORTS = [b"", b"\n", b"{}", b"[]", b"null", b'{"name":"1"}', b'{"name":"1","alive":{},"slice":{}}', DEEP]
NO_REPORTS += [b'{"name":"1","slice":{}}', b'{"name":"1","slice":{"ending":"tired","counts":{}}}']
NO_REPORTS += [b'{"name":"1","alive":7}', b'{"name":"1","text":{}}', b'{"name":"1","alive":{"x":1}}']


def trouble(read: Callable[[bytes], object], line: bytes) -> Exception | None:
    """Give what reading a line raises."""
    try:
        read(line)
    except Exception as error:  # noqa: BLE001 - which one it is, is the question
        return error
    return None


@pytest.mark.parametrize("line", NO_ORDERS)
def test_what_is_no_order_is_refused(line: bytes) -> None:
    assert isinstance(trouble(order_of, line), ValueError)


@pytest.mark.parametrize("line", NO_REPORTS)
def test_what_is_no_report_is_refused(line: bytes) -> None:
    assert isinstance(trouble(report_of, line), ValueError)


@given(GARBAGE)
def test_a_garbled_line_breaks_nothing(line: bytes) -> None:
    for read in (order_of, report_of):
        assert isinstance(trouble(read, line), ValueError | None)


# ---- a session that takes slices


@contextmanager
def opened(work: Desk) -> Iterator[CrawlSession]:
    workspace = work.open()
    try:
        yield slice_session(workspace)
    finally:
        workspace.log.close()


def orders_of(work: Desk, **changes: Any) -> list[Slice]:
    """Give the first slice of each site of the workspace, with room for everything."""
    workspace = work.open()
    try:
        with workspace.log.write() as writer:
            found = prepare(writer, workspace, CrawlOptions())
    finally:
        workspace.log.close()
    wanted = {"pages": 500, "seconds": 60.0, **changes}
    return [Slice(site_id=number, lead_ids=leads, **wanted) for number, leads in found.items()]


def cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    """End a crawl that would never end: nothing is reported, and the test fails."""
    for task in asyncio.all_tasks(loop):
        task.cancel()


def serve(work: Desk, *orders: Slice) -> list[Any]:
    """Have orders carried out as a worker's crawler process does, and give what is reported on each."""
    reports: dict[str, Any] = {}
    serving: list[ServingSpider] = []

    def note(name: str, report: Report) -> None:
        reports[name] = report
        if len(reports) == len(orders):
            serving[0].take("", None)

    def begin(spider: ServingSpider, loop: asyncio.AbstractEventLoop) -> None:
        loop.call_later(LONGEST_S, cancel_all, loop)
        serving.append(spider)
        for at, order in enumerate(orders):
            spider.take(str(at), order)

    with opened(work) as taken:
        run_spider(ServingSpider, work.folder, handles_signals=False, session=taken, report=note, begin=begin)
    return [reports[str(at)] for at in range(len(orders))]


@pytest.fixture
def bakery() -> Iterator[WebServer]:
    with WebServer(tree(PAGES)) as server:
        yield server


def test_a_slice_asks_no_more_pages_than_it_has_and_the_next_goes_on(
    tmp_path: Path, bakery: WebServer
) -> None:
    work = work_at(tmp_path)
    work.add_leads(bakery.url("/"))
    (order,) = orders_of(work, pages=5)
    (first,), (second,), (last,) = (serve(work, order) for _ in range(3))

    assert [end.ending for end in (first, second, last)] == ["spent", "spent", "over"]
    assert [end.counts["pages"] for end in (first, second, last)] == [5, 5, PAGES - 10]
    assert [end.has_more for end in (first, second, last)] == [True, True, False]
    assert (first.unspent, last.unspent) == (0, 5 - (PAGES - 10))
    assert first.has_good
    assert sorted(bakery.paths) == sorted(tree(PAGES))


def test_a_slice_without_time_asks_nothing(tmp_path: Path, bakery: WebServer) -> None:
    work = work_at(tmp_path)
    work.add_leads(bakery.url("/"))
    (end,) = serve(work, *orders_of(work, seconds=0.0))

    assert (end.ending, end.goes_on, end.unspent) == ("spent", True, 500)
    assert bakery.paths == []


def test_a_site_that_asks_to_wait_frees_its_place(tmp_path: Path) -> None:
    with WebServer({"*": (503, {**HTML, "Retry-After": "300"}, b"")}) as server:
        work = work_at(tmp_path)
        work.add_leads(server.url("/"))
        (end,) = serve(work, *orders_of(work))

        assert (end.ending, end.goes_on, end.has_good) == ("waits", True, False)
        assert 60 < end.wait_s <= 300
        assert server.paths == ["/"]


def test_a_site_that_another_worker_took_ends_alone(tmp_path: Path, bakery: WebServer) -> None:
    routes = tree(PAGES)
    work = work_at(tmp_path)

    def answer(request: Request) -> Reply:
        if request.path == "/loaf/3":
            workspace = work.open()
            with workspace.log.write() as writer:
                frontier.take_site(writer, numbers["oats"], "another")
            workspace.log.close()
        return routes.get(request.path, (404, HTML, b""))

    with WebServer({"*": answer}) as oats:
        work.add_leads(oats.url("/"), bakery.url("/"))
        orders = orders_of(work)
        numbers = dict(zip(("oats", "bakery"), (order.site_id for order in orders), strict=True))
        fenced, over = serve(work, *orders)

    recorded = Counter(page.site_id for page in page_rows(work))
    assert (fenced.ending, over.ending) == ("fenced", "over")
    assert not fenced.goes_on
    assert recorded[numbers["bakery"]] == over.counts["pages"] == PAGES
    assert recorded[numbers["oats"]] == fenced.counts["pages"] < PAGES


@pytest.fixture
def work(tmp_path: Path) -> Desk:
    """Give a workspace with leads on two sites that nobody asks."""
    made = work_at(tmp_path)
    made.add_leads("http://127.0.0.1:9/", "http://127.0.0.2:9/")
    return made


def endings(taken: CrawlSession) -> dict[SiteId, str]:
    return {state.site_id: end.ending.value for state, end in taken.ended()}


def test_a_host_that_is_closed_ends_its_own_slice(work: Desk) -> None:
    first, second = orders_of(work)
    with opened(work) as taken:
        assert taken.admit(first)
        assert taken.admit(second)
        assert endings(taken) == {}
        taken.exclude(frozenset({taken.sites[first.site_id].host}))

        assert endings(taken) == {first.site_id: "closed"}
        assert list(taken.sites) == [second.site_id]


def test_a_closed_host_is_not_taken(work: Desk) -> None:
    first, second = orders_of(work)
    assert work.run("stop", "127.0.0.1:9").code == 0
    with opened(work) as taken:
        assert [taken.admit(order) for order in (first, second)] == [False, True]


def test_a_lead_that_was_closed_is_not_followed(work: Desk) -> None:
    first, second = orders_of(work)
    assert work.run("leads", "close", "1", "--reason", "done").code == 0
    with opened(work) as taken:
        assert [taken.admit(order) for order in (first, second)] == [False, True]


def test_quiet_hours_end_every_slice_and_what_is_left_stays(tmp_path: Path) -> None:
    made = work_at(tmp_path, quiet_hours="00:00-00:00")
    made.add_leads("http://127.0.0.1:9/")
    (order,) = orders_of(made)
    with opened(made) as taken:
        taken.admit(order)
        assert taken.next_pending() is None
        ((_, end),) = taken.ended()

        assert (end.ending, end.goes_on, end.has_more) == ("quiet", False, True)


def test_a_session_that_stops_gives_every_site_back(work: Desk) -> None:
    orders = orders_of(work)
    with opened(work) as taken:
        for order in orders:
            taken.admit(order)
        taken.is_stopping = True
        ends = [end for _, end in taken.ended()]

        assert [(end.ending, end.goes_on, end.unspent) for end in ends] == [("stopped", True, 500)] * 2
        assert taken.is_over()
        assert taken.budgets == {}


def test_what_is_known_of_a_site_is_kept_for_its_next_slice_and_not_for_the_next_call(work: Desk) -> None:
    (first, _) = orders_of(work, pages=0)
    (later, _) = orders_of(work, pages=0, is_first=False)
    states = []
    with opened(work) as taken:
        for order in (first, later, later, first):
            taken.admit(order)
            states.append(taken.sites[order.site_id])
            assert endings(taken) == {order.site_id: "spent"}

    one, two, three, four = states
    assert one is two is three
    assert four is not one


def test_what_is_known_of_a_site_is_forgotten_when_another_had_it_meanwhile(work: Desk) -> None:
    (first, _) = orders_of(work, pages=0)
    (later, _) = orders_of(work, pages=0, is_first=False)
    with opened(work) as taken:
        taken.admit(first)
        before = taken.sites[first.site_id]
        taken.ended()
        with taken.workspace.log.write() as writer:
            frontier.take_site(writer, first.site_id, "another")
        taken.admit(later)

        assert taken.sites[later.site_id] is not before


def test_memory_of_sites_between_slices_is_bounded(work: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "REMEMBERED", 100)
    with opened(work) as taken:
        for order in orders_of(work, pages=0):
            taken.admit(order)
            taken.sites[order.site_id].known |= {bytes([number]) for number in range(80)}
            taken.ended()

        assert list(taken.remembered) == [order.site_id]


# ---- outages


@pytest.fixture
def quick_returns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for the database again at once; only waiting time is changed."""
    monkeypatch.setattr(recorder, "OUTAGE_RETRY_S", 0.01)
    monkeypatch.setattr(session, "OUTAGE_PAUSE_S", 0.01)


class Outages:
    """Makes the database of a running crawl go away now and then: before a transaction, or after its end."""

    def __init__(self) -> None:
        self.count = Counter({"before a write": 0, "after a write": 0, "a read": 0})
        self.is_on = False

    def strike(self, what: str) -> None:
        """Fail the first two times, and every third time later."""
        if not self.is_on:
            return
        self.count[what] += 1
        if self.count[what] <= 2 or self.count[what] % 3 == 0:
            raise OutageError("The database is away.")

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        writing, reading = CaseLog.write, CaseLog.read

        @contextmanager
        def write(log: CaseLog) -> Iterator[Any]:
            self.strike("before a write")
            with writing(log) as writer:
                yield writer
            self.strike("after a write")

        @contextmanager
        def read(log: CaseLog) -> Iterator[Any]:
            self.strike("a read")
            with reading(log) as reader:
                yield reader

        monkeypatch.setattr(CaseLog, "write", write)
        monkeypatch.setattr(CaseLog, "read", read)


@pytest.mark.usefixtures("quick_returns")
def test_an_outage_is_waited_out_and_nothing_is_lost_or_written_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit may have happened though the connection was lost: the answer is then known already."""
    terms = dict.fromkeys((4, 9, 17), TERM)
    outages = Outages()

    def answer(request: Request) -> Reply:
        outages.is_on = True
        return routes.get(request.path, (404, HTML, b""))

    routes = tree(30, terms=terms)
    with WebServer({"*": answer}) as server:
        work = work_at(tmp_path)
        work.add_leads(server.url("/"))
        orders = orders_of(work)
        with monkeypatch.context() as patch:
            outages.install(patch)
            (end,) = serve(work, *orders)
            outages.is_on = False

    paths = Counter("/" + page.url.split("/", 3)[3] for page in page_rows(work))
    assert min(outages.count.values()) > 1
    assert end.ending == "over"
    assert paths == Counter(list(routes))
    assert len(records(work, Evidence)) == len(terms)
    assert set(calls.COUNTS) >= set(end.counts)
