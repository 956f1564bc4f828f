"""Checks in the case log: the latest of each evidence item, and its whole history."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from caselog import schema
from caselog.records.choices import Subject
from caselog.records.pages import Check
from caselog.records.people import Decision

if TYPE_CHECKING:
    from caselog.records.ids import EvidenceId
    from caselog.store.log import Reader


def latest_checks(reader: Reader) -> dict[EvidenceId, Check]:
    """Return the newest check of each evidence item that was ever checked."""
    table = schema.METADATA.tables["checks"]
    newest = sa.select(sa.func.max(table.c.id)).group_by(table.c.evidence_id)
    numbers = [number for (number,) in reader.connection.execute(newest)]
    found: dict[EvidenceId, Check] = {}
    for start in range(0, len(numbers), 500):
        for check in reader.find(Check, id=tuple(numbers[start : start + 500])):
            found[check.evidence_id] = check
    return found


def history(reader: Reader, evidence_id: EvidenceId) -> list[Check | Decision]:
    """Return all checks of an evidence item and what people decided on them, in the order of their times."""
    checks = reader.find(Check, evidence_id=evidence_id)
    words = reader.find(Decision, subject=Subject.CHECK, subject_id=[check.id for check in checks])
    return sorted([*checks, *words], key=_when)


def _when(row: Check | Decision) -> tuple[object, int]:
    return (row.checked_at, 0) if isinstance(row, Check) else (row.decided_at, 1)
