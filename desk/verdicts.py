"""What people decided last about records, and the recording of one more decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caselog.records.choices import Subject, Verdict
from caselog.records.people import Decision

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from caselog.store.log import Reader, Writer
    from desk.access import Acting

NEW = "new"


def newest_decisions(
    reader: Reader, subject: Subject, verdicts: Iterable[Verdict] = (Verdict.CONFIRMED, Verdict.REJECTED)
) -> dict[int, Decision]:
    """Return the newest decision on each record of a kind, counting only these verdicts."""
    found = reader.find(Decision, subject=subject, verdict=tuple(verdicts))
    return {decision.subject_id: decision for decision in found}


def decide(
    writer: Writer,
    acting: Acting,
    subject: Subject,
    number: int,
    verdict: Verdict,
    *,
    now: datetime,
    reason: str | None = None,
    classification: str | None = None,
    detail: str | None = None,
) -> Decision:
    """Append one person's decision and return it."""
    return writer.append(
        Decision(
            subject=subject,
            subject_id=number,
            verdict=verdict,
            classification=classification,
            detail=detail,
            reason=reason,
            decided_by=acting.name,
            os_user=acting.os_user,
            decided_at=now,
        )
    )
