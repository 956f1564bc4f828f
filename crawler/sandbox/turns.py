"""One thing at a time, the sites by turns: a site that waits with many pages holds up no other."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Turns:
    """A lock that is handed from site to site."""

    def __init__(self) -> None:
        self._is_held = False
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def of(self, site: str) -> AsyncIterator[None]:
        """Hold the lock for one page of a site."""
        await self._take(site)
        try:
            yield
        finally:
            self._pass_on()

    async def _take(self, site: str) -> None:
        if not self._is_held:
            self._is_held = True
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(site, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        """Wake the first page of the site that waited longest for its turn."""
        while self._waiting:
            site = next(iter(self._waiting))
            queue = self._waiting.pop(site)
            turn = queue.popleft()
            if queue:
                self._waiting[site] = queue  # behind all others
            if not turn.done():
                turn.set_result(None)
                return
        self._is_held = False
