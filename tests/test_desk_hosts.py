"""What look-ups remember in the case log, how fast they ask, and which hosts they are for."""

from __future__ import annotations

import ipaddress
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from caselog import schema
from caselog.records.hosting import Hosting
from caselog.store import lookups
from desk.hosting_cache import StoredCache, StoredLimiter
from desk.hosts import add_intake_rows, failures, is_fresh
from enrich.addresses import Span, parse_block
from enrich.interface import Cached, PausedError
from enrich.memory import MemoryCache
from tests.caselog_samples import NOW
from tests.desk_calls import desk

if TYPE_CHECKING:
    from pathlib import Path

    from caselog.store.log import CaseLog

HOUR = timedelta(hours=1)


def answer(block: str, name: str, *, lasts: timedelta = HOUR) -> Cached:
    span = parse_block(block)
    assert span is not None
    return Cached(span=span, facts={"name": name}, fetched_at=NOW, expires_at=NOW + lasts)


def ip(text: str) -> Any:
    return ipaddress.ip_address(text)


def test_an_answer_that_ran_out_is_not_given(case_log: CaseLog) -> None:
    cache = StoredCache(case_log, "network")
    cache.put(answer("203.0.113.0/24", "bread"))

    assert cache.get(ip("203.0.113.7"), NOW + HOUR) is None
    assert cache.get(ip("198.51.100.1"), NOW) is None
    assert StoredCache(case_log, "contacts").get(ip("203.0.113.7"), NOW) is None


def test_the_narrowest_answer_counts_in_both_families(case_log: CaseLog) -> None:
    cache = StoredCache(case_log, "network")
    for block in ("203.0.113.0/24", "203.0.113.0/28", "203.0.112.0/20", "2001:db8::/32", "2001:db8:1::/48"):
        cache.put(answer(block, block))

    found = [cache.get(ip(text), NOW) for text in ("203.0.113.7", "203.0.113.77", "2001:db8:1::5")]

    assert [one and one.facts["name"] for one in found] == [
        "203.0.113.0/28",
        "203.0.113.0/24",
        "2001:db8:1::/48",
    ]


def test_a_second_answer_takes_the_place_of_the_first(case_log: CaseLog) -> None:
    cache = StoredCache(case_log, "network")
    for name in ("bread", "rye", "bread"):
        cache.put(answer("203.0.113.0/24", name))

    found = cache.get(ip("203.0.113.7"), NOW)

    assert found is not None
    assert found.facts == {"name": "bread"}
    with case_log.read() as reader:
        assert (
            reader.connection.execute(sa.select(sa.func.count()).select_from(schema.lookup_cache)).scalar()
            == 1
        )


def test_answers_are_sealed(sqlite_log: CaseLog) -> None:
    StoredCache(sqlite_log, "network").put(answer("203.0.113.0/24", "sourdough"))

    with sqlite_log.read() as reader:
        rows = reader.connection.execute(sa.select(schema.addresses.c.ciphertext)).scalars().all()
    assert rows
    assert not any(b"sourdough" in row for row in rows)


def test_an_answer_too_large_for_a_row_is_kept_in_memory(sqlite_log: CaseLog) -> None:
    cache = StoredCache(sqlite_log, "contacts")
    cache.put(answer("203.0.113.0/24", "x" * lookups.MOST_CHARACTERS))

    assert cache.get(ip("203.0.113.7"), NOW) is not None
    assert StoredCache(sqlite_log, "contacts").get(ip("203.0.113.7"), NOW) is None


@given(data=st.data())
def test_the_stored_cache_answers_as_the_one_in_memory(data: st.DataObject) -> None:
    """Whatever ranges there are: only the part that needs a database differs."""
    first = data.draw(st.integers(0, 2**32 - 1))
    last = data.draw(st.integers(first, 2**32 - 1))
    asked = ipaddress.ip_address(data.draw(st.integers(0, 2**32 - 1)))
    span = Span(first=ipaddress.ip_address(first), last=ipaddress.ip_address(last))
    memory = MemoryCache()
    memory.put(Cached(span=span, facts={}, fetched_at=NOW, expires_at=NOW + HOUR))
    from desk.hosting_cache import _address, _bytes

    inside = _bytes(span.first) <= _bytes(asked) <= _bytes(span.last)

    assert inside == (memory.get(asked, NOW) is not None)
    assert _address(_bytes(asked)) == asked


def test_turns_are_apart_also_for_another_process(case_log: CaseLog) -> None:
    first = StoredLimiter(case_log, {"": 2.0, "slow.test:443": 10.0}, lambda: NOW)
    second = StoredLimiter(case_log, {"": 2.0, "slow.test:443": 10.0}, lambda: NOW)

    waits = [limiter.reserve("a.test:443", NOW) for limiter in (first, second, first)]

    assert waits == [0.0, 2.0, 4.0]
    assert [first.reserve("slow.test:443", NOW), second.reserve("slow.test:443", NOW)] == [0.0, 10.0]


