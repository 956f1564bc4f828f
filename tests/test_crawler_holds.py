"""The holds of one process: cheap while they are ours, given up in time, taken again with care."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from scrapy.settings import Settings

from caselog import schema
from caselog.errors import ConfigError, SourceError
from crawler.transport.client import HELD_ELSEWHERE, Transport
from crawler.transport.configured import transport_from
from crawler.transport.fetch import Refused
from crawler.transport.holds import LEAST_MARGIN_S, LOOK_AGAIN_S, HeldElsewhereError, Keeper
from crawler.transport.pace import Pace
from tests.servers.web import WebServer

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from caselog.store.log import CaseLog, Writer
    from tests.servers.web import Reply, Request

RYE = ("rye.example", "192.0.2.1")
OAT = ("oat.example", "192.0.2.1")
OURS_S = 15.0
"""A time to live of 20 seconds less the margin."""


@dataclass
class Process:
    """One process with holds: its clock, its way to the database, and how often it went there."""

    log: CaseLog
    name: str
    now_s: float = 100.0
    is_cut_off: bool = False
    asked: int = 0
    keeper: Keeper = field(init=False)

    def __post_init__(self) -> None:
        self.keeper = Keeper(self, self.name, clock=lambda: self.now_s)  # type: ignore[arg-type]

    @contextmanager
    def write(self) -> Iterator[Writer]:
        self.asked += 1
        if self.is_cut_off:
            raise SourceError("The database cannot be reached.", "Try again.")
        with self.log.write() as writer:
            yield writer


def shift(log: CaseLog, seconds: float) -> None:
    """Let the clock of the database go on by so many seconds."""
    table = schema.holds
    with log.write() as writer:
        writer.connection.execute(
            table.update().values(until_s=table.c.until_s - seconds, free_s=table.c.free_s - seconds)
        )


def pass_by(seconds: float, *processes: Process) -> None:
    """Let so much time pass, everywhere."""
    shift(processes[0].log, seconds)
    for process in processes:
        process.now_s += seconds


def is_refused(process: Process, keys: Collection[str]) -> bool:
    try:
        process.keeper.hold(keys)
    except HeldElsewhereError:
        return True
    return False


def test_the_database_is_asked_once_for_many_requests(case_log: CaseLog) -> None:
    one = Process(case_log, "one")

    assert [one.keeper.hold(RYE) for _ in range(100)] == [0.0] * 100
    assert one.keeper.hold(RYE[1:]) == 0.0
    assert one.asked == 1


def test_what_another_process_holds_is_refused(case_log: CaseLog) -> None:
    one, two = Process(case_log, "one"), Process(case_log, "two")
    one.keeper.hold(RYE)

    with pytest.raises(HeldElsewhereError) as refused:
        two.keeper.hold(OAT)

    assert 10 < refused.value.wait_s <= 20
    assert two.keeper.held() == ()
    assert not two.keeper.holds(["oat.example"])


def test_a_process_that_was_frozen_stops_before_another_begins(case_log: CaseLog) -> None:
    one, two = Process(case_log, "one"), Process(case_log, "two")
    one.keeper.hold(RYE)

    pass_by(OURS_S - 0.1, one, two)
    assert one.keeper.holds(RYE)
    pass_by(0.2, one, two)
    assert not one.keeper.holds(RYE)
    assert is_refused(two, RYE)
    pass_by(LEAST_MARGIN_S, one, two)
    assert not is_refused(two, RYE)
    assert is_refused(one, RYE)


def test_a_lapsed_hold_that_nobody_took_is_taken_again(case_log: CaseLog) -> None:
    one = Process(case_log, "one")
    one.keeper.hold(RYE)
    pass_by(60, one)

    assert one.keeper.hold(RYE) == 0.0
    assert one.asked == 2
    assert one.keeper.holds(RYE)


def test_who_renews_keeps_what_it_has(case_log: CaseLog) -> None:
    one, two = Process(case_log, "one"), Process(case_log, "two")
    one.keeper.hold(RYE)
    for _ in range(20):
        pass_by(6, one, two)
        one.keeper.renew()

    assert one.keeper.holds(RYE)
    assert is_refused(two, RYE)


def test_a_lapsed_hold_is_not_renewed(case_log: CaseLog) -> None:
    one, two = Process(case_log, "one"), Process(case_log, "two")
    one.keeper.hold(RYE)
    pass_by(OURS_S + 1, one, two)

    one.keeper.renew()

    assert not one.keeper.holds(RYE)
    assert one.asked == 1
    pass_by(LEAST_MARGIN_S, one, two)
    assert not is_refused(two, RYE)


def test_when_the_database_has_lost_a_hold_none_is_trusted(case_log: CaseLog) -> None:
    """As after a standby server took over that had not seen the last changes."""
    one, two = Process(case_log, "one"), Process(case_log, "two")
    one.keeper.hold(RYE)
    one.keeper.hold(["oat.example"])
    with case_log.write() as writer:
        tag = writer.vault.tag("hold", "oat.example")
        writer.connection.execute(sa.delete(schema.holds).where(schema.holds.c.tag == tag))
    two.keeper.hold(["oat.example"])

    one.keeper.renew()

    assert one.keeper.held() == ()
    assert not is_refused(one, RYE)
    assert is_refused(one, ["oat.example"])


def test_a_process_without_its_database_asks_nobody_new_and_soon_nobody(case_log: CaseLog) -> None:
    one = Process(case_log, "one")
    one.keeper.hold(RYE)
    one.is_cut_off = True

    assert is_refused(one, ["oat.example"])
    assert is_refused(one, ["oat.example"])
    assert one.asked == 2  # it does not wait for the database once a request
    assert one.keeper.hold(RYE) == 0.0
    for _ in range(3):
        pass_by(6, one)
        one.keeper.renew()
    assert not one.keeper.holds(RYE)
    assert is_refused(one, RYE)
    one.keeper.leave(RYE, 0.0)
    one.keeper.close()


def test_a_process_that_finds_its_database_again_goes_on(case_log: CaseLog) -> None:
    one = Process(case_log, "one", is_cut_off=True)
    assert is_refused(one, RYE)
    one.is_cut_off = False

    assert is_refused(one, RYE)
    pass_by(LOOK_AGAIN_S, one)
    assert one.keeper.hold(RYE) == 0.0


def test_what_is_left_can_be_taken_at_its_free_time(case_log: CaseLog) -> None:
    one, two = Process(case_log, "one"), Process(case_log, "two")
    one.keeper.hold([*RYE, "oat.example"])

    one.keeper.leave(RYE, 50.0)

    assert not one.keeper.holds(["rye.example"])
    assert 40 < two.keeper.hold(RYE) <= 50
    assert is_refused(two, ["oat.example"])


def test_only_own_holds_are_left(case_log: CaseLog) -> None:
    one, two = Process(case_log, "one"), Process(case_log, "two")
    one.keeper.hold(RYE)

    two.keeper.leave(RYE, 0.0)

    assert two.asked == 0
    assert is_refused(two, RYE)


def test_a_process_that_ends_leaves_everything(case_log: CaseLog) -> None:
    one, two = Process(case_log, "one"), Process(case_log, "two")
    one.keeper.hold([*RYE, *OAT])

    one.keeper.close()

    assert 0 < two.keeper.hold([*RYE, *OAT]) <= LEAST_MARGIN_S


def test_renewing_in_another_thread_loses_and_revives_nothing(case_log: CaseLog) -> None:
    one = Keeper(case_log, "one")
    two = Process(case_log, "two")
    is_over = threading.Event()

    def renew() -> None:
        while not is_over.is_set():
            one.renew()

    thread = threading.Thread(target=renew)
    thread.start()
    try:
        for turn in range(60):
            one.hold(RYE)
            one.hold(["oat.example"])
            one.leave(RYE if turn % 2 else ["oat.example"], 0.0)
    finally:
        is_over.set()
        thread.join()

    one.renew()
    assert one.held() == ("oat.example",)
    assert is_refused(two, ["oat.example"])
    assert not is_refused(two, RYE)


@pytest.mark.parametrize(("ttl_s", "margin_s"), [(20, 4.9), (20, 20), (5, 5)])
def test_times_that_leave_nothing_are_refused(sqlite_log: CaseLog, ttl_s: float, margin_s: float) -> None:
    with pytest.raises(ConfigError):
        Keeper(sqlite_log, "one", ttl_s, margin_s=margin_s)


def test_the_settings_hand_the_keeper_itself_to_the_pace(sqlite_log: CaseLog) -> None:
    keeper = Keeper(sqlite_log, "one")
    settings = {"LEADLINE_KEEPER": keeper, "DOWNLOAD_DELAY": 1, "CONCURRENT_REQUESTS_PER_DOMAIN": 1}

    with_one = transport_from(Settings(settings).copy())
    without = transport_from(Settings({**settings, "LEADLINE_KEEPER": None}))

    assert with_one.pace is not None
    assert with_one.pace.keeper is keeper
    assert without.pace is not None
    assert without.pace.keeper is None


# ---- the transport


def refusal(server: WebServer, process: Process) -> Refused:
    """Give how the transport refuses to ask the server."""

    async def ask() -> Refused:
        pace = Pace(delay_s=0.01, keeper=process.keeper)
        transport = Transport(practice=True, user_agent="test", pace=pace)
        try:
            with pytest.raises(Refused) as refused:
                await transport.fetch(server.url("/"))
        finally:
            await transport.close()
        return refused.value

    return asyncio.run(ask())


def test_a_host_that_another_process_holds_is_not_contacted(sqlite_log: CaseLog) -> None:
    one, two = Process(sqlite_log, "one"), Process(sqlite_log, "two")
    with WebServer({"/": (200, {}, b"bread")}) as server:
        one.keeper.hold([f"127.0.0.1:{server.port}"])

        refused = refusal(server, two)

        assert refused.code == HELD_ELSEWHERE
        assert refused.fetch is not None
        assert refused.fetch.pace_keys == (f"127.0.0.1:{server.port}",)
        assert server.requests == []


class Frozen(Keeper):
    """Let the process stand still right after it took its turn."""

    process: Process

    def hold(self, keys: Collection[str]) -> float:
        wait_s = super().hold(keys)
        self.process.now_s += 100
        return wait_s


def test_a_process_that_was_frozen_while_it_connected_sends_nothing(sqlite_log: CaseLog) -> None:
    one = Process(sqlite_log, "one")
    frozen = Frozen(sqlite_log, "one", clock=lambda: one.now_s)
    frozen.process, one.keeper = one, frozen
    with WebServer({"/": (200, {}, b"bread")}) as server:
        assert refusal(server, one).code == HELD_ELSEWHERE
        assert server.requests == []


def test_a_request_that_is_cut_short_because_its_hold_lapsed_blames_not_the_host(
    sqlite_log: CaseLog,
) -> None:
    one, has_come, is_over = Process(sqlite_log, "one"), threading.Event(), threading.Event()

    def silence(request: Request) -> Reply:
        has_come.set()
        is_over.wait(20)
        return 200, {}, b"bread"

    async def scene(server: WebServer) -> tuple[bool, bool, str]:
        pace = Pace(delay_s=0.01, keeper=one.keeper)
        transport = Transport(practice=True, user_agent="test", pace=pace)
        asking = asyncio.ensure_future(transport.fetch(server.url("/")))
        try:
            await asyncio.to_thread(has_come.wait, 20)
            before = pace.has_lapsed()
            one.now_s += 100
            after = pace.has_lapsed()
            transport.cut_short()
            with pytest.raises(Refused) as refused:
                await asking
        finally:
            is_over.set()
            await transport.close()
        return before, after, refused.value.code

    with WebServer({"/": silence}) as server:
        assert asyncio.run(scene(server)) == (False, True, HELD_ELSEWHERE)
