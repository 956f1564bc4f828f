"""Hold hosts and addresses against the other processes on the same database, before they are asked."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from caselog.errors import CaseError, ConfigError
from caselog.store import holds

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from caselog.store.log import CaseLog

LEAST_MARGIN_S: Final = 5.0
LOOK_AGAIN_S: Final = 5.0
"""When the database did not answer, it is left alone for so long; nobody new is asked meanwhile."""


class HeldElsewhereError(Exception):
    """Another process may ask the host or an address of it now, or nobody can tell: we may not."""

    def __init__(self, wait_s: float) -> None:
        super().__init__("held elsewhere")
        self.wait_s = wait_s
        """After so many seconds it is worth asking again; the hold may end earlier, or be renewed."""


class Keeper:
    """The holds of one process.

    A hold counts as ours for a margin less than the database keeps it: a process that was frozen, or cut off
    from the database, stops asking before another begins.

    Args:
        log: The case log where the processes meet.
        holder: Names this process and no other, nor an earlier one; 64 characters at most.
        ttl_s: How long a hold lives when nobody renews it.
        margin_s: So much earlier it is not ours any more; not below the delay between two requests.
        clock: Monotonic time in seconds, that of the pace.

    Raises:
        ConfigError: The margin is below 5 seconds, or leaves nothing of the time to live.
    """

    def __init__(
        self,
        log: CaseLog,
        holder: str,
        ttl_s: float = 20.0,
        *,
        margin_s: float = LEAST_MARGIN_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not LEAST_MARGIN_S <= margin_s < ttl_s:
            raise ConfigError("The times of a hold do not fit.", "Let it live longer than its margin.")
        self._log = log
        self._holder = holder
        self._ttl_s = ttl_s
        self._margin_s = margin_s
        self._clock = clock
        self._until_s: dict[str, float] = {}
        """Until when each hold is ours, monotonic; read without the lock."""
        self._silent_until_s = float("-inf")
        self._lock = threading.Lock()
        """One at a time asks the database and changes what is known: `renew` may run in another thread."""

    def __deepcopy__(self, memo: dict[int, object]) -> Keeper:
        """Give the same: Scrapy copies its settings, with all that is in them."""
        return self

    def holds(self, keys: Collection[str]) -> bool:
        """Say whether all these are ours now; memory only."""
        now_s, until_s = self._clock(), self._until_s
        return all(until_s.get(key, now_s) > now_s for key in keys)

    def held(self) -> tuple[str, ...]:
        """Give the hosts and addresses that are ours, or were until they lapsed."""
        return tuple(self._until_s)

    def hold(self, keys: Collection[str]) -> float:
        """Take what is not ours of these; give the seconds to wait before the first request to them.

        Raises:
            HeldElsewhereError: Another process has one of them, or the database did not answer.
        """
        if self.holds(keys):
            return 0.0
        with self._lock:
            return self._take(keys)

    def _take(self, keys: Collection[str]) -> float:
        now_s = self._clock()
        if now_s < self._silent_until_s:
            raise HeldElsewhereError(self._silent_until_s - now_s)
        try:
            with self._log.write() as writer:
                taken = holds.take(writer, keys, self._holder, self._ttl_s)
        except CaseError:  # whatever was wrong with the database: nothing says that we may ask
            self._silent_until_s = self._clock() + LOOK_AGAIN_S
            raise HeldElsewhereError(LOOK_AGAIN_S) from None
        if not taken.is_held:
            raise HeldElsewhereError(taken.wait_s)
        self._keep(keys, now_s)
        return taken.wait_s

    def _keep(self, keys: Collection[str], asked_s: float) -> None:
        """Count from before the database was asked: its own count begins later."""
        self._until_s.update(dict.fromkeys(keys, asked_s + self._ttl_s - self._margin_s))

    def renew(self) -> None:
        """Lengthen all holds that are ours; to be called every few seconds. On a failure they lapse."""
        with self._lock:
            now_s = self._clock()
            alive = [key for key, until_s in self._until_s.items() if until_s > now_s]
            for key in self._until_s.keys() - set(alive):
                del self._until_s[key]
            if not alive:
                return
            try:
                with self._log.write() as writer:
                    renewed = holds.renew(writer, alive, self._holder, self._ttl_s)
            except CaseError:
                return
            if renewed == len(alive):
                self._keep(alive, now_s)
            else:  # the database lost some, it does not matter which: each is taken again before it is used
                self._until_s.clear()

    def leave(self, keys: Collection[str], free_in_s: float) -> None:
        """Give these up; the next holder asks them `free_in_s` seconds from now at the earliest."""
        with self._lock:
            ours = [key for key in keys if self._until_s.pop(key, None) is not None]
            if not ours:
                return
            try:
                with self._log.write() as writer:
                    holds.leave(writer, ours, self._holder, free_in_s)
            except CaseError:
                return  # nobody renews them: they are over soon

    def close(self) -> None:
        """Give up all that is left, free after the margin; the case log stays open."""
        self.leave(self.held(), self._margin_s)
