"""Holds in the case log: one holder at a time, all or nothing, and a free time that the next waits out."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from caselog import schema
from caselog.store import holds

if TYPE_CHECKING:
    from collections.abc import Collection

    import pytest

    from caselog.store.log import CaseLog

TTL_S = 300.0
"""Long enough that no hold lapses by itself while a test runs."""
RYE = ("rye.example", "192.0.2.1")
OAT = ("oat.example", "192.0.2.1")


def take(log: CaseLog, keys: Collection[str], holder: str, ttl_s: float = TTL_S) -> holds.Taken:
    with log.write() as writer:
        return holds.take(writer, keys, holder, ttl_s)


def leave(log: CaseLog, keys: Collection[str], holder: str, free_in_s: float = 0.0) -> int:
    with log.write() as writer:
        return holds.leave(writer, keys, holder, free_in_s)


def renew(log: CaseLog, keys: Collection[str], holder: str) -> int:
    with log.write() as writer:
        return holds.renew(writer, keys, holder, TTL_S)


def grow_older(log: CaseLog, seconds: float) -> None:
    """Move all holds into the past: as if so much time had passed."""
    table = schema.holds
    with log.write() as writer:
        writer.connection.execute(
            table.update().values(until_s=table.c.until_s - seconds, free_s=table.c.free_s - seconds)
        )


def count(log: CaseLog) -> int:
    with log.read() as reader:
        query = sa.select(sa.func.count()).select_from(schema.holds)
        return int(reader.connection.execute(query).scalar_one())


def test_what_another_holds_is_not_taken_and_nothing_else_of_the_same_request_either(
    case_log: CaseLog,
) -> None:
    assert take(case_log, RYE, "one") == holds.Taken(is_held=True, wait_s=0.0)

    refused = take(case_log, OAT, "two")

    assert not refused.is_held
    assert TTL_S - 60 < refused.wait_s <= TTL_S
    assert take(case_log, ["oat.example"], "three").is_held


def test_hosts_on_no_common_address_are_held_side_by_side(case_log: CaseLog) -> None:
    assert take(case_log, RYE, "one").is_held
    assert take(case_log, ["oat.example", "192.0.2.2"], "two").is_held


def test_a_holder_may_take_its_own_again_and_more(case_log: CaseLog) -> None:
    take(case_log, RYE, "one")

    assert take(case_log, [*RYE, *OAT, *RYE], "one").is_held
    assert not take(case_log, ["oat.example"], "two").is_held


def test_nothing_is_asked_of_the_database_for_no_key(case_log: CaseLog) -> None:
    assert take(case_log, [], "one") == holds.Taken(is_held=True, wait_s=0.0)


def test_a_lapsed_hold_is_taken_over(case_log: CaseLog) -> None:
    take(case_log, RYE, "one")
    grow_older(case_log, TTL_S)

    assert take(case_log, OAT, "two").is_held
    assert not take(case_log, RYE, "one").is_held


def test_a_lapsed_hold_is_not_revived(case_log: CaseLog) -> None:
    take(case_log, RYE, "one")
    grow_older(case_log, TTL_S)

    assert renew(case_log, RYE, "one") == 0
    assert take(case_log, RYE, "two").is_held
    assert renew(case_log, RYE, "one") == 0


def test_a_renewed_hold_lives_on(case_log: CaseLog) -> None:
    take(case_log, [*RYE, "2001:db8::1"], "one")
    grow_older(case_log, TTL_S - 30)

    assert renew(case_log, RYE, "one") == 2
    grow_older(case_log, TTL_S - 30)
    assert not take(case_log, RYE, "two").is_held
    assert take(case_log, ["2001:db8::1"], "two").is_held


def test_the_next_holder_waits_until_the_host_is_free(case_log: CaseLog) -> None:
    take(case_log, RYE, "one")
    assert leave(case_log, RYE, "one", 100.0) == 2

    taken = take(case_log, OAT, "two")

    assert taken.is_held
    assert 50 < taken.wait_s <= 100


def test_a_free_time_outlives_a_holder_that_dies_while_it_waits(case_log: CaseLog) -> None:
    take(case_log, RYE, "one")
    leave(case_log, RYE, "one", 2000.0)
    take(case_log, RYE, "two")
    grow_older(case_log, TTL_S)

    assert take(case_log, RYE, "three").wait_s > 1000


def test_a_free_time_that_is_over_is_not_waited_for(case_log: CaseLog) -> None:
    take(case_log, RYE, "one")
    leave(case_log, RYE, "one", float("-inf"))

    assert take(case_log, RYE, "two") == holds.Taken(is_held=True, wait_s=0.0)


def test_a_late_holder_ends_no_hold_of_its_successor(case_log: CaseLog) -> None:
    take(case_log, RYE, "one")
    grow_older(case_log, TTL_S)
    take(case_log, RYE, "two")

    assert leave(case_log, RYE, "one", 1000.0) == 0
    assert take(case_log, RYE, "two").wait_s == 0
    assert not take(case_log, RYE, "one").is_held


def test_what_a_wrong_clock_wrote_holds_nobody_up(case_log: CaseLog) -> None:
    take(case_log, RYE, "one")
    grow_older(case_log, -30 * 86_400)

    assert take(case_log, RYE, "two") == holds.Taken(is_held=True, wait_s=0.0)


def test_a_server_that_asks_for_a_year_is_left_alone_for_an_hour(case_log: CaseLog) -> None:
    take(case_log, RYE, "one")
    leave(case_log, RYE, "one", 365 * 86_400)

    assert 3500 < take(case_log, RYE, "two").wait_s <= 3600


def test_only_on_sqlite_the_clock_of_the_machine_counts(
    case_log: CaseLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    with case_log.read() as reader:
        is_sqlite = reader.connection.dialect.name == "sqlite"
    take(case_log, RYE, "one")
    now_s = time.time()
    monkeypatch.setattr(time, "time", lambda: now_s + 1000.0)

    assert take(case_log, RYE, "two").is_held == is_sqlite


def forget(log: CaseLog) -> int:
    with log.write() as writer:
        return holds.forget(writer)


def test_old_rows_are_forgotten_and_no_others(case_log: CaseLog) -> None:
    take(case_log, ["rye.example", "oat.example"], "one")
    leave(case_log, ["oat.example"], "one", 3600.0)
    grow_older(case_log, 3590)
    take(case_log, ["spelt.example"], "one")

    assert forget(case_log) == 0
    grow_older(case_log, 20)
    assert forget(case_log) == 1
    grow_older(case_log, 400)
    assert forget(case_log) == 1
    assert count(case_log) == 1


def test_the_table_knows_hosts_by_their_tags_only(case_log: CaseLog) -> None:
    take(case_log, ["rye.example"], "one")

    with case_log.read() as reader:
        rows = reader.connection.execute(sa.select(schema.holds.c.tag)).scalars().all()
        assert [bytes(tag) for tag in rows] == [reader.vault.tag("hold", "rye.example")]


@given(
    rows=st.lists(st.tuples(st.sampled_from(["one", "two", ""]), st.floats(0, 99), st.floats(0, 99))),
    now_s=st.floats(0, 99),
)
def test_a_holder_gets_all_that_no_other_has_now(rows: list[tuple[str, float, float]], now_s: float) -> None:
    taken = holds.judge(rows, "one", now_s)

    foreign = [until_s - now_s for name, until_s, _ in rows if name != "one" and until_s > now_s]
    free = [free_s - now_s for *_, free_s in rows]
    assert taken.is_held == (not foreign)
    assert taken.wait_s == max(foreign or [0.0, *free])


class Watched:
    """See who asks whom; fail as soon as two ask the same."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._who: dict[str, str] = {}
        self.asked = 0

    def begin(self, keys: Collection[str], who: str) -> None:
        with self._lock:
            assert not [key for key in keys if key in self._who]
            self._who.update(dict.fromkeys(keys, who))
            self.asked += 1

    def end(self, keys: Collection[str]) -> None:
        with self._lock:
            for key in keys:
                del self._who[key]


