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
    previous_id: NoticeId | None = None
    case_id: CaseId | None = None
    hosting_ids: tuple[int, ...] = listing(2000)
    evidence_ids: tuple[int, ...] = listing(4000)
    recipient: str = sealed(320, tagged="contact")
    role: str = text(32)
    """`host`, `proxy`, `platform`, `network` or `registrar`."""
    reason: str = sealed(1000)
    """Why this recipient."""
    provider: str | None = text(200, default=None)
    contact_source: str = text(64)
    contact_guessed: bool = False
    language: str = text(16)
    profile: str = text(16)
    tlp: str = text(16)
    ledger_root: str | None = text(64, default=None)
    ledger_size: int | None = None
    practice: bool
    drafted_by: str = text(64)
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A second person let a notice go out."""

    id: ReleaseId = ReleaseId(0)
    notice_id: NoticeId
    released_by: str = text(64)
    os_user: str = text(64)
    preserved_by: str | None = text(120, default=None)
    """Who preserves the content; None is nobody."""
    police_cleared: bool = False
    released_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One step of a released notice on its way out."""

    id: DeliveryId = DeliveryId(0)
    notice_id: NoticeId
    attempt: int
    state: DeliveryState
    channel: str = text(16)
    message_id: str | None = text(200, default=None)
    detail: str | None = text(120, default=None)
    """The server's own status code, or another stable word."""
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back on a notice: its class and digests, never its text."""

    id: ReplyId = ReplyId(0)
    notice_id: NoticeId | None = None
    kind: str = text(32)
    """`acknowledged`, `bounced`, `removed_claim`, `not_ours`, `question`, `form_required`, `other`."""
    message_id: str | None = text(200, default=None)
    ticket: str | None = text(120, default=None)
    headers_sha256: str = text(64)
    body_sha256: str = text(64)
    size_bytes: int
    matched_by: str | None = text(64, default=None)
    received_at: datetime
    recorded_at: datetime
