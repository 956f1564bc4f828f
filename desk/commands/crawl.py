"""`crawl`: follow confirmed leads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from desk.call import call_of

if TYPE_CHECKING:
    from caselog.workspace import Workspace
    from crawler.crawl.opening import CrawlOptions
    from desk.access import Acting
    from desk.call import Call
    from desk.engine import Orders
    from desk.worker.orders import FollowedCall


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
    with call.acting(Act.CRAWL) as (workspace, acting):
        call.out.summary(**follow_leads(call, workspace, acting, options))


def follow_leads(call: Call, workspace: Workspace, acting: Acting, options: CrawlOptions) -> dict[str, Any]:
    """Crawl with a progress bar and return the summary; a worker that runs does it, or else this process.

    Raises:
        RefusedError: A named lead is not confirmed, or a safeguard said no.

    """
    from desk.worker.joining import carry_out
    from desk.worker.orders import FollowedCall, place_call
    from desk.worker.stopping import stop_on_signals

    say_if_quiet(call, workspace)
    with stop_on_signals() as stopping, call.out.progress("pages") as advance:

        def place(orders: Orders) -> FollowedCall:
            placed = place_call(workspace, orders, options)
            return FollowedCall(workspace=workspace, number=placed.number, made_at=placed.made_at)

        found, is_done = carry_out(
            workspace,
            acting,
            stopping,
            place=place,
            is_done=lambda orders, followed: followed.is_done(orders),
            paged=advance,
            joined=lambda: call.out.say("A worker is at work here: it does this, and you watch."),
        )
    if not is_done:
        call.out.say("Stopped; what is left stays in the frontier, and the next crawl goes on there.")
    return found.summary()


def say_if_quiet(call: Call, workspace: Workspace) -> None:
    """Tell a person that quiet hours keep everything from being asked."""
    from crawler.quiet_hours import quiet_now

    until = quiet_now(workspace.config.crawl.quiet_hours)
    if until is not None:
        call.out.say(f"These are quiet hours: nothing is asked until {until:%H:%M}; run it again then.")
