"""Show addresses in clear: who asked, which records, why; recorded before anything is printed.

Practice workspaces reveal freely. Live ones reveal by id, few at a time, with a daily cap that a supervisor
may lift.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from caselog.errors import ConfigError, RefusedError
from caselog.process import holds_address
from caselog.records.choices import Subject, Verdict
from caselog.records.people import Decision, Reveal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from caselog.store.log import Reader, Writer
    from desk.access import Acting

MOST_AT_ONCE = 20
DAILY_CAP = 100
DAY = timedelta(hours=24)
LIFT = "reveals"
"""The detail of a supervisor's decision that lifts the cap of one person by another `DAILY_CAP`."""
IDS_A_RECORD = 300


def record_reveal(
    writer: Writer,
    acting: Acting,
    subject: Subject,
    ids: Sequence[int],
    *,
    reason: str | None,
    practice: bool,
    by_id: bool,
    now: datetime,
) -> None:
    """Allow and record one reveal, in the transaction that reads the records.

    Args:
        writer: The open transaction.
        acting: Who looks; the caller has asked the log-in.
        subject: The kind of record.
        ids: The records that will be shown.
        reason: Why; needed in live workspaces and always recorded.
        practice: Whether the limits do not count.
        by_id: Whether the person named the records by id.
        now: The time of the reveal.

    Raises:
        ConfigError: The reason is missing, or looks like an address.
        RefusedError: Too many at once, or today, or all without naming them.

    """
    why = checked_reason(reason, "reveal", required=not practice)
    if not practice:
        _refuse_excess(ids, by_id=by_id, left=left_today(writer, acting.name, now))
    for start in range(0, len(ids), IDS_A_RECORD):
        writer.append(
            Reveal(
                subject=subject,
                subject_ids=tuple(ids[start : start + IDS_A_RECORD]),
                reason=why,
                revealed_by=acting.name,
                os_user=acting.os_user,
                revealed_at=now,
            )
        )


def checked_reason(reason: str | None, act: str, *, required: bool = True) -> str:
    """Return a person's reason for an act.

    Raises:
        ConfigError: It is empty where it is required, too long, or holds what looks like an address.

    """
    text = (reason or "").strip()
    if not text and required:
        raise ConfigError(f"A {act} needs a reason.", 'Give one: --reason "...".')
    if len(text) > 2000:  # the limit of the records' reason fields
        raise ConfigError("The reason is longer than 2000 characters.", "Shorten it.")
    if holds_address(text):
        raise ConfigError(
            "The reason holds what looks like an address.", "Name records by their number instead."
        )
    return text or f"{act}, no reason given"


def left_today(reader: Reader, name: str, now: datetime) -> int:
    """Return how many addresses a person may still reveal in the present 24 hours."""
    return DAILY_CAP * (1 + _lifts(reader, name, now)) - revealed_since(
        reader.find(Reveal, revealed_by=name), now - DAY
    )


def revealed_since(reveals: Iterable[Reveal], start: datetime) -> int:
    """Return how many addresses these reveals showed after `start`; stamps of the future count too."""
    return sum(len(reveal.subject_ids) for reveal in reveals if reveal.revealed_at > start)


def _lifts(reader: Reader, name: str, now: datetime) -> int:
    lifts = reader.find(Decision, subject=Subject.WORKSPACE, verdict=Verdict.CLEARED)
    return sum(1 for lift in lifts if lift.detail == f"{LIFT}:{name}" and now - DAY < lift.decided_at <= now)


def _refuse_excess(ids: Sequence[int], *, by_id: bool, left: int) -> None:
    if not by_id:
        raise RefusedError(
            "A live workspace reveals addresses by id only.",
            f"Name up to {MOST_AT_ONCE} records: list --reveal --reason TEXT 3 7.",
            code="reveal_all",
        )
    if len(ids) > MOST_AT_ONCE:
        raise RefusedError(
            f"{len(ids)} addresses at once are too many.",
            f"Reveal at most {MOST_AT_ONCE}.",
            code="reveal_many",
        )
    if len(ids) > left:
        raise RefusedError(
            f"Only {max(left, 0)} more addresses may be revealed within 24 hours.",
            "A supervisor may lift the cap: leadline users lift NAME --reason TEXT.",
            code="reveal_cap",
        )
