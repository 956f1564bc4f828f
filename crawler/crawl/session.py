"""A running crawl: its leads, sites and budgets, and which address goes out next."""

from __future__ import annotations

import os
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from caselog.errors import RefusedError
from caselog.records.choices import InvalidTls
from caselog.records.leads import Lead
from caselog.records.pages import Page
from caselog.store import exclusions, fingerprints, frontier, leads, patterns, sites
from caselog.vault import Vault
from crawler.crawl.lanes import FULL_PATIENCE_S, lanes, patience_s
from crawler.crawl.patterns import PatternBook
from crawler.crawl.site_state import Budget, SiteState
from crawler.quiet_hours import quiet_now
from crawler.reading.address import pattern as pattern_of
from crawler.scope import is_excluded

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from caselog.records.ids import LeadId, SiteId
    from caselog.store.frontier import Pending
    from caselog.store.log import Reader, Writer
    from caselog.store.seals import Seals
    from caselog.workspace import Workspace
    from crawler.crawl.lanes import Lanes

IN_HAND = 40
"""How many addresses of one pattern are read from the case log at a time."""
WATCH_S = 2.0
"""How often a running crawl looks for hosts that were excluded or stopped."""


AHEAD_S = 0.02
"""How early an address is handed to the transport, which waits for the exact moment."""
SHORTEST_WAIT_S, LONGEST_WAIT_S = 0.01, 0.5


def _at_once(_keys: Collection[str]) -> float:
    """Return a time that has passed: nobody keeps a pace."""
    return 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CrawlOptions:
    """What one call of the crawl may do."""

    lead_ids: tuple[LeadId, ...] = ()
    """Only these leads; empty is every confirmed lead."""
    pages: int | None = None
    seconds: float | None = None


@dataclass(slots=True, kw_only=True)
class CrawlSession:
    """What spider, scheduler and recorder of one crawl share."""

    workspace: Workspace
    vault: Vault
    options: CrawlOptions
    sites: dict[SiteId, SiteState]
    budgets: dict[LeadId, Budget]
    lead_urls: dict[LeadId, str]
    excluded: frozenset[str]
    counts: Counter[str] = field(default_factory=Counter)
    clock: Callable[[], float] = time.monotonic
    started_s: float = field(default_factory=time.monotonic)
    started_cpu_s: float = field(default_factory=time.process_time)
    is_quiet: bool = False
    """The workspace's quiet hours have come."""
    watched_s: float = field(default_factory=time.monotonic)
    last_good_s: float | None = None
    """When the last usable answer was recorded, monotonic."""
    sent: int = 0
    turn: int = 0
    free_at: Callable[[Collection[str]], float] = _at_once
    """When one more request to these hosts and addresses may start, monotonic; the transport's pace knows."""

    def next_pending(self) -> Pending | None:
        """Return the address to ask next, fair between sites, or None when none may go out now."""
        if self.is_spent():
            return None
        now_s = self.clock()
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
        return min(max(min(due, default=0.0) - now_s, SHORTEST_WAIT_S), LONGEST_WAIT_S)

    def _next_of(self, site: SiteState, now_s: float) -> Pending | None:
        """Return the next address of one site whose lead may still cost something."""
        while (row := site.next_pending(now_s, lambda name: self._refill(site, name))) is not None:
            if self.budgets[row.lead_id].is_open(now_s):
                return row
            site.let_go(row)  # read ahead before the budget was spent; it stays pending
        return None

    def _refill(self, site: SiteState, pattern: str) -> list[Pending]:
        now_s = self.clock()
        open_leads = [lead_id for lead_id, budget in self.budgets.items() if budget.is_open(now_s)]
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
        """Tell whether this call's pages or seconds are used up, or quiet hours have begun."""
        if self.is_quiet:
            return True
        if self.options.pages is not None and self.sent >= self.options.pages:
            return True
        seconds = self.options.seconds
        return seconds is not None and self.clock() - self.started_s >= seconds

    def is_over(self) -> bool:
        """Tell whether nothing is left to ask, or only what is not worth waiting for in this crawl."""
        if any(site.in_flight for site in self.sites.values()):
            return False
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
        return self.last_good_s + patience_s(
            self.last_good_s - self.started_s, waits_for_retries=waits_for_retries
        )

    def watch(self) -> None:
        """Obey hosts that were excluded or stopped since the last look."""
        if self.clock() - self.watched_s < WATCH_S:
            return
        self.watched_s = self.clock()
        self.is_quiet = quiet_now(self.workspace.config.crawl.quiet_hours) is not None
        with self.workspace.log.read() as reader:
            self.excluded = exclusions.closed_hosts(reader)
        for site in self.sites.values():
            site.stopped = site.stopped or is_excluded(site.host, self.excluded)

    def summary(self) -> dict[str, float]:
        """Return the counts of this call, as the contract names them."""
        return {
            "pages": self.counts["pages"],
            "evidence": self.counts["evidence"],
            "proposals": self.counts["proposals"],
            "requests": self.counts["requests"],
            "refused_media": self.counts["refused_media"],
            "bytes": self.counts["bytes"],
            "onions_put_off": self.counts["onions_put_off"],
            "put_off": sum(site.left_over() for site in self.sites.values()),
            "seconds": round(self.clock() - self.started_s, 3),
            "cpu_seconds": round(time.process_time() - self.started_cpu_s, 3),
        }


