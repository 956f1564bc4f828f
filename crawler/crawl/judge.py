"""What the crawl makes of one answer: its outcome, what to follow, whether it is evidence."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from caselog.errors import IntakeError, RefusedError
from caselog.records.choices import Outcome, Role
from caselog.records.pages import Rule
from caselog.store import fingerprints, frontier
from crawler.crawl.opening import hashed
from crawler.crawl.patterns import gain_of
from crawler.crawl.recorder import EvidenceDraft, Provenance, Result
from crawler.reading.address import canonical_url, host_key
from crawler.reading.document import Reading, evidence_of, reading_of
from crawler.reading.fingerprint import FingerprintKey
from crawler.reading.hrefs import LinkReader
from crawler.reading.links import judge as link_refusal
from crawler.reading.links import may_follow, prior
from crawler.reading.matching import Matcher
from crawler.sandbox.reader import Sandbox
from crawler.scope import Action, Context, Scope, judge_link, judge_redirect, propose
from crawler.transport.disguise import cut_data_uris
from crawler.transport.fetch import FetchFailed, Refused
from crawler.transport.retry_after import retry_after_s

if TYPE_CHECKING:
    from collections.abc import Container
    from collections.abc import Set as AbstractSet

    from scrapy.http import Response

    from caselog.store.frontier import Found, Pending
    from crawler.crawl.session import CrawlSession
    from crawler.crawl.site_state import SiteState
    from crawler.reading.page import Link
    from crawler.scope import Proposal
    from crawler.transport.fetch import Fetch

_WALL: dict[str, Any] = {"outcome": Outcome.WALL, "role": Role.WALL}
_GONE: dict[str, Any] = {"outcome": Outcome.GONE}
_EMPTY: dict[str, Any] = {"outcome": Outcome.EMPTY}
_BY_STATUS = dict.fromkeys((401, 402, 403, 407, 451), _WALL) | dict.fromkeys((404, 410), _GONE)
"""What a status says by itself; any other without a body is empty."""
MOST_HOPS = 10
"""Redirects in a row that are followed; no site needs more, and each may lead to a pattern never seen."""
WAITS_S = (2.0, 8.0, 30.0)
SHORT_PLAIN_BYTES = 1024
"""Plain text below this length can be guessed from its digest; only a salted commitment is kept."""
SAME_DOCUMENT = 0.9
"""Share of evidential blocks, of both sides, above which two pages of a site are one document."""
THREAD_LETTERS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Ask again later; `final` is what to record when that was the last try."""

    wait_s: float
    final: Result
    whole_site: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """A page on which the operator's rules match; its evidence waits for the site's control pages."""

    result: Result
    reading: Reading


