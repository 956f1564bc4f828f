"""`checks`: look again at what was recorded, and a person's word on it."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import typer

from caselog.records.choices import Presence  # noqa: TC001 - Typer reads it
from desk.call import call_of
from desk.commands.crawl import say_if_quiet
from desk.listing import IDS, REVEAL, REVEAL_REASON, print_list

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from caselog.records.pages import Check
    from caselog.store.log import Reader
    from caselog.workspace import Workspace
    from desk.access import Acting
    from desk.call import Call
    from desk.engine import Orders
    from desk.worker.orders import Placed

CHECK_COLUMNS = (
    "id",
    "evidence_id",
    "url",
    "signal",
    "state",
    "first_absent",
    "last_present",
    "due_at",
    "checked_at",
)


class WordName(StrEnum):
    """What a person may say of a checked page."""

    REMOVED = "removed"
    EDITED = "edited"
    MOVED = "moved"
    LIVE = "live"


def register(root: typer.Typer) -> None:
    """Add these commands to the command line."""
    checks = typer.Typer(help="Is it gone? Look again at recorded evidence.", no_args_is_help=True)
    checks.command("run", epilog="Example: leadline checks run --all")(run)
    checks.command("list", epilog="Example: leadline checks list --newest --state REVIEW")(list_checks)
    checks.command(
        "decide", epilog='Example: leadline checks decide 9 removed --reason "read by two people"'
    )(decide)
    root.add_typer(checks, name="checks")


def run(
    context: typer.Context,
    everything: bool = typer.Option(False, "--all", help="Look at everything, also what is not due yet."),
) -> None:
    """Look at the evidence that is due."""
    from desk.access import Act, now
    from desk.output import counted

    call = call_of(context)
    with call.acting(Act.CHECKS) as (workspace, acting):
        counts = follow_checks(call, workspace, acting, now=now(), everything=everything)
    failed = counts.pop("failed", 0)
    if not counts["checks"]:
        call.out.say("Nothing was looked at." if everything else "Nothing is due; --all looks all the same.")
    call.out.summary(**counts)
    if failed:
        call.out.say(f"{counted(failed, 'site')} not looked at; what stands there stays due.")
        raise typer.Exit(4)


def follow_checks(
    call: Call, workspace: Workspace, acting: Acting, *, now: datetime, everything: bool
) -> dict[str, Any]:
    """Make one round of checks and return its counts; a worker that runs does it, or else this process.

    Raises:
        RefusedError: A safeguard said no.

    """
    from crawler.checks.watched import due_evidence
    from desk.worker.joining import carry_out
    from desk.worker.orders import checks_summary, is_round_done, place_checks
    from desk.worker.stopping import stop_on_signals

    workspace.require_authority()
    say_if_quiet(call, workspace)
    watched = due_evidence(workspace, now, everything=everything)
    counts: dict[str, Any] = {"checks": 0, "requests": 0, "signals": {}, "states": {}}
    if not watched:
        return counts

    def is_done(orders: Orders, placed: Placed) -> bool:
        done = is_round_done(orders, placed.number)
        counts.update(checks_summary(orders, placed.number) if done else {})
        return done

    with stop_on_signals() as stopping:
        _, is_over = carry_out(
            workspace,
            acting,
            stopping,
            place=lambda orders: place_checks(orders, watched, now),
            is_done=is_done,
            joined=lambda: call.out.say("A worker is at work here: it does this, and you watch."),
        )
    if not is_over:
        call.out.say("Stopped; what was not looked at stays due.")
    return counts


def look_again(
    call: Call,
    workspace: Workspace,
    *,
    now: datetime,
    everything: bool,
    clock: Callable[[], datetime] | None = None,
) -> dict[str, Any]:
    """Make one round of checks with a progress bar and return its counts: by signal and by state.

    Raises:
        RefusedError: Another round runs in this workspace, or a safeguard said no.

    """
    from crawler.checks.watched import due_evidence
    from crawler.run import run_checks

    say_if_quiet(call, workspace)
    signals: Counter[str] = Counter()
    states: Counter[str] = Counter()
    requests = 0
    watched = due_evidence(workspace, now, everything=everything)
    with workspace.alone("checks"), call.out.progress("checks", total=len(watched)) as advance:

        def note(check: Check) -> None:
            nonlocal requests
            signals[check.signal.value] += 1
            states[check.state.value] += 1
            requests += check.requests
            advance(1)

        run_checks(workspace, watched, clock=clock, progress=note)
    return {
        "checks": sum(signals.values()),
        "requests": requests,
        "signals": dict(sorted(signals.items())),
        "states": dict(sorted(states.items())),
    }


def list_checks(
    context: typer.Context,
    ids: list[int] = IDS,
    state: Presence | None = typer.Option(None, "--state", help="Only checks that led to this state."),
    newest: bool = typer.Option(False, "--newest", help="Only the newest check of each evidence item."),
    reveal: bool = REVEAL,
    reason: str | None = REVEAL_REASON,
) -> None:
    """List checks, oldest first; `--newest --state REVIEW` is what waits for a person."""
    from caselog.records.choices import Subject

    def build(reader: Reader, show: Callable[[str], str]) -> Iterator[dict[str, Any]]:
        rows = list(check_rows(reader, show))
        last = {row["evidence_id"]: row["id"] for row in rows}
        for row in rows:
            is_old = newest and row["id"] != last[row["evidence_id"]]
            if not is_old and (state is None or row["state"] == state):
                yield row

    print_list(
        call_of(context),
        build,
        CHECK_COLUMNS,
        subject=Subject.CHECK,
        ids=ids,
        reveal=reveal,
        reason=reason,
    )


def check_rows(reader: Reader, show: Callable[[str], str]) -> Iterator[dict[str, Any]]:
    """Give the row of every check."""
    from caselog.records.pages import Check, Evidence
    from desk.commands.records import page_urls
    from desk.rows import check_row

    pages = {item.id: item.page_id for item in reader.find(Evidence)}
    urls = page_urls(reader, pages.values())
    for check in reader.find(Check):
        yield check_row(check, url=urls[pages[check.evidence_id]], show=show)


def decide(
    context: typer.Context,
    number: int = typer.Argument(metavar="ID", help="Number of the check."),
    word: WordName = typer.Argument(help="What stands there now."),
    reason: str = typer.Option(
        ..., "--reason", metavar="TEXT", help="Why; kept encrypted, without addresses."
    ),
) -> None:
    """Say what a check that needs a person shows; the next look takes it into account."""
    from caselog.records.choices import Subject, Verdict
    from caselog.records.pages import Check
    from desk import verdicts
    from desk.access import Act, now
    from desk.reveal import checked_reason

    call = call_of(context)
    with call.acting(Act.CHECKS) as (workspace, acting), workspace.log.write() as writer:
        check = writer.get(Check, number)
        text = checked_reason(reason, "decision")
        verdicts.decide(writer, acting, Subject.CHECK, check.id, Verdict(word.value), now=now(), reason=text)
    call.out.summary(decided=1)
