"""Lists of records: read, defanged or revealed, printed; a reveal is recorded before anything is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from caselog.records.choices import Subject
    from caselog.store.log import Reader
    from desk.call import Call

    Show = Callable[[str], str]
    Build = Callable[[Reader, Show], Iterable[dict[str, Any]]]

IDS = typer.Argument(None, min=1, metavar="ID", help="Only these records.", show_default=False)
REVEAL = typer.Option(
    False, "--reveal", help="Show addresses in clear; live workspaces: by ID, few at a time."
)
REVEAL_REASON = typer.Option(None, "--reason", metavar="TEXT", help="Why the addresses are needed; audited.")


def print_list(
    call: Call,
    build: Build,
    columns: Sequence[str],
    *,
    subject: Subject,
    ids: Sequence[int] | None,
    reveal: bool,
    reason: str | None,
    key: str = "id",
) -> None:
    """Print the rows that `build` makes from the case log.

    Args:
        call: The present call.
        build: Makes the rows; the second argument shows an address as asked.
        columns: The columns of the table.
        subject: What a reveal is recorded to be about.
        ids: Only these records, or None.
        reveal: Whether addresses are shown in clear.
        reason: Why.
        key: The key of a row that holds its number.

    Raises:
        Exit: 1 when a named record does not exist; the others are printed.

    """
    rows = _revealed(call, build, subject, ids, reason, key) if reveal else _defanged(call, build, ids, key)
    call.out.rows(rows, columns)
    report_missing(call, ids, {row[key] for row in rows})


def report_missing(call: Call, ids: Sequence[int] | None, found: Iterable[int]) -> None:
    """Say which of the named records do not exist.

    Raises:
        Exit: 1 when there are some.

    """
    from caselog.errors import IntakeError

    there = set(found)
    missing = [number for number in dict.fromkeys(ids or ()) if number not in there]
    for number in missing:
        call.out.item_error(
            IntakeError(f"There is no record {number} in this list.", "See the list without it.")
        )
    if missing:
        raise typer.Exit(1)


def _defanged(call: Call, build: Build, ids: Sequence[int] | None, key: str) -> list[dict[str, Any]]:
    from crawler.reading.defanged import defang
    from desk.access import Act

    with call.acting(Act.READ) as (workspace, _), workspace.log.read() as reader:
        return _only(build(reader, defang), ids, key)


def _revealed(
    call: Call, build: Build, subject: Subject, ids: Sequence[int] | None, reason: str | None, key: str
) -> list[dict[str, Any]]:
    from desk.access import Act, now
    from desk.reveal import record_reveal

    with call.acting(Act.REVEAL) as (workspace, acting), workspace.log.write() as writer:
        rows = _only(build(writer, str), ids, key)
        record_reveal(
            writer,
            acting,
            subject,
            [row[key] for row in rows],
            reason=reason,
            practice=workspace.practice,
            by_id=bool(ids),
            now=now(),
        )
        return rows


def _only(rows: Iterable[dict[str, Any]], ids: Sequence[int] | None, key: str) -> list[dict[str, Any]]:
    wanted = set(ids or ())
    return [row for row in rows if not wanted or row[key] in wanted]
