"""Cases: the leads of one takedown together.

Members follow from the changes; a lead is in one case at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from caselog.errors import ConfigError
from caselog.records.choices import CaseAction
from caselog.records.leads import Case, CaseChange

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from caselog.records.ids import CaseId, LeadId
    from caselog.store.log import Reader, Writer


def members(changes: Iterable[CaseChange]) -> dict[LeadId, CaseId]:
    """Return the case in which each lead is, from all changes in their order."""
    where: dict[LeadId, CaseId] = {}
    for change in changes:
        if change.lead_id is None:
            continue
        if change.action is CaseAction.JOINED:
            where[change.lead_id] = change.case_id
        elif change.action is CaseAction.LEFT and where.get(change.lead_id) == change.case_id:
            del where[change.lead_id]
    return where


def assignees(changes: Iterable[CaseChange]) -> dict[CaseId, str]:
    """Return who works on each case, by the newest assignment."""
    return {
        change.case_id: change.assignee
        for change in changes
        if change.action is CaseAction.ASSIGNED and change.assignee
    }


def merged_into(changes: Iterable[CaseChange]) -> dict[CaseId, CaseId]:
    """Return the case into which each merged case went."""
    return {
        change.case_id: change.other_case_id
        for change in changes
        if change.action is CaseAction.MERGED and change.other_case_id is not None
    }


def case_of(reader: Reader, lead_id: LeadId) -> CaseId | None:
    """Return the case in which a lead is, or None."""
    return members(reader.find(CaseChange, lead_id=lead_id)).get(lead_id)


def case_for(writer: Writer, lead_id: LeadId, *, opened_by: str, now: datetime) -> CaseId:
    """Return the case of a lead; open one of its own where there is none."""
    known = case_of(writer, lead_id)
    return known if known is not None else open_case(writer, [lead_id], opened_by=opened_by, now=now)


def open_case(writer: Writer, lead_ids: Sequence[LeadId], *, opened_by: str, now: datetime) -> CaseId:
    """Open a case with these leads, which leave the cases where they were, and return its number."""
    reference = f"{now:%Y}-{lead_ids[0]:05d}"
    taken = writer.count(Case, reference=reference)
    case = writer.append(
        Case(reference=f"{reference}-{taken + 1}" if taken else reference, opened_by=opened_by, opened_at=now)
    )
    for lead_id in lead_ids:
        move(writer, lead_id, case.id, changed_by=opened_by, now=now)
    return case.id


def move(writer: Writer, lead_id: LeadId, case_id: CaseId, *, changed_by: str, now: datetime) -> None:
    """Let a lead join a case, and leave the one where it was."""
    before = case_of(writer, lead_id)
    if before == case_id:
        return
    steps = [] if before is None else [(before, CaseAction.LEFT)]
    for case, action in [*steps, (case_id, CaseAction.JOINED)]:
        writer.append(
            CaseChange(case_id=case, action=action, lead_id=lead_id, changed_by=changed_by, changed_at=now)
        )


def merge(writer: Writer, source: CaseId, target: CaseId, *, changed_by: str, now: datetime) -> int:
    """Move all leads of one case to another; return how many moved.

    Raises:
        ConfigError: Both are the same case.
        IntakeError: One of them does not exist.

    """
    if source == target:
        raise ConfigError("A case cannot be merged into itself.", "Name two cases.")
    writer.get(Case, source)
    writer.get(Case, target)
    leads = [lead for lead, case in members(writer.find(CaseChange)).items() if case == source]
    for lead_id in leads:
        move(writer, lead_id, target, changed_by=changed_by, now=now)
    writer.append(
        CaseChange(
            case_id=source,
            action=CaseAction.MERGED,
            other_case_id=target,
            changed_by=changed_by,
            changed_at=now,
        )
    )
    return len(leads)


def split(
    writer: Writer, source: CaseId, lead_ids: Sequence[LeadId], *, changed_by: str, now: datetime
) -> CaseId:
    """Open a new case with some leads of another one; return its number.

    Raises:
        ConfigError: No lead is named, or one is not in that case.
        IntakeError: There is no such case.

    """
    writer.get(Case, source)
    strangers = [lead for lead in lead_ids if case_of(writer, lead) != source]
    if strangers or not lead_ids:
        named = f"Lead {strangers[0]} is" if strangers else "No lead is"
        raise ConfigError(f"{named} in case {source}.", f"Look: leadline cases show {source}.")
    new = open_case(writer, lead_ids, opened_by=changed_by, now=now)
    writer.append(
        CaseChange(
            case_id=source, action=CaseAction.SPLIT, other_case_id=new, changed_by=changed_by, changed_at=now
        )
    )
    return new
