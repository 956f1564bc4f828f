"""Calls to crawl and rounds of checks: placed as jobs, and followed to their end."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from caselog.store import calls, sites
from crawler.crawl.lanes import FULL_PATIENCE_S, patience_s
from crawler.crawl.opening import CrawlOptions, prepare
from desk.worker.slices import checks_job, checks_prefix, slice_job, slice_prefix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from threading import Event

    from caselog.records.ids import EvidenceId, SiteId
    from caselog.store.calls import Progress
    from caselog.workspace import Workspace
    from crawler.checks.watched import Watched
    from desk.engine import Orders, Standing

NOTED_EVERY: Final = timedelta(seconds=5)
ABANDONED_AFTER: Final = timedelta(seconds=20)
"""A call that nobody has looked at for so long is waited for by nobody."""
LOOK_S, LONGEST_LOOK_S = 0.1, 0.5
"""How often a call is looked at, at first and later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """What was placed: the number of the call, or of the round, and how many sites it concerns."""

    number: int
    sites: int
    made_at: datetime


def place_call(
    workspace: Workspace, orders: Orders, options: CrawlOptions | None = None, *, is_scheduled: bool = False
) -> Placed:
    """Call for a crawl, and place the first slice of each site that has work.

    Args:
        workspace: The opened workspace.
        orders: Where jobs are placed.
        options: Which leads, and what they may cost; none for every confirmed lead.
        is_scheduled: Nobody waits for it; sites that another call is at work on are left out.

    Raises:
        RefusedError: A named lead is not confirmed, or a live workspace lacks its authority.
    """
    workspace.require_authority()
    chosen, now = options or CrawlOptions(), datetime.now(UTC)
    with workspace.log.write() as writer:
        found: set[SiteId] = set(prepare(writer, workspace, chosen))
        if is_scheduled:
            found -= calls.open_sites(writer)
        if not found and is_scheduled:
            return Placed(number=0, sites=0, made_at=now)
        call_id = calls.add_call(
            writer,
            lead_ids=chosen.lead_ids,
            site_ids=sorted(found),
            pages=chosen.pages,
            ends_at=None if chosen.seconds is None else now + timedelta(seconds=chosen.seconds),
            now=now,
            is_followed=not is_scheduled,
        )
        tags = sites.site_tags(writer)
        standings = calls.open_standings(writer, call_id)
    for standing in standings:
        orders.place(slice_job(tags[standing.site_id], standing))
    return Placed(number=call_id, sites=len(standings), made_at=now)


@dataclass(slots=True, kw_only=True)
class FollowedCall:
    """A call as the person who made it waits for it."""

    workspace: Workspace
    number: int
    made_at: datetime
    noted_at: datetime | None = None

    def is_done(self, orders: Orders) -> bool:
        """Tell whether nothing is left to do, or only what is not worth waiting for; that is dropped."""
        now = datetime.now(UTC)
        self._note(now)
        with self.workspace.log.read() as reader:
            found = calls.progress(reader, self.number, now)
        if not found.open_sites:
            return True
        if found.waiting_sites < found.open_sites:
            return False
        if is_patient(found, self.made_at, now):
            if found.good_at is None:
                self._hasten(orders)
            return False
        self.drop(orders)
        return True

    def drop(self, orders: Orders) -> None:
        """Let the rest of the call be: what waits stays in the frontier, for another call."""
        with self.workspace.log.write() as writer:
            calls.close_sites(writer, self.number)
        orders.drop([one.name for one in self._active(orders) if not one.is_running])

    def summary(self) -> dict[str, Any]:
        """Return the counts of the call, as the contract names them."""
        now = datetime.now(UTC)
        with self.workspace.log.read() as reader:
            found = calls.progress(reader, self.number, now)
        seconds = (now - self.made_at).total_seconds()
        return {**found.counts, "seconds": round(seconds, 3), "cpu_seconds": round(found.cpu_s, 3)}

    def pages(self) -> int:
        """Return how many pages the ended slices of the call have recorded."""
        with self.workspace.log.read() as reader:
            return calls.progress(reader, self.number, datetime.now(UTC)).counts["pages"]

    def _note(self, now: datetime) -> None:
        if self.noted_at is None or now - self.noted_at >= NOTED_EVERY or now < self.noted_at:
            with self.workspace.log.write() as writer:
                calls.note_follower(writer, self.number, now)
            self.noted_at = now

    def _hasten(self, orders: Orders) -> None:
        """Try hosts that kept us waiting again at once: no other has anything for us."""
        with self.workspace.log.write() as writer:
            calls.hasten(writer, self.number)
        orders.hasten([one.name for one in self._active(orders) if one.is_delayed])

    def _active(self, orders: Orders) -> list[Standing]:
        return orders.active(slice_prefix(self.number))


