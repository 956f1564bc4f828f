"""A running crawl: its leads, sites and budgets, and which address goes out next."""

from __future__ import annotations

import math
import time
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from caselog.store import calls, exclusions, frontier
from caselog.vault import Vault
from crawler.crawl.lanes import FULL_PATIENCE_S, lanes, patience_s
from crawler.crawl.opening import CrawlOptions, begin, begin_all
from crawler.crawl.slices import Ending, SliceEnd, ending_of
from crawler.quiet_hours import quiet_now
from crawler.scope import is_excluded

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from caselog.records.ids import LeadId, SiteId
    from caselog.store.frontier import Pending
    from caselog.workspace import Workspace
    from crawler.crawl.lanes import Lanes
    from crawler.crawl.site_state import Budget, SiteState
    from crawler.crawl.slices import Slice

IN_HAND = 40
"""How many addresses of one pattern are read from the case log at a time."""
WATCH_S = 2.0
"""How often a running crawl looks for hosts that were excluded or stopped."""
AHEAD_S = 0.02
"""How early an address is handed to the transport, which waits for the exact moment."""
SHORTEST_WAIT_S, LONGEST_WAIT_S = 0.01, 0.5
OUTAGE_PAUSE_S = 1.0
REMEMBERED = 300_000
"""Entries that are kept in memory of sites between two slices; some 30 MB."""


def _at_once(_keys: Collection[str]) -> float:
    """Return a time that has passed: nobody keeps a pace."""
    return 0.0


