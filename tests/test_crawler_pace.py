"""The pace of all requests: nobody is asked faster or more at once than set, and everybody gets a turn."""

from __future__ import annotations

import asyncio
import itertools
import selectors
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.transport.pace import (
    LONGEST_DELAY_S,
    LONGEST_WAIT_S,
    MOST_TIMES,
    Pace,
    SentAwayError,
    pace_keys,
)


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
