"""The spider of a worker: slices and check rounds of sites come in as orders, and go out as reports."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from scrapy import Request

from caselog.errors import CaseError
from crawler.checks.looks import HeldAwayError
from crawler.checks.round import Round
from crawler.checks.watched import watched_items
from crawler.child.wire import ChecksDone, Failure
from crawler.crawl.slices import Ending, Slice, SliceEnd
from crawler.spiders.leads import KNOCK, LeadsSpider

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from typing import Self

    from scrapy.crawler import Crawler

    from caselog.records.ids import SiteId
    from caselog.records.pages import Check
    from crawler.child.wire import CheckOrder, Report
    from crawler.crawl.judge import Retry
    from crawler.crawl.recorder import Result
    from crawler.crawl.session import CrawlSession
    from crawler.crawl.site_state import SiteState

logger = logging.getLogger(__name__)

RENEW_S = 4.0
"""How often holds on hosts are lengthened."""
FINISH_S = 2.0
"""How long what is under way may take after the order to stop."""
NOTHING = SliceEnd(ending=Ending.OVER, counts={})


class ServingSpider(LeadsSpider):
    """Carry out a worker's orders until it is told to stop.

    Args:
        session: A session that takes slices.
        report: Sends what became of an order, by its name.
        begin: Called when orders can be taken.
    """

    name = "serving"

    def __init__(
        self,
        *,
        session: CrawlSession,
        report: Callable[[str, Report], None],
        begin: Callable[[ServingSpider, asyncio.AbstractEventLoop], None],
    ) -> None:
        super().__init__(session=session, progress=self._note_page)
        self.pages = 0
        self._report = report
        self._begin = begin
        self._names: dict[SiteId, str] = {}
        """Under which name the slice of each site was ordered."""
        self._checks: dict[str, asyncio.Task[None]] = {}
        self._called = asyncio.Event()
        self._renewed_s = time.monotonic()
        self._stop_s: float | None = None

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, **kwargs: Any) -> Self:
        """Return the spider of a worker's crawler process."""
        del args
        spider = cls(**kwargs)
        spider._set_crawler(crawler)
        return spider

    @property
    def sites(self) -> int:
        """Tell how many sites are worked at."""
        return len(self._names) + len(self._checks)

    def _note_page(self, session: CrawlSession) -> None:
        del session
        self.pages += 1

    async def start(self) -> AsyncIterator[Any]:
        """Knock when something may be due, report what has ended; the frontier hands the addresses out."""
        self.meet_transport()
        self._begin(self, asyncio.get_running_loop())
        while not self.is_done():
            await self._wait(self.session.wait_s())
            self._look_after()
            yield Request(KNOCK)
        self._report_unfinished()
        if self.transport is not None and self.transport.pace is not None:
            self.transport.pace.close()

    def is_done(self) -> bool:
        """Tell whether the order to stop has come and nothing is under way, or it took too long."""
        if self._stop_s is None:
            return False
        is_late = time.monotonic() >= self._stop_s + FINISH_S
        return is_late or not (self.session.in_flight() or self._names or self._checks)

    async def _wait(self, longest_s: float) -> None:
        try:
            async with asyncio.timeout(longest_s):
                await self._called.wait()
        except TimeoutError:
            return
        self._called.clear()

    def _look_after(self) -> None:
        if self.transport is not None and self.session.is_held_up():
            self.transport.cut_short()
        for site, end in self.session.ended():
            self._end(site, end)
        self._keep_holds()

    def _keep_holds(self) -> None:
        """Lengthen the holds of what is asked; end requests whose hold is gone: another may ask there now."""
        pace = self.transport.pace if self.transport else None
        if self.transport is None or pace is None or pace.keeper is None:
            return
        if pace.has_lapsed():
            self.transport.cut_short()
        if time.monotonic() >= self._renewed_s + RENEW_S:
            self._renewed_s = time.monotonic()
            pace.keeper.renew()
            pace.leave_idle()

    def _end(self, site: SiteState, end: SliceEnd) -> None:
        pace = self.transport.pace if self.transport else None
        if pace is not None:
            still_used = {key for other in self.session.sites.values() for key in other.keys}
            pace.leave_holds([key for key in site.keys if key not in still_used])
        self._report(self._names.pop(site.site_id), end)

    async def _settle(self, asked: dict[str, Any], verdict: Result | Retry | None) -> None:
        """Record as the crawl does, and look at once whether the slice is over."""
        await super()._settle(asked, verdict)
        site = self.session.sites.get(asked["row"].site_id)
        if site is not None and not site.in_flight and self.session.is_ended(site):
            self._called.set()

    # ---- orders, from the event loop's own thread

    def take(self, name: str, order: Slice | CheckOrder | None) -> None:
        """Begin to carry an order out; None is the order to stop."""
        self._called.set()
        if order is None:
            self._stop_s = self._stop_s or time.monotonic()
            self.session.is_stopping = True
        elif self._stop_s is not None:
            self._report(name, Failure(kind="source", message="The worker is stopping."))
        elif isinstance(order, Slice):
            self._take_slice(name, order)
        else:
            self._checks[name] = asyncio.get_running_loop().create_task(self._check(name, order))

    def _take_slice(self, name: str, order: Slice) -> None:
        if order.site_id in self._names:
            self._report(name, Failure(kind="held", message="This process is at work on the site already."))
            return
        try:
            self.judge.learn_rules()
            is_taken = self.session.admit(order)
        except CaseError as error:
            self._report(name, _failure(error))
            return
        if is_taken:
            self._names[order.site_id] = name
        else:
            self._report(name, NOTHING)

    async def _check(self, name: str, order: CheckOrder) -> None:
        signals: Counter[str] = Counter()
        states: Counter[str] = Counter()
        counts: Counter[str] = Counter()

        def note(check: Check) -> None:
            signals[check.signal.value] += 1
            states[check.state.value] += 1
            counts["requests"] += check.requests

        # Whatever happens, the order is reported on.
        done: Report = Failure(kind="bug", message="The checks failed in a way that nobody foresaw.")
        checks = Round(self.crawler, self.session.workspace, progress=note, sandbox=self.judge.sandbox)
        try:
            items = watched_items(self.session.workspace, order.evidence_ids)
            await checks.check_site(items, is_stopping=lambda: self.session.is_stopping)
            done = ChecksDone(
                checks=signals.total(),
                requests=counts["requests"],
                signals=dict(signals),
                states=dict(states),
            )
        except HeldAwayError:
            done = Failure(kind="held", message="Another worker asks this host now.")
        except CaseError as error:
            done = _failure(error)
        finally:
            await checks.close()
            self._checks.pop(name, None)
            self._report(name, done)

    def _report_unfinished(self) -> None:
        """Report what the order to stop cut off; its addresses stay pending."""
        for site in self.session.sites.values():
            name = self._names.pop(site.site_id, None)
            if name is not None:
                counts = dict(site.counts)
                unspent = max(0, site.slice_pages or 0) + len(site.in_flight)
                end = SliceEnd(ending=Ending.STOPPED, counts=counts, unspent=unspent, has_more=True)
                self._report(name, end)
        for name, task in list(self._checks.items()):
            task.cancel()
            self._report(name, Failure(kind="source", message="The worker is stopping."))


def _failure(error: CaseError) -> Failure:
    return Failure(kind=error.kind, message=error.message, hint=error.hint)
