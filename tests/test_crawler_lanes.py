"""Which host is asked next, who stands aside, and when a crawl stops waiting: no network, time passed in."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import pytest

from caselog.records.ids import LeadId, SiteId
from caselog.store.frontier import Pending
from crawler.crawl.lanes import ASIDE, LEAST_PATIENCE_S, PAUSE_S, Lanes, lanes, patience_s
from crawler.crawl.opening import CrawlOptions
from crawler.crawl.session import open_session
from crawler.crawl.site_state import Budget, SiteState
from tests.crawl_samples import work_at

if TYPE_CHECKING:
    from crawler.crawl.session import CrawlSession


class Clock:
    """A monotonic clock that stands still until it is moved."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def row(site: int, number: int) -> Pending:
    return Pending(
        id=number, site_id=SiteId(site), lead_id=LeadId(1), url=f"http://bread{site}.example/{number}",
        pattern="p", depth=0, attempts=0, round=1, parent_id=None,
    )  # fmt: skip


def state(site: int, *, waiting: int = 1) -> SiteState:
    found = SiteState(SiteId(site), f"s{site}", f"bread{site}.example", 1, 1)
    found.waiting["p"] = waiting
    found.queues["p"] = deque(row(site, 100 * site + n) for n in range(waiting))
    return found


@pytest.fixture(scope="module")
def empty_session(tmp_path_factory: pytest.TempPathFactory) -> CrawlSession:
    work = work_at(tmp_path_factory.mktemp("lanes"), hosts_at_once=2)
    return open_session(work.open(), CrawlOptions())


@pytest.fixture
def session(empty_session: CrawlSession) -> CrawlSession:
    """A session of two hosts at once; its sites are put in by the test."""
    fresh = empty_session
    fresh.clock = Clock()
    fresh.started_s, fresh.last_good_s, fresh.sent, fresh.turn = 1000.0, None, 0, 0
    fresh.budgets = {LeadId(1): Budget(pages_left=1000, scope_depth=6)}
    fresh.sites = {}
    return fresh


def put(session: CrawlSession, *states: SiteState) -> None:
    session.sites = {one.site_id: one for one in states}


def test_a_full_quick_lane_has_no_room_but_slow_hosts_do_not_fill_it() -> None:
    found = lanes([(0.1, False), (9.0, False), (0.1, True)], hosts_at_once=1)

    assert found == Lanes(quick=1, aside=2, hosts_at_once=1)
    assert not found.has_room(is_slow=False)
    assert found.has_room(is_slow=True)


def test_the_hosts_that_stand_aside_are_bounded_too() -> None:
    found = lanes([(9.0, True)] * ASIDE, hosts_at_once=1)

    assert not found.has_room(is_slow=True)
    assert found.has_room(is_slow=False)


@pytest.mark.parametrize(
    ("elapsed_s", "waits_for_retries", "expected_s"),
    [(0.0, True, LEAST_PATIENCE_S), (1000.0, True, 100.0), (0.0, False, 0.0), (50.0, False, 5.0)],
)
def test_a_crawl_waits_a_share_of_its_time(
    elapsed_s: float, waits_for_retries: bool, expected_s: float
) -> None:
    assert patience_s(elapsed_s, waits_for_retries=waits_for_retries) == expected_s


def test_no_more_hosts_are_asked_at_once_than_set(session: CrawlSession) -> None:
    put(session, state(1), state(2), state(3))

    assert session.next_pending() is not None
    assert session.next_pending() is not None
    assert session.next_pending() is None


def test_hosts_that_keep_us_waiting_make_room_for_others(session: CrawlSession) -> None:
    put(session, state(1), state(2), state(3))
    session.next_pending()
    session.next_pending()
    session.clock.now_s += 4

    found = session.next_pending()

    assert found is not None
    assert found.site_id == 3


def test_a_site_is_not_handed_out_before_its_address_is_free(session: CrawlSession) -> None:
    put(session, state(1))
    session.sites[SiteId(1)].keys = ("bread1.example",)
    session.free_at = lambda _keys: 1005.0

    assert session.next_pending() is None
    session.clock.now_s = 1005.0
    assert session.next_pending() is not None


