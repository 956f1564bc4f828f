"""Draft notices, say what holds them back, and let a second person release them.

In: confirmed leads' evidence and the newest look-up of each host. Out: `Notice`, `Decision`, `Release`.
"""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from caselog import ledger
from caselog.errors import IntakeError
from caselog.records.choices import Presence, Subject, Verdict
from caselog.records.ids import EvidenceId
from caselog.records.notices import Notice
from caselog.records.people import Decision
from caselog.store.leads import LeadState
from desk.material import (
    Contacts,
    Item,
    Papers,
    read_contacts,
    read_hostings,
    read_items,
    read_papers,
    referral_states,
)
from desk.verdicts import decide
from exports.notices import (
    DraftSettings,
    Facts,
    Hold,
    NoticeState,
    compose,
    holds_of,
    standing_holds,
    state_of,
    told,
)
from exports.recipients import Candidate, ContactBook, Group, Plan, Policy, contact_key, plan_notices

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from caselog.records.hosting import Hosting
    from caselog.records.ids import CaseId, LeadId
    from caselog.store.log import Reader, Writer
    from caselog.workspace import Workspace
    from desk.access import Acting
    from exports.recipients import Leftover, Referred

TLP = "AMBER+STRICT"
WITHOUT_CONTACT = frozenset(
    {"no_hosting", "onion", "no_contact", "only_rejected", "blocked_contact", "form_only"}
)
"""Why an item has nobody to write to."""
TOLD = "already_told"
OPEN = frozenset({NoticeState.DRAFT, NoticeState.HELD, NoticeState.CLEARED})
"""States in which a notice waits for a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftSummary:
    """What became of the evidence."""

    notices: tuple[Notice, ...] = ()
    """The new ones."""
    holds: Mapping[int, tuple[Hold, ...]] = field(default_factory=dict)
    """Why each new notice is held, by its number."""
    referred: tuple[Referred, ...] = ()
    leftovers: tuple[Leftover, ...] = ()

    def counts(self) -> dict[str, int]:
        """Return the summary line."""
        reasons = Counter(one.reason for one in self.leftovers)
        without = sum(number for reason, number in reasons.items() if reason in WITHOUT_CONTACT)
        return {
            "notices": len(self.notices),
            "items": sum(len(notice.evidence_ids) for notice in self.notices),
            "held": sum(1 for holds in self.holds.values() if holds),
            "referred": len(self.referred),
            "without_contact": without,
            "waiting": reasons.total() - without - reasons[TOLD],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Everything around the notices of a workspace, read in one transaction."""

    items: Mapping[EvidenceId, Item]
    papers: Papers
    contacts: Contacts
    referrals: Mapping[LeadId, frozenset[tuple[str, str]]]
    authority_missing: tuple[str, ...] = ()
    hold_unknown: bool = True
    police_needed: bool = False

    def holds(self, notice: Notice) -> tuple[Hold, ...]:
        """Return every reason against a notice, whatever people decided."""
        return holds_of(notice, self._facts(notice))

    def standing(self, notice: Notice) -> tuple[Hold, ...]:
        """Return the reasons that stand after people decided."""
        return standing_holds(self.holds(notice), self.papers.decisions, notice)

    def state(self, notice: Notice) -> NoticeState:
        """Return how far a notice is."""
        papers = self.papers
        return state_of(
            notice,
            decisions=papers.decisions,
            releases=papers.releases,
            deliveries=papers.deliveries,
            replies=papers.replies,
            holds=self.holds(notice),
        )

    def item(self, number: int) -> Item:
        """Return an evidence item of a notice."""
        return self.items[EvidenceId(number)]

    def police_cleared(self, notice: Notice) -> bool:
        """Tell whether the police cleared the lead of every item."""
        leads = {self.item(number).evidence.lead_id for number in notice.evidence_ids}
        return all(("police", "cleared") in self.referrals.get(lead, frozenset()) for lead in leads)

    def _facts(self, notice: Notice) -> Facts:
        items = [self.item(number) for number in notice.evidence_ids]
        statuses = [self.referrals.get(item.evidence.lead_id, frozenset()) for item in items]
        return Facts(
            confirmed=frozenset(item.evidence.id for item in items if item.confirmed),
            classified=frozenset(item.evidence.id for item in items if item.classification),
            authority_missing=self.authority_missing,
            contact_approved=contact_key(notice.recipient) in self.contacts.approved,
            hold_unknown=self.hold_unknown,
            provider_marked=contact_key(notice.recipient) in self.contacts.blocked,
            referral_accepted=any(("hotline", "acknowledged") in status for status in statuses),
            police_needed=self.police_needed,
            police_cleared=self.police_cleared(notice),
        )


def read_desk(workspace: Workspace, reader: Reader) -> Desk:
    """Return everything around the notices of a workspace."""
    settings = workspace.config.notices
    return Desk(
        items=read_items(reader),
        papers=read_papers(reader),
        contacts=read_contacts(reader),
        referrals=referral_states(reader),
        # Practice notices are signed by a practice authority, see `notice_files.authority_of`.
        authority_missing=() if workspace.practice else workspace.config.authority.missing(),
        hold_unknown=settings.hold_unknown,
        police_needed=settings.police_clearance,
    )


