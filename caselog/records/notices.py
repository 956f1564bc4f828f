"""Notices, their release, their way out, and what came back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from caselog.fields import listing, sealed, text
from caselog.records.choices import DeliveryState
from caselog.records.ids import CaseId, DeliveryId, NoticeId, ReleaseId, ReplyId


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One letter to one provider contact about one or more evidence items."""

    id: NoticeId = NoticeId(0)
    uuid: str = text(36)
    """UUIDv5 of its content, so that a second rendering has the same number."""
    revision: int = 1
    """Which drafting of the same matter it is; a closed draft may be drafted anew."""
    previous_id: NoticeId | None = None
    """The notice that it takes the place of."""
    case_id: CaseId | None = None
    """The case of its items; None where they belong to several."""
    hosting_ids: tuple[int, ...] = listing(2000)
    """The look-ups that the recipient follows from."""
    evidence_ids: tuple[int, ...] = listing(4000)
    """The items that it is about."""
    recipient: str = sealed(320, tagged="contact")
    """The mailbox that it is written to."""
    role: str = text(32)
    """`host`, `proxy`, `platform`, `network` or `registrar`."""
    reason: str = sealed(1000)
    """Why this recipient."""
    provider: str | None = text(200, default=None)
    """What the recipient's company is called."""
    contact_source: str = text(64)
    """Which source named the mailbox."""
    contact_guessed: bool = False
    """Whether the mailbox was guessed, not published."""
    language: str = text(16)
    """The language of the letter."""
    profile: str = text(16)
    """The legal frame of the letter: `eu-dsa`, `uk`, `us` or `generic`."""
    tlp: str = text(16)
    """The traffic light of the notice: how far it may be passed on."""
    ledger_root: str | None = text(64, default=None)
    """Root of the ledger that the letter prints, in hex."""
    ledger_size: int | None = None
    """How many leaves that root covers."""
    practice: bool
    """Whether it was drafted in a practice workspace."""
    drafted_by: str = text(64)
    """Who drafted it, and so may not release it."""
    created_at: datetime
    """When it was drafted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A second person let a notice go out."""

    id: ReleaseId = ReleaseId(0)
    notice_id: NoticeId
    """The notice that may go out."""
    released_by: str = text(64)
    """Who released it; never who drafted it."""
    os_user: str = text(64)
    """Their log-in name at the operating system."""
    preserved_by: str | None = text(120, default=None)
    """Who preserves the content; None is nobody."""
    police_cleared: bool = False
    """Whether the police had cleared it."""
    released_at: datetime
    """When it was released."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One step of a released notice on its way out."""

    id: DeliveryId = DeliveryId(0)
    notice_id: NoticeId
    """The notice on its way."""
    attempt: int
    """Which attempt this step belongs to."""
    state: DeliveryState
    """How far the attempt came."""
    channel: str = text(16)
    """The way that it took, such as `mail` or `export`."""
    message_id: str | None = text(200, default=None)
    """The Message-ID under which it went out."""
    detail: str | None = text(120, default=None)
    """The server's own status code, or another stable word."""
    recorded_at: datetime
    """When the step was recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back on a notice: its class and digests, never its text."""

    id: ReplyId = ReplyId(0)
    notice_id: NoticeId | None = None
    """The notice that it answers; None until it is matched."""
    kind: str = text(32)
    """`acknowledged`, `bounced`, `removed_claim`, `not_ours`, `question`, `form_required`, `other`."""
    message_id: str | None = text(200, default=None)
    """Its own Message-ID."""
    ticket: str | None = text(120, default=None)
    """The provider's number for the matter."""
    headers_sha256: str = text(64)
    """Digest of its header lines, in hex."""
    body_sha256: str = text(64)
    """Digest of its body, in hex."""
    size_bytes: int
    """Length of the whole message."""
    matched_by: str | None = text(64, default=None)
    """How its notice was found: a stable word, or who said so."""
    received_at: datetime
    """When it arrived."""
    recorded_at: datetime
    """When it was recorded."""
