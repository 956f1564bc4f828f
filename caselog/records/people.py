"""People of the hotline, what they decided, and what they looked at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from caselog.fields import listing, sealed, text
from caselog.records.choices import Subject, UserRole, Verdict
from caselog.records.ids import DecisionId, RevealId, UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person of the hotline; the newest row of a name counts."""

    id: UserId = UserId(0)
    name: str = text(64)
    role: UserRole
    password_hash: str = text(200, default="", repr=False)
    """Argon2id in its PHC string form."""
    token_hash: str = text(64, default="", repr=False)
    """SHA-256 of a scoped token, in hex."""
    token_scope: str = text(200, default="")
    active: bool = True
    added_by: str = text(64)
    added_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a person decided about something, and why."""

    id: DecisionId = DecisionId(0)
    subject: Subject
    subject_id: int
    verdict: Verdict
    classification: str | None = text(32, default=None)
    """The legal code, as the analyst gave it; there is no default."""
    detail: str | None = sealed(1000, default=None)
    """What the decision is on where an id is not enough: a host, a contact."""
    reason: str | None = sealed(2000, default=None)
    decided_by: str = text(64)
    os_user: str = text(64)
    decided_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Reveal:
    """Who looked at addresses in clear, at which, and why."""

    id: RevealId = RevealId(0)
    subject: Subject
    subject_ids: tuple[int, ...] = listing(4000)
    reason: str = sealed(2000)
    revealed_by: str = text(64)
    os_user: str = text(64)
    revealed_at: datetime
