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
    """The address in its canonical form."""
    host: str = sealed(512, tagged="host")
    """Canonical host key, with its port unless it is the scheme's own."""
    site_id: SiteId
    """The site that the address is on."""
    origin: Origin
    """Whether somebody reported it or the crawl discovered it."""
    path_prefix: str | None = sealed(2083, default=None)
    """The crawl stays below this path; None is the whole host."""
    depth: int | None = None
    """How many links away from the address the crawl may go; None is the setting."""
    pages: int | None = None
    """How many pages the crawl may fetch; None is the setting."""
    seconds: int | None = None
    """How long one crawl of it may take, in seconds; None is without an end of its own."""
    invalid_tls: InvalidTls = InvalidTls.READ
    """Pages behind a certificate that fails are read, with the reason on record, or refused."""
    added_by: str = text(64)
    """Who took it in; `crawl` for a discovered lead."""
    added_at: datetime
    """When it was taken in or discovered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One report of an address; a second report of a known address joins its lead."""

    id: ReportId = ReportId(0)
    lead_id: LeadId
    """The lead whose address was reported."""
    source: str = text(120)
    """Who reported, as named at intake."""
    reference: str = text(120)
    """The reporter's own number for it; with the source it tells reports apart."""
    category: str | None = text(64, default=None)
    """The hotline's own kind of report, for statistics."""
    classification: str | None = text(32, default=None)
    """The legal code that came with the report."""
    confirmed_by: str | None = text(64, default=None)
    """Who confirmed it where it came from, as the file says; it confirms nothing here."""
    note: str | None = sealed(2000, default=None)
    """What a person wrote about it."""
    received_at: datetime | None = None
    """When the report was received, as the file says."""
    added_by: str = text(64)
    """Who took it in."""
    added_at: datetime
    """When it was taken in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """Where the crawl found a lead that nobody has confirmed yet, and why it looks related."""

    id: ProposalId = ProposalId(0)
    lead_id: LeadId
    """The discovered lead that is proposed."""
    found_on: PageId | None = None
    """The page that links to it."""
    score: float
    """How closely it looks related; higher is closer."""
    reasons: tuple[str, ...] = listing(500)
    """What the score was given for, as stable words."""
    found_at: datetime
    """When the link was found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The leads of one takedown; its members stand in the changes."""

    id: CaseId = CaseId(0)
    reference: str = text(64)
    """What the case is called, here and in notices."""
    opened_by: str = text(64)
    """Who opened it."""
    opened_at: datetime
    """When it was opened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseChange:
    """A lead joined or left a case, or the case was assigned, merged, split or noted."""

    id: CaseChangeId = CaseChangeId(0)
    case_id: CaseId
    """The case that was changed."""
    action: CaseAction
    """What was done."""
    lead_id: LeadId | None = None
    """The lead that joined or left."""
    other_case_id: CaseId | None = None
    """The other case of a merge or split."""
    assignee: str | None = text(64, default=None)
    """To whom the case was assigned."""
    note: str | None = sealed(2000, default=None)
    """What a person wrote."""
    changed_by: str = text(64)
    """Who did it."""
    changed_at: datetime
    """When."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Referral:
    """A hand-over to another hotline, the police or a registrar, or what became of one."""

    id: ReferralId = ReferralId(0)
    lead_id: LeadId
    """The lead that was handed over."""
    first_id: ReferralId | None = None
    """The hand-over that this row is news of; None on the hand-over itself."""
    receiver: str = text(120)
    """To whom."""
    kind: str = text(16)
    """`hotline`, `police` or `registrar`."""
    status: str = text(16)
    """`sent`, `acknowledged`, `returned`, `cleared` or `preserved`."""
    foreign_reference: str | None = text(120, default=None)
    """The number that they gave it."""
    note: str | None = sealed(2000, default=None)
    """What a person wrote about it."""
    recorded_by: str = text(64)
    """Who recorded it."""
    recorded_at: datetime
    """When it was recorded."""
