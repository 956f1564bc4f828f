"""Say when to look again at what is under notice: a pure schedule in states and times, out times. No I/O."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from caselog.records.choices import Presence

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

LADDER_HOURS: Final = (6.0, 12.0, 24.0)
"""Hours between looks at a live page: until day 3, until day 7, later."""
LADDER_ENDS: Final = (timedelta(days=3), timedelta(days=7))
SUSPECT_AFTER: Final = timedelta(hours=8)
PROVISIONAL_AFTER: Final = (timedelta(hours=24), timedelta(hours=48), timedelta(hours=96))
"""Waits while a removal is provisional, by the looks made in it; the last one goes on."""
TAIL: Final = (timedelta(days=14), timedelta(days=30), timedelta(days=60), timedelta(days=90))
"""When to look at a confirmed removal, counted from the first absence."""
TAIL_AGAIN: Final = timedelta(days=4)
"""Wait after a last tail look that could not see anything."""
DAILY: Final = timedelta(days=1)
WEEKLY: Final = timedelta(days=7)
SILENT_LONG: Final = timedelta(days=14)
"""Silence after which an unreachable page is asked weekly."""
JITTER: Final = 0.2

_NOTHING: Final = timedelta()


class Due(Protocol):
    """The part of a check that the schedule reads."""

    @property
    def checked_at(self) -> datetime:
        """Give the time of the look."""

    @property
    def due_at(self) -> datetime | None:
        """Give the time of the next look; None is never."""


Row = TypeVar("Row", bound=Due)


def due_after(
    state: Presence,
    *,
    age: timedelta = _NOTHING,
    looks: int = 0,
    since_absent: timedelta = _NOTHING,
    silent: timedelta = _NOTHING,
    ladder_hours: Sequence[float] = LADDER_HOURS,
    jitter: float = 0.0,
) -> timedelta | None:
    """Return how long to wait before the next look; None when none is due.

    Args:
        state: The state after this look.
        age: Since the watch began, or began again with a reappearance.
        looks: Looks that saw the page absent since its removal became provisional.
        since_absent: Since the first absence.
        silent: Since the last look that was answered.
        ladder_hours: Hours between looks at a live page, for each step of the ladder.
        jitter: The caller's random share, -0.2 to 0.2, so that rounds do not fall together.

    """
    share = max(-JITTER, min(JITTER, jitter))
    if state is Presence.CLOSED:
        return None
    if state is Presence.REMOVED_CONFIRMED:
        # Never early: a tail look before its day would not count as that day's.
        return _tail_wait(since_absent) + DAILY * abs(share)
    return _wait(state, age, looks, silent, ladder_hours) * (1 + share)


def _wait(
    state: Presence, age: timedelta, looks: int, silent: timedelta, ladder_hours: Sequence[float]
) -> timedelta:
    if state is Presence.SUSPECT:
        return SUSPECT_AFTER
    if state is Presence.REMOVED_PROVISIONAL:
        return PROVISIONAL_AFTER[max(0, min(looks, len(PROVISIONAL_AFTER) - 1))]
    if state is Presence.UNREACHABLE:
        return WEEKLY if silent >= SILENT_LONG else DAILY
    if state in {Presence.BLOCKED, Presence.REVIEW, Presence.SOURCE_ALIVE}:
        return DAILY
    step = sum(age >= end for end in LADDER_ENDS)
    return timedelta(hours=ladder_hours[min(step, len(ladder_hours) - 1)])


def _tail_wait(since_absent: timedelta) -> timedelta:
    return next((day - since_absent for day in TAIL if day > since_absent), TAIL_AGAIN)


def is_due(row: Due, now: datetime) -> bool:
    """Say whether the next look is due; a look stamped in the future is read as now, and made again."""
    return row.due_at is not None and (row.due_at <= now or row.checked_at > now)


def due_rows(latest: Iterable[Row], now: datetime) -> list[Row]:
    """Return which of the latest checks are due, the longest overdue first."""
    return sorted((row for row in latest if is_due(row, now)), key=lambda row: row.due_at or now)
