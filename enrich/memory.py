"""Keep answers and pace in memory, for one process; stored ones stand behind the same protocols."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from enrich.interface import PausedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from enrich.addresses import Address, Span
    from enrich.interface import Cached, Limiter

LONGEST_WAIT_S = 30.0


class MemoryCache:
    """Answers by range; the narrowest one that holds an address counts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[Span, Cached] = {}

    def get(self, ip: Address, now: datetime) -> Cached | None:
        """Return the narrowest answer for `ip` that has not run out."""
        with self._lock:
            fitting = [a for a in self._answers.values() if a.expires_at > now and a.span.holds(ip)]
        return min(fitting, key=lambda answer: answer.span.size(), default=None)

    def put(self, cached: Cached) -> None:
        """Remember an answer in place of an earlier one for the same range."""
        with self._lock:
            self._answers[cached.span] = cached


class MemoryLimiter:
    """Hands out turns a fixed time apart, and remembers pauses.

    Args:
        seconds_apart: By server; the empty name stands for all others, 0 for no limit.

    """

    def __init__(self, seconds_apart: Mapping[str, float]) -> None:
        self._apart = dict(seconds_apart)
        self._lock = threading.Lock()
        self._next: dict[str, datetime] = {}
        self._paused: dict[str, datetime] = {}

    def reserve(self, server: str, now: datetime) -> float:
        """Return the seconds until this turn; raises PausedError while the server is paused."""
        with self._lock:
            until = self._paused.get(server)
            if until is not None and until > now:
                raise PausedError("A registry is paused.", retry_at=until)
            turn = max(now, self._next.get(server, now))
            apart = self._apart.get(server, self._apart.get("", 0.0))
            self._next[server] = turn + timedelta(seconds=apart)
        return (turn - now).total_seconds()

    def pause(self, server: str, until: datetime) -> None:
        """Ask this server nothing before `until`."""
        with self._lock:
            self._paused[server] = max(until, self._paused.get(server, until))


def take_turn(limiter: Limiter, server: str, now: datetime) -> None:
    """Wait for this server's turn; raises PausedError when it is paused or the turn is far off."""
    seconds = limiter.reserve(server, now)
    if seconds > LONGEST_WAIT_S:
        raise PausedError("A server's turn is far off.", retry_at=now + timedelta(seconds=seconds))
    if seconds > 0:
        threading.Event().wait(seconds)
