"""Read pages of confirmed sites once, for a comparison: fetched, handed over, forgotten."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from caselog.errors import RefusedError
from caselog.records.leads import Lead
from caselog.store import exclusions, leads
from crawler.addon import user_agent
from crawler.reading.address import host_key
from crawler.scope import is_excluded
from crawler.transport.client import Transport
from crawler.transport.pace import fresh_pace
from crawler.transport.tor import TorControl, tor_socks_of

if TYPE_CHECKING:
    from caselog.workspace import Workspace
    from crawler.transport.pace import Pace


def pace_of(workspace: Workspace) -> Pace:
    """Give the pace that the workspace sets for requests outside a crawl; one for all of a command."""
    crawl = workspace.config.crawl
    return fresh_pace(delay_s=crawl.delay_seconds, per_host=crawl.per_host)


def fetch_text(workspace: Workspace, url: str, pace: Pace) -> tuple[str, str]:
    """Return the text and media type of a page of a confirmed site.

    Args:
        workspace: Says who may be asked, and how.
        url: The page.
        pace: Shared by all pages of one command.

    Raises:
        RefusedError: The host is not confirmed or is excluded, or the transport refused the answer.
        SourceError: Nothing usable arrived.
    """
    workspace.require_authority()
    _refuse_strangers(workspace, host_key(url))
    return asyncio.run(_fetch(workspace, url, pace))


def _refuse_strangers(workspace: Workspace, host: str) -> None:
    with workspace.log.read() as reader:
        states = leads.lead_states(reader)
        confirmed = {lead.host for lead in reader.find(Lead) if states[lead.id] == leads.LeadState.CONFIRMED}
        closed = exclusions.closed_hosts(reader)
    if host not in confirmed or is_excluded(host, closed):
        raise RefusedError(
            "This address belongs to no confirmed lead.",
            "Confirm a lead of its site first.",
            code="unconfirmed",
        )


async def _fetch(workspace: Workspace, url: str, pace: Pace) -> tuple[str, str]:
    network, tor_socks = workspace.config.network, tor_socks_of(workspace)
    transport = Transport(
        practice=workspace.practice,
        user_agent=user_agent(network.user_agent, contact=workspace.config.authority.contact),
        nameservers=list(network.resolver),
        pace=pace,
        tor_socks=tor_socks,
        tor_control=TorControl(network.tor.control, socks=tor_socks) if tor_socks else None,
    )
    try:
        answer = await transport.fetch(url)
    finally:
        await transport.close()
    fetch = answer.fetch
    return answer.body.decode(fetch.charset or "utf-8", "replace"), fetch.media_type or "text/html"
