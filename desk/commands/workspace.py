"""`init`, `doctor`, `key status`, `data status`: the workspace itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from desk.call import call_of

if TYPE_CHECKING:
    from desk.call import Call


def register(root: typer.Typer) -> None:
    """Add these commands to the command line."""
    root.command(epilog="Example: leadline init --practice")(init)
    root.command(epilog="Example: leadline doctor")(doctor)
    key = typer.Typer(help="Keys of the workspace.", no_args_is_help=True)
    key.command("status", epilog="Example: leadline key status")(key_status)
    root.add_typer(key, name="key")
    data = typer.Typer(
        help="Reference data: suffixes, registries, networks, countries.", no_args_is_help=True
    )
    data.command("status", epilog="Example: leadline data status")(data_status)
    root.add_typer(data, name="data")


def init(
    context: typer.Context,
    practice: bool = typer.Option(False, "--practice", help="Reach loopback only; the mark is permanent."),
    database: str = typer.Option(
        "",
        "--database",
        metavar="URL",
        help="Another database than SQLite; a workspace moves there.",
        show_default=False,
    ),
) -> None:
    """Make a workspace; bring one of an older release up to date, or move it to another --database."""
    from caselog.workspace import create_workspace, is_workspace, upgrade_workspace

    call = call_of(context)
    if is_workspace(call.folder):
        is_upgraded = upgrade_workspace(call.folder)
        if database:
            call.out.summary(moved=_move(call, database))
            return
        if is_upgraded:
            call.out.say("The case log was brought up to date.")
            return
    made = create_workspace(call.folder, practice=practice, database=database or None)
    made.log.close()
    call.out.row({"workspace": str(call.folder), "practice": made.practice, "settings": "leadline.toml"})
    call.out.say("Next: leadline --user NAME users add NAME --role supervisor")


def _move(call: Call, database: str) -> int:
    """Move the case log to another database while no worker is at work; return the rows copied."""
    from caselog.moving import move
    from caselog.slots.slot import take_slot
    from desk.access import Act

    with call.acting(Act.KEYS) as (workspace, _):
        slot = take_slot(workspace)
        try:
            with call.out.progress("rows") as advance:
                count = move(workspace, database, advance)
        finally:
            slot.leave()
    call.out.say("The old database stays as it is; keep it until the next backup of the new one.")
    return count


def doctor(context: typer.Context) -> None:
    """Look whether everything is in place; exits 1 when something is wrong."""
    from desk.doctor import WRONG, examine

    call = call_of(context)
    findings = examine(call.folder)
    call.out.rows([finding.row() for finding in findings], ("check", "result", "detail"))
    if any(finding.result == WRONG for finding in findings):
        raise typer.Exit(1)


def key_status(context: typer.Context) -> None:
    """Tell about the keys without showing them."""
    from desk.access import Act
    from desk.doctor import key_facts

    call = call_of(context)
    with call.acting(Act.READ) as (workspace, _):
        call.out.row(key_facts(workspace))


def data_status(context: typer.Context) -> None:
    """List the reference data with source and age."""
    from desk.doctor import data_files

    call = call_of(context)
    with call.workspace() as workspace:
        rows = [found.row() for found in data_files(workspace.folder, workspace.config)]
    call.out.rows(rows, ("name", "source", "present", "modified_at", "age_days", "size_bytes"))