class Judge:
    """Decide on answers with what the session knows; writes nothing."""

    def __init__(self, session: CrawlSession) -> None:
        self._session = session
        workspace = session.workspace
        self._threshold = workspace.config.matching.threshold
        self._key = FingerprintKey(*workspace.keys.fingerprint_keys[-1])
        self._links = LinkReader()
        self.sandbox = Sandbox()
        self._priors = workspace.config.crawl.priors
        self._matcher = Matcher([])
        self.provenance = Provenance(
            tool_version=version("leadline"), config_sha256=workspace.config_sha256(), terms_version=0
        )
        self.learn_rules()

    def learn_rules(self) -> None:
        """Take the operator's newest rules, where they have changed.

        Raises:
            OutageError: The database is away.
        """
        with self._session.workspace.log.read() as reader:
            latest = reader.latest(Rule)
            if latest is None or latest.version == self.provenance.terms_version:
                return
            rules = reader.find(Rule, version=latest.version)
        self._matcher = Matcher(rules)
        self.provenance = replace(self.provenance, terms_version=latest.version)

    # ---- answers ----

    async def answer(
        self, site: SiteState, row: Pending, response: Response, fetch: Fetch
    ) -> Result | Retry | Matching:
        """Return what to record of an answer that the transport let through."""
        status = response.status
        if 300 <= status < 400:
            return self._redirect(site, row, response)
        if status == 429 or (status == 503 and "Retry-After" in response.headers):
            return _later(row, response, Result(outcome=Outcome.WALL, role=Role.WALL, error=f"http_{status}"))
        if status >= 500:
            return Retry(wait_s=_wait_s(row), final=Result(outcome=Outcome.ERROR, error=f"http_{status}"))
        return (
            await self._text(site, row, response, fetch)
            if status == 200
            else Result(**_BY_STATUS.get(status, _EMPTY))
        )

    def failure(self, row: Pending, error: BaseException) -> Result | Retry:
        """Return what to record when the transport refused or failed."""
        if isinstance(error, Refused):
            return Result(outcome=Outcome.REFUSED, refused=error.code)
        code = error.code if isinstance(error, FetchFailed) else "internal"
        final = Result(outcome=Outcome.ERROR, error=code)
        return Retry(wait_s=_wait_s(row), final=final, whole_site=code == "robots_unreachable")

    def _redirect(self, site: SiteState, row: Pending, response: Response) -> Result:
        """Hand the target back to the scope: on the site it is followed, off the site proposed."""
        location = (response.headers.get("Location") or b"").decode("latin-1")
        try:
            target = canonical_url(urljoin(row.url, location))
        except (IntakeError, ValueError):
            return Result(
                outcome=Outcome.REFUSED, refused="redirect_scope", redirects=_hop(response.status, "")
            )
        hop = _hop(response.status, target)
        if not may_follow(target):
            return Result(outcome=Outcome.WALL, role=Role.WALL, redirects=hop, final_url=target)
        scope = self._scope(row, site)
        verdict = judge_redirect(scope, target, depth=row.depth)
        if verdict.action is not Action.FOLLOW:
            proposal = propose(scope, target, Context(redirected=True)) if row.depth == 0 else None
            return Result(
                outcome=Outcome.REFUSED,
                refused=verdict.code,
                redirects=hop,
                final_url=target,
                proposals=(proposal,) if proposal else (),
            )
        hops = site.hops.pop(row.url, 0) + 1
        if hops > MOST_HOPS:
            return Result(outcome=Outcome.REFUSED, refused="redirects", redirects=hop, final_url=target)
        found = self._new(site, target, depth=row.depth, promise=0.6)
        if found:
            site.hops[target] = hops
        return Result(
            outcome=Outcome.ALIAS,
            redirects=hop,
            final_url=target,
            found=(found,) if found else (),
            # A redirect to an address of the same kind may go on for ever.
            gain=0.3 if found and found.pattern != row.pattern else 0.0,
        )

    async def _text(
        self, site: SiteState, row: Pending, response: Response, fetch: Fetch
    ) -> Result | Matching:
        try:
            reading = await self.read(response, fetch, site=site.tag, known=site.judged)
        except RefusedError as error:
            return Result(outcome=Outcome.REFUSED, refused=error.code)
        if not reading.page.blocks:
            return Result(outcome=Outcome.EMPTY)
        is_match = reading.match.score >= self._threshold
        found = self._found(site, row, reading)
        fresh = site.new_blocks(reading.tags)
        new_letters = sum(len(reading.page.blocks[position]) for position in fresh)
        identity = hashlib.blake2b(
            b"".join(sorted(tag for tag in reading.tags if tag)), digest_size=16
        ).digest()
        # The same address may come twice: what was made of it before an outage was not recorded.
        is_alias = site.documents.setdefault(identity, row.id) != row.id
        result = Result(
            outcome=Outcome.ALIAS if is_alias else Outcome.TEXT,
            role=_role(row, new_letters=new_letters, links=len(found)),
            block_print=reading.print(),
            found=found,
            gain=0.0 if is_alias else gain_of(new_letters=new_letters, new_links=len(found)),
        )
        if not is_match or is_alias:
            return _walled(result, reading, new_letters)
        return Matching(result=result, reading=reading)

    # ---- evidence ----

    def settle_evidence(
        self, site: SiteState, row: Pending, response: Response, matching: Matching, frame: frozenset[bytes]
    ) -> Result:
        """Return the result with the site's frame left out; a document recorded already is an alias."""
        result, reading = matching.result, matching.reading
        draft = self._draft(row, response.meta["fetch"], reading, site.frame, response.body)
        if self._is_recorded(site, draft):
            return replace(result, outcome=Outcome.ALIAS, evidence=None, frame=frame)
        return replace(result, evidence=draft, frame=frame, proposals=self._proposals(site, row, reading))

    def _draft(
        self, row: Pending, fetch: Fetch, reading: Reading, frame: AbstractSet[bytes], body: bytes
    ) -> EvidenceDraft:
        commitment = None
        if fetch.media_type == "text/plain" and len(body) < SHORT_PLAIN_BYTES:
            salt = self._session.vault.derived_salt("body", f"{row.round} {row.url}".encode())
            commitment = hashlib.sha256(salt + body).hexdigest()
        return EvidenceDraft(
            fingerprint=evidence_of(reading, self._key, frame),
            match=reading.match,
            threshold=self._threshold,
            commitment=commitment,
        )

    def _is_recorded(self, site: SiteState, draft: EvidenceDraft) -> bool:
        ours = set(draft.fingerprint.block_tags)
        if not ours:
            return False
        with self._session.workspace.log.read() as reader:
            shared = fingerprints.holders_of_blocks(reader, ours)
            sizes = {number: fingerprints.block_count(reader, number, site.site_id) for number in shared}
        return any(
            sizes[number] and count >= SAME_DOCUMENT * len(ours) and count >= SAME_DOCUMENT * sizes[number]
            for number, count in shared.items()
        )

    async def read(
        self, response: Response, fetch: Fetch, *, site: str, known: Container[str] = frozenset()
    ) -> Reading:
        """Return what a text answer says, without the links of its own site that are `known`.

        Raises:
            RefusedError: The page would cost a parser too much.
        """
        page = await self.sandbox.read_page(
            cut_data_uris(response.text),
            response.url,
            fetch.media_type or "text/html",
            site=site,
            links=self._links,
            known=known,
        )
        return reading_of(page, matcher=self._matcher, key=self._key)

    # ---- links ----

    def _found(self, site: SiteState, row: Pending, reading: Reading) -> tuple[Found, ...]:
        scope = self._scope(row, site)
        fresh = []
        for link in reading.page.links:
            if link.url in site.judged:
                continue
            if not site.may_judge_more():
                break
            site.judged.add(link.url)
            found = self._judge_link(site, row, link, scope)
            if found is not None:
                fresh.append(found)
        return tuple(fresh)

    def _judge_link(self, site: SiteState, row: Pending, link: Link, scope: Scope) -> Found | None:
        """Return a frontier entry for a new link that may be followed; a continuation costs no depth."""
        if link_refusal(link) is not None:
            return None
        depth = row.depth if link.is_next else row.depth + 1
        if judge_link(scope, link.url, depth=depth).action is not Action.FOLLOW:
            return None
        return self._new(site, link.url, depth=depth, promise=prior(link, priors=self._priors))

    def _new(self, site: SiteState, url: str, *, depth: int, promise: float) -> Found | None:
        """Return a frontier entry for an address that the site's frontier does not hold."""
        vault = self._session.vault
        tag = vault.tag("url", url)
        if tag[: frontier.TAG_BYTES] in site.known:
            return None
        return frontier.Found(url=url, tag=tag, pattern=hashed(vault, url), depth=depth, priority=promise)

    def _scope(self, row: Pending, site: SiteState) -> Scope:
        budget = self._session.budgets[row.lead_id]
        return Scope(
            host_key=site.host,
            path_prefix=budget.path_prefix,
            depth=budget.scope_depth,
            practice=self._session.workspace.practice,
            excluded=self._session.excluded,
        )

    def _proposals(self, site: SiteState, row: Pending, reading: Reading) -> tuple[Proposal, ...]:
        """Return one proposal for each host that matching pages link to, once a crawl."""
        scope = self._scope(row, site)
        context = Context(from_evidence=True, matched_blocks=len(reading.match.block_indexes))
        drafts: dict[str, Proposal] = {}
        for link in reading.page.links:
            host = host_key(link.url)
            if host == site.host or host in site.proposed or host in drafts or link_refusal(link) is not None:
                continue
            draft = propose(scope, link.url, context)
            if draft is not None:
                drafts[host] = draft
        site.proposed.update(drafts)
        return tuple(drafts.values())

    def learn(self, site: SiteState, result: Result) -> None:
        """Take over what was written: new addresses are known and wait."""
        for found in result.found:
            site.known.add(found.tag[: frontier.TAG_BYTES])
            site.waiting[found.pattern] = site.waiting.get(found.pattern, 0) + 1
            site.book.expect(found.pattern, found.priority)


