"""A notice's record, its state, what holds it back, and who may let it go; all of it pure."""

from __future__ import annotations

import json
import unicodedata
import uuid
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from caselog.records.choices import DeliveryState, Subject, UserRole, Verdict
from caselog.records.ids import EvidenceId
from caselog.records.notices import Notice
from exports.recipients import contact_key
from exports.redact import Audience, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from caselog.records.notices import Delivery, Release, Reply
    from caselog.records.people import Decision, User
    from exports.recipients import Group


class NoticeState(StrEnum):
    """How far a notice is."""

    DRAFT = "draft"
    HELD = "held"
    CLEARED = "cleared"
    RELEASED = "released"
    SENDING = "sending"
    UNCERTAIN = "uncertain"
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    ANSWERED = "answered"
    CLOSED = "closed"


class HoldReason(StrEnum):
    """Why a notice may not go out yet."""

    EVIDENCE_UNCONFIRMED = "evidence_unconfirmed"
    CLASSIFICATION_MISSING = "classification_missing"
    AUTHORITY_MISSING = "authority_missing"
    UNKNOWN_CONTACT = "unknown_contact"
    GUESSED_CONTACT = "guessed_contact"
    MARKED_PROVIDER = "marked_provider"
    POLICE_CLEARANCE = "police_clearance"
    REFERRED = "referred"
    BY_PERSON = "by_person"