def test_requests_on_hosts_that_never_answered_do_not_hold_a_good_crawl_open(session: CrawlSession) -> None:
    put(session, state(1))
    session.next_pending()
    session.clock.now_s = 1011.0
    session.last_good_s = 1005.0

    assert session.is_held_up()


def test_a_host_that_may_be_asked_more_but_has_no_more_is_held_up_too(session: CrawlSession) -> None:
    put(session, state(1))
    session.sites[SiteId(1)].per_host = 4
    session.next_pending()
    session.clock.now_s = 1011.0
    session.last_good_s = 1005.0

    assert session.is_held_up()


def test_nothing_is_cut_while_another_site_can_be_asked(session: CrawlSession) -> None:
    put(session, state(1), state(2))
    session.next_pending()
    session.clock.now_s = 1011.0
    session.last_good_s = 1005.0

    assert not session.is_held_up()


def test_a_host_that_answered_before_is_waited_for(session: CrawlSession) -> None:
    put(session, state(1))
    session.next_pending()
    session.sites[SiteId(1)].has_answered = True
    session.clock.now_s = 1025.0
    session.last_good_s = 1005.0

    assert not session.is_held_up()


def test_a_crawl_without_any_good_answer_is_not_cut(session: CrawlSession) -> None:
    put(session, state(1))
    session.next_pending()
    session.clock.now_s = 1025.0

    assert not session.is_held_up()


def held_up(site: SiteState, at_s: float) -> None:
    """Let the site's request end at its deadline, as the spider does it."""
    (flying,) = site.in_flight.values()
    site.settled(flying, at_s, failed=True)
    site.put_off(flying, at_s + 2)


def test_a_host_that_held_a_request_up_rests_while_others_work(session: CrawlSession) -> None:
    put(session, state(1), state(2, waiting=50))
    session.next_pending()
    session.clock.now_s = 1030.0
    held_up(session.sites[SiteId(1)], 1030.0)

    assert session.sites[SiteId(1)].waits_until() == 1030.0 + PAUSE_S
    assert session.next_pending().site_id == 2


def test_a_crawl_ends_with_what_was_put_off_when_others_are_done(session: CrawlSession) -> None:
    put(session, state(1))
    session.next_pending()
    session.clock.now_s = session.last_good_s = 1030.0
    held_up(session.sites[SiteId(1)], 1030.0)

    assert session.is_over()
    assert session.summary()["put_off"] == 1


def test_a_host_that_held_a_request_up_is_not_asked_again_after_all_others_are_done(
    session: CrawlSession,
) -> None:
    put(session, state(1, waiting=5))
    session.next_pending()
    session.clock.now_s = 1030.0
    held_up(session.sites[SiteId(1)], 1030.0)
    session.last_good_s = 1100.0
    session.clock.now_s = 1121.0

    assert session.sites[SiteId(1)].waits_until() <= 1121.0
    assert session.next_pending() is None
    assert session.is_over()


def test_a_lone_host_is_asked_again_soon_and_then_left(session: CrawlSession) -> None:
    put(session, state(1))
    session.next_pending()
    session.clock.now_s = 1030.0
    held_up(session.sites[SiteId(1)], 1030.0)

    assert not session.is_over()
    session.clock.now_s = 1033.0
    session.sites[SiteId(1)].queues["p"].append(row(1, 100))  # what the case log gives again
    assert session.next_pending() is not None
    session.clock.now_s = 1063.0
    held_up(session.sites[SiteId(1)], 1063.0)
    assert session.is_over()


def test_a_crawl_does_not_wait_for_a_host_that_asks_for_a_day(session: CrawlSession) -> None:
    put(session, state(1))
    session.next_pending()
    (flying,) = session.sites[SiteId(1)].in_flight.values()
    session.sites[SiteId(1)].put_off(flying, 1000.0 + 86400)

    assert session.is_over()


def test_what_a_hostile_site_makes_us_remember_is_bounded() -> None:
    site = state(1)
    site.page_limit = 1

    fresh = site.new_blocks([number.to_bytes(8, "big") for number in range(50_000)])

    assert len(fresh) == 50_000
    assert len(site.blocks) == 20_000
    site.judged = {str(number) for number in range(4_000)}
    assert not site.may_judge_more()