def draft_notices(workspace: Workspace, acting: Acting, now: datetime) -> DraftSummary:
    """Draft a notice for each contact that was not told yet; a second run adds nothing.

    Args:
        workspace: The workspace.
        acting: Who drafts; may not release these notices later.
        now: The time of the drafts.

    """
    with workspace.log.write() as writer:
        desk = read_desk(workspace, writer)
        items = [item for item in desk.items.values() if may_carry(item)]
        hostings = read_hostings(writer, (item.host for item in items))
        plan = plan_for(workspace, desk, items, hostings, already=told(_live_notices(desk)))
        if not plan.groups:
            return DraftSummary(referred=plan.referred, leftovers=plan.leftovers)
        settings = _draft_settings(workspace, writer, now)
        drafts = [
            writer.append(_composed(_with_case(group, desk.items), settings, desk, acting.name, now))
            for group in plan.groups
        ]
    desk = replace(desk, papers=replace(desk.papers, notices=(*desk.papers.notices, *drafts)))
    return DraftSummary(
        notices=tuple(drafts),
        holds={draft.id: desk.standing(draft) for draft in drafts},
        referred=plan.referred,
        leftovers=plan.leftovers,
    )


def decide_notice(
    writer: Writer, acting: Acting, notice_id: int, verdict: Verdict, *, reason: str, now: datetime
) -> Decision:
    """Hold, clear or close a notice.

    Raises:
        IntakeError: There is no such notice, or it is closed.

    """
    notice = writer.get(Notice, notice_id)
    if writer.latest(Decision, subject=Subject.NOTICE, subject_id=notice.id, verdict=Verdict.CLOSED):
        raise IntakeError(f"Notice {notice.id} is closed.", "Draft anew: leadline notices draft.")
    return decide(writer, acting, Subject.NOTICE, notice.id, verdict, reason=reason, now=now)


def hold_text(hold: Hold) -> str:
    """Return one reason as people read it: the word, and the numbers it is about."""
    about = ", ".join(str(one) for one in hold.about)
    return f"{hold.reason.value} ({about})" if about else hold.reason.value


def may_carry(item: Item) -> bool:
    """Tell whether a notice may carry an item: its lead is confirmed, and it is neither rejected nor gone."""
    is_open = item.lead_state is LeadState.CONFIRMED and bool(item.host)
    return is_open and not item.rejected and not item.gone


def plan_for(
    workspace: Workspace,
    desk: Desk,
    items: Sequence[Item],
    hostings: Iterable[Hosting],
    *,
    already: Mapping[str, frozenset[EvidenceId]],
) -> Plan:
    """Return who is to be told of these items; `already` names what each contact was told."""
    config = workspace.config
    # All addresses of a provider go into one notice, whatever cases they belong to.
    candidates = [Candidate(evidence_id=item.evidence.id, host=item.host) for item in items]
    policy = Policy(authority_country=config.authority.country, abroad=config.notices.abroad)
    contacts = desk.contacts
    book = ContactBook(approved=contacts.approved, blocked=contacts.blocked, told=already)
    return plan_notices(candidates, hostings, policy, book)


def _live_notices(desk: Desk) -> list[tuple[Notice, NoticeState]]:
    """Return the notices whose contacts count as told.

    A draft that was closed told nobody. What had been released stays told when it is closed, except
    for items that reappeared since then.
    """
    released = {release.notice_id for release in desk.papers.releases}
    live: list[tuple[Notice, NoticeState]] = []
    for notice in desk.papers.notices:
        state = desk.state(notice)
        if state is not NoticeState.CLOSED:
            live.append((notice, state))
        elif notice.id in released:
            stays = tuple(one for one in notice.evidence_ids if not _reappeared(desk.item(one)))
            live.append((replace(notice, evidence_ids=stays), NoticeState.DELIVERED))
    return live


def _reappeared(item: Item) -> bool:
    return item.check is not None and item.check.state is Presence.REAPPEARED


def _draft_settings(workspace: Workspace, writer: Writer, now: datetime) -> DraftSettings:
    ledger.seal(writer, now=now)
    top = ledger.head(writer)
    config = workspace.config
    return DraftSettings(
        namespace=uuid.UUID(bytes=writer.vault.derived_salt("notices", b"")[:16]),
        language=config.notices.language,
        profile=config.authority.profile,
        tlp=TLP,
        practice=workspace.practice,
        ledger_root=top.root,
        ledger_size=top.size,
    )


def _with_case(group: Group, items: Mapping[EvidenceId, Item]) -> Group:
    cases: set[CaseId | None] = {items[number].case_id for number in group.evidence_ids}
    return replace(group, case_id=cases.pop() if len(cases) == 1 else None)


def _composed(group: Group, settings: DraftSettings, desk: Desk, drafted_by: str, now: datetime) -> Notice:
    """Return the notice; where a closed one said the same, its next revision."""
    known = {notice.uuid: notice for notice in desk.papers.notices}
    notice = compose(group, settings, drafted_by=drafted_by, now=now)
    while notice.uuid in known:
        notice = compose(group, settings, drafted_by=drafted_by, now=now, previous=known[notice.uuid])
    return notice
