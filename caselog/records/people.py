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
    """How the person is called in this workspace; what they act as."""
    role: UserRole
    """What they may do."""
    password_hash: str = text(200, default="", repr=False)
    """Argon2id in its PHC string form."""
    token_hash: str = text(64, default="", repr=False)
    """SHA-256 of a scoped token, in hex."""
    token_scope: str = text(200, default="")
    """The acts that the token allows, separated by commas."""
    active: bool = True
    """Whether they may act; a person who left is kept, switched off."""
    added_by: str = text(64)
    """Who added this row; the first supervisor is added by itself."""
    added_at: datetime
    """When this row was added."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a person decided about something, and why."""

    id: DecisionId = DecisionId(0)
    subject: Subject
    """The kind of record that was decided on."""
    subject_id: int
    """The number of that record."""
    verdict: Verdict
    """What was decided."""
    classification: str | None = text(32, default=None)
    """The legal code, as the analyst gave it; there is no default."""
    detail: str | None = sealed(1000, default=None)
    """What the decision is on where an id is not enough: a host, a contact."""
    reason: str | None = sealed(2000, default=None)
    """Why, in the person's own words."""
    decided_by: str = text(64)
    """Who decided."""
    os_user: str = text(64)
    """Their log-in name at the operating system."""
    decided_at: datetime
    """When."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reveal:
    """Who looked at addresses in clear, at which, and why."""

    id: RevealId = RevealId(0)
    subject: Subject
    """The kind of record whose addresses were shown."""
    subject_ids: tuple[int, ...] = listing(4000)
    """The numbers of those records."""
    reason: str = sealed(2000)
    """Why, in the person's own words."""
    revealed_by: str = text(64)
    """Who looked."""
    os_user: str = text(64)
    """Their log-in name at the operating system."""
    revealed_at: datetime
    """When."""
