"""Calls to crawl in the case log: a budget that nobody overdraws, slices that end once, and what is left."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from caselog import schema
from caselog.errors import IntakeError
from caselog.records.ids import LeadId, SiteId
from caselog.store import calls, sites
from caselog.store.log import open_case_log

if TYPE_CHECKING:
    from collections.abc import Callable

    from caselog.store.log import CaseLog, Writer
    from caselog.vault import Keys

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
HOSTS = ("rye.example", "oat.example", "bread.example")


def add(writer: Writer, *, hosts: tuple[str, ...] = HOSTS[:1], **changes: Any) -> int:
    found = [sites.site_for(writer, host) for host in hosts]
    wanted: dict[str, Any] = {"lead_ids": (), "site_ids": found, "pages": None, "ends_at": None, "now": NOW}
    return calls.add_call(writer, **{**wanted, **changes})


def end(writer: Writer, now_at: calls.Standing, **changes: Any) -> bool:
    wanted: dict[str, Any] = {"counts": {}, "cpu_s": 0.0, "good_at": None, "is_open": True, "due_at": None}
    return calls.end_slice(writer, now_at, **{**wanted, **changes})


def left_of(log: CaseLog, number: int) -> int | None:
    with log.read() as reader:
        return calls.call(reader, number).pages_left


# ---- the budget


def test_grants_at_the_same_time_never_overdraw_a_budget(new_case_log: Callable[[], str], keys: Keys) -> None:
    """Each worker has connections of its own, as processes have."""
    url = new_case_log()
    logs = [open_case_log(url, keys) for _ in range(4)]
    with logs[0].write() as writer:
        number = add(writer, pages=50)

    def take(log: CaseLog) -> int:
        taken = 0
        for _ in range(6):
            with log.write() as writer:
                taken += calls.grant(writer, number, 3)
        return taken

    try:
        with ThreadPoolExecutor(len(logs)) as pool:
            taken = list(pool.map(take, logs))

        assert sum(taken) == 50
        assert left_of(logs[0], number) == 0
    finally:
        for log in logs:
            log.close()


def test_a_grant_gives_what_is_there_and_no_more(case_log: CaseLog) -> None:
    with case_log.write() as writer:
        number = add(writer, pages=5)

        assert [calls.grant(writer, number, wanted) for wanted in (3, 3, 3)] == [3, 2, 0]


def test_what_was_not_spent_comes_back_to_the_same_call_only(case_log: CaseLog) -> None:
    with case_log.write() as writer:
        one, two = add(writer, pages=5), add(writer, pages=5)
        calls.grant(writer, one, 5)
        calls.give_back(writer, one, 2)

    assert (left_of(case_log, one), left_of(case_log, two)) == (2, 5)


def test_a_call_without_a_budget_has_none_afterwards(case_log: CaseLog) -> None:
    with case_log.write() as writer:
        number = add(writer)
        granted = calls.grant(writer, number, 500)
        calls.give_back(writer, number, 20)

    assert granted == 500
    assert left_of(case_log, number) is None


# ---- slices


def test_a_slice_ends_once(case_log: CaseLog) -> None:
    """As when a job is carried out again whose end was recorded, but not its success."""
    with case_log.write() as writer:
        number = add(writer)
        (first,) = calls.open_standings(writer, number)
        ended = [end(writer, first, counts={"pages": 3}, cpu_s=0.5) for _ in range(2)]
        (second,) = calls.open_standings(writer, number)

        assert ended == [True, False]
        assert (first.slices, second.slices) == (0, 1)
        assert calls.progress(writer, number, NOW).counts["pages"] == 3


def test_only_the_slice_that_is_next_can_end(case_log: CaseLog) -> None:
    with case_log.write() as writer:
        number = add(writer)
        (first,) = calls.open_standings(writer, number)

        assert not end(writer, replace(first, slices=1))
        assert not end(writer, replace(first, site_id=SiteId(999)))
        assert not end(writer, replace(first, call_id=number + 1))
        assert calls.open_standings(writer, number) == [first]


def test_a_site_that_is_closed_stays_closed(case_log: CaseLog) -> None:
    """A late report of a slice neither counts nor opens what was dropped."""
    with case_log.write() as writer:
        number = add(writer)
        (first,) = calls.open_standings(writer, number)
        calls.close_sites(writer, number)

        assert not end(writer, first, counts={"pages": 3})
        assert calls.open_standings(writer, number) == []
        assert calls.progress(writer, number, NOW).counts["pages"] == 0


def test_two_that_end_the_same_slice_at_once_count_it_once(
    new_case_log: Callable[[], str], keys: Keys
) -> None:
    url = new_case_log()
    logs = [open_case_log(url, keys) for _ in range(4)]
    with logs[0].write() as writer:
        number = add(writer)
        (first,) = calls.open_standings(writer, number)

    def finish(log: CaseLog) -> bool:
        with log.write() as writer:
            return end(writer, first, counts={"pages": 1})

    try:
        with ThreadPoolExecutor(len(logs)) as pool:
            ended = list(pool.map(finish, logs))

        assert sorted(ended) == [False, False, False, True]
        with logs[0].read() as reader:
            assert calls.progress(reader, number, NOW).counts["pages"] == 1
    finally:
        for log in logs:
            log.close()


def test_the_next_slice_of_a_closed_site_is_told_apart(case_log: CaseLog) -> None:
    with case_log.write() as writer:
        number = add(writer, hosts=HOSTS[:2])
        first, second = calls.open_standings(writer, number)
        end(writer, first, is_open=False)

        assert calls.open_standings(writer, number) == [second]
        assert calls.open_sites(writer) == {second.site_id}
        ended = calls.standing(writer, number, first.site_id)
        assert ended is not None
        assert (ended.is_open, ended.slices) == (False, 1)
        assert calls.standing(writer, number, SiteId(999)) is None


# ---- progress


def test_progress_sums_what_slices_brought_and_keeps_the_latest_of_what_is_a_state(
    case_log: CaseLog,
) -> None:
    with case_log.write() as writer:
        number = add(writer, hosts=HOSTS)
        one, two, _ = calls.open_standings(writer, number)
        end(writer, one, counts={"pages": 3, "put_off": 5}, cpu_s=0.5, good_at=NOW)
        one = calls.standing(writer, number, one.site_id) or one
        end(writer, one, counts={"pages": 4, "put_off": 2}, cpu_s=0.25, good_at=None, due_at=LATER)
        end(writer, two, counts={"bytes": 5_000_000_000}, is_open=False, good_at=LATER)
        found = calls.progress(writer, number, NOW)

        assert (found.counts["pages"], found.counts["put_off"]) == (7, 2)
        assert found.counts["bytes"] == 5_000_000_000
        assert (found.cpu_s, found.good_at) == (0.75, LATER)
        assert (found.open_sites, found.waiting_sites) == (2, 1)
        assert calls.progress(writer, number, LATER).waiting_sites == 0


def test_what_waits_can_be_hastened_in_its_own_call(case_log: CaseLog) -> None:
    with case_log.write() as writer:
        numbers = [add(writer) for _ in range(2)]
        for standing in calls.open_standings(writer):
            end(writer, standing, due_at=LATER)
        calls.hasten(writer, numbers[0])

        assert [calls.progress(writer, one, NOW).waiting_sites for one in numbers] == [0, 1]


def test_progress_of_a_call_without_sites_is_nothing(case_log: CaseLog) -> None:
    with case_log.write() as writer:
        found = calls.progress(writer, add(writer, hosts=()), NOW)

        assert (set(found.counts.values()), found.open_sites, found.good_at) == ({0}, 0, None)


# ---- who waits, and what is forgotten


def test_a_call_is_abandoned_when_nobody_has_waited_for_long(case_log: CaseLog) -> None:
    with case_log.write() as writer:
        never, once, still = (add(writer, is_followed=is_so) for is_so in (False, True, True))
        calls.note_follower(writer, still, LATER)

        assert calls.abandoned(writer, NOW) == [never]
        assert calls.abandoned(writer, NOW + timedelta(seconds=1)) == [never, once]
        assert calls.abandoned(writer, LATER + timedelta(seconds=1)) == [never, once, still]


def test_a_call_that_is_done_is_not_abandoned(case_log: CaseLog) -> None:
    with case_log.write() as writer:
        number = add(writer, hosts=HOSTS)

        assert calls.close_sites(writer, number) == len(HOSTS)
        assert calls.close_sites(writer, number) == 0
        assert calls.abandoned(writer, LATER) == []


def test_old_calls_are_dropped_unless_a_site_is_open(case_log: CaseLog) -> None:
    with case_log.write() as writer:
        done, still_open, new = add(writer), add(writer), add(writer, now=LATER)
        for number in (done, new):
            calls.close_sites(writer, number)

        assert calls.drop_calls(writer, LATER) == 1
        assert calls.drop_calls(writer, LATER) == 0
        assert [calls.call(writer, number).id for number in (still_open, new)] == [still_open, new]
        with pytest.raises(IntakeError, match=f"no call to crawl {done}"):
            calls.call(writer, done)
        left = writer.connection.execute(sa.select(schema.call_sites.c.call_id)).scalars()
        assert set(left) == {still_open, new}


def test_a_call_is_read_as_it_was_written(case_log: CaseLog) -> None:
    named = (LeadId(3), LeadId(1))
    with case_log.write() as writer:
        found = calls.call(writer, add(writer, lead_ids=named, pages=7, ends_at=LATER))

        assert (found.lead_ids, found.pages_left) == ((1, 3), 7)
        assert (found.made_at, found.ends_at) == (NOW, LATER)


def test_a_call_that_names_too_many_leads_is_refused(case_log: CaseLog) -> None:
    with pytest.raises(IntakeError, match="too many leads"), case_log.write() as writer:
        add(writer, lead_ids=range(schema.CALL_LENGTH))

    with case_log.read() as reader:
        assert calls.open_standings(reader) == []
