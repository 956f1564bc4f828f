"""Leads, the reports behind them, the cases that join them, and where they were handed to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from caselog.fields import listing, sealed, text
from caselog.records.choices import CaseAction, InvalidTls, Origin
from caselog.records.ids import CaseChangeId, CaseId, LeadId, PageId, ProposalId, ReferralId, ReportId, SiteId


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    """An address to follow: reported by somebody, or discovered by the crawl."""

    id: LeadId = LeadId(0)
    url: str = sealed(tagged="url")
    host: str = sealed(512, tagged="host")
    """Canonical host key, with its port unless it is the scheme's own."""
    site_id: SiteId
    origin: Origin
    path_prefix: str | None = sealed(2083, default=None)
    """The crawl stays below this path; None is the whole host."""
    depth: int | None = None
    pages: int | None = None
    seconds: int | None = None
    invalid_tls: InvalidTls = InvalidTls.READ
    """Pages behind a certificate that fails are read, with the reason on record, or refused."""
    added_by: str = text(64)
    added_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One report of an address; a second report of a known address joins its lead."""

    id: ReportId = ReportId(0)
    lead_id: LeadId
    source: str = text(120)
    reference: str = text(120)
    category: str | None = text(64, default=None)
    classification: str | None = text(32, default=None)
    confirmed_by: str | None = text(64, default=None)
    note: str | None = sealed(2000, default=None)
    received_at: datetime | None = None
    added_by: str = text(64)
    added_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """Where the crawl found a lead that nobody has confirmed yet, and why it looks related."""

    id: ProposalId = ProposalId(0)
    lead_id: LeadId
    found_on: PageId | None = None
    score: float
    reasons: tuple[str, ...] = listing(500)
    found_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The leads of one takedown; its members stand in the changes."""

    id: CaseId = CaseId(0)
    reference: str = text(64)
    opened_by: str = text(64)
    opened_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseChange:
    """A lead joined or left a case, or the case was assigned, merged, split or noted."""

    id: CaseChangeId = CaseChangeId(0)
    case_id: CaseId
    action: CaseAction
    lead_id: LeadId | None = None
    other_case_id: CaseId | None = None
    assignee: str | None = text(64, default=None)
    note: str | None = sealed(2000, default=None)
    changed_by: str = text(64)
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Referral:
    """A hand-over to another hotline, the police or a registrar, or what became of one."""

    id: ReferralId = ReferralId(0)
    lead_id: LeadId
    first_id: ReferralId | None = None
    """The hand-over that this row is news of; None on the hand-over itself."""
    receiver: str = text(120)
    kind: str = text(16)
    """`hotline`, `police` or `registrar`."""
    status: str = text(16)
    """`sent`, `acknowledged`, `returned`, `cleared` or `preserved`."""
    foreign_reference: str | None = text(120, default=None)
    note: str | None = sealed(2000, default=None)
    recorded_by: str = text(64)
    recorded_at: datetime