def _hop(status: int, target: str) -> tuple[dict[str, object], ...]:
    return ({"status": status, "location": target[:2083]},)


def _wait_s(row: Pending) -> float:
    return WAITS_S[min(row.attempts, len(WAITS_S) - 1)]


def _later(row: Pending, response: Response, final: Result) -> Retry:
    """Obey Retry-After (RFC 9110, 10.2.3); without one, or with nonsense, make a pause of our own."""
    wait_s = retry_after_s(response.headers.get("Retry-After") or b"", datetime.now(UTC))
    if wait_s is None:
        wait_s = 10.0 * (row.attempts + 1)
    return Retry(wait_s=max(1.0, wait_s), final=final, whole_site=True)


def _walled(result: Result, reading: Reading, new_letters: int) -> Result:
    """Turn a log-in form with nothing else on the page into a wall."""
    if reading.page.has_password_field and new_letters < THREAD_LETTERS:
        return replace(result, outcome=Outcome.WALL, role=Role.WALL, gain=0.0)
    return result


def _role(row: Pending, *, new_letters: int, links: int) -> Role:
    if row.depth == 0:
        return Role.ENTRY
    if links > 10 and new_letters < THREAD_LETTERS * 2:
        return Role.INDEX
    return Role.THREAD if new_letters >= THREAD_LETTERS else Role.OTHER