def test_a_pause_stands_for_every_process_until_it_ends(case_log: CaseLog) -> None:
    StoredLimiter(case_log, {}, lambda: NOW).pause("a.test:443", NOW + HOUR)
    StoredLimiter(case_log, {}, lambda: NOW).pause("a.test:443", NOW + timedelta(minutes=5))

    with pytest.raises(PausedError) as caught:
        StoredLimiter(case_log, {}, lambda: NOW).reserve("a.test:443", NOW)

    assert caught.value.retry_at == NOW + HOUR
    assert StoredLimiter(case_log, {}, lambda: NOW + HOUR).reserve("a.test:443", NOW) == 0.0
    assert StoredLimiter(case_log, {}, lambda: NOW).reserve("b.test:443", NOW) == 0.0


def test_stamps_of_a_wrong_clock_do_not_count(sqlite_log: CaseLog) -> None:
    ahead = StoredLimiter(sqlite_log, {"": 1.0}, lambda: NOW + timedelta(days=400))
    ahead.reserve("a.test:443", NOW)
    ahead.pause("b.test:443", NOW + timedelta(days=401))
    limiter = StoredLimiter(sqlite_log, {"": 1.0}, lambda: NOW)

    assert limiter.reserve("a.test:443", NOW) == 0.0
    assert limiter.reserve("b.test:443", NOW) == 0.0
    limiter.pause("b.test:443", NOW + HOUR)
    with pytest.raises(PausedError):
        limiter.reserve("b.test:443", NOW)


def test_two_threads_never_share_a_turn(sqlite_log: CaseLog) -> None:
    limiter = StoredLimiter(sqlite_log, {"": 1.0}, lambda: NOW)
    waits: list[float] = []
    threads = [
        threading.Thread(target=lambda: waits.append(limiter.reserve("a.test:443", NOW))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(waits) == [float(at) for at in range(8)]


def test_a_long_server_name_has_a_place(sqlite_log: CaseLog) -> None:
    limiter = StoredLimiter(sqlite_log, {"": 1.0}, lambda: NOW)

    assert [limiter.reserve("x" * 300, NOW), limiter.reserve("x" * 300, NOW)] == [0.0, 1.0]


def row(**facts: Any) -> Hosting:
    return Hosting(host="bread.example", **{"mode": "registries", "resolved_at": NOW, **facts})


@pytest.mark.parametrize(
    ("rows", "mode", "fresh"),
    [
        ([], "offline", False),
        ([row(mode="intake")], "offline", False),
        ([row(mode="person")], "offline", False),
        ([row(mode="offline")], "registries", False),
        ([row(resolved_at=NOW - timedelta(days=8))], "registries", False),
        ([row(answers=({"source": "rdap", "error": "failed"},))], "registries", False),
        ([row(dns=({"name": "bread.example", "type": "A", "error": "timeout"},))], "registries", False),
        ([row(), row(mode="offline")], "registries", False),
        ([row()], "registries", True),
        ([row()], "offline", True),
        ([row(), row(mode="person")], "registries", True),
        ([row(resolved_at=NOW + timedelta(days=400))], "registries", True),
        ([row(answers=({"source": "rdap", "error": "not_found"},))], "registries", True),
        ([row(dns=({"name": "bread.example", "type": "A", "error": "nxdomain"},))], "registries", True),
    ],
)
def test_only_a_young_full_look_up_spares_another(rows: list[Hosting], mode: str, fresh: bool) -> None:
    assert is_fresh(rows, mode, NOW) is fresh


def test_a_missing_name_is_a_finding_and_no_failure() -> None:
    found = row(
        answers=({"source": "rdap", "error": "not_found"}, {"source": "whois", "error": "private_address"}),
        dns=({"name": "bread.example", "type": "A", "error": "nxdomain"},),
    )

    assert failures(found) == {"private_address"}


def test_intake_rows_are_added_once(tmp_path: Path) -> None:
    work = desk(tmp_path)
    work.add_leads("http://bread.example/", "http://127.0.0.1:8080/")
    workspace = work.open()

    assert add_intake_rows(workspace, [1, 2]) == 0
    with workspace.log.read() as reader:
        rows = [(one.host, one.mode, one.addresses, one.lead_id) for one in reader.find(Hosting)]
    workspace.log.close()
    assert rows == [("bread.example", "intake", (), 1), ("127.0.0.1", "intake", ("127.0.0.1",), 2)]
