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
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

LATEST_S: Final = 0.25
"""How long after it was sent a server may write a request down, at most; its answer ends the doubt earlier.

Below that, one delay: a longer doubt would keep requests apart that are meant to run side by side."""
LONGEST_DELAY_S: Final = 60.0
"""A host that asks us to slow down is not asked more slowly than that, unless it was set so."""
SLOWER: Final = 2.0
EASIER: Final = 0.8
_KEPT_MAX: Final = 4096
_ASKS_TO_SLOW_DOWN: Final = frozenset({429, 503})


@dataclass(slots=True)
class _Key:
    """One host or address: how many requests are under way, and when the next may start."""

    running: int = 0
    next_s: float = -math.inf
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
    _is_sent: bool = False
    _is_left: bool = False

    def sent(self) -> None:
        """Note that the request goes out now."""
        if not self._is_sent:
            self._is_sent = True
            self.pace.wrote(self, min(LATEST_S, self.pace.delay_s))

    def answered(self) -> None:
        """Note that the server has seen the request for sure."""
        self._is_sent = True
        self.pace.wrote(self, 0.0)

    def leave(self, status: int | None = None) -> None:
        """Make room for the next one; a server that answers 429 or 503 is asked more slowly from now on."""
        if self._is_left:
            return
        self._is_left = True
        if not self._is_sent:
            self.pace.wrote(self, 0.0)
        self.pace.left(self.keys, status)


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
        jitter: Largest random share of the delay that is added to it.
        clock: Monotonic time in seconds; the loop's own.
        dice: Random number from 0 to 1.
    """

    delay_s: float
    per_host: int = 1
    jitter: float = 0.2
    clock: Callable[[], float] = time.monotonic
    dice: Callable[[], float] = random.random
    _keys: dict[str, _Key] = field(default_factory=dict)
    _queue: list[_Waiting] = field(default_factory=list)
    _timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """Say how many requests wait for their turn."""
        return len(self._queue)

    def free_at(self, keys: Iterable[str]) -> float:
        """Give the time at which one more request to all these keys may start; infinite while one is full."""
        return max((self._free_at(key) for key in keys), default=-math.inf)

    def _free_at(self, name: str) -> float:
        key = self._keys.get(name)
        if key is None:
            return -math.inf
        return math.inf if key.running >= self.per_host else key.next_s

    async def turn(self, keys: tuple[str, ...]) -> Turn:
        """Wait until all keys are free and nobody who came earlier wants them, and take them."""
        turn = Turn(keys, self)
        if self._queue or self.free_at(keys) > self.clock():
            await self._stand_in_line(turn)
        else:
            self._take(turn)
        return turn

    async def _stand_in_line(self, turn: Turn) -> None:
        waiting = _Waiting(turn, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._serve()
        try:
            await waiting.granted
        except asyncio.CancelledError:
            if waiting in self._queue:
                self._queue.remove(waiting)
                self._serve()
            else:
                turn.leave()
            raise

    def _take(self, turn: Turn) -> None:
        if len(self._keys) > _KEPT_MAX:
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
        self._serve()

    def _gap_s(self, key: _Key) -> float:
        delay_s = max(min(self.delay_s * key.factor, max(self.delay_s, LONGEST_DELAY_S)), key.least_s)
        return delay_s * (1.0 + self.jitter * self.dice())

    def left(self, keys: tuple[str, ...], status: int | None) -> None:
        """Count a request as ended; its status says whether the host wants us slower."""
        for name in keys:
            self._keys[name].running -= 1
        if status is not None and keys:
            self._learn(self._keys[keys[0]], status)
        self._serve()

    def at_least(self, key: str, delay_s: float) -> None:
        """Ask this host no faster than it wishes itself."""
        self._keys.setdefault(key, _Key()).least_s = delay_s

    def _learn(self, host: _Key, status: int) -> None:
        if status not in _ASKS_TO_SLOW_DOWN:
            host.factor = max(1.0, host.factor * EASIER)
        elif self.delay_s * host.factor < LONGEST_DELAY_S:
            host.factor *= SLOWER
            host.next_s = max(host.next_s, self.clock() + self._gap_s(host))

    def _serve(self) -> None:
        """Give every waiting request its turn that can have it, in order; wake up for the next one."""
        if not self._queue:
            return
        now_s, wake_s = self.clock(), math.inf
        wanted: set[str] = set()
        blocked: set[tuple[str, ...]] = set()
        left: list[_Waiting] = []
        for waiting in self._queue:
            keys = waiting.turn.keys
            if keys in blocked:  # behind another that waits for just the same
                left.append(waiting)
                continue
            at_s = math.inf if wanted.intersection(keys) else self.free_at(keys)
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
        idle = [name for name, key in self._keys.items() if not key.running and key.next_s <= now_s]
        for name in idle:
            if self._keys[name].factor <= 1.0 and not self._keys[name].least_s:
                del self._keys[name]


def pace_keys(host: str, port: int, addresses: Iterable[str]) -> tuple[str, ...]:
    """Give the keys of a request, the host's first: the host whatever its port, and each of its addresses.

    On loopback, where each port is a server of its own, the port belongs to the key.
    """
    found = tuple(dict.fromkeys(addresses))
    on_loopback = bool(found) and all(map(_is_loopback, found))
    name = host.rstrip(".").lower()
    suffix = f":{port}" if on_loopback else ""
    return tuple(dict.fromkeys((f"{name}{suffix}", *(f"{address}{suffix}" for address in found))))


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