@dataclass(slots=True, kw_only=True)
class CrawlSession:
    """What spider, scheduler and recorder of one crawl share."""

    workspace: Workspace
    vault: Vault
    sites: dict[SiteId, SiteState] = field(default_factory=dict)
    budgets: dict[LeadId, Budget] = field(default_factory=dict)
    excluded: frozenset[str] = frozenset()
    options: CrawlOptions = field(default_factory=CrawlOptions)
    takes_slices: bool = False
    """Sites come and go in slices, and the crawl goes on until it is told to stop."""
    is_stopping: bool = False
    clock: Callable[[], float] = time.monotonic
    started_s: float = field(default_factory=time.monotonic)
    started_cpu_s: float = field(default_factory=time.process_time)
    billed_cpu_s: float = field(default_factory=time.process_time)
    """Processor time up to which slices have been told what they cost."""
    is_quiet: bool = False
    """The workspace's quiet hours have come."""
    outage_until_s: float = 0.0
    """The database was away a moment ago: nothing is asked before, as nothing could be recorded."""
    remembered: OrderedDict[SiteId, SiteState] = field(default_factory=OrderedDict)
    """Sites between two slices."""
    watched_s: float = field(default_factory=time.monotonic)
    last_good_s: float | None = None
    """When the last usable answer was recorded, monotonic."""
    sent: int = 0
    turn: int = 0
    free_at: Callable[[Collection[str]], float] = _at_once
    """When one more request to these hosts and addresses may start, monotonic; the transport's pace knows."""

    def next_pending(self) -> Pending | None:
        """Return the address to ask next, fair between sites, or None when none may go out now."""
        now_s = self.clock()
        if self.is_spent() or now_s < self.outage_until_s:
            return None
        order = list(self.sites.values())
        lane = self._lanes(now_s)
        for step in range(len(order)):
            site = order[(self.turn + step) % len(order)]
            if self._is_dropped(site, now_s):
                continue
            if not site.may_send(now_s) or not (site.in_flight or lane.has_room(is_slow=site.is_slow)):
                continue
            if site.keys and self.free_at(site.keys) > now_s + AHEAD_S:
                continue
            row = self._next_of(site, now_s)
            if row is not None:
                self.turn = (self.turn + step + 1) % len(order)
                self.sent += 1
                self.budgets[row.lead_id].spend()
                if site.slice_pages is not None:
                    site.slice_pages -= 1
                return row
        return None

    def _lanes(self, now_s: float) -> Lanes:
        busy = ((site.oldest_s(now_s), site.is_slow) for site in self.sites.values() if site.in_flight)
        return lanes(busy, hosts_at_once=self.workspace.config.crawl.hosts_at_once)

    def wait_s(self) -> float:
        """Return for how long the frontier need not be looked at, if nothing is answered meanwhile."""
        now_s = self.clock()
        due = [
            max(site.waits_until(), self.free_at(site.keys) if site.keys else 0.0)
            for site in self.sites.values()
            if not site.is_over() and len(site.in_flight) < site.per_host
        ]
        soonest_s = min(due, default=math.inf if self.takes_slices else 0.0)
        return min(max(soonest_s - now_s, SHORTEST_WAIT_S), LONGEST_WAIT_S)

    def _next_of(self, site: SiteState, now_s: float) -> Pending | None:
        """Return the next address of one site whose lead may still cost something."""
        while (row := site.next_pending(now_s, lambda name: self._refill(site, name))) is not None:
            if self.budgets[row.lead_id].is_open(now_s):
                return row
            site.let_go(row)  # read ahead before the budget was spent; it stays pending
        return None

    def _refill(self, site: SiteState, pattern: str) -> list[Pending]:
        now_s = self.clock()
        open_leads = [lead_id for lead_id in site.lead_ids if self.budgets[lead_id].is_open(now_s)]
        if not open_leads:
            return []
        with self.workspace.log.read() as reader:
            return frontier.pending(
                reader,
                site_id=site.site_id,
                pattern=pattern,
                lead_ids=open_leads,
                without=site.in_flight,
                limit=IN_HAND,
                now=datetime.now(UTC),
            )

    def in_flight(self) -> int:
        """Return how many addresses are under way over all sites."""
        return sum(len(site.in_flight) for site in self.sites.values())

    def is_spent(self) -> bool:
        """Tell whether this call's pages or seconds are used up, quiet hours have begun, or it must stop."""
        if self.is_quiet or self.is_stopping:
            return True
        if self.options.pages is not None and self.sent >= self.options.pages:
            return True
        seconds = self.options.seconds
        return seconds is not None and self.clock() - self.started_s >= seconds

    def is_over(self) -> bool:
        """Tell whether nothing is left to ask, or only what is not worth waiting for in this crawl."""
        if any(site.in_flight for site in self.sites.values()):
            return False
        if self.takes_slices:
            return self.is_stopping and not self.sites
        return self.is_spent() or self._only_waits(self.clock())

    def _only_waits(self, now_s: float) -> bool:
        """Tell whether all that is left was put off for longer than a crawl waits."""
        sites = self.sites.values()
        left = [site for site in sites if not site.is_over() and not self._is_dropped(site, now_s)]
        if any(site.waits_until() <= now_s for site in left):
            return False
        if self.last_good_s is None:
            for site in left:
                site.wake(now_s)
        return all(site.waits_until() > self._patient_until() for site in left)

    def _is_dropped(self, site: SiteState, now_s: float) -> bool:
        """Tell whether a host that held a request up is asked no more: nothing good came for long."""
        return site.stalls > 0 and self.last_good_s is not None and now_s >= self._patient_until()

    def is_held_up(self) -> bool:
        """Tell whether all requests under way hang on hosts that never answered, and no other can be made.

        A few such hosts must not hold the crawl open for all others; their addresses stay pending.
        """
        now_s = self.clock()
        if self.last_good_s is None or now_s < self._patient_until(waits_for_retries=False):
            return False
        sites = self.sites.values()
        if any(site.in_flight and not site.is_holding_up(now_s) for site in sites):
            return False
        waiting = (site for site in sites if site.has_more() and not self._is_dropped(site, now_s))
        return not any(site.may_send(now_s) for site in waiting)

    def _patient_until(self, *, waits_for_retries: bool = True) -> float:
        """Return until when the crawl waits if nothing good arrives any more, monotonic."""
        if self.last_good_s is None:
            return self.started_s + FULL_PATIENCE_S
        longest_s = FULL_PATIENCE_S if self.takes_slices else math.inf
        patient_s = patience_s(self.last_good_s - self.started_s, waits_for_retries=waits_for_retries)
        return self.last_good_s + min(patient_s, longest_s)

    def watch(self) -> None:
        """Obey hosts that were excluded or stopped since the last look."""
        if self.clock() - self.watched_s < WATCH_S:
            return
        self.watched_s = self.clock()
        self.is_quiet = quiet_now(self.workspace.config.crawl.quiet_hours) is not None
        with self.workspace.log.read() as reader:
            self.exclude(exclusions.closed_hosts(reader))

    def exclude(self, hosts: frozenset[str]) -> None:
        """Ask these hosts no more."""
        self.excluded = hosts
        for site in self.sites.values():
            site.stopped = site.stopped or is_excluded(site.host, hosts)

    def note_outage(self) -> None:
        """Ask nothing for a moment: the database is away."""
        self.outage_until_s = self.clock() + OUTAGE_PAUSE_S

    # ---- slices

    def admit(self, order: Slice) -> bool:
        """Take a site for a slice; False when none of its leads may be followed any more.

        Raises:
            OutageError: The database is away; nothing was taken.
            RefusedError: A lead of the order is not confirmed any more, or the workspace lacks its authority.
        """
        remembered = self.remembered.pop(order.site_id, None)
        begun = begin(self.workspace, order, None if order.is_first else remembered)
        if not begun.sites:
            return False
        if not self.sites:  # patience counts from the moment at which there was something to do
            self.started_s, self.last_good_s = self.clock(), None
        self.is_quiet = quiet_now(self.workspace.config.crawl.quiet_hours) is not None
        self.budgets.update(begun.budgets)
        self.sites.update(begun.sites)
        self.exclude(begun.excluded)
        return True

    def ended(self) -> list[tuple[SiteState, SliceEnd]]:
        """Return the sites whose slice is over, each with what the slice brought; they are let go."""
        now_s = self.clock()
        over = [(site, ending) for site in self.sites.values() if (ending := self._ending_of(site, now_s))]
        return [(site, self._let_go(site, ending, now_s)) for site, ending in over]

    def is_ended(self, site: SiteState) -> bool:
        """Tell whether the slice of a site is over."""
        return self._ending_of(site, self.clock()) is not None

    def _ending_of(self, site: SiteState, now_s: float) -> Ending | None:
        return ending_of(site, now_s, is_quiet=self.is_quiet, is_stopping=self.is_stopping)

    def _let_go(self, site: SiteState, ending: Ending, now_s: float) -> SliceEnd:
        del self.sites[site.site_id]
        for lead_id in site.lead_ids:
            self.budgets.pop(lead_id, None)
        self.remembered[site.site_id] = site
        while sum(one.weight() for one in self.remembered.values()) > REMEMBERED:
            self.remembered.popitem(last=False)
        spent_cpu_s, self.billed_cpu_s = time.process_time() - self.billed_cpu_s, time.process_time()
        put_off = 0 if ending in {Ending.SPENT, Ending.STOPPED} else site.left_over()
        return SliceEnd(
            ending=ending,
            counts={**site.counts, "put_off": put_off},
            unspent=max(0, site.slice_pages or 0),
            has_more=site.has_more(),
            wait_s=max(0.0, site.waits_until() - now_s),
            has_good=site.good_s is not None,
            cpu_s=spent_cpu_s,
        )

    def summary(self) -> dict[str, float]:
        """Return the counts of this call, as the contract names them."""
        counts = sum((site.counts for site in self.sites.values()), Counter[str]())
        return {
            **{name: counts[name] for name in calls.COUNTS},
            "put_off": sum(site.left_over() for site in self.sites.values()),
            "seconds": round(self.clock() - self.started_s, 3),
            "cpu_seconds": round(time.process_time() - self.started_cpu_s, 3),
        }


def open_session(workspace: Workspace, options: CrawlOptions) -> CrawlSession:
    """Choose the leads, put their addresses into the frontier and take their sites.

    Raises:
        RefusedError: A named lead is not confirmed, or a live workspace lacks its authority.
    """
    begun = begin_all(workspace, options)
    return CrawlSession(
        workspace=workspace,
        vault=Vault(workspace.keys),
        options=options,
        sites=begun.sites,
        budgets=begun.budgets,
        excluded=begun.excluded,
        is_quiet=quiet_now(workspace.config.crawl.quiet_hours) is not None,
    )


def slice_session(workspace: Workspace) -> CrawlSession:
    """Return a session without sites, which takes them in slices."""
    return CrawlSession(workspace=workspace, vault=Vault(workspace.keys), takes_slices=True)