def test_eight_takers_of_overlapping_hosts_never_have_the_same_one(case_log: CaseLog) -> None:
    """Others renew and forget beside them: no two transactions may wait for each other."""
    names = [f"{word}.example" for word in ("rye", "oat", "spelt", "barley", "millet", "emmer")]
    watched, is_over = Watched(), threading.Event()

    def taker(number: int) -> int:
        done = 0
        for turn in range(40):
            start = number * 5 + turn * (number + 1)
            keys = [names[(start + step * 5) % 6] for step in range(1 + turn % 4)]
            if not take(case_log, keys, f"taker{number}").is_held:
                continue
            watched.begin(keys, f"taker{number}")
            assert renew(case_log, keys[::-1], f"taker{number}") == len(set(keys))
            watched.end(keys)
            assert leave(case_log, keys, f"taker{number}") == len(set(keys))
            done += 1
        return done

    def sweeper() -> int:
        forgotten = 0
        while not is_over.wait(0.02):
            with case_log.write() as writer:
                # What nobody holds is made old, so that it is deleted between two takers.
                table = schema.holds
                free = sa.select(table.c.tag).where(
                    table.c.free_s < time.time(), table.c.until_s < time.time()
                )
                locked = free.with_for_update(skip_locked=True)
                tags = writer.connection.execute(locked).scalars().all()
                writer.connection.execute(
                    table.update().where(table.c.tag.in_(tags)).values(until_s=0.0, free_s=0.0)
                )
            with case_log.write() as writer:
                forgotten += holds.forget(writer)
        return forgotten

    with ThreadPoolExecutor(9) as pool:
        sweeping = pool.submit(sweeper)
        try:
            served = [job.result(120) for job in [pool.submit(taker, number) for number in range(8)]]
        finally:
            is_over.set()

        assert sweeping.result(60) > 0
    assert sum(served) == watched.asked > 8
