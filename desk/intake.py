"""Take lead files in: rows become reports and leads, bad rows go to a rejected file with their reason.

In: a file of reported addresses. Out: `Lead`, `Report`, and on request the `Decision` that confirms a lead.
"""

from __future__ import annotations

import csv
import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO

from caselog.errors import ConfigError
from caselog.guard import may_contact
from caselog.process import holds_address
from caselog.records.choices import Subject, Verdict
from caselog.records.people import Decision
from caselog.store.exclusions import excluded_hosts
from caselog.store.leads import LeadLimits, LeadState, add_report, lead_by_url, lead_state
from crawler.reading.address import AddressError, bare_host, canonical_url, host_key, refang
from desk.casework import case_for
from desk.intake_formats import BadRow, Columns, Row, cut, read_csv, read_jsonl, read_text
from desk.lead_limits import COLUMNS as LIMIT_COLUMNS
from desk.lead_limits import limits_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
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
LIMITS = {"report": 120, "confirmed_by": 64, "category": 64, "classification": 32, "note": 2000}
IN_CLEAR = ("report", "confirmed_by", "category", "classification")
"""Columns that are not encrypted at rest, so no address may stand in them."""
DEFANGED = "The address came defanged."
"""What the note of a report says then: the address as it came is kept nowhere else."""
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodRow:
    """One row that may go in, every field checked."""

    line: int
    raw: str
    url: str
    host: str
    reference: str
    limits: LeadLimits
    received_at: datetime | None = None
    confirmed_by: str | None = None
    category: str | None = None
    classification: str | None = None
    note: str | None = None
    defanged: bool = False
    """The address came in a form like `hxxp://bread[.]example/`."""


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
    refanged: int = 0
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


def check_row(
    row: Row, *, now: datetime, practice: bool, excluded: frozenset[str] = frozenset()
) -> GoodRow | BadRow:
    """Judge one row, without looking anything up.

    Args:
        row: As read.
        now: The present time; a later stamp is read as now.
        practice: Practice workspaces take loopback literals only, live ones public literals only.
        excluded: Host keys that are never contacted.

    """
    values = dict(row.fields)
    plain = refang(values["url"])
    defanged = plain != values["url"]
    try:
        url = canonical_url(plain)
    except AddressError as error:
        return _bad(row, error.code, error.message)
    key = host_key(url)
    fault = (
        _host_fault(key, practice=practice, excluded=excluded)
        or _text_fault(values)
        or _time_fault(values.get("received_at"))
    )
    if fault:
        return _bad(row, *fault)
    limits = limits_of(values, url=url)
    if not isinstance(limits, LeadLimits):
        return _bad(row, *limits)
    return GoodRow(
        line=row.line,
        raw=row.raw,
        url=url,
        host=key,
        reference=values["report"],
        limits=limits,
        received_at=received_at(values.get("received_at"), now),
        confirmed_by=values.get("confirmed_by"),
        category=values.get("category"),
        classification=values.get("classification"),
        note=_noted(values.get("note"), defanged=defanged),
        defanged=defanged,
    )


def received_at(stamp: str | None, now: datetime) -> datetime | None:
    """Return the time of an ISO 8601 stamp; without a zone it is UTC, from the future it is now.

    Raises:
        ValueError: It is no ISO 8601 stamp.

    """
    if not stamp:
        return None
    try:
        found = datetime.combine(date.fromisoformat(stamp), time(), UTC)
    except ValueError:
        found = datetime.fromisoformat(stamp)
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    try:
        return min(found.astimezone(UTC), now)
    except OverflowError:  # within a day of the first or last year
        raise ValueError("out of range") from None


def is_excluded(key: str, excluded: frozenset[str]) -> bool:
    """Tell whether a host key is excluded, itself or its host on every port."""
    return key in excluded or bare_host(key) in excluded


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
    counts.refanged += good.defanged
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


def _noted(note: str | None, *, defanged: bool) -> str | None:
    """Return a person's note with our own word on the address behind it."""
    if not defanged:
        return note
    both = f"{note} {DEFANGED}" if note else DEFANGED
    return both if len(both) <= LIMITS["note"] else note


def _host_fault(key: str, *, practice: bool, excluded: frozenset[str]) -> tuple[str, str] | None:
    if is_excluded(key, excluded):
        return "excluded", "The host is excluded and never contacted."
    code = may_contact(bare_host(key), practice=practice) if _is_ip(bare_host(key)) else None
    if code:
        allowed = "loopback" if practice else "public"
        return code, f"The address is not a {allowed} one, as this workspace demands."
    return None


def _is_ip(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()


def _text_fault(values: dict[str, str]) -> tuple[str, str] | None:
    for name, limit in LIMITS.items():
        if len(values.get(name, "")) > limit:
            return "too_long", f"The field {name} is longer than {limit} characters."
    if holds_address(values.get("note", "")):
        return "address_in_note", "The note holds what looks like an address; leave it out there."
    for name in IN_CLEAR:
        text = values.get(name, "")
        if "://" in text or (name != "confirmed_by" and holds_address(text)):
            return "address_in_field", f"The field {name} holds what looks like an address."
    return None


def _time_fault(stamp: str | None) -> tuple[str, str] | None:
    try:
        received_at(stamp, datetime.max.replace(tzinfo=UTC))
    except ValueError:
        return "received_at", "The field received_at is no ISO 8601 time, such as 2026-05-01T12:00:00Z."
    return None


def _bad(row: Row, code: str, reason: str) -> BadRow:
    return BadRow(line=row.line, code=code, reason=reason, raw=cut(row.raw))


def _private_file(path: Path) -> Any:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    os.fchmod(descriptor, 0o600)
    return os.fdopen(descriptor, "w", encoding="utf-8", newline="")


def _no_formula(raw: str) -> str:
    """Keep spreadsheet programs from running a cell that a stranger wrote (OWASP, CSV injection)."""
    return "'" + raw if raw.startswith(FORMULA_SIGNS) else raw
