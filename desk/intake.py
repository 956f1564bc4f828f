"""Take lead files in: rows become reports and leads, bad rows go to a rejected file with their reason.

In: a file of reported addresses. Out: `Lead`, `Report`, and on request the `Decision` that confirms a lead.
"""

from __future__ import annotations

import csv
import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO

from caselog.errors import ConfigError
from caselog.records.choices import Subject, Verdict
from caselog.records.people import Decision
from caselog.store.exclusions import excluded_hosts
from caselog.store.leads import LeadState, add_report, lead_by_url, lead_state
from desk.casework import case_for
from desk.intake_formats import BadRow, Columns, Row, cut, read_csv, read_jsonl, read_text
from desk.lead_limits import COLUMNS as LIMIT_COLUMNS
from desk.lead_row import check_row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

    from caselog.records.leads import Lead
    from caselog.store.log import CaseLog, Writer
    from desk.access import Acting

COLUMNS = Columns(
    required=("url", "report"),
    optional=("received_at", "confirmed_by", "category", "classification", "note", *LIMIT_COLUMNS),
)
FORMATS = ("csv", "jsonl", "txt")
DEFAULT_SOURCE = "intake"
ROWS_AT_ONCE = 200
"""Rows that share a transaction: what is committed stays when a long intake is interrupted."""
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """How a file is taken in."""

    acting: Acting
    practice: bool
    source: str = DEFAULT_SOURCE
    confirm: bool = False
    on_lead: tuple[Callable[[Writer, Lead], None], ...] = ()
    """Called in the same transaction for each lead that is new."""


@dataclass(slots=True, kw_only=True)
class Counts:
    """What became of the rows."""

    rows: int = 0
    added: int = 0
    """New leads."""
    joined: int = 0
    """New reports of known leads."""
    known: int = 0
    """Rows that added nothing."""
    confirmed: int = 0
    defanged: int = 0
    """Good rows whose address came defanged."""
    rejected: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    """How often each reason code was given."""


def read_rows(stream: BinaryIO, form: str, source: str | None) -> Iterator[Row | BadRow]:
    """Give the rows of a lead file in one of `FORMATS`.

    Raises:
        ConfigError: The format is unknown, or a list of addresses comes without its source.

    """
    if form == "csv":
        return read_csv(stream, COLUMNS)
    if form == "jsonl":
        return read_jsonl(stream, COLUMNS)
    if form != "txt":
        raise ConfigError(f"Lead files of the format {form} cannot be read.", f"Known: {', '.join(FORMATS)}.")
    if not source:
        raise ConfigError(
            "A plain list of addresses does not say who reported them.", "Say it with --source NAME."
        )
    return _with_report(read_text(stream), source)


def format_of(name: str) -> str:
    """Return the format that a file's ending stands for; csv when it says nothing."""
    ending = name.rpartition(".")[2].lower()
    return {"jsonl": "jsonl", "ndjson": "jsonl", "txt": "txt"}.get(ending, "csv")


def take_in(
    log: CaseLog,
    rows: Iterable[Row | BadRow],
    intake: Intake,
    reject: Callable[[BadRow], None],
    now: datetime,
) -> Counts:
    """Add the good rows to the case log and hand the bad ones to `reject`; return the counts.

    Rows are committed in batches, and a row that was committed adds nothing when it comes again.
    """
    counts = Counts()
    stream = iter(rows)
    while batch := list(islice(stream, ROWS_AT_ONCE)):
        with log.write() as writer:
            excluded = excluded_hosts(writer)
            for row in batch:
                bad = _take_row(writer, row, intake, counts, excluded=excluded, now=now)
                counts.rows += 1
                if bad is not None:
                    counts.rejected += 1
                    counts.reasons[bad.code] = counts.reasons.get(bad.code, 0) + 1
                    reject(bad)
    return counts


