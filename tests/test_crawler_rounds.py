"""When to look again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caselog.records.choices import Presence
from crawler.checks.rounds import due_after, due_rows, is_due

NOW = datetime(2026, 5, 1, tzinfo=UTC)


@dataclass
class Row:
    checked_at: datetime
    due_at: datetime | None


@pytest.mark.parametrize(("age_days", "hours"), [(0, 6), (2.9, 6), (3, 12), (6.9, 12), (7, 24), (400, 24)])
def test_a_live_page_goes_down_the_ladder(age_days: float, hours: int) -> None:
    assert due_after(Presence.LIVE, age=timedelta(days=age_days)) == timedelta(hours=hours)


def test_the_ladder_is_the_operators() -> None:
    waits = [
        due_after(Presence.REAPPEARED, age=timedelta(days=days), ladder_hours=(1, 2)) for days in (0, 3, 30)
    ]

    assert waits == [timedelta(hours=1), timedelta(hours=2), timedelta(hours=2)]


@pytest.mark.parametrize(("looks", "hours"), [(0, 24), (1, 48), (2, 96), (9, 96)])
def test_a_provisional_removal_is_looked_at_less_and_less(looks: int, hours: int) -> None:
    assert due_after(Presence.REMOVED_PROVISIONAL, looks=looks) == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("absent_days", "next_day"), [(8, 14), (14, 30), (29.5, 30), (30, 60), (60, 90), (90, 94)]
)
def test_the_tail_ends_at_ninety_days(absent_days: float, next_day: int) -> None:
    wait = due_after(Presence.REMOVED_CONFIRMED, since_absent=timedelta(days=absent_days))

    assert wait == timedelta(days=next_day - absent_days)


@pytest.mark.parametrize(
    ("state", "hours"),
    [(Presence.SUSPECT, 8), (Presence.BLOCKED, 24), (Presence.REVIEW, 24), (Presence.SOURCE_ALIVE, 24)],
)
def test_open_questions_have_their_own_pace(state: Presence, hours: int) -> None:
    assert due_after(state) == timedelta(hours=hours)


def test_an_unreachable_page_is_asked_daily_then_weekly() -> None:
    waits = [due_after(Presence.UNREACHABLE, silent=timedelta(days=days)) for days in (7, 14)]

    assert waits == [timedelta(days=1), timedelta(days=7)]


def test_a_closed_one_is_never_due() -> None:
    assert due_after(Presence.CLOSED) is None


@given(
    st.sampled_from([state for state in Presence if state is not Presence.CLOSED]),
    st.floats(allow_nan=False),
    st.integers(-5, 1000),
    st.integers(0, 400),
)
def test_jitter_stays_within_a_fifth_and_never_reaches_back(
    state: Presence, jitter: float, looks: int, days: int
) -> None:
    times = {
        "age": timedelta(days=days),
        "since_absent": timedelta(days=days),
        "silent": timedelta(days=days),
    }
    plain = due_after(state, looks=looks, **times)
    shaken = due_after(state, looks=looks, jitter=jitter, **times)

    assert plain is not None
    assert shaken is not None
    assert timedelta() < shaken
    slack = timedelta(days=0.21) if state is Presence.REMOVED_CONFIRMED else plain * 0.2001
    assert abs(shaken - plain) <= slack


def test_what_is_due_comes_longest_overdue_first() -> None:
    hour = timedelta(hours=1)
    late, later = Row(NOW - 9 * hour, NOW - 3 * hour), Row(NOW - 9 * hour, NOW - hour)
    rows = [later, Row(NOW - hour, NOW + hour), Row(NOW - hour, None), late]

    assert due_rows(rows, NOW) == [late, later]


def test_a_look_stamped_in_the_future_is_made_again() -> None:
    year = timedelta(days=365)

    assert is_due(Row(NOW + year, NOW + 2 * year), NOW)
