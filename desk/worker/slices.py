"""Jobs of one site: a slice of a call to crawl, and a round of checks; each places what is to follow."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from caselog.errors import OutageError
from caselog.records.ids import EvidenceId, SiteId
from caselog.records.leads import Lead
from caselog.store import calls, checks, leads, sites
from crawler.child.wire import CheckOrder, ChecksDone, Failure
from crawler.crawl.slices import Ending, Slice, SliceEnd
from desk.engine import Job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from threading import Event

    from caselog.store.calls import Call, Standing
    from caselog.store.log import Reader, Writer
    from caselog.workspace import Workspace
    from crawler.child.wire import Report

logger = logging.getLogger(__name__)

SLICE, CHECKS = "slice", "checks"
SLICE_PAGES: Final = 500
SLICE_S: Final = 60.0
"""What a site may cost before others have their turn."""
CHECKS_FIRST, SLICES_LATER = 1, 10
AGAIN_S: Final = 5.0
"""When a job is tried again that could not be carried out."""
AFTER_STOP_S: Final = 3.0
"""A worker that is stopping must not take what it leaves to the next one."""
MOST_LOSSES: Final = 3
"""Crawler processes that die over a slice before it waits a while."""
MOST_ATTEMPTS: Final = 40
"""After so many tries a site that ends every crawler process is left for another call."""
COUNTED: Final = 1000
"""Tries are counted below this; what is above makes the name of a job that is placed anew a new one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteJobs:
    """What the jobs of sites need.

    Args:
        workspace: The opened workspace.
        ask: Has an order carried out by the crawler process.
        place: Places a job.
        stopping: Set when the worker is told to stop.
    """

    workspace: Workspace
    ask: Callable[[Slice | CheckOrder], Report]
    place: Callable[[Job], None]
    stopping: Event

    # ---- slices

    def slice(self, call_id: int, site: int, number: int, attempt: int = 0) -> dict[str, Any]:
        """Carry one slice of a call out, and place the next one where it is worth it."""
        site_id = SiteId(site)
        begin = partial(self._begin, call_id, site_id, number)
        order, standing, granted = wait_out(begin, self.stopping)
        if standing is None:
            return {}
        if order is None:  # this slice had ended before its job was done
            self.place(slice_job(self._tag(site_id), standing))
            return {}
        report = self.ask(order)
        if isinstance(report, SliceEnd) and report.ending is not Ending.FENCED:
            return self._end(standing, report)
        wait_out(lambda: self._give_up(standing, granted, report, attempt), self.stopping)
        return {"failed": report.kind if isinstance(report, Failure) else Ending.FENCED.value}

    def _begin(self, call_id: int, site_id: SiteId, number: int) -> tuple[Slice | None, Standing | None, int]:
        """Return the order, how far the site has come, and the pages granted; no order when it was done."""
        now = datetime.now(UTC)
        with self.workspace.log.write() as writer:
            standing = calls.standing(writer, call_id, site_id)
            if standing is None or not standing.is_open:
                return None, None, 0
            if standing.slices != number:
                return None, standing, 0
            call = calls.call(writer, call_id)
            order = _order(writer, call, standing, now)
            if order is None:
                _close(writer, standing)
                return None, None, 0
        return order, standing, order.pages

    def _end(self, standing: Standing, end: SliceEnd) -> dict[str, Any]:
        following = wait_out(lambda: self._count(standing, end), self.stopping)
        if end.goes_on and following is not None and following.is_open:
            least_s = AFTER_STOP_S if self.stopping.is_set() else 0.0
            self.place(slice_job(self._tag(standing.site_id), following, delay_s=max(end.wait_s, least_s)))
        return {"ending": end.ending.value, "pages": end.counts.get("pages", 0)}

    def _count(self, standing: Standing, end: SliceEnd) -> Standing | None:
        """Count the slice as ended, and return how far the site has come now."""
        now = datetime.now(UTC)
        with self.workspace.log.write() as writer:
            is_new = calls.end_slice(
                writer,
                standing,
                counts=end.counts,
                cpu_s=end.cpu_s,
                good_at=now if end.has_good else None,
                is_open=end.goes_on,
                due_at=now + timedelta(seconds=end.wait_s) if end.wait_s > 0 else None,
            )
            if is_new:
                calls.give_back(writer, standing.call_id, end.unspent)
            return calls.standing(writer, standing.call_id, standing.site_id)

    def _give_up(self, standing: Standing, granted: int, report: Report, attempt: int) -> None:
        """Try again what failed for a reason that passes; leave the site for another call otherwise.

        It is another job that tries again, after whatever runs on the site: this worker may have been frozen,
        and another may be at work on the slice. A slice that was fenced is the other one's to count.
        """
        unspent = report.unspent if isinstance(report, SliceEnd) else granted
        kind = report.kind if isinstance(report, Failure) else ""
        tries = attempt % COUNTED
        passes = (
            isinstance(report, SliceEnd)
            or kind in {"source", "held"}
            or (kind == "lost" and tries < MOST_ATTEMPTS)
        )
        with self.workspace.log.write() as writer:
            # How many a lost process had asked is not known; a limit is a limit.
            calls.give_back(writer, standing.call_id, 0 if kind == "lost" else unspent)
            if not (passes or self.stopping.is_set()):
                _close(writer, standing)
                logger.warning("A slice failed; its site waits for another call")
                return
        if kind == "lost" and not self.stopping.is_set():
            logger.warning("The crawler process died; its slices begin again")
        delay_s = 0.0 if kind == "lost" and tries < MOST_LOSSES and not self.stopping.is_set() else AGAIN_S
        self.place(slice_job(self._tag(standing.site_id), standing, attempt=attempt + 1, delay_s=delay_s))

    def abandon(self, call_id: int, site: int, number: int, attempt: int = 0) -> None:
        """Leave a site whose slice failed in a way that another try does not mend for another call."""
        del attempt
        with self.workspace.log.write() as writer:
            standing = calls.standing(writer, call_id, SiteId(site))
            if standing is not None and standing.slices == number:
                _close(writer, standing)

    # ---- checks

    def checks(self, round_ms: int, site: int, evidence: Iterable[int], attempt: int = 0) -> dict[str, Any]:
        """Look at evidence of one site again; what a round has looked at is not looked at twice.

        Args:
            round_ms: When the round began, in milliseconds since 1970.
            site: The site.
            evidence: The items.
            attempt: How often this was tried before.
        """
        wanted, began = (
            [EvidenceId(number) for number in evidence],
            datetime.fromtimestamp(round_ms / 1000, UTC),
        )
        with self.workspace.log.read() as reader:
            latest = checks.latest_checks(reader)
            left = [one for one in wanted if one not in latest or latest[one].checked_at < began]
        if not left:
            return {}
        report = self.ask(CheckOrder(site_id=SiteId(site), evidence_ids=tuple(left)))
        if isinstance(report, ChecksDone):
            return {
                "checks": report.checks,
                "requests": report.requests,
                "signals": dict(report.signals),
                "states": dict(report.states),
            }
        kind = getattr(report, "kind", "unknown")
        is_tried_again = kind in {"held", "source"} or (kind == "lost" and attempt < MOST_ATTEMPTS)
        if is_tried_again:
            tag = self._tag(SiteId(site))
            self.place(checks_job(tag, round_ms, SiteId(site), wanted, attempt=attempt + 1, delay_s=AGAIN_S))
        return {"failed": kind, "is_tried_again": is_tried_again}

    def _tag(self, site_id: SiteId) -> str:
        with self.workspace.log.read() as reader:
            return sites.site_tag(reader, site_id)


