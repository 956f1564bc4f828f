"""`evidence`: what the crawl recorded, and a person's word on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from desk.call import call_of
from desk.commands.compare import compare
from desk.listing import IDS, REVEAL, REVEAL_REASON, print_list

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from caselog.store.log import Reader

EVIDENCE_IDS = typer.Argument(None, min=1, metavar="ID", help="Numbers of evidence items.")
REASON = typer.Option(..., "--reason", metavar="TEXT", help="Why; kept encrypted, without addresses.")


def register(root: typer.Typer) -> None:
    """Add these commands to the command line."""
    evidence = typer.Typer(help="What the crawl recorded, and a person's word on it.", no_args_is_help=True)
    evidence.command("list", epilog="Example: leadline evidence list")(list_evidence)
    evidence.command("confirm", epilog='Example: leadline evidence confirm --all --reason "assessed"')(
        confirm
    )
    evidence.command("reject", epilog='Example: leadline evidence reject 4 --reason "a news article"')(reject)
    evidence.command("compare", epilog="Example: leadline evidence compare found.txt")(compare)
    root.add_typer(evidence, name="evidence")


def list_evidence(
    context: typer.Context, ids: list[int] = IDS, reveal: bool = REVEAL, reason: str | None = REVEAL_REASON
) -> None:
    """List evidence items."""
    from caselog.records.choices import Subject
    from desk.rows import EVIDENCE_COLUMNS

    print_list(
        call_of(context),
        evidence_rows,
        EVIDENCE_COLUMNS,
        subject=Subject.EVIDENCE,
        ids=ids,
        reveal=reveal,
        reason=reason,
    )


def evidence_rows(reader: Reader, show: Callable[[str], str]) -> Iterator[dict[str, Any]]:
    """Give the row of every evidence item."""
    from caselog.ledger import leaf_indexes
    from caselog.records.choices import Subject
    from caselog.records.pages import Evidence
    from desk.commands.records import page_urls
    from desk.rows import evidence_row
    from desk.verdicts import NEW, newest_decisions

    items = reader.find(Evidence)
    urls = page_urls(reader, (item.page_id for item in items))
    decisions = newest_decisions(reader, Subject.EVIDENCE)
    leaves = leaf_indexes(reader, Evidence, [item.id for item in items])
    for item in items:
        decision = decisions.get(item.id)
        yield evidence_row(
            item,
            url=urls[item.page_id],
            state=decision.verdict.value if decision else NEW,
            classification=decision.classification if decision else None,
            leaf_index=leaves.get(item.id),
            show=show,
        )


def confirm(
    context: typer.Context,
    ids: list[int] = EVIDENCE_IDS,
    every: bool = typer.Option(False, "--all", help="All items on which nobody decided yet."),
    reason: str = REASON,
    classification: str = typer.Option(
        "", "--classification", metavar="CODE", help="The legal code; default is the lead's."
    ),
) -> None:
    """Confirm evidence items with their legal code, so that notices may carry them."""
    from desk.access import Act
    from desk.review import confirm_evidence

    _each(
        context,
        ids,
        every,
        Act.CONFIRM,
        reason,
        lambda **given: confirm_evidence(code=classification, **given),
    )


def reject(context: typer.Context, ids: list[int] = EVIDENCE_IDS, reason: str = REASON) -> None:
    """Reject evidence items: no notice may carry them."""
    from desk.access import Act
    from desk.review import reject_evidence

    _each(context, ids, False, Act.EVIDENCE, reason, reject_evidence)


def _each(
    context: typer.Context,
    ids: Iterable[int] | None,
    every: bool,
    act: Any,
    reason: str,
    decide_one: Callable[..., None],
) -> None:
    """Decide on each item; one that cannot be decided is reported and the others go on."""
    from caselog.errors import ConfigError, IntakeError
    from desk.access import now
    from desk.reveal import checked_reason

    call, why = call_of(context), checked_reason(reason, "decision")
    named = list(dict.fromkeys(ids or ()))
    if bool(named) == every:
        raise ConfigError(
            "Name evidence items, or say --all.", "Example: leadline evidence confirm 4 --reason TEXT"
        )
    done, failed = 0, 0
    with call.acting(act) as (workspace, acting), workspace.log.write() as writer:
        for number in undecided(writer) if every else named:
            try:
                decide_one(writer=writer, acting=acting, evidence_id=number, reason=why, now=now())
                done += 1
            except IntakeError as error:
                call.out.item_error(error)
                failed += 1
    call.out.summary(done=done, rejected=failed)
    if failed:
        raise typer.Exit(1)


def undecided(reader: Reader) -> list[int]:
    """Return the numbers of the evidence items on which nobody decided yet."""
    from caselog.records.choices import Subject
    from caselog.records.pages import Evidence
    from desk.verdicts import newest_decisions

    decided = newest_decisions(reader, Subject.EVIDENCE)
    return [item.id for item in reader.find(Evidence) if item.id not in decided]
