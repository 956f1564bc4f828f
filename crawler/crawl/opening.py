"""How a crawl begins: which leads it follows, what they may cost, and their sites as the log has them."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from caselog.errors import RefusedError
from caselog.records.choices import InvalidTls
from caselog.records.leads import Lead
from caselog.records.pages import Page
from caselog.store import exclusions, fingerprints, frontier, leads, patterns, sites
from crawler.crawl.patterns import PatternBook
from crawler.crawl.site_state import Budget, SiteState
from crawler.reading.address import pattern as pattern_of
from crawler.scope import is_excluded

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from caselog.records.ids import LeadId, SiteId
    from caselog.store.log import Reader, Writer
    from caselog.store.seals import Seals
    from caselog.vault import Vault
    from caselog.workspace import Workspace
    from crawler.crawl.slices import Slice


@dataclass(frozen=True, slots=True, kw_only=True)
class CrawlOptions:
    """What one call of the crawl may do."""

    lead_ids: tuple[LeadId, ...] = ()
    """Only these leads; empty is every confirmed lead."""
    pages: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """Sites that were taken, with what their leads may cost."""

    sites: dict[SiteId, SiteState]
    budgets: dict[LeadId, Budget]
    excluded: frozenset[str]


def prepare(writer: Writer, workspace: Workspace, options: CrawlOptions) -> dict[SiteId, tuple[LeadId, ...]]:
    """Put the addresses of a call's leads into the frontier, and return the sites that have work.

    A lead that is finished and was visited long enough ago is visited again.

    Args:
        writer: An open writer.
        workspace: Says how much a lead may cost, and when it is visited again.
        options: Which leads.

    Raises:
        RefusedError: A named lead is not confirmed.
    """
    found: dict[SiteId, tuple[LeadId, ...]] = {}
    for lead in _open_leads(writer, options.lead_ids):
        if _seed(writer, workspace, lead, has_page_limit=options.pages is not None):
            found[lead.site_id] = (*found.get(lead.site_id, ()), lead.id)
    return found


def begin_all(workspace: Workspace, options: CrawlOptions) -> Begun:
    """Prepare the leads of a call and take all their sites at once, without slices.

    Raises:
        RefusedError: A named lead is not confirmed, or a live workspace lacks its authority.
    """
    workspace.require_authority()
    with workspace.log.write() as writer:
        named = prepare(writer, workspace, options)
        chosen = [lead for lead in _open_leads(writer, options.lead_ids) if lead.site_id in named]
        budgets = {lead.id: _budget(writer, workspace, lead, pages=options.pages) for lead in chosen}
        states = {
            site_id: _take(writer, workspace, lead, budgets={number: budgets[number] for number in numbers})
            for site_id, (lead, numbers) in _by_site(chosen).items()
        }
        return Begun(sites=states, budgets=budgets, excluded=exclusions.closed_hosts(writer))


def begin(workspace: Workspace, order: Slice, remembered: SiteState | None) -> Begun:
    """Take one site for a slice; no site when none of its leads may be followed any more.

    Args:
        workspace: The opened workspace.
        order: The slice.
        remembered: What this process knows of the site from an earlier slice of the same call.

    Raises:
        RefusedError: A live workspace lacks its authority.
        OutageError: The database is away; nothing was taken.
    """
    workspace.require_authority()
    now_s = time.monotonic()
    with workspace.log.write() as writer:
        excluded = exclusions.closed_hosts(writer)
        mine = [
            lead
            for lead in writer.find(Lead, id=order.lead_ids, site_id=order.site_id)
            if leads.lead_state(writer, lead.id) == leads.LeadState.CONFIRMED
            and not is_excluded(lead.host, excluded)
        ]
        if not mine:
            return Begun(sites={}, budgets={}, excluded=excluded)
        pages = order.pages if order.has_page_limit else None
        budgets = {
            lead.id: _budget(writer, workspace, lead, pages=pages, elapsed_s=order.elapsed_s) for lead in mine
        }
        state = _take(writer, workspace, mine[0], budgets=budgets, remembered=remembered)
    state.slice_pages, state.slice_ends_s = order.pages, now_s + order.seconds
    return Begun(sites={order.site_id: state}, budgets=budgets, excluded=excluded)


def _open_leads(reader: Reader, wanted: Collection[LeadId]) -> list[Lead]:
    """Return the confirmed leads of these numbers, or all, whose hosts may be contacted."""
    states = leads.lead_states(reader)
    for number in wanted:
        reader.get(Lead, number)
        if states.get(number) != leads.LeadState.CONFIRMED:
            raise RefusedError(
                f"Lead {number} is not confirmed.",
                f"Confirm it first: leadline leads confirm {number}.",
                code="unconfirmed",
            )
    excluded = exclusions.closed_hosts(reader)
    found = reader.find(Lead, id=tuple(wanted)) if wanted else reader.find(Lead)
    return [
        lead
        for lead in found
        if states.get(lead.id) == leads.LeadState.CONFIRMED and not is_excluded(lead.host, excluded)
    ]


def _seed(writer: Writer, workspace: Workspace, lead: Lead, *, has_page_limit: bool) -> bool:
    """Put a lead's own address into the frontier; tell whether the lead has work."""
    crawl = workspace.config.crawl
    tag = frontier.url_tag(writer, lead.url)
    found = frontier.Found(
        url=lead.url, tag=tag, pattern=hashed(writer.vault, lead.url), depth=0, priority=10.0
    )
    frontier.seed(writer, site_id=lead.site_id, lead_id=lead.id, found=found)
    asked = frontier.asked(writer, lead.id)
    is_used_up = asked >= (lead.pages or crawl.pages_per_lead)
    has_promising = _has_promising(writer, lead)
    is_done = is_used_up or not has_promising
    if asked and is_done and _is_due(writer, lead, revisit_days=crawl.revisit_days):
        frontier.open_round(writer, lead.id)
        return True
    return has_promising and (has_page_limit or not is_used_up)


