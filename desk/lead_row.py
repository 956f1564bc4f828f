"""Judge one row of a lead file: every field checked, nothing looked up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING

from caselog.guard import may_contact
from caselog.process import holds_address
from caselog.store.leads import LeadLimits
from crawler.reading.address import AddressError, bare_host, canonical_url, host_key
from crawler.reading.defanged import refang
from crawler.scope import is_excluded
from desk.intake_formats import BadRow, cut
from desk.lead_limits import limits_of

if TYPE_CHECKING:
    from desk.intake_formats import Row

LIMITS = {"report": 120, "confirmed_by": 64, "category": 64, "classification": 32, "note": 2000}
IN_CLEAR = ("report", "confirmed_by", "category", "classification")
"""Columns that are not encrypted at rest, so no address may stand in them."""
DEFANGED = "The address came defanged."
"""What the note of a report says then: the address as it came is kept nowhere else."""


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
