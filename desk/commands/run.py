"""`run`: the main job, from a file of confirmed reports to drafted notices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from desk.call import call_of

if TYPE_CHECKING:
    from caselog.workspace import Workspace
    from desk.access import Acting
    from desk.call import Call


def register(root: typer.Typer) -> None:
    """Add this command to the command line."""
    root.command("run", epilog="Example: leadline run today.csv")(run)


def run(
    context: typer.Context,
    file: str = typer.Argument(metavar="FILE|-", help="Confirmed reports, as `leads add` takes them."),
    form: str = typer.Option("", "--format", metavar="csv|jsonl|txt", help="Default: by the file's ending."),
    source: str = typer.Option("", "--source", metavar="NAME", help="Who reported; needed for txt."),
) -> None:
    """Take confirmed reports in, follow them, find the hosts, draft the notices; safe to run again."""
    from desk.access import Act, require

    call = call_of(context)
    with call.acting(Act.CONFIRM) as (workspace, acting):
        for act in (Act.CRAWL, Act.ENRICH, Act.DRAFT):
            require(workspace, call.user, act)
        workspace.require_authority()
        counts, failed = do_all(call, workspace, acting, file, form=form, source=source)
    call.out.summary(**counts)
    if failed:
        raise typer.Exit(4)
    if counts["rejected"]:
        raise typer.Exit(1)


def do_all(
    call: Call, workspace: Workspace, acting: Acting, file: str, *, form: str, source: str
) -> tuple[dict[str, Any], bool]:
    """Do the steps in turn and return the joined counts, and whether a source failed.

    Raises:
        ConfigError: The file cannot be read.
        RefusedError: A safeguard said no.

    """
    from crawler.crawl.opening import CrawlOptions
    from desk.access import now
    from desk.commands.crawl import follow_leads
    from desk.commands.leads import say_rejected, take_file
    from desk.drafting import draft_notices
    from desk.hosts import enrich_hosts

    taken, path = take_file(call, workspace, acting, file, form=form, source=source, confirm=True)
    if taken.rejected:
        say_rejected(call, taken.rejected, path)
    crawled = follow_leads(call, workspace, acting, CrawlOptions())
    found = enrich_hosts(workspace, acting)
    drafted = draft_notices(workspace, acting, now())
    counts: dict[str, Any] = {"leads": taken.added, "rejected": taken.rejected, **crawled}
    counts["hosts"] = found.hosts
    return counts | drafted.counts(), bool(found.failed)