@contextmanager
def rejected_file(path: Path) -> Iterator[Callable[[BadRow], None]]:
    """Give a function that writes bad rows to a CSV file, made with the first and readable by its owner.

    Raises:
        ConfigError: The file cannot be written; nothing is lost, because the batch is not committed then.

    """
    writer: Any = None
    file = None

    def reject(bad: BadRow) -> None:
        nonlocal writer, file
        try:
            if file is None:
                file = _private_file(path)
                writer = csv.writer(file)
                writer.writerow(("line", "code", "reason", "row"))
            writer.writerow((bad.line, bad.code, bad.reason, _no_formula(cut(bad.raw))))
            file.flush()
        except OSError as error:
            raise ConfigError(
                f"The file of rejected rows cannot be written: {error.strerror}.",
                "Make its folder writable and run again; good rows before are in already.",
            ) from error

    try:
        yield reject
    finally:
        if file is not None:
            file.close()


def confirm_lead(
    writer: Writer,
    lead: Lead,
    acting: Acting,
    *,
    classification: str | None,
    reason: str | None,
    now: datetime,
) -> None:
    """Record that a person confirmed a lead, and give it a case."""
    writer.append(
        Decision(
            subject=Subject.LEAD,
            subject_id=lead.id,
            verdict=Verdict.CONFIRMED,
            classification=classification,
            reason=reason,
            decided_by=acting.name,
            os_user=acting.os_user,
            decided_at=now,
        )
    )
    case_for(writer, lead.id, opened_by=acting.name, now=now)


def _take_row(
    writer: Writer,
    row: Row | BadRow,
    intake: Intake,
    counts: Counts,
    *,
    excluded: frozenset[str],
    now: datetime,
) -> BadRow | None:
    """Add one row; return it as bad where it could not be."""
    if isinstance(row, BadRow):
        return row
    good = check_row(row, now=now, practice=intake.practice, excluded=excluded)
    if isinstance(good, BadRow):
        return good
    counts.defanged += good.defanged
    is_first = lead_by_url(writer, good.url) is None
    lead, _, is_new = add_report(
        writer,
        url=good.url,
        host=good.host,
        now=now,
        limits=good.limits,
        source=intake.source,
        reference=good.reference,
        added_by=intake.acting.name,
        category=good.category,
        classification=good.classification,
        confirmed_by=good.confirmed_by,
        note=good.note,
        received_at=good.received_at,
    )
    _count(counts, is_new=is_new, is_first=is_first)
    if is_first:
        for hook in intake.on_lead:
            hook(writer, lead)
    if intake.confirm and _wants_confirmation(writer, lead, is_new=is_new):
        confirm_lead(
            writer,
            lead,
            intake.acting,
            classification=good.classification,
            reason="Confirmed at intake.",
            now=now,
        )
        counts.confirmed += 1
    return None


def _count(counts: Counts, *, is_new: bool, is_first: bool) -> None:
    counts.added += is_first
    counts.joined += is_new and not is_first
    counts.known += not is_new


def _wants_confirmation(writer: Writer, lead: Lead, *, is_new: bool) -> bool:
    """A lead that was rejected or closed needs a new report before intake confirms it again."""
    state = lead_state(writer, lead.id)
    return state is LeadState.NEW or (is_new and state is not LeadState.CONFIRMED)


def _with_report(rows: Iterator[Row | BadRow], source: str) -> Iterator[Row | BadRow]:
    for row in rows:
        if isinstance(row, BadRow):
            yield row
        else:
            yield Row(line=row.line, raw=row.raw, fields={**row.fields, "report": source})


def _private_file(path: Path) -> Any:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    os.fchmod(descriptor, 0o600)
    return os.fdopen(descriptor, "w", encoding="utf-8", newline="")


def _no_formula(raw: str) -> str:
    """Keep spreadsheet programs from running a cell that a stranger wrote (OWASP, CSV injection)."""
    return "'" + raw if raw.startswith(FORMULA_SIGNS) else raw
