"""`worker` and `schedule list`: carry out what is due, for as long as it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from desk.call import call_of

if TYPE_CHECKING:
    from threading import Event

    from caselog.workspace import Workspace
    from desk.access import Acting
    from desk.call import Call

LOOK_S = 0.3
"""How soon a signal is obeyed."""


def register(root: typer.Typer) -> None:
    """Add these commands to the command line."""
    root.command("worker", epilog="Example: leadline worker --once")(worker)
    schedule = typer.Typer(help="What a worker does again and again.", no_args_is_help=True)
    schedule.command("list", epilog="Example: leadline schedule list")(schedule_list)
    root.add_typer(schedule, name="schedule")


def worker(
    context: typer.Context,
    once: bool = typer.Option(False, "--once", help="Do what is due now, then end."),
) -> None:
    """Carry out jobs until stopped: crawls, checks, look-ups; Ctrl-C ends it and loses nothing."""
    from desk.access import Act, require
    from desk.worker.stopping import stop_on_signals

    call = call_of(context)
    with call.acting(Act.CRAWL) as (workspace, acting), stop_on_signals() as stopping:
        for act in (Act.CHECKS, Act.ENRICH):
            require(workspace, call.user, act)
        workspace.require_authority()
        counts = _work(call, workspace, acting, stopping, once=once)
    call.out.summary(**counts)


def _work(call: Call, workspace: Workspace, acting: Acting, stopping: Event, *, once: bool) -> dict[str, Any]:
    """Run a worker until it is stopped; one that was displaced begins anew under another number."""
    from desk.worker.worker import running_worker

    pages = 0

    def note(count: int) -> None:
        nonlocal pages
        pages += count

    while not stopping.is_set():
        with running_worker(workspace, acting, note, keeps_schedules=not once) as running:
            call.out.say(f"Worker {running.number} is at work; Ctrl-C stops it.")
            if once:
                running.do_once(stopping)
                break
            while not (stopping.wait(LOOK_S) or running.is_displaced):
                continue
    return {"pages": pages}


def schedule_list(context: typer.Context) -> None:
    """List what a worker does again and again, when it did so last, and when it will next."""
    from desk.access import Act
    from desk.worker.jobs import schedule_rows

    call = call_of(context)
    with call.acting(Act.READ) as (workspace, _):
        call.out.rows(schedule_rows(workspace), ("job", "cron", "last_at", "next_at", "does"))
