"""One site of a running crawl: what is in hand, what is known of it, and which address comes next."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from crawler.crawl.patterns import PatternBook

if TYPE_CHECKING:
    from collections.abc import Callable

    from caselog.records.ids import SiteId
    from caselog.store.frontier import Pending


@dataclass(slots=True)
class SiteState:
    """The crawl's memory of one site; the frontier in the case log is the truth."""

    site_id: SiteId
    tag: str
    host: str
    epoch: int
    per_host: int
    book: PatternBook = field(default_factory=PatternBook)
    waiting: dict[str, int] = field(default_factory=dict)
    """How many addresses of each pattern are pending and not in hand."""
    queues: dict[str, deque[Pending]] = field(default_factory=dict)
    in_flight: dict[int, Pending] = field(default_factory=dict)
    later: list[tuple[float, str]] = field(default_factory=list)
    """Addresses put off: monotonic time and pattern."""
    paused_until: float = 0.0
    stopped: bool = False
    known: set[bytes] = field(default_factory=set)
    """First bytes of the tags of all addresses in the site's frontier."""
    blocks: set[bytes] = field(default_factory=set)
    """First bytes of the tags of all blocks seen on the site in this crawl."""
    frame: set[bytes] = field(default_factory=set)
    """Tags of blocks that stand on the site's control pages."""
    controls: set[str] = field(default_factory=set)
    """Patterns whose missing sibling was asked already, and `root`."""
    control_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    documents: set[bytes] = field(default_factory=set)
    """Digests of the block sets seen in this crawl: the same set again is an alias."""
    proposed: set[str] = field(default_factory=set)
    """Hosts off the site that this crawl has proposed."""
    judged: set[str] = field(default_factory=set)
    """Links already judged in this crawl."""

    def may_send(self, now_s: float) -> bool:
        """Tell whether another request may go out now."""
        return not self.stopped and len(self.in_flight) < self.per_host and now_s >= self.paused_until

    def is_over(self) -> bool:
        """Tell whether nothing is left to ask and nothing is under way."""
        if self.in_flight:
            return False
        return self.stopped or not (self.later or any(self._open_patterns()))

    def next_pending(self, now_s: float, refill: Callable[[str], list[Pending]]) -> Pending | None:
        """Return the most promising address, marked as in flight, or None.

        Args:
            now_s: Monotonic time.
            refill: Reads the next addresses of a pattern from the case log.
        """
        self._wake(now_s)
        while patterns := self._open_patterns():
            best = max(patterns, key=lambda name: self.book.of(name).expected())
            queue = self.queues.setdefault(best, deque())
            if not queue:
                queue.extend(refill(best))
            if queue:
                row = queue.popleft()
                self.waiting[best] = max(self.waiting.get(best, 1) - 1, len(queue))
                self.in_flight[row.id] = row
                return row
            self.waiting[best] = 0
        return None

    def _open_patterns(self) -> list[str]:
        return [
            name for name, count in self.waiting.items() if count > 0 and not self.book.of(name).is_given_up()
        ]

    def _wake(self, now_s: float) -> None:
        due = [name for at, name in self.later if at <= now_s]
        self.later = [item for item in self.later if item[0] > now_s]
        for name in due:
            self.waiting[name] = self.waiting.get(name, 0) + 1

    def put_off(self, row: Pending, until_s: float) -> None:
        """Take an address back and ask it again after `until_s` (monotonic)."""
        self.in_flight.pop(row.id, None)
        self.later.append((until_s, row.pattern))

    def let_go(self, row: Pending) -> None:
        """Forget an address that was answered."""
        self.in_flight.pop(row.id, None)

    def new_blocks(self, tags: list[bytes]) -> list[int]:
        """Return the positions of blocks never seen on this site, and remember them all."""
        fresh = []
        for position, tag in enumerate(tags):
            short = tag[:8]
            if short not in self.blocks:
                self.blocks.add(short)
                fresh.append(position)
        return fresh


@dataclass(slots=True)
class Budget:
    """What a lead may still cost."""

    pages_left: int
    scope_depth: int
    path_prefix: str | None = None

    def spend(self) -> None:
        """Count one page."""
        self.pages_left -= 1
