"""Leads: their state from people's decisions, and how a report joins the lead of its address."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, TypedDict, Unpack

import sqlalchemy as sa

from caselog import schema
from caselog.records.choices import InvalidTls, Origin, Subject, Verdict
from caselog.records.ids import LeadId
from caselog.records.leads import Lead, Report
from caselog.records.people import Decision
from caselog.store.sites import site_for

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from caselog.store.log import Reader, Writer


class LeadState(StrEnum):
    """Where a lead stands, after the newest decision on it."""

    NEW = "new"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    CLOSED = "closed"


STATE_AFTER: Mapping[Verdict, LeadState] = MappingProxyType(
    {
        Verdict.CONFIRMED: LeadState.CONFIRMED,
        Verdict.CLOSED: LeadState.CLOSED,
        Verdict.REJECTED: LeadState.REJECTED,
        Verdict.NOT_ILLEGAL: LeadState.REJECTED,
        Verdict.GONE: LeadState.REJECTED,
        Verdict.WALLED: LeadState.REJECTED,
        Verdict.DUPLICATE: LeadState.REJECTED,
        Verdict.OUT_OF_REMIT: LeadState.REJECTED,
        Verdict.INSUFFICIENT: LeadState.REJECTED,
        Verdict.REFERRED: LeadState.REJECTED,
    }
)
"""What a decision makes of a lead; verdicts that are not named change nothing."""


class ReportFields(TypedDict, total=False):
    """What `add_report` takes of a report, and of the lead that it may make."""

    source: str
    reference: str
    added_by: str
    category: str | None
    classification: str | None
    confirmed_by: str | None
    note: str | None
    received_at: datetime | None


def lead_states(reader: Reader) -> dict[LeadId, LeadState]:
    """Return the state of every lead."""
    leads, decisions = schema.METADATA.tables["leads"], schema.METADATA.tables["decisions"]
    states = {
        LeadId(number): LeadState.NEW for number in reader.connection.execute(sa.select(leads.c.id)).scalars()
    }
    verdicts = [verdict.value for verdict in STATE_AFTER]
    query = sa.select(decisions.c.subject_id, decisions.c.verdict).order_by(decisions.c.id)
    query = query.where(decisions.c.subject == Subject.LEAD.value, decisions.c.verdict.in_(verdicts))
    for number, verdict in reader.connection.execute(query):
        if number in states:
            states[LeadId(number)] = STATE_AFTER[Verdict(verdict)]
    return states


def lead_state(reader: Reader, lead_id: LeadId) -> LeadState:
    """Return the state of one lead; a lead that does not exist is new."""
    newest = reader.latest(Decision, subject=Subject.LEAD, subject_id=lead_id, verdict=tuple(STATE_AFTER))
    return LeadState.NEW if newest is None else STATE_AFTER[newest.verdict]


def lead_by_url(reader: Reader, url: str) -> Lead | None:
    """Return the first lead of this canonical address, or None."""
    found = reader.find(Lead, url=url, limit=1)
    return found[0] if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadLimits:
    """How far the crawl of a lead may go; None stands for the workspace's setting."""

    path_prefix: str | None = None
    """Only this path and what lies below it."""
    depth: int | None = None
    pages: int | None = None
    seconds: int | None = None
    invalid_tls: InvalidTls = InvalidTls.READ


def add_report(
    writer: Writer,
    *,
    url: str,
    host: str,
    now: datetime,
    limits: LeadLimits | None = None,
    **report: Unpack[ReportFields],
) -> tuple[Lead, Report, bool]:
    """Add a report of an address; a known address keeps its lead, and the same report again adds nothing.

    Args:
        writer: An open writer.
        url: The canonical address.
        host: Its canonical host key.
        now: The time, for the new rows.
        limits: How far the crawl of a new lead may go; a known lead keeps its own.
        report: `source`, `reference` and `added_by`, and more of the report's fields.

    Returns:
        The lead, the report, and whether the report is new.

    Raises:
        IntakeError: A field is too long or of the wrong type.
    """
    writer.lock("leads")
    lead = lead_by_url(writer, url) or _new_lead(
        writer, url, host, limits or LeadLimits(), added_by=report["added_by"], now=now
    )
    known = writer.find(
        Report, lead_id=lead.id, source=report["source"], reference=report["reference"], limit=1
    )
    if known:
        return lead, known[0], False
    return lead, writer.append(Report(lead_id=lead.id, added_at=now, **report)), True


def _new_lead(
    writer: Writer, url: str, host: str, limits: LeadLimits, *, added_by: str, now: datetime
) -> Lead:
    return writer.append(
        Lead(
            url=url,
            host=host,
            site_id=site_for(writer, host),
            origin=Origin.REPORTED,
            path_prefix=limits.path_prefix,
            depth=limits.depth,
            pages=limits.pages,
            seconds=limits.seconds,
            invalid_tls=limits.invalid_tls,
            added_by=added_by,
            added_at=now,
        )
    )


def classification_of(reader: Reader, lead_id: LeadId) -> str | None:
    """Return the lead's legal code: the newest of a decision, else the newest of a report."""
    decisions = reader.find(Decision, newest_first=True, subject=Subject.LEAD, subject_id=lead_id)
    reports = reader.find(Report, newest_first=True, lead_id=lead_id)
    codes = [each.classification for each in decisions] + [each.classification for each in reports]
    return next((code for code in codes if code), None)