def slice_job(tag: str, standing: Standing, *, attempt: int = 0, delay_s: float = 0.0) -> Job:
    """Return the job of a site's next slice."""
    numbers = (standing.call_id, standing.site_id, standing.slices)
    name = f"{slice_prefix(standing.call_id)}{standing.site_id}:{standing.slices}"
    return Job(
        name=f"{name}+{attempt}" if attempt else name,
        kind=SLICE,
        numbers=(*numbers, attempt),
        site_tag=tag,
        priority=SLICES_LATER,
        delay_s=delay_s,
    )


def slice_prefix(call_id: int) -> str:
    """Return how the names of a call's jobs begin."""
    return f"{SLICE}:{call_id}:"


def checks_job(
    tag: str,
    round_ms: int,
    site_id: SiteId,
    evidence: Iterable[EvidenceId],
    *,
    attempt: int = 0,
    delay_s: float = 0.0,
) -> Job:
    """Return the job that looks at evidence of a site; it goes before the site's slices."""
    name = f"{checks_prefix(round_ms)}{site_id}"
    return Job(
        name=f"{name}+{attempt}" if attempt else name,
        kind=CHECKS,
        numbers=(round_ms, site_id, tuple(evidence), attempt),
        site_tag=tag,
        priority=CHECKS_FIRST,
        delay_s=delay_s,
    )


