"""`leads`: intake and the review queue."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import typer

from caselog.records.choices import Origin  # noqa: TC001 - Typer reads it
from desk.call import Call, call_of
from desk.listing import IDS, REVEAL, REVEAL_REASON, print_list

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from caselog.records.leads import Lead
    from caselog.store.log import Reader, Writer
    from caselog.workspace import Workspace
    from desk.access import Acting
    from desk.intake import Counts

STDIN = "-"
LEAD_IDS = typer.Argument(min=1, metavar="ID", help="Numbers of leads.")
REASON = typer.Option(..., "--reason", metavar="TEXT", help="Why; kept encrypted, without addresses.")


class StateName(StrEnum):
    """The states of a lead, as the command line takes them."""

    NEW = "new"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    CLOSED = "closed"


class OutcomeName(StrEnum):
    """Why a lead is rejected."""

    NOT_ILLEGAL = "not_illegal"
    GONE = "gone"
    WALLED = "walled"
    DUPLICATE = "duplicate"
    OUT_OF_REMIT = "out_of_remit"
    INSUFFICIENT = "insufficient"
    REFERRED = "referred"


def register(root: typer.Typer) -> None:
    """Add these commands to the command line."""
    leads = typer.Typer(help="Reported and proposed addresses: intake and review.", no_args_is_help=True)
    leads.command("add", epilog="Example: leadline leads add today.csv --confirm")(add)
    leads.command("list", epilog='Example: leadline leads list --state new --reveal --reason "review" 7')(
        list_leads
    )
    leads.command(
        "confirm", epilog='Example: leadline leads confirm 3 4 --reason "assessed" --classification A1'
    )(confirm)
    leads.command(
        "reject", epilog='Example: leadline leads reject 5 --outcome gone --reason "404 since May"'
    )(reject)
    leads.command("close", epilog='Example: leadline leads close 3 --reason "removed"')(close)
    root.add_typer(leads, name="leads")


def add(
    context: typer.Context,
    file: str = typer.Argument(metavar="FILE|-", help="The file; - is standard input."),
    form: str = typer.Option("", "--format", metavar="csv|jsonl|txt", help="Default: by the file's ending."),
    source: str = typer.Option("", "--source", metavar="NAME", help="Who reported; needed for txt."),
    confirm_all: bool = typer.Option(
        False, "--confirm", help="Confirm each lead in the acting person's name."
    ),
) -> None:
    """Take a file of reports in; bad rows come back in FILE.rejected.csv with line and reason."""
    from desk.access import Act

    call = call_of(context)
    with call.acting(Act.CONFIRM if confirm_all else Act.LEADS) as (workspace, acting):
        counts, path = take_file(call, workspace, acting, file, form=form, source=source, confirm=confirm_all)
    print_counts(call, counts, path)
    if counts.rejected:
        raise typer.Exit(1)


def take_file(
    call: Call,
    workspace: Workspace,
    acting: Acting,
    file: str,
    *,
    form: str = "",
    source: str = "",
    confirm: bool = False,
) -> tuple[Counts, Path]:
    """Take a lead file in; return the counts and where rejected rows went.

    Raises:
        ConfigError: The file cannot be opened, or its format is unknown.

    """
    from desk.access import now
    from desk.intake import DEFAULT_SOURCE, Intake, format_of, read_rows, rejected_file, take_in

    path = workspace.folder / "rejected.csv" if file == STDIN else Path(f"{file}.rejected.csv")
    intake = Intake(
        acting=acting,
        practice=workspace.practice,
        source=source or DEFAULT_SOURCE,
        confirm=confirm,
        on_lead=lead_hooks(workspace),
    )
    with opened(file) as stream, rejected_file(path) as reject, call.out.progress("rows") as advance:
        rows = read_rows(stream, form or format_of(file), source or None)
        counts = take_in(workspace.log, _counted(rows, advance), intake, reject, now())
    return counts, path


def lead_hooks(workspace: Workspace) -> tuple[Callable[[Writer, Lead], None], ...]:
    """Return what happens to each new lead in the transaction that adds it: its offline hosting row."""
    from desk.hosts import intake_hook

    return (intake_hook(workspace),)


def say_rejected(call: Call, number: int, path: Path) -> None:
    """Tell a person how many rows came back, and where they are."""
    from desk.output import counted

    call.out.say(f"{counted(number, 'row')} rejected; {path.name} says why.")


def print_counts(call: Call, counts: Counts, path: Path) -> None:
    """Print what became of the rows, as the summary line."""
    if counts.rejected:
        say_rejected(call, counts.rejected, path)
    call.out.summary(
        rows=counts.rows,
        added=counts.added,
        joined=counts.joined,
        known=counts.known,
        confirmed=counts.confirmed,
        defanged=counts.defanged,
        rejected=counts.rejected,
        reasons=counts.reasons,
    )


@contextmanager
def opened(file: str) -> Iterator[BinaryIO]:
    """Open a file that comes in, or standard input for `-`.

    Raises:
        ConfigError: It cannot be read.

    """
    from caselog.errors import ConfigError

    if file == STDIN:
        yield sys.stdin.buffer
        return
    try:
        stream = Path(file).open("rb")  # noqa: SIM115 -- closed below; only the opening is translated
    except OSError as error:
        raise ConfigError(
            f"The file cannot be read: {error.strerror}.", "Look at its name and rights."
        ) from error
    with stream:
        yield stream


def list_leads(
    context: typer.Context,
    ids: list[int] = IDS,
    state: StateName | None = typer.Option(None, "--state", help="Only leads in this state."),
    origin: Origin | None = typer.Option(None, "--origin", help="Only leads that came this way."),
    reveal: bool = REVEAL,
    reason: str | None = REVEAL_REASON,
) -> None:
    """List leads: the review queue."""
    from caselog.records.choices import Subject
    from desk.rows import LEAD_COLUMNS

    def build(reader: Reader, show: Callable[[str], str]) -> Iterable[dict[str, Any]]:
        return (
            row
            for row in lead_rows(reader, show)
            if (state is None or row["state"] == state) and (origin is None or row["origin"] == origin)
        )

    print_list(
        call_of(context), build, LEAD_COLUMNS, subject=Subject.LEAD, ids=ids, reveal=reveal, reason=reason
    )


def lead_rows(reader: Reader, show: Callable[[str], str]) -> Iterator[dict[str, Any]]:
    """Give the row of every lead."""
    from caselog.records.choices import Subject
    from caselog.records.leads import Lead, Report
    from caselog.records.people import Decision
    from caselog.store.leads import lead_states
    from desk.rows import lead_row

    states = lead_states(reader)
    reports: dict[int, list[Report]] = {}
    for report in reader.find(Report):
        reports.setdefault(report.lead_id, []).append(report)
    decided = {
        decision.subject_id: decision.classification
        for decision in reader.find(Decision, subject=Subject.LEAD)
        if decision.classification
    }
    for lead in reader.find(Lead):
        yield lead_row(
            lead,
            state=states[lead.id],
            reports=reports.get(lead.id, []),
            classification=decided.get(lead.id),
            show=show,
        )


def confirm(
    context: typer.Context,
    ids: list[int] = LEAD_IDS,
    reason: str = REASON,
    classification: str = typer.Option(
        "", "--classification", metavar="CODE", help="The legal code for notices."
    ),
) -> None:
    """Confirm leads, so that they may be crawled; each gets a case."""
    from desk.access import Act
    from desk.review import confirm_one

    _each(
        context,
        ids,
        Act.CONFIRM,
        reason,
        "confirm",
        lambda **given: confirm_one(code=classification, **given),
    )


def reject(
    context: typer.Context,
    ids: list[int] = LEAD_IDS,
    outcome: OutcomeName = typer.Option(help="What the lead is instead."),
    reason: str = REASON,
) -> None:
    """Reject leads; they are not crawled."""
    from caselog.records.choices import Verdict
    from desk.access import Act
    from desk.review import decide_lead

    verdict = Verdict(outcome.value)
    _each(context, ids, Act.LEADS, reason, "rejection", lambda **given: decide_lead(verdict=verdict, **given))


def close(context: typer.Context, ids: list[int] = LEAD_IDS, reason: str = REASON) -> None:
    """Close leads; they are not crawled or checked again."""
    from caselog.records.choices import Verdict
    from desk.access import Act
    from desk.review import decide_lead

    _each(
        context,
        ids,
        Act.LEADS,
        reason,
        "closing",
        lambda **given: decide_lead(verdict=Verdict.CLOSED, **given),
    )


def _each(
    context: typer.Context,
    ids: Sequence[int],
    act: Any,
    reason: str,
    what: str,
    decide_one: Callable[..., None],
) -> None:
    """Decide on each lead; one that cannot be decided is reported and the others go on."""
    from caselog.errors import IntakeError
    from desk.access import now
    from desk.reveal import checked_reason

    call, why = call_of(context), checked_reason(reason, what)
    done = 0
    with call.acting(act) as (workspace, acting), workspace.log.write() as writer:
        for number in dict.fromkeys(ids):
            try:
                decide_one(writer=writer, acting=acting, lead_id=number, reason=why, now=now())
                done += 1
            except IntakeError as error:
                call.out.item_error(error)
    failed = len(set(ids)) - done
    call.out.summary(done=done, rejected=failed)
    if failed:
        raise typer.Exit(1)


def _counted(rows: Iterable[Any], advance: Callable[[int], None]) -> Iterator[Any]:
    for row in rows:
        advance(1)
        yield row
