"""The pace of all requests: nobody is asked faster or more at once than set, and everybody gets a turn."""

from __future__ import annotations

import asyncio
import itertools
import selectors
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caselog import schema
from crawler.transport.holds import HeldElsewhereError, Keeper
from crawler.transport.pace import (
    IDLE_S,
    LONGEST_AWAY_S,
    LONGEST_DELAY_S,
    LONGEST_WAIT_S,
    MOST_TIMES,
    Pace,
    SentAwayError,
    pace_keys,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from caselog.store.log import CaseLog


class _LeapingSelector(selectors.DefaultSelector):
    """Leap over waiting time instead of sleeping."""

    leapt_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.leapt_s += timeout or 0.0
        return super().select(0)


class LeapingLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock leaps from timer to timer."""

    def __init__(self) -> None:
        self.leaping = _LeapingSelector()
        super().__init__(self.leaping)

    def time(self) -> float:
        return self.leaping.leapt_s


def run(pace: Pace, *asks: Ask) -> Server:
    """Let all ask as their times say, in virtual time; give what the server saw."""
    server = Server()

    async def all_of_them() -> None:
        pace.clock = asyncio.get_running_loop().time
        await asyncio.gather(*(one.ask(pace, server) for one in asks))

    with asyncio.Runner(loop_factory=LeapingLoop) as runner:
        runner.run(asyncio.wait_for(all_of_them(), 1_000_000))
    return server


@dataclass
class Server:
    """What a server sees of each key: when requests came, how many were there at once."""

    seen: dict[str, list[float]] = field(default_factory=dict)
    now: dict[str, int] = field(default_factory=dict)
    most: dict[str, int] = field(default_factory=dict)
    given_up: list[Ask] = field(default_factory=list)
    """Requests that were cancelled while they stood in line."""

    def gaps(self, key: str) -> list[float]:
        times = sorted(self.seen.get(key, []))
        return [b - a for a, b in itertools.pairwise(times)]


@dataclass(frozen=True, eq=False)
class Ask:
    """One request: when it is made, how long until it is sent, written down, answered and over."""

    keys: tuple[str, ...]
    at_s: float = 0.0
    connect_s: float = 0.01
    lag: float = 0.0
    """How late the server writes it down, as a share of what is possible."""
    answer_s: float = 0.1
    body_s: float = 0.0
    status: int = 200
    fails: bool = False
    """The connection is not even made."""
    retry_after_s: float | None = None
    patience_s: float | None = None

    async def ask(self, pace: Pace, server: Server) -> None:
        await asyncio.sleep(self.at_s)
        try:
            turn = await asyncio.wait_for(pace.turn(self.keys), self.patience_s)
        except TimeoutError:
            server.given_up.append(self)
            return
        for key in self.keys:
            server.now[key] = server.now.get(key, 0) + 1
            server.most[key] = max(server.most.get(key, 0), server.now[key])
        try:
            await asyncio.sleep(self.connect_s)
            if self.fails:
                return
            turn.sent()
            late_s = self.lag * min(self.answer_s, 0.25, pace.delay_s)
            await asyncio.sleep(late_s)
            for key in self.keys:
                server.seen.setdefault(key, []).append(asyncio.get_running_loop().time())
            await asyncio.sleep(self.answer_s - late_s)
            turn.answered()
            turn.retry_after_s = self.retry_after_s
            await asyncio.sleep(self.body_s)
        finally:
            for key in self.keys:
                server.now[key] -= 1
            turn.leave(None if self.fails else self.status)


KEYS = st.lists(st.sampled_from("abcd"), min_size=1, max_size=3, unique=True).map(tuple)
ASKS = st.builds(
    Ask,
    KEYS,
    st.floats(0, 5),
    st.floats(0.001, 0.4),
    st.floats(0, 1),
    st.floats(0.001, 3),
    st.floats(0, 2),
    st.sampled_from((200, 404, 429, 503)),
    st.booleans(),
    st.none() | st.floats(0, LONGEST_WAIT_S),
    st.none() | st.floats(0, 3),
)


@settings(max_examples=60, deadline=None)
@given(
    asks=st.lists(ASKS, max_size=25),
    per_host=st.integers(1, 3),
    delay_s=st.floats(0.01, 3),
    jitter=st.floats(0, 0.5),
)
def test_no_server_sees_more_or_faster_requests_than_set(
    asks: list[Ask], per_host: int, delay_s: float, jitter: float
) -> None:
    pace = Pace(delay_s=delay_s, per_host=per_host, jitter=jitter)

    server = run(pace, *asks)

    assert all(most <= per_host for most in server.most.values())
    assert all(gap >= delay_s - 1e-9 for key in server.seen for gap in server.gaps(key))
    assert pace.waiting == 0
    served = [one for one in asks if not one.fails and one not in server.given_up]
    assert sum(map(len, server.seen.values())) == sum(len(one.keys) for one in served)


def test_requests_without_a_common_key_do_not_wait_for_each_other() -> None:
    server = run(Pace(delay_s=10), Ask(("a",)), Ask(("b",)))

    assert server.seen["a"] == server.seen["b"]


@pytest.mark.parametrize("delay_s", [0.01, 0.3, 1])
def test_no_host_is_slowed_down_beyond_so_many_times_the_delay(delay_s: float) -> None:
    gaps = run(Pace(delay_s=delay_s, jitter=0), *(Ask(("a",), status=503) for _ in range(12))).gaps("a")

    assert max(gaps) < min(LONGEST_DELAY_S, MOST_TIMES * delay_s) * 1.05 + 0.2


def test_hosts_on_one_address_share_its_limit() -> None:
    server = run(Pace(delay_s=1), Ask(("rye.example", "192.0.2.1")), Ask(("oat.example", "192.0.2.1")))

    assert server.most["192.0.2.1"] == 1
    assert server.gaps("192.0.2.1")[0] >= 1


def test_who_came_first_is_served_first() -> None:
    server = run(Pace(delay_s=1, jitter=0), *(Ask(("a", str(n)), at_s=n / 100) for n in range(5)))

    order = sorted("01234", key=lambda name: server.seen[name][0])
    assert order == list("01234")


def test_several_at_once_run_side_by_side() -> None:
    server = run(Pace(delay_s=0.1, per_host=3), *(Ask(("a",), answer_s=5) for _ in range(3)))

    assert server.most["a"] == 3


@pytest.mark.parametrize("status", [429, 503])
def test_a_host_that_asks_for_it_is_asked_more_slowly_and_later_faster_again(status: int) -> None:
    pace = Pace(delay_s=1, jitter=0)
    refused = [Ask(("a",), status=status) for _ in range(3)]
    fine = [Ask(("a",)) for _ in range(15)]

    gaps = run(pace, *refused, *fine).gaps("a")

    assert gaps[0] > 1.9
    assert gaps[2] > 7.9
    assert gaps[-1] < 1.5


def test_no_host_is_slowed_down_for_ever() -> None:
    gaps = run(Pace(delay_s=1, jitter=0), *(Ask(("a",), status=503) for _ in range(12))).gaps("a")

    assert max(gaps) < LONGEST_DELAY_S * 1.05


def test_a_turn_that_is_given_up_in_line_leaves_nothing_behind() -> None:
    pace = Pace(delay_s=1)

    async def scene() -> None:
        pace.clock = asyncio.get_running_loop().time
        first = await pace.turn(("a",))
        waiting = asyncio.ensure_future(pace.turn(("a",)))
        await asyncio.sleep(0.1)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        first.leave()
        await asyncio.sleep(2)
        (await pace.turn(("a",))).leave()

    with asyncio.Runner(loop_factory=LeapingLoop) as runner:
        runner.run(asyncio.wait_for(scene(), 100))
    assert pace.waiting == 0


def test_one_that_was_cancelled_a_moment_ago_gets_no_turn_and_breaks_no_other() -> None:
    pace = Pace(delay_s=1)

    async def scene() -> None:
        pace.clock = asyncio.get_running_loop().time
        first = await pace.turn(("a",))
        lines = [asyncio.ensure_future(pace.turn(("a",))) for _ in range(2)]
        await asyncio.sleep(5)
        lines[0].cancel()
        first.leave()  # in the same step of the loop, before the cancelled one could go
        (await lines[1]).leave()

    with asyncio.Runner(loop_factory=LeapingLoop) as runner:
        runner.run(asyncio.wait_for(scene(), 100))
    assert pace.waiting == 0


@pytest.mark.parametrize("per_host", [1, 2])
def test_a_host_is_left_alone_for_as_long_as_it_asks(per_host: int) -> None:
    busy = Ask(("a",), status=429, retry_after_s=50, answer_s=5)
    beside = Ask(("a",), answer_s=20)

    seen = run(Pace(delay_s=1, per_host=per_host), busy, beside, Ask(("a",), at_s=10)).seen["a"]

    # With two at once the second one is under way before the answer of the first is there.
    obeyed = [gap >= 50 for gap in (b - a for a, b in itertools.pairwise(seen))]
    assert obeyed == [per_host == 1, per_host == 2]


def test_nobody_stands_in_line_at_a_host_that_wants_to_be_left_alone_for_long() -> None:
    pace = Pace(delay_s=1)

    async def scene() -> None:
        pace.clock = asyncio.get_running_loop().time
        first = await pace.turn(("a",))
        waiting = asyncio.ensure_future(pace.turn(("a",)))
        await asyncio.sleep(1)
        first.answered()
        first.retry_after_s = 3600
        first.leave(429)
        with pytest.raises(SentAwayError):
            await waiting
        with pytest.raises(SentAwayError):
            await pace.turn(("a", "192.0.2.1"))
        (await pace.turn(("b", "192.0.2.1"))).leave()
        await asyncio.sleep(3600)
        (await pace.turn(("a",))).leave()

    with asyncio.Runner(loop_factory=LeapingLoop) as runner:
        runner.run(asyncio.wait_for(scene(), 10_000))
    assert pace.waiting == 0


def test_a_request_that_was_never_answered_counts_from_its_end() -> None:
    pace = Pace(delay_s=1)

    async def scene() -> float:
        pace.clock = asyncio.get_running_loop().time
        turn = await pace.turn(("a",))
        turn.sent()
        await asyncio.sleep(15)
        ended_s = pace.clock()
        turn.leave()
        (await pace.turn(("a",))).leave()
        return pace.clock() - ended_s

    with asyncio.Runner(loop_factory=LeapingLoop) as runner:
        assert runner.run(scene()) >= 1


def test_a_place_counts_as_taken_until_the_server_surely_saw_its_end() -> None:
    asks = [Ask(("a",), answer_s=0.1, body_s=5), Ask(("a",))]
    pace = Pace(delay_s=0.2)

    first, second = run(pace, *asks).seen["a"]

    assert second - first > 0.1 + 5 + 0.04


def test_hosts_long_gone_are_forgotten() -> None:
    pace = Pace(delay_s=0.001)
    run(pace, *(Ask((f"bread{number}.example",), at_s=number / 10) for number in range(6000)))

    assert len(pace._keys) < 5000


def test_even_hosts_that_wanted_us_slower_are_forgotten_in_the_end() -> None:
    pace = Pace(delay_s=0.001)
    run(pace, *(Ask((f"bread{number}.example",), at_s=number, status=503) for number in range(6000)))

    assert len(pace._keys) < 5000


@pytest.mark.parametrize(
    ("host", "port", "addresses", "keys"),
    [
        ("Bread.example.", 443, ["192.0.2.7", "2001:db8::7"], ("bread.example", "192.0.2.7", "2001:db8::7")),
        ("bread.example", 8080, ["192.0.2.7"], ("bread.example", "192.0.2.7")),
        ("bread.example", 8080, ["127.0.0.3"], ("bread.example:8080", "127.0.0.3:8080")),
        ("127.0.0.3", 8080, ["127.0.0.3"], ("127.0.0.3:8080",)),
        ("::1", 80, ["::1"], ("::1:80",)),
        ("abc.onion", 80, [], ("abc.onion",)),
        ("bread.example", 80, ["::ffff:192.0.2.7"], ("bread.example", "192.0.2.7")),
        ("2001:db8:0:0::7", 80, ["2001:db8:0:0::7"], ("2001:db8::7",)),
        ("::ffff:c000:207", 80, ["::ffff:c000:207"], ("192.0.2.7",)),
        ("bread.example", 80, ["127.0.0.1", "192.0.2.7"], ("bread.example", "127.0.0.1:80", "192.0.2.7")),
    ],
)
def test_a_request_is_counted_by_host_and_address(
    host: str, port: int, addresses: list[str], keys: tuple[str, ...]
) -> None:
    assert pace_keys(host, port, addresses) == keys


# ---- several processes


OTHER = ("oat.example", "192.0.2.1")
HERE = ("rye.example", "192.0.2.1")


def in_leaps(scene: Callable[[], Awaitable[None]]) -> None:
    with asyncio.Runner(loop_factory=LeapingLoop) as runner:
        runner.run(asyncio.wait_for(scene(), 100_000))


def process(log: CaseLog, name: str, delay_s: float = 1.0) -> Pace:
    """Give the pace of one of several processes, in virtual time."""
    clock = asyncio.get_running_loop().time
    return Pace(delay_s=delay_s, clock=clock, keeper=Keeper(log, name, clock=clock))


async def renewing(pace: Pace) -> None:
    """Do what the owner of the holds does every few seconds."""
    while True:
        await asyncio.sleep(5)
        keeper_of(pace).renew()


def keeper_of(pace: Pace) -> Keeper:
    assert pace.keeper is not None
    return pace.keeper


def lapse_all(log: CaseLog) -> None:
    """Let all holds be over in the database, whose own clock does not leap."""
    with log.write() as writer:
        writer.connection.execute(schema.holds.update().values(until_s=0.0))


def test_a_host_of_another_process_gets_no_turn_until_it_is_left(sqlite_log: CaseLog) -> None:
    async def scene() -> None:
        one, two = process(sqlite_log, "one"), process(sqlite_log, "two")
        (await one.turn(OTHER)).leave(200)
        with pytest.raises(HeldElsewhereError):
            await two.turn(HERE)

        assert two.free_at(HERE) == two.clock() + LONGEST_AWAY_S
        assert two.free_at(("192.0.2.1",)) <= two.clock()  # another site on other addresses goes on

        one.leave_holds(OTHER)
        began_s = two.clock()
        (await two.turn(HERE)).leave(200)
        assert 0.9 < two.clock() - began_s < 1.3  # what one had to keep, and no time away
        with pytest.raises(HeldElsewhereError):
            await one.turn(OTHER)

    in_leaps(scene)


def test_what_a_server_asked_one_process_for_binds_the_next(sqlite_log: CaseLog) -> None:
    async def scene() -> None:
        one, two = process(sqlite_log, "one"), process(sqlite_log, "two")
        turn = await one.turn(HERE)
        turn.retry_after_s = 100
        turn.leave(429)
        one.close()

        began_s = two.clock()
        beside = asyncio.ensure_future(renewing(two))
        (await two.turn(HERE)).leave(200)
        beside.cancel()
        assert 90 < two.clock() - began_s < 101

    in_leaps(scene)


def test_a_server_that_asked_for_long_sends_the_next_process_away(sqlite_log: CaseLog) -> None:
    async def scene() -> None:
        one, two = process(sqlite_log, "one"), process(sqlite_log, "two")
        turn = await one.turn(HERE)
        turn.retry_after_s = 1000
        turn.leave(503)
        one.close()

        with pytest.raises(SentAwayError):
            await two.turn(HERE)

    in_leaps(scene)


def test_who_stood_in_line_until_the_hold_was_gone_gets_no_turn(sqlite_log: CaseLog) -> None:
    async def scene() -> None:
        one, two = process(sqlite_log, "one"), process(sqlite_log, "two")
        first = await one.turn(HERE)
        waiting = asyncio.ensure_future(one.turn(HERE))
        await asyncio.sleep(100)
        lapse_all(sqlite_log)
        other = await two.turn(OTHER)
        first.leave(200)

        with pytest.raises(HeldElsewhereError):
            await waiting
        other.leave(200)
        assert one.waiting == 0

    in_leaps(scene)


def test_who_stood_in_line_for_long_is_served_when_nobody_else_came(sqlite_log: CaseLog) -> None:
    async def scene() -> None:
        one = process(sqlite_log, "one")
        first = await one.turn(HERE)
        waiting = [asyncio.ensure_future(one.turn(HERE)) for _ in range(2)]
        await asyncio.sleep(100)
        lapse_all(sqlite_log)
        assert first.has_lapsed
        assert one.has_lapsed()
        first.leave(200)
        for turn in waiting:
            served = await turn
            assert not served.has_lapsed
            assert not one.has_lapsed()
            served.leave(200)

    in_leaps(scene)


def test_what_lapsed_is_waited_for_again_before_the_next_turn(sqlite_log: CaseLog) -> None:
    """Another process came, asked and went while a request stood in line."""

    async def scene() -> None:
        one, two = process(sqlite_log, "one", 30.0), process(sqlite_log, "two", 30.0)
        first = await one.turn(HERE)
        waiting = asyncio.ensure_future(one.turn(HERE))
        await asyncio.sleep(100)
        lapse_all(sqlite_log)
        (await two.turn(OTHER)).leave(200)
        asked_s = two.clock()
        two.close()
        first.leave(200)
        beside = asyncio.ensure_future(renewing(one))
        (await waiting).leave(200)
        beside.cancel()
        assert one.clock() - asked_s >= 59  # its own delay, then what the other left

    in_leaps(scene)


def test_only_holds_that_no_request_needs_are_left(sqlite_log: CaseLog) -> None:
    async def scene() -> None:
        one = process(sqlite_log, "one")
        first = await one.turn(HERE)
        waiting = asyncio.ensure_future(one.turn(OTHER))
        (await one.turn(("spelt.example", "192.0.2.2"))).leave(200)
        await asyncio.sleep(1)

        one.leave_holds([*HERE, *OTHER, "spelt.example", "192.0.2.2", "never.example"])

        assert set(keeper_of(one).held()) == {*HERE, *OTHER}
        first.leave(200)
        (await waiting).leave(200)
        one.leave_holds([*HERE, *OTHER])
        assert keeper_of(one).held() == ()

    in_leaps(scene)


def test_whom_nobody_has_asked_for_long_is_left(sqlite_log: CaseLog) -> None:
    async def scene() -> None:
        one = process(sqlite_log, "one")
        long = await one.turn(HERE)
        (await one.turn(("oat.example", "192.0.2.2"))).leave(200)
        await asyncio.sleep(IDLE_S)
        (await one.turn(("spelt.example", "192.0.2.3"))).leave(200)
        one.leave_idle()
        assert "oat.example" in keeper_of(one).held()  # the delay after it counts as use
        await asyncio.sleep(2)
        one.leave_idle()

        assert set(keeper_of(one).held()) == {*HERE, "spelt.example", "192.0.2.3"}
        long.leave(200)

    in_leaps(scene)


def test_without_a_keeper_nothing_is_held_and_nothing_left() -> None:
    async def scene() -> None:
        pace = Pace(delay_s=1, clock=asyncio.get_running_loop().time)
        turn = await pace.turn(HERE)
        assert not turn.has_lapsed
        assert not pace.has_lapsed()
        turn.leave(200)
        pace.leave_holds(HERE)
        pace.leave_idle()
        pace.close()

    in_leaps(scene)


def test_processes_that_share_a_server_ask_it_one_at_a_time_and_no_faster(sqlite_log: CaseLog) -> None:
    server = Server()

    async def work(pace: Pace, name: str) -> None:
        for number in range(8):
            keys = (f"{name}{number % 2}.example", "192.0.2.1")
            while True:
                try:
                    await Ask(keys, answer_s=0.05 * number).ask(pace, server)
                    break
                except HeldElsewhereError:
                    await asyncio.sleep(0.37)
            if number % 3 != 1:
                pace.leave_holds(keys)
        pace.close()

    async def scene() -> None:
        await asyncio.gather(*(work(process(sqlite_log, name), name) for name in ("rye", "oat", "spelt")))

    in_leaps(scene)

    assert len(server.seen["192.0.2.1"]) == 24
    assert server.most["192.0.2.1"] == 1
    assert min(server.gaps("192.0.2.1")) >= 1.0
