"""`ledger`: prove the log, here or from an export alone."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from desk.call import call_of, seal

if TYPE_CHECKING:
    from caselog.workspace import Workspace
    from desk.access import Acting


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
        from caselog.ledger_folder import verify_export

        call.out.row(asdict(verify_export(Path(folder))))
        return
    with call.workspace() as workspace:
        verified = ledger.verify(workspace.log)
    call.out.row(asdict(verified))


def export(
    context: typer.Context,
    folder: str = typer.Argument(metavar="DIR", help="An earlier export in it is replaced."),
    open_evidence: int = typer.Option(
        0, "--open", min=0, metavar="EVIDENCE_ID", help="Disclose this item's hashes.", show_default=False
    ),
) -> None:
    """Write what a stranger needs to verify the ledger, with a stand-alone program; it holds no addresses."""
    from caselog.ledger_folder import export as write_export
    from desk.access import Act

    call = call_of(context)
    with call.acting(Act.LEDGER) as (workspace, acting):
        if open_evidence:
            _record_opening(workspace, acting, open_evidence)
        seal(workspace)
        with workspace.log.read() as reader:
            head = write_export(reader, Path(folder), open_evidence=open_evidence or None)
    call.out.row({"folder": folder, "size": head.size, "root": head.root, "opened": open_evidence or None})


def _record_opening(workspace: Workspace, acting: Acting, number: int) -> None:
    from caselog.records.choices import Subject, Verdict
    from caselog.records.pages import Evidence
    from desk.access import now
    from desk.verdicts import decide

    with workspace.log.write() as writer:
        writer.get(Evidence, number)
        decide(writer, acting, Subject.EVIDENCE, number, Verdict.EXPORTED, now=now())
