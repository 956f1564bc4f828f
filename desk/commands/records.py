"""`pages list`, `sites list`, `hosting list`, `proposals list`: what the crawl and the look-ups recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from desk.call import call_of
from desk.listing import IDS, REVEAL, REVEAL_REASON, print_list

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from caselog.store.log import Reader

    Show = Callable[[str], str]

IDS_A_QUERY = 500


def register(root: typer.Typer) -> None:
    """Add these commands to the command line."""
    for name, command, about in (
        ("pages", list_pages, "What each fetch brought."),
        ("sites", list_sites, "Hosts under their tags, with counts."),
        ("hosting", list_hosting, "Who hosts what, and where."),
        ("proposals", list_proposals, "What the crawl discovered and nobody confirmed."),
    ):
        nouns = typer.Typer(help=about, no_args_is_help=True)
        nouns.callback()(_group)
        nouns.command("list", epilog=f'Example: leadline {name} list --reveal --reason "review" 7')(command)
        root.add_typer(nouns, name=name, help=about)


def list_pages(
    context: typer.Context, ids: list[int] = IDS, reveal: bool = REVEAL, reason: str | None = REVEAL_REASON
) -> None:
    """List pages: one row for each fetch."""
    from caselog.records.choices import Subject
    from caselog.records.pages import Page
    from desk.rows import PAGE_COLUMNS, page_row

    def build(reader: Reader, show: Show) -> Iterator[dict[str, Any]]:
        pages = reader.find(Page, id=list(ids)) if ids else reader.find(Page)
        return (page_row(page, show=show) for page in pages)

    print_list(
        call_of(context), build, PAGE_COLUMNS, subject=Subject.PAGE, ids=ids, reveal=reveal, reason=reason
    )


def list_sites(
    context: typer.Context, ids: list[int] = IDS, reveal: bool = REVEAL, reason: str | None = REVEAL_REASON
) -> None:
    """List sites with their pages, evidence and addresses still to be asked."""
    from caselog.records.choices import Subject
    from desk.rows import SITE_COLUMNS

    print_list(
        call_of(context),
        site_rows,
        SITE_COLUMNS,
        subject=Subject.SITE,
        ids=ids,
        reveal=reveal,
        reason=reason,
        key="site_id",
    )


def list_hosting(
    context: typer.Context,
    ids: list[int] = IDS,
    every: bool = typer.Option(False, "--all", help="Earlier look-ups of each host too."),
    reveal: bool = REVEAL,
    reason: str | None = REVEAL_REASON,
) -> None:
    """List the newest look-up of each host."""
    from caselog.records.choices import Subject
    from caselog.records.hosting import Hosting
    from desk.rows import HOSTING_COLUMNS, hosting_row

    def build(reader: Reader, show: Show) -> Iterator[dict[str, Any]]:
        found = reader.find(Hosting)
        rows = found if every or ids else list({row.host: row for row in found}.values())
        return (hosting_row(row, show=show) for row in rows)

    print_list(
        call_of(context),
        build,
        HOSTING_COLUMNS,
        subject=Subject.HOSTING,
        ids=ids,
        reveal=reveal,
        reason=reason,
    )


def list_proposals(
    context: typer.Context, ids: list[int] = IDS, reveal: bool = REVEAL, reason: str | None = REVEAL_REASON
) -> None:
    """List discovered leads, best score first; `leads confirm ID` takes their numbers."""
    from caselog.records.choices import Subject
    from desk.rows import PROPOSAL_COLUMNS

    print_list(
        call_of(context),
        proposal_rows,
        PROPOSAL_COLUMNS,
        subject=Subject.LEAD,
        ids=ids,
        reveal=reveal,
        reason=reason,
    )


def site_rows(reader: Reader, show: Show) -> Iterator[dict[str, Any]]:
    """Give the row of every site."""
    from caselog.records.pages import Evidence, Page
    from caselog.store import frontier
    from caselog.store.sites import site_hosts, site_tags
    from desk.rows import site_row

    waiting: dict[int, dict[str, int]] = {}
    for (site_id, state), number in frontier.counts(reader).items():
        waiting.setdefault(site_id, {})[state] = number
    hosts, tags = site_hosts(reader), site_tags(reader)
    for site_id, tag in sorted(tags.items()):
        yield site_row(
            site_id,
            tag=tag,
            host=hosts.get(site_id, "[purged]"),
            pages=reader.count(Page, site_id=site_id),
            evidence=reader.count(Evidence, site_id=site_id),
            frontier=waiting.get(site_id, {}),
            show=show,
        )


def proposal_rows(reader: Reader, show: Show) -> list[dict[str, Any]]:
    """Return one row for each discovered lead, best score first."""
    from caselog.records.leads import Lead, Proposal
    from caselog.store.leads import lead_states
    from desk.rows import proposal_row

    found: dict[int, list[Proposal]] = {}
    for proposal in reader.find(Proposal):
        found.setdefault(proposal.lead_id, []).append(proposal)
    states = lead_states(reader)
    rows = [
        proposal_row(lead, found[lead.id], state=states[lead.id], show=show)
        for lead in reader.find(Lead, id=list(found))
    ]
    return sorted(rows, key=lambda row: (-row["score"], row["id"]))


def page_urls(reader: Reader, page_ids: Iterable[int]) -> dict[int, str]:
    """Return the address of each of these pages."""
    from caselog.records.pages import Page

    wanted = sorted(set(page_ids))
    urls: dict[int, str] = {}
    for start in range(0, len(wanted), IDS_A_QUERY):
        pages = reader.find(Page, id=wanted[start : start + IDS_A_QUERY])
        urls.update({page.id: page.url for page in pages})
    return urls


def _group() -> None:
    """Keep a group with one command a group."""