def _budget(
    reader: Reader, workspace: Workspace, lead: Lead, *, pages: int | None, elapsed_s: float = 0.0
) -> Budget:
    crawl = workspace.config.crawl
    limit = lead.pages or crawl.pages_per_lead
    left = pages if pages is not None else max(0, limit - frontier.asked(reader, lead.id))
    return Budget(
        pages_left=left,
        scope_depth=crawl.depth if lead.depth is None else lead.depth,
        path_prefix=lead.path_prefix,
        ends_s=None if lead.seconds is None else time.monotonic() + lead.seconds - elapsed_s,
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
    writer: Writer,
    workspace: Workspace,
    lead: Lead,
    *,
    budgets: Mapping[LeadId, Budget],
    remembered: SiteState | None = None,
) -> SiteState:
    """Take the site of a lead: every earlier holder is fenced off; what is remembered of it is kept."""
    crawl, site_id = workspace.config.crawl, lead.site_id
    epoch = frontier.take_site(writer, site_id, f"{os.uname().nodename[:40]}:{os.getpid()}")
    page_limit = max((budget.pages_left for budget in budgets.values()), default=0)
    state = remembered
    if state is None or state.epoch != epoch - 1:  # another has had it since
        state = SiteState(
            site_id=site_id,
            tag=sites.site_tag(writer, site_id),
            host=lead.host,
            epoch=epoch,
            per_host=crawl.per_host,
            page_limit=page_limit,
            known=frontier.known_tags(writer, site_id),
            frame=fingerprints.frame_of(writer, site_id),
        )
        patterns.load(writer, site_id, state.book.restore)
    state.begin_slice(epoch, page_limit=page_limit)
    state.lead_ids = tuple(budgets)
    _line_up(writer, state)
    return state


def _by_site(chosen: Iterable[Lead]) -> dict[SiteId, tuple[Lead, list[LeadId]]]:
    """Return one lead of each site, and the numbers of all of the site."""
    found: dict[SiteId, tuple[Lead, list[LeadId]]] = {}
    for lead in chosen:
        found.setdefault(lead.site_id, (lead, []))[1].append(lead.id)
    return found


def _line_up(reader: Reader, state: SiteState) -> None:
    """Count what waits in the frontier for the site's leads, due now and later."""
    now, now_s, mine = datetime.now(UTC), time.monotonic(), state.lead_ids
    put_off = frontier.put_off_until(reader, state.site_id, mine, now)
    state.waiting = frontier.pending_patterns(reader, state.site_id, mine, now)
    state.later = [(now_s + (due_at - now).total_seconds(), name) for due_at, name in put_off]


def hashed(vault: Vault | Seals, url: str) -> str:
    """Return the keyed name of an address's pattern; the shape itself may say too much."""
    return vault.tag("pattern", pattern_of(url)).hex()[:16]
