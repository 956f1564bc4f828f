"""Ask each host and each address no faster, and no more at once, than the operator set.

A request names its keys: its host, and the addresses that the host has. It takes its turn when all of them
are free, in the order in which requests came. The time between two requests counts from the moment at which
the server must have seen the first one, so that the server, too, never counts a shorter one.
"""

from __future__ import annotations

import asyncio
import ipaddress
import math
import random
import time
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from crawler.transport.holds import HeldElsewhereError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from ipaddress import IPv4Address, IPv6Address

    from crawler.transport.holds import Keeper

    _Address = IPv4Address | IPv6Address

LATEST_S: Final = 0.25
"""How long after it was sent a server may write a request down, at most; its answer ends the doubt earlier.

Below that, one delay: a longer doubt would keep requests apart that are meant to run side by side."""
LONGEST_DELAY_S: Final = 60.0
"""A host that asks us to slow down is not asked more slowly than that, unless it was set so."""
MOST_TIMES: Final = 64.0
"""Nor more slowly than so many times the delay."""
SLOWER: Final = 2.0
EASIER: Final = 0.8
LONGEST_WAIT_S: Final = 120.0
"""Who is told to stay away for longer is not kept in line, but sent away."""
LEAST_SHARE: Final = 0.02
"""Of the delay, always added to it: the server's clock may be a little coarser than ours."""
LINGER_S: Final = 0.05
"""How long a server may take to see that a request is over, at most one delay; until then it still counts."""
REMEMBERED_S: Final = 900.0
"""How long it is known of a host that is not asked any more that it wanted us slower."""
LONGEST_AWAY_S: Final = 5.0
"""A host that another process holds is tried again after that, or earlier when the hold ends earlier."""
IDLE_S: Final = 30.0
"""Whom nobody has asked for so long is left to the other processes."""
_KEPT: Final = 4096
_ASKS_TO_SLOW_DOWN: Final = frozenset({429, 503})


class SentAwayError(Exception):
    """The host told us to stay away for longer than anybody should wait in line."""


@dataclass(slots=True)
class _Key:
    """One host or address: how many requests are under way, and when the next may start."""

    running: int = 0
    next_s: float = -math.inf
    after_s: float = -math.inf
    """Nobody may start earlier, whatever the delay says."""
    away_s: float = -math.inf
    """Another process holds it; worth trying again then."""
    factor: float = 1.0
    least_s: float = 0.0
    """The host's own wish; never asked faster."""
    latest: Turn | None = None
    """The request that was let go last; it alone says when the next may start."""


@dataclass(slots=True)
class Turn:
    """The right to send one request; must be left at the end, whatever happened."""

    keys: tuple[str, ...]
    pace: Pace
    retry_after_s: float | None = None
    """How long the server asked us to stay away; counts with 429 and 503."""
    _is_counted: bool = False
    _is_left: bool = False

    @property
    def has_lapsed(self) -> bool:
        """Say whether the right to ask has ended since the turn was given: this process was cut off."""
        return self.pace.keeper is not None and not self.pace.keeper.holds(self.keys)

    def sent(self) -> None:
        """Note that the request goes out now."""
        # Where it must go out alone, nobody needs to guess when it arrives.
        if not self._is_counted and self.pace.per_host > 1:
            self._is_counted = True
            self.pace.wrote(self, min(LATEST_S, self.pace.delay_s))

    def answered(self) -> None:
        """Note that the server has seen the request for sure."""
        self._is_counted = True
        self.pace.wrote(self, 0.0)

    def leave(self, status: int | None = None) -> None:
        """Make room for the next one; a server that answers 429 or 503 is asked more slowly from now on."""
        if self._is_left:
            return
        self._is_left = True
        if not self._is_counted:
            self.pace.wrote(self, 0.0)
        self.pace.left(self.keys)
        if status in _ASKS_TO_SLOW_DOWN:
            self.pace.slow_down(self.keys[0], self.retry_after_s)
        elif status is not None:
            self.pace.ease(self.keys[0])


@dataclass(slots=True)
class _Waiting:
    turn: Turn
    granted: asyncio.Future[None]


