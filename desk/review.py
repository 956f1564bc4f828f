"""The review queue: a person's word on one lead or one evidence item."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caselog.errors import IntakeError, RefusedError
from caselog.records.choices import Subject, Verdict
from caselog.records.leads import Lead
from caselog.records.pages import Evidence
from caselog.store.exclusions import excluded_hosts
from caselog.store.leads import LeadState, classification_of, lead_state
from crawler.scope import is_excluded
from desk.intake import confirm_lead
from desk.lead_row import LIMITS
from desk.verdicts import decide

if TYPE_CHECKING:
    from datetime import datetime

    from caselog.records.ids import EvidenceId, LeadId
    from caselog.store.log import Writer
    from desk.access import Acting


def confirm_one(
    *, writer: Writer, acting: Acting, lead_id: LeadId, reason: str, code: str = "", now: datetime
) -> None:
    """Confirm a reported or proposed lead and give it a case.

    Raises:
        IntakeError: There is no such lead, or it is confirmed already with the same code.
        RefusedError: Its host is excluded.

    """
    lead = writer.get(Lead, lead_id)
    if is_excluded(lead.host, excluded_hosts(writer)):
        raise RefusedError(
            f"The host of lead {lead_id} is excluded and never contacted.",
            "Take it off the list first: leadline exclude remove HOST.",
            code="excluded",
        )
    classification = checked_code(code)
    known = lead_state(writer, lead_id) is LeadState.CONFIRMED
    if known and classification in {None, classification_of(writer, lead_id)}:
        raise IntakeError(f"Lead {lead_id} is confirmed already.", "Nothing to do.")
    confirm_lead(writer, lead, acting, classification=classification, reason=reason, now=now)


def decide_lead(
    *, writer: Writer, acting: Acting, lead_id: LeadId, verdict: Verdict, reason: str, now: datetime
) -> None:
    """Reject or close a lead.

    Raises:
        IntakeError: There is no such lead.

    """
    writer.get(Lead, lead_id)
    decide(writer, acting, Subject.LEAD, lead_id, verdict, reason=reason, now=now)


def confirm_evidence(
    *, writer: Writer, acting: Acting, evidence_id: EvidenceId, reason: str, code: str = "", now: datetime
) -> None:
    """Confirm an evidence item with its legal code, by default the lead's.

    Raises:
        IntakeError: There is no such item, or neither a code nor the lead's.

    """
    evidence = writer.get(Evidence, evidence_id)
    classification = checked_code(code) or classification_of(writer, evidence.lead_id)
    if not classification:
        raise IntakeError(
            f"Evidence {evidence_id} has no legal code, and neither has its lead.",
            "Give one: --classification CODE.",
        )
    decide(
        writer,
        acting,
        Subject.EVIDENCE,
        evidence_id,
        Verdict.CONFIRMED,
        reason=reason,
        classification=classification,
        now=now,
    )


def reject_evidence(
    *, writer: Writer, acting: Acting, evidence_id: EvidenceId, reason: str, now: datetime
) -> None:
    """Reject an evidence item: no notice may carry it.

    Raises:
        IntakeError: There is no such item.

    """
    writer.get(Evidence, evidence_id)
    decide(writer, acting, Subject.EVIDENCE, evidence_id, Verdict.REJECTED, reason=reason, now=now)


def checked_code(code: str) -> str | None:
    """Return a legal code as given, or None for an empty one.

    Raises:
        IntakeError: It is longer than a code may be.

    """
    if len(code) > LIMITS["classification"]:
        raise IntakeError("The legal code is too long.", f"At most {LIMITS['classification']} characters.")
    return code.strip() or None