def checks_prefix(round_ms: int) -> str:
    """Return how the names of a round's jobs begin."""
    return f"{CHECKS}:{round_ms}:"


def _order(writer: Writer, call: Call, standing: Standing, now: datetime) -> Slice | None:
    """Return what a slice may cost, or None when nothing is left of the call for it."""
    left_s = (call.ends_at - now).total_seconds() if call.ends_at else SLICE_S
    lead_ids = _followed(writer, call, standing.site_id)
    if left_s <= 0 or not lead_ids:
        return None
    wanted = SLICE_PAGES
    if call.pages_left is not None:  # each site of the call has its share
        wanted = min(wanted, math.ceil(call.pages_left / len(calls.open_standings(writer, call.id))))
    pages = calls.grant(writer, call.id, wanted)
    if not pages:
        return None
    return Slice(
        site_id=standing.site_id,
        lead_ids=tuple(lead_ids),
        pages=pages,
        seconds=min(SLICE_S, left_s),
        is_first=standing.slices == 0,
        has_page_limit=call.pages_left is not None,
        elapsed_s=max(0.0, (now - call.made_at).total_seconds()),
    )


def _followed(reader: Reader, call: Call, site_id: SiteId) -> list[Any]:
    found = (lead.id for lead in reader.find(Lead, site_id=site_id))
    return [
        number
        for number in found
        if (not call.lead_ids or number in call.lead_ids)
        and leads.lead_state(reader, number) == leads.LeadState.CONFIRMED
    ]


def _close(writer: Writer, standing: Standing) -> None:
    calls.end_slice(writer, standing, counts={}, cpu_s=0.0, good_at=None, is_open=False, due_at=None)


def place_lost(
    workspace: Workspace, place: Callable[[Job], None], names: Iterable[str], now: datetime
) -> int:
    """Place the next slice of each open site that has no job, and return how many that were.

    A process may have died between the end of a slice and the placing of the next one.

    Args:
        workspace: The opened workspace.
        place: Places a job.
        names: The jobs that are not done.
        now: Makes the names new: a job of the plain name may be done already.
    """
    known = {name.partition("+")[0].rpartition(":")[0] for name in names}
    count = 0
    with workspace.log.read() as reader:
        for standing in calls.open_standings(reader):
            if f"{slice_prefix(standing.call_id)}{standing.site_id}" not in known:
                tag = sites.site_tag(reader, standing.site_id)
                place(slice_job(tag, standing, attempt=int(now.timestamp()) * COUNTED))
                count += 1
    return count


T = TypeVar("T")


def wait_out(work: Callable[[], T], stopping: Event) -> T:
    """Do the work, again and again while the database is away.

    Raises:
        OutageError: It is still away when the worker is told to stop.
    """
    while True:
        try:
            return work()
        except OutageError:
            if stopping.wait(AGAIN_S):
                raise
