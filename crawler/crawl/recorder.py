"""Write what one answer brought: page, evidence, links and the frontier's mark, in one transaction."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from caselog.errors import CaseError, OutageError
from caselog.records.choices import Level, Origin, Outcome, Role
from caselog.records.leads import Lead
from caselog.records.leads import Proposal as ProposalRecord
from caselog.records.pages import Evidence, Page
from caselog.store import fingerprints, frontier, leads, patterns, sites
from crawler.reading.fingerprint import FINGERPRINT_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from caselog.records.ids import PageId, SiteId
    from caselog.store.frontier import Found, Pending
    from caselog.store.log import CaseLog, Writer
    from crawler.crawl.patterns import PatternStats
    from crawler.crawl.site_state import SiteState
    from crawler.reading.fingerprint import Fingerprint
    from crawler.reading.matching import Match
    from crawler.scope import Proposal
    from crawler.transport.fetch import Fetch

logger = logging.getLogger(__name__)

TOGETHER = 16
"""How many answers share a transaction at most."""
LONGEST_WAIT_S = 0.03
"""How long an answer waits for others."""
OUTAGE_RETRY_S = 1.0
"""How soon it is tried again to write what could not be written."""
MOST_PROPOSALS = 50
"""Per page; a page of link spam must not drown the analyst."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What each page record says of the crawl that made it."""

    tool_version: str
    config_sha256: str
    terms_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceDraft:
    """Hashes of a document that matched, before it is recorded."""

    fingerprint: Fingerprint
    match: Match
    threshold: float
    commitment: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What the crawl made of one answer."""

    outcome: Outcome
    role: Role = Role.OTHER
    refused: str | None = None
    error: str | None = None
    final_url: str | None = None
    redirects: tuple[dict[str, object], ...] = ()
    block_print: bytes | None = None
    found: tuple[Found, ...] = ()
    gain: float = 0.0
    evidence: EvidenceDraft | None = None
    proposals: tuple[Proposal, ...] = ()
    frame: frozenset[bytes] = field(default=frozenset())


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What was new in one transaction."""

    page_id: PageId
    evidence: bool
    proposals: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One answer to be recorded."""

    site: SiteState
    row: Pending
    fetch: Fetch | None
    result: Result
    robots: str | None = None
    """What the site's robots.txt says of the address."""