NEVER_CLEARED = frozenset(
    {HoldReason.EVIDENCE_UNCONFIRMED, HoldReason.CLASSIFICATION_MISSING, HoldReason.AUTHORITY_MISSING}
)
"""Reasons that no `clear` lifts: the missing fact itself has to come."""
_OUT = frozenset({NoticeState.CLOSED})
_LEAVES = frozenset(NoticeState) - {NoticeState.DRAFT, NoticeState.HELD, NoticeState.CLEARED}
_ON_ITS_WAY = {
    DeliveryState.HANDED_OVER: NoticeState.SENDING,
    DeliveryState.ACCEPTED: NoticeState.DELIVERED,
    DeliveryState.BOUNCED: NoticeState.BOUNCED,
    DeliveryState.UNCERTAIN: NoticeState.UNCERTAIN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """One reason, and what it is about: evidence numbers, or the names of missing settings."""

    reason: HoldReason
    about: tuple[int | str, ...] = ()

    @property
    def clearable(self) -> bool:
        """Tell whether a person's `clear` lifts it."""
        return self.reason not in NEVER_CLEARED


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What stands in the case log around a notice."""

    confirmed: frozenset[EvidenceId]
    """Evidence that a person confirmed."""
    classified: frozenset[EvidenceId]
    """Evidence with a legal code, its own or its lead's."""
    authority_missing: tuple[str, ...] = ()
    contact_approved: bool = False
    hold_unknown: bool = True
    provider_marked: bool = False
    """The provider is known to forward complaints to its customer, or not to be trusted."""
    referral_accepted: bool = False
    """Another hotline acknowledged a referral of one of the items."""
    police_needed: bool = False
    police_cleared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftSettings:
    """What the settings and the workspace give to each notice."""

    namespace: uuid.UUID
    """The workspace's own random number, so that equal drafts elsewhere have other numbers."""
    language: str = "en"
    profile: str = "eu-dsa"
    tlp: str = "AMBER+STRICT"
    practice: bool
    ledger_root: str | None = None
    ledger_size: int | None = None


def compose(
    group: Group, settings: DraftSettings, *, drafted_by: str, now: datetime, previous: Notice | None = None
) -> Notice:
    """Return the notice for `group`; the same content has the same `uuid`, whoever drafts it and when.

    Args:
        group: Who is told what.
        settings: What is the same for all notices of this run.
        drafted_by: The acting user.
        now: Aware UTC.
        previous: The closed notice that this one follows, such as after a reappearance.
    """
    revision = previous.revision + 1 if previous else 1
    return Notice(
        uuid=str(content_uuid(group, settings, revision)),
        revision=revision,
        previous_id=previous.id if previous else None,
        case_id=group.case_id,
        hosting_ids=group.hosting_ids,
        evidence_ids=group.evidence_ids,
        recipient=group.recipient,
        role=group.role,
        reason=group.reason[:1000],
        provider=one_line(group.provider),
        contact_source=group.contact_source[:64],
        contact_guessed=group.guessed,
        language=settings.language,
        profile=settings.profile,
        tlp=settings.tlp,
        ledger_root=settings.ledger_root,
        ledger_size=settings.ledger_size,
        practice=settings.practice,
        drafted_by=drafted_by,
        created_at=now,
    )


def content_uuid(group: Group, settings: DraftSettings, revision: int) -> uuid.UUID:
    """Return the UUIDv5 (RFC 9562, 5.5) of what the notice says, and to whom."""
    content = {
        "case": group.case_id,
        "evidence": sorted(group.evidence_ids),
        "language": settings.language,
        "practice": settings.practice,
        "profile": settings.profile,
        "recipient": contact_key(group.recipient),
        "revision": revision,
        "role": group.role,
        "tlp": settings.tlp,
    }
    return uuid.uuid5(settings.namespace, json.dumps(content, sort_keys=True, separators=(",", ":")))


def told(notices: Iterable[tuple[Notice, NoticeState]]) -> dict[str, frozenset[EvidenceId]]:
    """Return which evidence is on a live notice to which contact, by `contact_key`.

    A bounced notice is live: telling the same dead mailbox again brings nothing. Only a closed one is not.
    """
    found: dict[str, frozenset[EvidenceId]] = {}
    for notice, state in notices:
        if state not in _OUT:
            key = contact_key(notice.recipient)
            found[key] = found.get(key, frozenset()) | _evidence_of(notice)
    return found


def _evidence_of(notice: Notice) -> frozenset[EvidenceId]:
    return frozenset(map(EvidenceId, notice.evidence_ids))


def holds_of(notice: Notice, facts: Facts) -> tuple[Hold, ...]:
    """Return every reason of the case log why the notice may not go out, whatever people decided on it."""
    evidence = _evidence_of(notice)
    checked = (
        (HoldReason.EVIDENCE_UNCONFIRMED, tuple(sorted(evidence - facts.confirmed))),
        (HoldReason.CLASSIFICATION_MISSING, tuple(sorted(evidence - facts.classified))),
        (HoldReason.AUTHORITY_MISSING, facts.authority_missing),
    )
    flagged = (
        (HoldReason.GUESSED_CONTACT, notice.contact_guessed and not facts.contact_approved),
        (
            HoldReason.UNKNOWN_CONTACT,
            facts.hold_unknown and not facts.contact_approved and not notice.contact_guessed,
        ),
        (HoldReason.MARKED_PROVIDER, facts.provider_marked),
        (HoldReason.REFERRED, facts.referral_accepted),
        (HoldReason.POLICE_CLEARANCE, facts.police_needed and not facts.police_cleared),
    )
    missing = tuple(Hold(reason=reason, about=about) for reason, about in checked if about)
    return missing + tuple(Hold(reason=reason) for reason, is_held in flagged if is_held)


def standing_holds(holds: Iterable[Hold], decisions: Sequence[Decision], notice: Notice) -> tuple[Hold, ...]:
    """Return what is left of `holds` after people decided, with their own hold among them."""
    newest = _newest_decision(notice, decisions, frozenset({Verdict.HELD, Verdict.CLEARED}))
    if newest is None:
        return tuple(holds)
    if newest.verdict is Verdict.CLEARED:
        return tuple(hold for hold in holds if not hold.clearable)
    return (*holds, Hold(reason=HoldReason.BY_PERSON))


def state_of(
    notice: Notice,
    *,
    decisions: Sequence[Decision] = (),
    releases: Sequence[Release] = (),
    deliveries: Sequence[Delivery] = (),
    replies: Sequence[Reply] = (),
    holds: Iterable[Hold] = (),
) -> NoticeState:
    """Return the notice's state; rows about other notices are passed over.

    Args:
        notice: The notice.
        decisions: Held, cleared and closed by people, in the order of their numbers.
        releases: A release that is older than a later hold no longer counts.
        deliveries: The newest step counts.
        replies: An answer sets `answered`, never more: a claimed removal is for the checks to find.
        holds: From `holds_of`.
    """
    if _newest_decision(notice, decisions, frozenset({Verdict.CLOSED})):
        return NoticeState.CLOSED
    steps = [step for step in deliveries if step.notice_id == notice.id]
    if steps:
        return _after_handover(notice, max(steps, key=lambda step: step.id), replies)
    if standing_holds(holds, decisions, notice):
        return NoticeState.HELD
    if _valid_release(notice, releases, decisions):
        return NoticeState.RELEASED
    is_cleared = _newest_decision(notice, decisions, frozenset({Verdict.CLEARED}))
    return NoticeState.CLEARED if is_cleared else NoticeState.DRAFT


def may_leave(state: NoticeState, audience: Audience) -> bool:
    """Return whether a notice in `state` may be exported: a host is told what a second person released."""
    return audience is not Audience.HOST or state in _LEAVES


def may_release(notice: Notice, user: User, state: NoticeState) -> str | None:
    """Return None when `user` may release the notice, else a stable word for the refusal.

    The words: `inactive`, `role`, `own_draft` (nobody releases what they drafted), `held`, `not_open`.
    """
    if not user.active:
        return "inactive"
    if user.role not in (UserRole.OFFICER, UserRole.SUPERVISOR):
        return "role"
    if person_key(user.name) == person_key(notice.drafted_by):
        return "own_draft"
    if state is NoticeState.HELD:
        return "held"
    return None if state in (NoticeState.DRAFT, NoticeState.CLEARED) else "not_open"


def person_key(name: str) -> str:
    """Return the form in which names of people are compared, so that nobody is two by their letter case."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).strip()


def _newest_decision(
    notice: Notice, decisions: Iterable[Decision], verdicts: frozenset[Verdict]
) -> Decision | None:
    ours = (
        decision
        for decision in decisions
        if decision.subject is Subject.NOTICE
        and decision.subject_id == notice.id
        and decision.verdict in verdicts
    )
    return max(ours, key=lambda decision: decision.id, default=None)


def _after_handover(notice: Notice, step: Delivery, replies: Iterable[Reply]) -> NoticeState:
    ours = [reply for reply in replies if reply.notice_id == notice.id]
    if any(reply.kind != "bounced" for reply in ours):
        return NoticeState.ANSWERED
    # A bounce that came in before the newest attempt speaks of an older one.
    if any(reply.recorded_at >= step.recorded_at for reply in ours):
        return NoticeState.BOUNCED
    return _ON_ITS_WAY[step.state]


def _valid_release(notice: Notice, releases: Iterable[Release], decisions: Iterable[Decision]) -> bool:
    held = _newest_decision(notice, decisions, frozenset({Verdict.HELD}))
    return any(
        release.notice_id == notice.id
        and person_key(release.released_by) != person_key(notice.drafted_by)
        and (held is None or release.released_at >= held.decided_at)
        for release in releases
    )