def drop_abandoned(workspace: Workspace, orders: Orders) -> None:
    """Close calls that nobody waits for; their addresses stay pending, for whoever calls next."""
    with workspace.log.write() as writer:
        numbers = calls.abandoned(writer, datetime.now(UTC) - ABANDONED_AFTER)
        for number in numbers:
            calls.close_sites(writer, number)
    for number in numbers:
        orders.drop([one.name for one in orders.active(slice_prefix(number))])


def is_patient(found: Progress, made_at: datetime, now: datetime) -> bool:
    """Tell whether a call whose sites all wait for later is still worth waiting for.

    Where other sites answered well, a few that do not must not hold the call open.
    """
    if found.good_at is None:
        return (now - made_at).total_seconds() < FULL_PATIENCE_S
    share_s = patience_s((found.good_at - made_at).total_seconds(), waits_for_retries=True)
    return (now - found.good_at).total_seconds() < share_s


def place_checks(orders: Orders, watched: Iterable[Watched], now: datetime) -> Placed:
    """Place a look at these evidence items, a job for each site; sites with such a job are left out."""
    by_site: dict[SiteId, list[EvidenceId]] = {}
    tags: dict[SiteId, str] = {}
    for item in watched:
        by_site.setdefault(item.evidence.site_id, []).append(item.evidence.id)
        tags[item.evidence.site_id] = item.site_tag
    busy = {one.name.partition("+")[0].rpartition(":")[2] for one in orders.active("checks:")}
    round_ms = math.floor(now.timestamp() * 1000)
    idle = {site: items for site, items in by_site.items() if str(site) not in busy}
    for site, items in idle.items():
        orders.place(checks_job(tags[site], round_ms, site, items))
    return Placed(number=round_ms, sites=len(idle), made_at=now)


def checks_summary(orders: Orders, number: int) -> dict[str, Any]:
    """Return what a round of checks saw, by signal and by state; `failed` are sites that stay due."""
    signals: Counter[str] = Counter()
    states: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for result in orders.results(checks_prefix(number)):
        signals.update(result.get("signals", {}))
        states.update(result.get("states", {}))
        counts.update({name: result.get(name, 0) for name in ("checks", "requests")})
        counts["failed"] += "failed" in result and not result.get("is_tried_again", False)
    return {
        "checks": counts["checks"],
        "requests": counts["requests"],
        "failed": counts["failed"],
        "signals": dict(sorted(signals.items())),
        "states": dict(sorted(states.items())),
    }


def is_round_done(orders: Orders, number: int) -> bool:
    """Tell whether no job of a round of checks is left."""
    return not orders.active(checks_prefix(number))


def follow(is_done: Callable[[], bool], stopping: Event, each: Callable[[], None] = lambda: None) -> bool:
    """Wait until something is done; False when the person told us to stop before."""
    look_s = LOOK_S
    while not is_done():
        each()
        if stopping.wait(look_s):
            return False
        look_s = min(look_s * 1.2, LONGEST_LOOK_S)
    return True