@dataclass(slots=True, kw_only=True)
class Pace:
    """The pace of all requests of one crawl.

    Args:
        delay_s: Shortest time between two requests to one host or address.
        per_host: How many may be under way at once to one host or address.
        jitter: Largest random share of the delay that is added to it; a little always is.
        not_before_s: By the clock; a program that ran before this one may just have asked somebody.
        clock: Monotonic time in seconds; the loop's own.
        dice: Random number from 0 to 1.
        keeper: Holds each host and address against other processes; without one there are none.
    """

    delay_s: float
    per_host: int = 1
    jitter: float = 0.2
    not_before_s: float = -math.inf
    clock: Callable[[], float] = time.monotonic
    dice: Callable[[], float] = random.random
    keeper: Keeper | None = None
    _keys: dict[str, _Key] = field(default_factory=dict)
    _queue: list[_Waiting] = field(default_factory=list)
    _room: int = _KEPT
    _timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """Say how many requests wait for their turn."""
        return sum(not one.granted.cancelled() for one in self._queue)

    def free_at(self, keys: Iterable[str]) -> float:
        """Give the time at which one more request to all these keys may start; infinite while one is full."""
        return max((self._free_at(key) for key in keys), default=self.not_before_s)

    def _free_at(self, name: str) -> float:
        key = self._keys.get(name)
        if key is None:
            return self.not_before_s
        times = (key.next_s, key.after_s, key.away_s, self.not_before_s)
        return math.inf if key.running >= self.per_host else max(times)

    async def turn(self, keys: tuple[str, ...]) -> Turn:
        """Wait until all keys are free and nobody who came earlier wants them, and take them.

        Raises:
            SentAwayError: The host told us to stay away for longer than `LONGEST_WAIT_S`.
            HeldElsewhereError: Another process may ask one of them now.
        """
        turn = Turn(keys, self)
        self._hold(keys)
        if self._is_sent_away(keys, self.clock()):
            raise SentAwayError
        if self._queue or self.free_at(keys) > self.clock():
            await self._stand_in_line(turn)
        else:
            self._take(turn)
        return turn

    def _hold(self, keys: tuple[str, ...]) -> None:
        """Take the holds of these keys; nobody starts before their last holder said."""
        if self.keeper is None:
            return
        try:
            wait_s = self.keeper.hold(keys)
        except HeldElsewhereError as error:
            self._keys.setdefault(keys[0], _Key()).away_s = self.clock() + min(error.wait_s, LONGEST_AWAY_S)
            raise
        if (first := self._keys.get(keys[0])) is not None:
            first.away_s = -math.inf
        if wait_s > 0:
            for name in keys:
                key = self._keys.setdefault(name, _Key())
                key.after_s = max(key.after_s, self.clock() + wait_s)

    def _free_when_held(self, keys: tuple[str, ...], now_s: float) -> float:
        """Give when these keys are free; the holds of one that stood in line may have lapsed meanwhile."""
        if self.keeper is not None and self.free_at(keys) <= now_s:
            self._hold(keys)
        return self.free_at(keys)

    def has_lapsed(self) -> bool:
        """Say whether a request is under way to somebody whom we hold no more; it should be cut short."""
        running = [name for name, key in self._keys.items() if key.running]
        return self.keeper is not None and not self.keeper.holds(running)

    def leave_holds(self, keys: Iterable[str]) -> None:
        """Give up the holds of those of these keys that no request is under way to or waits for."""
        if self.keeper is None:
            return
        used = {name for name, key in self._keys.items() if key.running}
        used.update(*(one.turn.keys for one in self._queue))
        unused = [name for name in keys if name not in used]
        now_s = self.clock()
        self.keeper.leave(unused, max((self._free_at(name) - now_s for name in unused), default=0.0))

    def leave_idle(self, idle_s: float = IDLE_S) -> None:
        """Give up the holds of whom nobody has asked for so long; to be called every few seconds."""
        if self.keeper is not None:
            since_s = self.clock() - idle_s
            self.leave_holds([name for name in self.keeper.held() if self._free_at(name) <= since_s])

    def close(self) -> None:
        """Give up all holds: no more requests are to be made."""
        if self.keeper is not None:
            self.leave_holds(self.keeper.held())
            self.keeper.close()

    async def _stand_in_line(self, turn: Turn) -> None:
        waiting = _Waiting(turn, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._look_at(turn.keys)
        try:
            await waiting.granted
        except asyncio.CancelledError:
            if waiting.granted.cancelled():
                self._serve()
            elif waiting.granted.exception() is None:
                turn.leave()
            raise

    def _take(self, turn: Turn) -> None:
        if len(self._keys) > self._room:
            self._forget_idle()
        for name in turn.keys:
            key = self._keys.setdefault(name, _Key())
            key.running += 1
            # Nobody may start before this request was surely seen.
            key.latest, key.next_s = turn, math.inf

    def wrote(self, turn: Turn, latest_s: float) -> None:
        """Start the delay of the turn's keys ``latest_s`` from now, or earlier if it was started so."""
        now_s = self.clock()
        for name in turn.keys:
            key = self._keys[name]
            if key.latest is turn:
                key.next_s = min(key.next_s, now_s + latest_s + self._gap_s(key))
        self._look_at(turn.keys)

    def _gap_s(self, key: _Key) -> float:
        slowest_s = max(self.delay_s, LONGEST_DELAY_S)
        delay_s = max(min(self.delay_s * key.factor, slowest_s), key.least_s)
        return delay_s * (1.0 + LEAST_SHARE + max(0.0, self.jitter - LEAST_SHARE) * self.dice())

    def left(self, keys: tuple[str, ...]) -> None:
        """Count a request as ended."""
        now_s = self.clock()
        for name in keys:
            key = self._keys[name]
            if key.running >= self.per_host:
                key.after_s = max(key.after_s, now_s + min(LINGER_S, self.delay_s))
            key.running -= 1
        self._look_at(keys)

    def at_least(self, name: str, delay_s: float) -> None:
        """Ask this host no faster than it wishes itself."""
        self._keys.setdefault(name, _Key()).least_s = delay_s

    def slow_down(self, name: str, wait_s: float | None = None) -> None:
        """Double the delay of a host that cannot keep up, and leave it alone for the time that it named."""
        key = self._keys.setdefault(name, _Key())
        key.factor = min(key.factor * SLOWER, MOST_TIMES)
        key.after_s = max(key.after_s, self.clock() + max(self._gap_s(key), wait_s or 0.0))
        self._serve()

    def ease(self, name: str) -> None:
        """Take back some of what a host was slowed down by: it answers again."""
        if (key := self._keys.get(name)) is not None:
            key.factor = max(1.0, key.factor * EASIER)

    def _is_sent_away(self, keys: Iterable[str], now_s: float) -> bool:
        longest_s = max(LONGEST_WAIT_S, 2 * self.delay_s)
        return any(name in self._keys and self._keys[name].after_s - now_s > longest_s for name in keys)

    def _look_at(self, keys: Iterable[str]) -> None:
        """Serve at the first moment at which one of these keys, which have changed, may be free."""
        if not self._queue:
            return
        now_s = self.clock()
        soonest_s = min((self._free_at(name) for name in keys), default=now_s)
        if soonest_s <= now_s:
            self._serve()
        else:
            self._wake_at(soonest_s, now_s)

    def _serve(self) -> None:
        """Give every waiting request its turn that can have it, in order; wake up for the next one."""
        if not self._queue:
            return
        now_s, wake_s = self.clock(), math.inf
        wanted: set[str] = set()
        blocked: set[tuple[str, ...]] = set()
        left: list[_Waiting] = []
        for waiting in self._queue:
            if waiting.granted.cancelled():
                continue
            keys = waiting.turn.keys
            if keys in blocked:  # behind another that waits for just the same
                left.append(waiting)
                continue
            try:
                at_s = math.inf if wanted.intersection(keys) else self._free_when_held(keys, now_s)
            except HeldElsewhereError as error:
                waiting.granted.set_exception(error)
                continue
            if self._is_sent_away(keys, now_s):
                waiting.granted.set_exception(SentAwayError())
                continue
            if at_s <= now_s:
                self._take(waiting.turn)
                waiting.granted.set_result(None)
                continue
            wanted.update(keys)
            blocked.add(keys)
            wake_s = min(wake_s, at_s)
            left.append(waiting)
        self._queue = left
        self._wake_at(wake_s, now_s)

    def _wake_at(self, wake_s: float, now_s: float) -> None:
        """Look again at ``wake_s``; a look that comes earlier does no harm, and its timer stays."""
        if wake_s == math.inf:
            return
        loop = asyncio.get_running_loop()
        at_s = loop.time() + max(0.0, wake_s - now_s)
        if self._timer is not None:
            if self._timer.when() <= at_s:
                return
            self._timer.cancel()
        self._timer = loop.call_at(at_s, self._woken)

    def _woken(self) -> None:
        self._timer = None
        self._serve()

    def _forget_idle(self) -> None:
        now_s = self.clock()
        self._keys = {name: key for name, key in self._keys.items() if not _is_idle(key, now_s)}
        self._room = max(_KEPT, 2 * len(self._keys))


def _is_idle(key: _Key, now_s: float) -> bool:
    """Say whether nothing is lost with a key; a wish of the host itself stands for the whole crawl."""
    since_s = now_s - max(key.next_s, key.after_s)
    known_s = REMEMBERED_S if key.factor > 1.0 else 0.0
    return not key.running and not key.least_s and since_s >= known_s


def pace_keys(host: str, port: int, addresses: Iterable[str]) -> tuple[str, ...]:
    """Give the keys of a request, the host's first: the host whatever its port, and each of its addresses.

    On loopback, where each port is a server of its own, the port belongs to the key.
    """
    found = [_plain(address) for address in addresses]
    on_loopback = bool(found) and all(address.is_loopback for address in found)
    name = _plain_host(host.rstrip(".").lower())
    places = (f"{address}:{port}" if address.is_loopback else str(address) for address in found)
    return tuple(dict.fromkeys((f"{name}:{port}" if on_loopback else name, *places)))


@lru_cache(maxsize=4096)
def _plain(address: str) -> _Address:
    """Give an address in its one plain form; an IPv4 address in IPv6 clothes is the IPv4 address."""
    found = ipaddress.ip_address(address.partition("%")[0])
    return getattr(found, "ipv4_mapped", None) or found


def _plain_host(host: str) -> str:
    try:
        return str(_plain(host))
    except ValueError:
        return host


def fresh_pace(*, delay_s: float, per_host: int, keeper: Keeper | None = None) -> Pace:
    """Give the pace of a program that starts now and does not know whom another has asked a moment ago."""
    return Pace(delay_s=delay_s, per_host=per_host, not_before_s=time.monotonic() + delay_s, keeper=keeper)
