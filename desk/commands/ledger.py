"""`ledger`: prove the log, here or from an export alone."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import typer

from desk.call import call_of


def register(root: typer.Typer) -> None:
    """Add these commands to the command line."""
    ledger = typer.Typer(help="Prove what was recorded, and that nobody changed it.", no_args_is_help=True)
    ledger.command("verify", epilog="Example: leadline ledger verify --from exported/")(verify)
    ledger.command("export", epilog="Example: leadline ledger export exported/ --open 4")(export)
    root.add_typer(ledger, name="ledger")


def verify(
    context: typer.Context,
    folder: str = typer.Option("", "--from", metavar="DIR", help="An export instead of this workspace."),
) -> None:
    """Check every record against the ledger; exits 5 when something was changed."""
    from caselog import ledger

    call = call_of(context)
    if folder:
        from caselog.ledger_export import verify_export

        call.out.row(asdict(verify_export(Path(folder))))
        return
    with call.workspace() as workspace:
        with workspace.log.write() as writer:
            ledger.seal(writer)
        verified = ledger.verify(workspace.log)
    call.out.row(asdict(verified))


def export(
    context: typer.Context,
    folder: str = typer.Argument(metavar="DIR", help="A new or empty folder."),
    open_evidence: int = typer.Option(
        0,
        "--open",
        min=0,
        metavar="EVIDENCE_ID",
        help="Disclose the fields of this item.",
        show_default=False,
    ),
    reason: str | None = typer.Option(None, "--reason", metavar="TEXT", help="Why the item is opened."),
) -> None:
    """Write what a stranger needs to verify the ledger, with a stand-alone program."""
    from caselog import ledger
    from caselog.ledger_export import export as write_export
    from caselog.records.choices import Subject
    from desk.access import Act, now
    from desk.reveal import record_reveal

    call = call_of(context)
    with call.acting(Act.LEDGER) as (workspace, acting):
        with workspace.log.write() as writer:
            if open_evidence:
                record_reveal(
                    writer,
                    acting,
                    Subject.EVIDENCE,
                    [open_evidence],
                    reason=reason or "Opened in a ledger export.",
                    practice=workspace.practice,
                    by_id=True,
                    now=now(),
                )
            ledger.seal(writer)
        with workspace.log.read() as reader:
            write_export(reader, Path(folder), open_evidence=open_evidence or None)
            head = ledger.head(reader)
    call.out.row({"folder": folder, "size": head.size, "root": head.root, "opened": open_evidence or None})
