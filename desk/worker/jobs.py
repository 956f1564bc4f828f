"""The jobs that are no site's own: what is due is placed, hosts are looked up, the ledger is sealed.

All may be carried out again without harm; what is not built yet only counts what would be done.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from caselog.records.leads import Lead
from caselog.records.notices import Delivery, Release
from caselog.store import calls, holds
from caselog.store.leads import LeadState, lead_states
from crawler.checks.watched import due_evidence
from desk.call import seal
from desk.engine import Schedule, known_schedules
from desk.hosts import enrich_hosts
from desk.worker.orders import place_call, place_checks
from desk.worker.slices import place_lost

if TYPE_CHECKING:
    from collections.abc import Callable

    from caselog.workspace import Workspace
    from desk.access import Acting
    from desk.engine import Handler, Orders

logger = logging.getLogger(__name__)

SCHEDULES: Final = (
    Schedule(kind="crawl-due", cron="*/5 * * * *"),
    Schedule(kind="checks-due", cron="*/5 * * * *"),
    Schedule(kind="enrich", cron="20 * * * *"),
    Schedule(kind="seal", cron="*/10 * * * *"),
    Schedule(kind="send", cron="*/5 * * * *"),
    Schedule(kind="mailbox", cron="*/5 * * * *"),
    Schedule(kind="retention", cron="30 2 * * *"),
    Schedule(kind="prune", cron="50 * * * *"),
)
DOES: Final = {
    "crawl-due": "crawls confirmed leads that have work, or are due for another visit",
    "checks-due": "looks again at evidence that is due",
    "enrich": "looks up hosts of evidence",
    "seal": "numbers new records in the ledger and stores its head",
    "send": "counts released notices that wait; sending by mail is not part of this release",
    "mailbox": "nothing yet: replies by mail are not part of this release",
    "retention": "counts leads older than [retention] keeps them; purging stays a person's act",
    "prune": "forgets finished jobs after a day, and calls to crawl after a month",
}
"""What each kind of job does, for a person."""
KEPT: Final = timedelta(days=30)
"""How long calls to crawl are remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskJobs:
    """What these jobs need: the workspace, in whose name they run, and where jobs are placed."""

    workspace: Workspace
    acting: Acting
    orders: Orders
    keeps_schedules: bool = True
    """Without it, what comes due by the clock is passed over: a worker comes and does it."""

    def handlers(self) -> dict[str, Handler]:
        """Return what carries each kind of job out."""
        found = {
            "crawl-due": self.crawl_due,
            "checks-due": self.checks_due,
            "enrich": self.enrich,
            "seal": self.seal,
            "send": self.send,
            "mailbox": self.mailbox,
            "retention": self.retention,
            "prune": self.prune,
        }
        return {kind: self._scheduled(work) for kind, work in found.items()}

    def crawl_due(self) -> dict[str, Any]:
        """Call for a crawl of each site that has work and that no call is at work on."""
        placed = place_call(self.workspace, self.orders, is_scheduled=True)
        return {"sites": placed.sites}

    def checks_due(self) -> dict[str, Any]:
        """Place a look at each evidence item that is due and not placed yet."""
        now = datetime.now(UTC)
        placed = place_checks(self.orders, due_evidence(self.workspace, now), now)
        return {"sites": placed.sites}

    def enrich(self) -> dict[str, Any]:
        """Look up the hosts of evidence that nobody has looked up lately."""
        found = enrich_hosts(self.workspace, self.acting)
        seal(self.workspace)
        return {"hosts": found.hosts, "failed": found.failed}

    def seal(self) -> dict[str, Any]:
        """Number what was added to the ledger, and store its head."""
        seal(self.workspace)
        return {}

    def send(self) -> dict[str, Any]:
        """Count the notices that were released and not delivered."""
        with self.workspace.log.read() as reader:
            delivered = {delivery.notice_id for delivery in reader.find(Delivery)}
            released = {release.notice_id for release in reader.find(Release)}
        return {"waiting": len(released - delivered)}

    def mailbox(self) -> dict[str, Any]:
        """Read no mailbox yet."""
        return {"read": 0}

    def retention(self) -> dict[str, Any]:
        """Count the leads that are older than the settings keep them."""
        kept, now = self.workspace.config.retention, datetime.now(UTC)
        days = {LeadState.REJECTED: kept.rejected_days, LeadState.CLOSED: kept.closed_days}
        days[LeadState.NEW] = kept.proposed_days
        with self.workspace.log.read() as reader:
            states = lead_states(reader)
            old = sum(is_old(lead, days.get(states[lead.id], 0), now) for lead in reader.find(Lead))
        return {"due": old}

    def prune(self) -> dict[str, Any]:
        """Forget jobs, calls and holds that are long over."""
        with self.workspace.log.write() as writer:
            dropped = calls.drop_calls(writer, datetime.now(UTC) - KEPT)
            holds.forget(writer)
        return {"jobs": self.orders.prune(), "calls": dropped}

    def _scheduled(self, work: Callable[[], dict[str, Any]]) -> Handler:
        """Return `work` as the engine calls it at a time of the clock."""

        def carry_out(scheduled_at: Any = None, context: Any = None) -> dict[str, Any]:
            del scheduled_at, context
            return work() if self.keeps_schedules else {}

        return carry_out

    def repair(self) -> int:
        """Place slices that got lost between two jobs; return how many."""
        names = [one.name for one in self.orders.active("slice:")]
        return place_lost(self.workspace, self.orders.place, names, datetime.now(UTC))


def is_old(lead: Lead, days: int, now: datetime) -> bool:
    """Tell whether a lead was added longer ago than it is kept; 0 days keep it."""
    return days > 0 and now - lead.added_at >= timedelta(days=days)


def schedule_rows(workspace: Workspace) -> list[dict[str, Any]]:
    """Return what comes again and again, for a list; a workspace that had no worker yet has no times."""
    known = {one.kind: one for one in known_schedules(workspace)}
    return [
        {
            "job": one.kind,
            "cron": one.cron,
            "last_at": known[one.kind].last_at if one.kind in known else None,
            "next_at": known[one.kind].next_at if one.kind in known else None,
            "does": DOES[one.kind],
        }
        for one in SCHEDULES
    ]
