"""The spider that follows confirmed leads: pages in, evidence and proposals out."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scrapy import Request, Spider
from scrapy.exceptions import CloseSpider

from caselog.errors import OutageError, RefusedError
from caselog.records.choices import Outcome
from caselog.records.ids import LeadId
from caselog.workspace import open_workspace
from crawler.crawl.controls import fetch_controls
from crawler.crawl.judge import Judge, Matching, Retry
from crawler.crawl.lanes import MOST_STALLS
from crawler.crawl.opening import CrawlOptions
from crawler.crawl.recorder import Job, Recorder, Result
from crawler.crawl.session import open_session
from crawler.reading.address import bare_host
from crawler.transport.client import HELD_ELSEWHERE
from crawler.transport.fetch import Refused
from crawler.transport.pin import TransportAddon
from crawler.transport.tor import NOT_READY, WITHOUT_TOR

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from typing import Self

    from scrapy.crawler import Crawler
    from scrapy.http import Response
    from twisted.python.failure import Failure

    from caselog.store.frontier import Pending
    from crawler.crawl.session import CrawlSession
    from crawler.crawl.site_state import SiteState
    from crawler.transport.client import Transport
    from crawler.transport.fetch import Fetch

KNOCK = "about:blank"
"""Never asked: the frontier takes no address from outside, but Scrapy looks at it again."""
MOST_ATTEMPTS = 3
MOST_WAIT_S = 24 * 3600.0
"""A host that asks for more is asked again by a crawl a day later."""
LONG_WAIT_S = 12.0
"""A try that is followed by a longer wait goes on record: perhaps this crawl does not see the next one."""
HELD_WAIT_S = 5.0
"""How long a site waits whose host or server another worker asks."""
INTERNAL = Result(outcome=Outcome.ERROR, error="internal")


class LeadsSpider(Spider):
    """Ask what the frontier hands out, and record each answer."""

    name = "leads"

    def __init__(
        self, *, session: CrawlSession, progress: Callable[[CrawlSession], None] | None = None
    ) -> None:
        super().__init__(self.name)
        self.session = session
        self.judge = Judge(session)
        self.recorder = Recorder(
            session.workspace.log, lambda: self.judge.provenance, session.in_flight, session.note_outage
        )
        self.transport: Transport | None = None
        self._progress = progress

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, **kwargs: Any) -> Self:
        """Return the spider; `scrapy crawl leads` may give `-a lead=1,2 -a pages=N -a seconds=N`."""
        del args
        session = kwargs.get("session")
        if session is None:
            workspace = open_workspace(Path(crawler.settings["LEADLINE_WORKSPACE"]))
            session = open_session(workspace, _options(kwargs))
        spider = cls(session=session, progress=kwargs.get("progress"))
        spider._set_crawler(crawler)
        return spider

    async def start(self) -> AsyncIterator[Any]:
        """Knock when something may be due: Scrapy looks at the frontier then, which drops the knock."""
        self.meet_transport()
        while not self.session.is_over():
            await asyncio.sleep(self.session.wait_s())
            if self.transport is not None and self.session.is_held_up():
                self.transport.cut_short()
            yield Request(KNOCK)

    def meet_transport(self) -> None:
        """Take the crawl's transport; Scrapy loads add-ons only after it has made the spider."""
        addon = self.crawler.get_addon(TransportAddon)
        self.transport = addon.transport if addon else None
        if self.transport is not None and self.transport.pace is not None:
            self.session.free_at = self.transport.pace.free_at

    async def closed(self, reason: str) -> None:
        """End the parsing process with the crawl."""
        del reason
        await self.judge.sandbox.close()

    def request_for(self, row: Pending) -> Request:
        """Return the request of one frontier row."""
        site = self.session.sites[row.site_id]
        return Request(
            row.url,
            callback=self.parse,
            errback=self.failed,
            dont_filter=True,
            meta={
                "row": row,
                "download_slot": site.tag,
                "reads_invalid_tls": self.session.budgets[row.lead_id].reads_invalid_tls,
            },
        )

    async def parse(self, response: Response) -> None:
        """Record one answer."""
        row: Pending = response.meta["row"]
        site = self.session.sites[row.site_id]
        verdict: Result | Retry | None = INTERNAL
        try:
            verdict = await self._verdict(site, row, response)
        except asyncio.CancelledError:
            verdict = None
            raise
        except OutageError:  # what was known of the site could not be read: the page is fetched again
            verdict = None
            self.session.note_outage()
            site.judged.clear()  # its links were not recorded, and count as new the next time
            site.put_off(row, time.monotonic())
        finally:  # a page that trips our own code is recorded too, or its site would never be done
            await self._settle(response.meta, verdict)

    async def _settle(self, asked: dict[str, Any], verdict: Result | Retry | None) -> None:
        """Record a verdict on what was asked, or ask again later; None leaves the address pending."""
        row: Pending = asked["row"]
        site = self.session.sites[row.site_id]
        if isinstance(verdict, Retry):
            await self._fenced(site, row, self._retry(asked, verdict))
        elif verdict is not None:
            await self._fenced(site, row, self._write(asked, verdict))

    async def _fenced(self, site: SiteState, row: Pending, work: Awaitable[None]) -> None:
        """Do what writes; where another has taken the site, nothing more is asked of it.

        Raises:
            CloseSpider: This crawl does not take sites in slices, so it ends.
        """
        try:
            await work
        except RefusedError as error:
            site.let_go(row)
            site.is_fenced = True
            if not self.session.takes_slices:
                raise CloseSpider(error.code) from error

    async def _verdict(self, site: SiteState, row: Pending, response: Response) -> Result | Retry:
        verdict = await self.judge.answer(site, row, response, response.meta["fetch"])
        if not isinstance(verdict, Matching):
            return verdict
        # The site's control pages say which blocks are its own frame.
        frame = await fetch_controls(self, site, row, self.judge)
        return self.judge.settle_evidence(site, row, response, verdict, frame)

    async def failed(self, failure: Failure) -> None:
        """Record a refusal or a failure of the transport."""
        request: Request = failure.request  # type: ignore[attr-defined]  # Scrapy puts it there
        row: Pending = request.meta["row"]
        error = failure.value or RuntimeError()
        if isinstance(error, Refused) and error.code == HELD_ELSEWHERE:
            # Another worker asks this host or its server now; nobody was asked.
            site = self.session.sites[row.site_id]
            site.keys = error.fetch.pace_keys if error.fetch and error.fetch.pace_keys else site.keys
            site.paused_until = time.monotonic() + HELD_WAIT_S
            site.put_off(row, site.paused_until)
            return
        if isinstance(error, Refused) and error.code in NO_TOR_CODES:
            await self._fenced(self.session.sites[row.site_id], row, self._leave_onion(row, error.code))
            return
        await self._settle(request.meta, self.judge.failure(row, error))

    async def _leave_onion(self, row: Pending, code: str) -> None:
        """Leave an onion for a crawl that has a Tor: its address stays pending, and a page says why."""
        site, now_s = self.session.sites[row.site_id], time.monotonic()
        site.settled(row, now_s, failed=True)
        site.stalls = MOST_STALLS
        tried = (None, Result(outcome=Outcome.REFUSED, refused=code))
        # This was no attempt: nobody was asked.
        await self.recorder.put_off(site, replace(row, attempts=row.attempts - 1), datetime.now(UTC), tried)
        site.put_off(row, now_s)
        site.counts["pages"] += 1
        site.counts["onions_put_off"] += 1

    async def _renew_circuits(self, row: Pending, fetch: Fetch | None) -> None:
        """Ask Tor for new circuits before an onion that it could not reach is asked a third time.

        Other onions under way would hang: Tor forgets which descriptors they wait for.
        """
        control = self.transport.tor_control if self.transport else None
        is_unreached = fetch is not None and fetch.via == "tor" and fetch.status is None
        if control is None or not is_unreached or row.attempts != MOST_ATTEMPTS - 2:
            return
        others = (site for number, site in self.session.sites.items() if number != row.site_id)
        if not any(site.in_flight and bare_host(site.host).endswith(".onion") for site in others):
            await control.renew()

    async def _retry(self, asked: dict[str, Any], retry: Retry) -> None:
        """Ask again later; after the last attempt the failure is the answer."""
        row: Pending = asked["row"]
        fetch: Fetch | None = asked.get("fetch")
        site = self.session.sites[row.site_id]
        if row.attempts + 1 >= MOST_ATTEMPTS:
            await self._write(asked, retry.final)
            return
        await self._renew_circuits(row, fetch)
        wait_s, now_s = min(retry.wait_s, MOST_WAIT_S), time.monotonic()
        is_stall = site.settled(row, now_s, fetch, failed=True)
        if retry.whole_site:
            site.paused_until = max(site.paused_until, now_s + wait_s)
        tried = (fetch, retry.final) if is_stall or wait_s > LONG_WAIT_S else None
        await self.recorder.put_off(site, row, datetime.now(UTC) + timedelta(seconds=wait_s), tried)
        site.put_off(row, now_s + wait_s)
        site.counts["requests"] += 1
        site.counts["pages"] += tried is not None

    async def _write(self, asked: dict[str, Any], result: Result) -> None:
        row: Pending = asked["row"]
        fetch: Fetch | None = asked.get("fetch")
        site = self.session.sites[row.site_id]
        now_s = time.monotonic()
        site.settled(row, now_s, fetch, failed=result.outcome is Outcome.ERROR)
        if result.outcome is not Outcome.ERROR:
            self.session.last_good_s = site.good_s = now_s
        site.book.note(row.pattern, gain=result.gain, refused=result.refused in GIVEN_UP_CODES)
        job = Job(site=site, row=row, fetch=fetch, result=result, robots=asked.get("robots"))
        try:
            written = await self.recorder.write(job)
        finally:
            site.let_go(row)
        counts = site.counts
        counts["requests"] += 1
        counts["refused_media"] += result.refused in MEDIA_CODES
        counts["bytes"] += (fetch.encoded_size_bytes or 0) if fetch else 0
        # Also of what was on record: perhaps by us, when the database went away right after the commit.
        self.judge.learn(site, result)
        if written is None:
            return
        counts["pages"] += 1
        counts["evidence"] += written.evidence
        counts["proposals"] += written.proposals
        if self._progress:
            self._progress(self.session)


MEDIA_CODES = frozenset({"media_type", "binary", "attachment", "too_large", "encoding"})
"""Refusals that count as media."""
GIVEN_UP_CODES = MEDIA_CODES | {"parser_bomb"}
"""Refusals after which the whole pattern is left alone."""

NO_TOR_CODES = frozenset({WITHOUT_TOR, NOT_READY})
"""Refusals of onions that end when Tor is set, or ready."""


def _options(arguments: dict[str, Any]) -> CrawlOptions:
    numbers = [part for part in str(arguments.get("lead", "")).split(",") if part]
    return CrawlOptions(
        lead_ids=tuple(LeadId(int(part)) for part in numbers),
        pages=int(arguments["pages"]) if "pages" in arguments else None,
        seconds=float(arguments["seconds"]) if "seconds" in arguments else None,
    )
