"""`crawl`: follow confirmed leads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from desk.call import call_of

if TYPE_CHECKING:
    from caselog.workspace import Workspace
    from crawler.crawl.opening import CrawlOptions
    from desk.call import Call


def register(root: typer.Typer) -> None:
    """Add this command to the command line."""
    root.command("crawl", epilog="Example: leadline crawl --lead 3 --pages 100")(crawl)


def crawl(
    context: typer.Context,
    lead: list[int] = typer.Option([], "--lead", metavar="ID", help="Only this lead; may be repeated."),
    pages: int | None = typer.Option(None, "--pages", min=1, help="Ask for so many pages at most."),
    seconds: float | None = typer.Option(None, "--seconds", min=0.1, help="Stop after so many seconds."),
) -> None:
    """Follow confirmed leads; goes on where an earlier crawl was interrupted."""
    from caselog.records.ids import LeadId
    from crawler.crawl.opening import CrawlOptions
    from desk.access import Act

    call = call_of(context)
    options = CrawlOptions(lead_ids=tuple(LeadId(number) for number in lead), pages=pages, seconds=seconds)
    with call.acting(Act.CRAWL) as (workspace, _):
        call.out.summary(**follow_leads(call, workspace, options))


def follow_leads(call: Call, workspace: Workspace, options: CrawlOptions) -> dict[str, float]:
    """Crawl with a progress bar and return the summary.

    Raises:
        RefusedError: Another crawl runs in this workspace, or a safeguard said no.

    """
    from crawler.crawl.session import open_session
    from crawler.run import run_crawl

    say_if_quiet(call, workspace)
    with workspace.alone("crawl"), call.out.progress("pages") as advance:
        return run_crawl(open_session(workspace, options), progress=lambda _: advance(1))


def say_if_quiet(call: Call, workspace: Workspace) -> None:
    """Tell a person that quiet hours keep everything from being asked."""
    from crawler.quiet_hours import quiet_now

    until = quiet_now(workspace.config.crawl.quiet_hours)
    if until is not None:
        call.out.say(f"These are quiet hours: nothing is asked until {until:%H:%M}; run it again then.")