def open_session(workspace: Workspace, options: CrawlOptions) -> CrawlSession:
    """Choose the leads, put their addresses into the frontier and take their sites.

    Raises:
        RefusedError: A named lead is not confirmed, or a live workspace lacks its authority.
    """
    workspace.require_authority()
    with workspace.log.write() as writer:
        chosen = _chosen_leads(writer, options.lead_ids)
        excluded = exclusions.closed_hosts(writer)
        open_leads = [lead for lead in chosen if not is_excluded(lead.host, excluded)]
        budgets = {lead.id: _prepare(writer, workspace, lead, options) for lead in open_leads}
        found = {lead.site_id: lead.host for lead in open_leads}
        states = {
            site_id: _take(writer, workspace, site_id, host=host, budgets=budgets)
            for site_id, host in found.items()
        }
    return CrawlSession(
        workspace=workspace,
        vault=Vault(workspace.keys),
        options=options,
        sites=states,
        budgets=budgets,
        lead_urls={lead.id: lead.url for lead in open_leads},
        excluded=excluded,
        is_quiet=quiet_now(workspace.config.crawl.quiet_hours) is not None,
    )


def _chosen_leads(reader: Reader, wanted: Collection[LeadId]) -> list[Lead]:
    states = leads.lead_states(reader)
    for number in wanted:
        reader.get(Lead, number)
        if states.get(number) != leads.LeadState.CONFIRMED:
            raise RefusedError(
                f"Lead {number} is not confirmed.",
                f"Confirm it first: leadline leads confirm {number}.",
                code="unconfirmed",
            )
    return [
        lead
        for lead in reader.find(Lead)
        if states.get(lead.id) == leads.LeadState.CONFIRMED and (not wanted or lead.id in wanted)
    ]


def _prepare(writer: Writer, workspace: Workspace, lead: Lead, options: CrawlOptions) -> Budget:
    crawl = workspace.config.crawl
    tag = frontier.url_tag(writer, lead.url)
    found = frontier.Found(
        url=lead.url, tag=tag, pattern=hashed(writer.vault, lead.url), depth=0, priority=10.0
    )
    frontier.seed(writer, site_id=lead.site_id, lead_id=lead.id, found=found)
    asked = frontier.asked(writer, lead.id)
    limit = lead.pages or crawl.pages_per_lead
    is_done = asked >= limit or not _has_promising(writer, lead)
    if asked and is_done and _is_due(writer, lead, revisit_days=crawl.revisit_days):
        frontier.open_round(writer, lead.id)
        asked = 0
    left = options.pages if options.pages is not None else max(0, limit - asked)
    return Budget(
        pages_left=left,
        scope_depth=crawl.depth if lead.depth is None else lead.depth,
        path_prefix=lead.path_prefix,
        ends_s=None if lead.seconds is None else time.monotonic() + lead.seconds,
        reads_invalid_tls=lead.invalid_tls is InvalidTls.READ,
    )


def _has_promising(reader: Reader, lead: Lead) -> bool:
    """Tell whether any waiting address of the lead would still be asked; given-up traps wait for ever."""
    book = PatternBook()
    patterns.load(reader, lead.site_id, book.restore)
    waiting = frontier.pending_patterns(reader, lead.site_id, [lead.id])
    return any(not book.of(name).is_given_up() for name in waiting)


def _is_due(reader: Reader, lead: Lead, *, revisit_days: int) -> bool:
    """Tell whether a finished lead was visited long enough ago to be visited again."""
    last = reader.latest(Page, lead_id=lead.id)
    return last is not None and datetime.now(UTC) - last.fetched_at >= timedelta(days=revisit_days)


def _take(
    writer: Writer, workspace: Workspace, site_id: SiteId, *, host: str, budgets: Mapping[LeadId, Budget]
) -> SiteState:
    now, now_s, mine = datetime.now(UTC), time.monotonic(), list(budgets)
    put_off = frontier.put_off_until(writer, site_id, mine, now)
    state = SiteState(
        site_id=site_id,
        tag=sites.site_tag(writer, site_id),
        host=host,
        epoch=frontier.take_site(writer, site_id, f"{os.uname().nodename[:40]}:{os.getpid()}"),
        per_host=workspace.config.crawl.per_host,
        page_limit=max((budget.pages_left for budget in budgets.values()), default=0),
        waiting=frontier.pending_patterns(writer, site_id, mine, now),
        later=[(now_s + (due_at - now).total_seconds(), name) for due_at, name in put_off],
        known=frontier.known_tags(writer, site_id),
        frame=fingerprints.frame_of(writer, site_id),
    )
    patterns.load(writer, site_id, state.book.restore)
    return state


def hashed(vault: Vault | Seals, url: str) -> str:
    """Return the keyed name of an address's pattern; the shape itself may say too much."""
    return vault.tag("pattern", pattern_of(url)).hex()[:16]