class Recorder:
    """Append the records of one crawl.

    Answers that come close together share one transaction, because each commit waits for the disk; none is
    reported as written before its transaction is.

    An outage of the database is waited out: what was fetched is recorded when it is back.

    Args:
        log: The case log.
        provenance: Tells what each page record says of this crawl.
        in_flight: Tells how many answers are still to come or to be written.
        outage: Told of each time that the database was away.
    """

    def __init__(
        self,
        log: CaseLog,
        provenance: Callable[[], Provenance],
        in_flight: Callable[[], int],
        outage: Callable[[], None] = lambda: None,
    ) -> None:
        self._log = log
        self._provenance = provenance
        self._in_flight = in_flight
        self._outage = outage
        self._waiting: list[tuple[Job, asyncio.Future[Written | None]]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._keeps = False
        """Answers are kept that could not be written."""

    async def write(self, job: Job) -> Written | None:
        """Record one answer; None when the same address was recorded by another transaction.

        Raises:
            RefusedError: Another crawl has taken the site.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Written | None] = loop.create_future()
        self._waiting.append((job, done))
        if len(self._waiting) >= min(TOGETHER, max(1, self._in_flight() // 2)):
            self._flush()
        elif self._timer is None:
            self._timer = loop.call_later(LONGEST_WAIT_S, self._flush)
        return await done

    def _flush(self) -> None:
        """Write all that waits in one transaction; if that cannot be, each in its own."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        jobs, self._waiting = [pair for pair in self._waiting if not pair[1].cancelled()], []
        try:
            with self._log.write() as writer:
                written = self._write_jobs(writer, [job for job, _ in jobs])
        except OutageError as error:
            self._keep(jobs, error)
            return
        except CaseError:
            self._write_apart(jobs)
            return
        if self._keeps and jobs:
            self._keeps = False
            logger.warning("The database is back; what was kept is recorded")
        for (_, done), result in zip(jobs, written, strict=True):
            done.set_result(result)

    def _write_apart(self, jobs: list[tuple[Job, asyncio.Future[Written | None]]]) -> None:
        """Write each answer in its own transaction, so that one bad record does not take others with it."""
        for at, (job, done) in enumerate(jobs):
            try:
                with self._log.write() as writer:
                    done.set_result(self._write_jobs(writer, [job])[0])
            except OutageError as error:
                self._keep(jobs[at:], error)
                return
            except CaseError as error:
                done.set_exception(error)

    def _keep(self, jobs: list[tuple[Job, asyncio.Future[Written | None]]], error: OutageError) -> None:
        """Keep answers until the database is back."""
        self._outage()
        if not self._keeps:
            self._keeps = True
            logger.warning("%s What was fetched is kept, and nothing is asked meanwhile", error.message)
        self._waiting = jobs + self._waiting
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(OUTAGE_RETRY_S, self._flush)

    def _write_jobs(self, writer: Writer, jobs: list[Job]) -> list[Written | None]:
        """Write answers in the open transaction; what was answered before counts as None."""
        for site in {job.site.site_id: job.site for job in jobs}.values():
            frontier.fence(writer, site.site_id, site.epoch)
        failed = [job.row for job in jobs if job.result.outcome is Outcome.ERROR]
        marked = frontier.finish_all(writer, [job.row for job in jobs if job.row not in failed])
        marked |= frontier.finish_all(writer, failed, failed=True)
        links: list[dict[str, Any]] = []
        written = [self._write_one(writer, job, links) if job.row.id in marked else None for job in jobs]
        frontier.insert(writer, links)
        for (site_id, pattern), stats in _learned(jobs).items():
            patterns.save(
                writer, site_id, pattern, asked=stats.asked, gained=stats.gained, refused=stats.refused
            )
        return written

    def _write_one(self, writer: Writer, job: Job, links: list[dict[str, Any]]) -> Written:
        """Append the records of one answer, and its new addresses to `links`."""
        row, result = job.row, job.result
        page = writer.append(self._page(row, job.fetch, result, robots=job.robots))
        links += frontier.rows_of(
            writer,
            site_id=row.site_id,
            lead_id=row.lead_id,
            found=result.found,
            parent_id=page.id,
            round_number=row.round,
        )
        fingerprints.add_frame(writer, row.site_id, result.frame)
        is_new = self._write_evidence(writer, page, job.fetch, result.evidence)
        proposed = sum(_propose(writer, page, draft) for draft in result.proposals[:MOST_PROPOSALS])
        return Written(page_id=page.id, evidence=is_new, proposals=proposed)

    async def put_off(
        self,
        site: SiteState,
        row: Pending,
        due_at: datetime,
        tried: tuple[Fetch | None, Result] | None = None,
    ) -> None:
        """Keep an address for a later try; ``tried`` goes on record as a page of its own.

        Raises:
            RefusedError: Another crawl has taken the site.
        """
        while True:
            try:
                self._put_off(site, row, due_at, tried)
            except OutageError:
                self._outage()
                await asyncio.sleep(OUTAGE_RETRY_S)
            else:
                return

    def _put_off(
        self, site: SiteState, row: Pending, due_at: datetime, tried: tuple[Fetch | None, Result] | None
    ) -> None:
        with self._log.write() as writer:
            frontier.fence(writer, site.site_id, site.epoch)
            frontier.put_off(writer, row, due_at)
            if tried is not None:
                writer.append(self._page(row, *tried))

    def _page(self, row: Pending, fetch: Fetch | None, result: Result, robots: str | None = None) -> Page:
        now = datetime.now(UTC)
        facts: Mapping[str, object] = {} if fetch is None else page_facts(fetch)
        return Page(
            lead_id=row.lead_id,
            site_id=row.site_id,
            parent_id=row.parent_id,
            round=row.round,
            url=row.url,
            final_url=result.final_url or row.url,
            redirects=result.redirects,
            outcome=result.outcome,
            refused=result.refused,
            error=result.error,
            role=result.role,
            depth=row.depth,
            robots=robots,
            block_print=result.block_print,
            tool_version=self._provenance().tool_version,
            config_sha256=self._provenance().config_sha256,
            terms_version=self._provenance().terms_version,
            **{"started_at": now, "fetched_at": now, **facts},  # type: ignore[arg-type]  # the names are Page's own
        )

    def _write_evidence(
        self, writer: Writer, page: Page, fetch: Fetch | None, draft: EvidenceDraft | None
    ) -> bool:
        if draft is None or fetch is None:
            return False
        kept = draft.fingerprint
        evidence = writer.append(
            Evidence(
                lead_id=page.lead_id,
                site_id=page.site_id,
                page_id=page.id,
                page_ids=(page.id,),
                body_sha256=None if draft.commitment else fetch.body_sha256,
                encoded_sha256=None if draft.commitment else fetch.encoded_sha256,
                commitment=draft.commitment,
                size_bytes=fetch.size_bytes or 0,
                block_tags=b"".join(kept.block_tags),
                frame_blocks=kept.frame_blocks,
                sketch=fingerprints.pack_sketch(kept.sketch),
                shingles=kept.shingles,
                shingle_letters=kept.n,
                fingerprint_version=FINGERPRINT_VERSION,
                norm_version=kept.norm_version,
                unicode_version=kept.unicode_version,
                key_epoch=kept.epoch,
                stoplist_version=kept.stoplist_version,
                rules=draft.match.rules,
                score=draft.match.score,
                threshold=draft.threshold,
                terms_version=self._provenance().terms_version,
                level=Level.RULE,
                recorded_at=page.fetched_at,
            )
        )
        fingerprints.index(writer, evidence)
        return True


def _learned(jobs: list[Job]) -> dict[tuple[SiteId, str], PatternStats]:
    """Return the figures of each pattern that these answers belong to."""
    return {(job.row.site_id, job.row.pattern): job.site.book.of(job.row.pattern) for job in jobs}


def page_facts(fetch: Fetch) -> dict[str, object]:
    """Return what the transport saw, under the names of a Page record."""
    return {
        "status": fetch.status,
        "media_type": fetch.media_type,
        "charset": fetch.charset,
        "content_encoding": fetch.content_encoding,
        "size_bytes": fetch.size_bytes,
        "encoded_size_bytes": fetch.encoded_size_bytes,
        "via": fetch.via,
        "dns_answers": fetch.dns_answers,
        "peer_ip": fetch.peer_ip,
        "peer_port": fetch.peer_port,
        "tls_sha256": fetch.tls_sha256,
        "tls_version": fetch.tls_version,
        "tls_valid": fetch.tls_valid,
        "tls_problem": fetch.tls_problem,
        "request_headers_sha256": fetch.request_headers_sha256,
        "response_headers_sha256": fetch.response_headers_sha256,
        "connections": fetch.connections,
        "clock_offset_ms": fetch.clock_offset_ms,
        "started_at": fetch.started_at,
        "fetched_at": fetch.fetched_at,
    }


def _propose(writer: Writer, page: Page, draft: Proposal) -> bool:
    """Append a discovered lead and why it looks related; False when the address is known."""
    if leads.lead_by_url(writer, draft.url) is not None:
        return False
    host = draft.host_key
    lead = writer.append(
        Lead(
            url=draft.url,
            host=host,
            site_id=sites.site_for(writer, host),
            origin=Origin.DISCOVERED,
            added_by="crawl",
            added_at=page.fetched_at,
        )
    )
    writer.append(
        ProposalRecord(
            lead_id=lead.id,
            found_on=page.id,
            score=draft.score,
            reasons=draft.reasons,
            found_at=page.fetched_at,
        )
    )
    return True
