"""One site of a running crawl: what is in hand, what is known of it, and which address comes next."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from crawler.crawl.lanes import MOST_STALLS, PAUSE_S, SLOW_S, STALL_S
from crawler.crawl.patterns import PatternBook

if TYPE_CHECKING:
    from collections.abc import Callable

    from caselog.records.ids import LeadId, SiteId
    from caselog.store.frontier import Pending
    from crawler.transport.fetch import Fetch


JUDGED_A_PAGE, LEAST_JUDGED = 40, 4_000
BLOCKS_A_PAGE, LEAST_BLOCKS = 200, 20_000


@dataclass(slots=True)
class SiteState:
    """The crawl's memory of one site; the frontier in the case log is the truth."""

    site_id: SiteId
    tag: str
    host: str
    epoch: int
    per_host: int
    page_limit: int = 500
    """How many pages this crawl may ask; bounds what a hostile site can make us remember."""
    lead_ids: tuple[LeadId, ...] = ()
    """Whose addresses are asked."""
    book: PatternBook = field(default_factory=PatternBook)
    waiting: dict[str, int] = field(default_factory=dict)
    """How many addresses of each pattern are pending and not in hand."""
    queues: dict[str, deque[Pending]] = field(default_factory=dict)
    in_flight: dict[int, Pending] = field(default_factory=dict)
    later: list[tuple[float, str]] = field(default_factory=list)
    """Addresses put off: monotonic time and pattern."""
    paused_until: float = 0.0
    sent_s: dict[int, float] = field(default_factory=dict)
    """When each address under way was handed out, monotonic."""
    keys: tuple[str, ...] = ()
    """What its pace is kept by: the host and, once known, its addresses."""
    is_slow: bool = False
    stalls: int = 0
    """Requests in a row that the host held up."""
    has_answered: bool = False
    stopped: bool = False
    is_fenced: bool = False
    """Another worker has taken the site: nothing more can be recorded."""
    slice_pages: int | None = None
    """How many more addresses its slice may ask; None is no limit."""
    slice_ends_s: float | None = None
    """When its slice is over, monotonic."""
    good_s: float | None = None
    """When the last usable answer of this slice was recorded, monotonic."""
    counts: Counter[str] = field(default_factory=Counter)
    """What its slice has brought."""
    known: set[bytes] = field(default_factory=set)
    """First bytes of the tags of all addresses in the site's frontier."""
    blocks: set[bytes] = field(default_factory=set)
    """First bytes of the tags of all blocks seen on the site in this crawl."""
    frame: set[bytes] = field(default_factory=set)
    """Tags of blocks that stand on the site's control pages."""
    controls: set[str] = field(default_factory=set)
    """Patterns whose missing sibling was asked already, and `root`."""
    control_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    documents: dict[bytes, int] = field(default_factory=dict)
    """Digests of the block sets seen in this crawl, and at which address first: at another it is an alias."""
    proposed: set[str] = field(default_factory=set)
    """Hosts off the site that this crawl has proposed."""
    hops: dict[str, int] = field(default_factory=dict)
    """Redirects in a row that led to an address which was not asked yet."""
    judged: set[str] = field(default_factory=set)
    """Links already judged in this crawl."""

    def begin_slice(self, epoch: int, *, page_limit: int) -> None:
        """Begin anew under another epoch; what was learned of the site is kept."""
        # What is left shrinks from slice to slice; what may be remembered of the site must not.
        self.epoch, self.page_limit = epoch, max(self.page_limit, page_limit)
        self.queues.clear()
        self.in_flight.clear()
        self.sent_s.clear()
        self.counts.clear()
        self.is_fenced, self.good_s = False, None
        self.paused_until = 0.0

    def may_send(self, now_s: float) -> bool:
        """Tell whether another request may go out now."""
        if self.is_left() or self.is_fenced or now_s < self.paused_until or self.is_slice_spent(now_s):
            return False
        return len(self.in_flight) < self.per_host

    def is_slice_spent(self, now_s: float) -> bool:
        """Tell whether the site has had its turn."""
        if self.slice_pages is not None and self.slice_pages <= 0:
            return True
        return self.slice_ends_s is not None and now_s >= self.slice_ends_s

    def is_over(self) -> bool:
        """Tell whether nothing is left to ask in this crawl and nothing is under way."""
        return not (self.in_flight or self.has_more())

    def has_more(self) -> bool:
        """Tell whether addresses wait that are not under way."""
        return not self.is_left() and bool(self.later or self._open_patterns())

    def is_left(self) -> bool:
        """Tell whether the site is not asked any more in this crawl, whatever waits."""
        return self.stopped or self.stalls >= MOST_STALLS

    def waits_until(self) -> float:
        """Return the monotonic time before which nothing can be asked of the site."""
        if any(self._open_patterns()):
            return self.paused_until
        return max(self.paused_until, min((at for at, _ in self.later), default=0.0))

    def oldest_s(self, now_s: float) -> float:
        """Return for how long its oldest request is under way."""
        return now_s - min(self.sent_s.values(), default=now_s)

    def is_holding_up(self, now_s: float) -> bool:
        """Tell whether the host has never answered in this crawl and keeps a request waiting for long."""
        return not self.has_answered and self.oldest_s(now_s) >= STALL_S

    def settled(self, row: Pending, now_s: float, fetch: Fetch | None = None, *, failed: bool) -> bool:
        """Take note of how long an answer took; tell whether the host held the request up.

        Args:
            row: The address that was asked.
            now_s: Monotonic time.
            fetch: Its keys of the pace, and its time without the wait for its turn.
            failed: Nothing usable arrived.
        """
        took_s = now_s - self.sent_s.pop(row.id, now_s)
        if fetch is not None:
            self.keys = fetch.pace_keys or self.keys
            took_s = min(took_s, max(0.0, (fetch.fetched_at - fetch.started_at).total_seconds()))
        self.is_slow = took_s > SLOW_S
        is_stall = failed and took_s >= STALL_S
        if is_stall:
            self.stalls += 1
            self.paused_until = max(self.paused_until, now_s + PAUSE_S)
        elif not failed:
            self.stalls = 0
            self.has_answered = True
        return is_stall

    def left_over(self) -> int:
        """Return how many addresses wait for the next crawl because the host did not answer in time."""
        held = sum(self.waiting[name] for name in self._open_patterns()) if self.stalls else 0
        return len(self.later) + held

    def weight(self) -> int:
        """Return how many entries of its sets are kept in memory."""
        return len(self.known) + len(self.blocks) + len(self.judged)

    def wake(self, now_s: float) -> None:
        """End the pause of a host that held us up: nobody else has work."""
        if self.stalls and not self.stopped:
            self.paused_until = min(self.paused_until, now_s)

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
                self.sent_s[row.id] = now_s
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
        self.let_go(row)
        self.later.append((until_s, row.pattern))

    def let_go(self, row: Pending) -> None:
        """Forget an address that was answered."""
        self.in_flight.pop(row.id, None)
        self.sent_s.pop(row.id, None)

    def new_blocks(self, tags: list[bytes]) -> list[int]:
        """Return the positions of blocks never seen on this site, and remember them all."""
        fresh = []
        room = max(LEAST_BLOCKS, BLOCKS_A_PAGE * self.page_limit)
        for position, tag in enumerate(tags):
            short = tag[:8]
            if short not in self.blocks:
                if len(self.blocks) < room:
                    self.blocks.add(short)
                fresh.append(position)
        return fresh

    def may_judge_more(self) -> bool:
        """Tell whether another link may be remembered: far more than could be asked helps nobody."""
        return len(self.judged) < max(LEAST_JUDGED, JUDGED_A_PAGE * self.page_limit)


@dataclass(slots=True)
class Budget:
    """What a lead may still cost."""

    pages_left: int
    scope_depth: int
    path_prefix: str | None = None
    ends_s: float | None = None
    """When the lead's time is over, monotonic."""
    reads_invalid_tls: bool = True

    def is_open(self, now_s: float) -> bool:
        """Tell whether the lead may cost another page now."""
        return self.pages_left > 0 and (self.ends_s is None or now_s < self.ends_s)

    def spend(self) -> None:
        """Count one page."""
        self.pages_left -= 1
