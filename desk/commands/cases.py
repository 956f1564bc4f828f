"""`cases`: the leads of one takedown together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from desk.call import call_of

if TYPE_CHECKING:
    from caselog.store.log import Reader

CASE = typer.Argument(min=1, metavar="CASE", help="Number of the case.")


def register(root: typer.Typer) -> None:
    """Add these commands to the command line."""
    cases = typer.Typer(help="The leads of one takedown together.", no_args_is_help=True)
    cases.command("list", epilog="Example: leadline cases list")(list_cases)
    cases.command("show", epilog="Example: leadline cases show 2")(show)
    cases.command("assign", epilog="Example: leadline cases assign 2 ada")(assign)
    cases.command("merge", epilog="Example: leadline cases merge 3 2")(merge)
    cases.command("split", epilog="Example: leadline cases split 2 7 8")(split)
    cases.command("note", epilog='Example: leadline cases note 2 "the provider called back"')(note)
    root.add_typer(cases, name="cases")


def list_cases(context: typer.Context) -> None:
    """List cases with their leads and who works on them."""
    from desk.access import Act
    from desk.rows import CASE_COLUMNS

    call = call_of(context)
    with call.acting(Act.READ) as (workspace, _), workspace.log.read() as reader:
        rows = case_rows(reader)
    call.out.rows(rows, CASE_COLUMNS)


def case_rows(reader: Reader) -> list[dict[str, Any]]:
    """Return the row of every case."""
    from caselog.records.leads import Case, CaseChange
    from desk.casework import assignees, members, merged_into
    from desk.rows import case_row

    changes = reader.find(CaseChange)
    where, people, merged = members(changes), assignees(changes), merged_into(changes)
    leads: dict[int, list[int]] = {}
    for lead, case in where.items():
        leads.setdefault(case, []).append(lead)
    return [
        case_row(
            case,
            leads=sorted(leads.get(case.id, [])),
            assignee=people.get(case.id),
            merged_into=merged.get(case.id),
        )
        for case in reader.find(Case)
    ]


def show(context: typer.Context, case: int = CASE) -> None:
    """Show one case with everything that happened to it."""
    from caselog.records.leads import Case, CaseChange
    from desk.access import Act
    from desk.rows import change_row

    call = call_of(context)
    with call.acting(Act.READ) as (workspace, _), workspace.log.read() as reader:
        found = reader.get(Case, case)
        (row,) = (row for row in case_rows(reader) if row["id"] == found.id)
        changes = [change_row(change) for change in reader.find(CaseChange, case_id=found.id)]
    if call.out.json:
        call.out.row({**row, "changes": changes})
        return
    call.out.row(row)
    call.out.rows(
        changes, ("changed_at", "changed_by", "action", "lead_id", "other_case_id", "assignee", "note")
    )


def assign(
    context: typer.Context,
    case: int = CASE,
    name: str = typer.Argument(metavar="NAME", help="Who works on it."),
) -> None:
    """Give a case to a person."""
    from caselog.records.choices import CaseAction
    from caselog.records.ids import CaseId
    from caselog.records.leads import Case, CaseChange
    from desk.access import Act, existing_user, now

    call = call_of(context)
    with call.acting(Act.CASES) as (workspace, acting), workspace.log.write() as writer:
        writer.get(Case, case)
        user = existing_user(writer, name)
        change = CaseChange(
            case_id=CaseId(case),
            action=CaseAction.ASSIGNED,
            assignee=user.name,
            changed_by=acting.name,
            changed_at=now(),
        )
        writer.append(change)
    call.out.say(f"Case {case} is with {name}.")


def merge(
    context: typer.Context,
    source: int = CASE,
    target: int = typer.Argument(min=1, metavar="INTO", help="Number of the case that stays."),
) -> None:
    """Move all leads of one case into another."""
    from caselog.records.ids import CaseId
    from desk import casework
    from desk.access import Act, now

    call = call_of(context)
    with call.acting(Act.CASES) as (workspace, acting), workspace.log.write() as writer:
        moved = casework.merge(writer, CaseId(source), CaseId(target), changed_by=acting.name, now=now())
    call.out.summary(moved=moved, case=target)


def split(
    context: typer.Context,
    source: int = CASE,
    leads: list[int] = typer.Argument(min=1, metavar="LEAD", help="Leads that leave it."),
) -> None:
    """Open a new case with some leads of another."""
    from caselog.records.ids import CaseId, LeadId
    from desk import casework
    from desk.access import Act, now

    call = call_of(context)
    lead_ids = [LeadId(lead) for lead in dict.fromkeys(leads)]
    with call.acting(Act.CASES) as (workspace, acting), workspace.log.write() as writer:
        new = casework.split(writer, CaseId(source), lead_ids, changed_by=acting.name, now=now())
    call.out.summary(moved=len(lead_ids), case=new)


def note(
    context: typer.Context,
    case: int = CASE,
    text: str = typer.Argument(metavar="TEXT", help="Without addresses."),
) -> None:
    """Write a note on a case; kept encrypted."""
    from caselog.records.choices import CaseAction
    from caselog.records.ids import CaseId
    from caselog.records.leads import Case, CaseChange
    from desk.access import Act, now
    from desk.reveal import checked_reason

    call, words = call_of(context), checked_reason(text, "note")
    with call.acting(Act.CASES) as (workspace, acting), workspace.log.write() as writer:
        writer.get(Case, case)
        change = CaseChange(
            case_id=CaseId(case),
            action=CaseAction.NOTED,
            note=words,
            changed_by=acting.name,
            changed_at=now(),
        )
        writer.append(change)
    call.out.say(f"Case {case} has a new note.")
