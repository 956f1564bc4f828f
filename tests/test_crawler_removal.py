"""From looks to a state: what makes a removal, and what does not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caselog.records.choices import Presence, Signal, Verdict
from crawler.checks.removal import NEEDS, State, Step, next_state

START = datetime(2026, 5, 1, tzinfo=UTC)
REMOVED = {Presence.REMOVED_PROVISIONAL, Presence.REMOVED_CONFIRMED, Presence.CLOSED}
ABSENT = [Signal.GONE_PAGE, Signal.GONE_DNS, Signal.GONE_SOFT, Signal.UNIFORM, Signal.UNREACH]
NO_ABSENCE = [signal for signal in Signal if signal not in ABSENT]


def look(hours: float, signal: Signal, *, alone: bool = False, elsewhere: bool = False) -> Step:
    return Step(
        at=START + timedelta(hours=hours),
        signal=signal,
        has_second_vantage=not alone,
        is_elsewhere=elsewhere,
    )


def word(hours: float, verdict: Verdict) -> Step:
    return Step(at=START + timedelta(hours=hours), word=verdict)


def after(*steps: Step, onion: bool = False) -> State:
    return next_state(steps[:-1], steps[-1], recorded_at=START, onion=onion)


def every(hours: float, count: int, signal: Signal, *, since: float = 6, alone: bool = False) -> list[Step]:
    return [look(since + hours * number, signal, alone=alone) for number in range(count)]


def removed(since: float = 6) -> list[Step]:
    return every(12, 3, Signal.GONE_PAGE, since=since)


# ---- what is no removal ------------------------------------------------------------------------------------


@pytest.mark.parametrize("signal", NO_ABSENCE)
def test_a_wall_or_trouble_is_never_a_removal(signal: Signal) -> None:
    steps = every(12, 60, signal)

    assert not {after(*steps[:count]).state for count in range(1, 61)} & REMOVED


@pytest.mark.parametrize("signal", ABSENT)
def test_too_few_or_too_quick_absences_leave_it_suspect(signal: Signal) -> None:
    need = NEEDS[signal]
    too_few = every(need.span.total_seconds() / 3600, need.looks - 1, signal)
    too_quick = every(0.5, 20, signal)

    assert {after(*too_few).state, after(*too_quick).state} == {Presence.SUSPECT}


@pytest.mark.parametrize("signal", ABSENT)
def test_enough_absences_over_enough_time_are_a_provisional_removal(signal: Signal) -> None:
    need = NEEDS[signal]
    span_hours = need.span.total_seconds() / 3600
    state = after(look(3, Signal.PRESENT), *every(span_hours / (need.looks - 1), need.looks, signal, since=9))

    assert state.state is Presence.REMOVED_PROVISIONAL
    assert (state.last_present, state.first_absent) == (
        START + timedelta(hours=3),
        START + timedelta(hours=9),
    )


def test_a_mixed_run_takes_the_strictest_need() -> None:
    steps = [look(6, Signal.UNIFORM), *every(12, 5, Signal.GONE_PAGE, since=18)]

    assert after(*steps).state is Presence.SUSPECT
    assert after(*steps, look(78, Signal.GONE_PAGE)).state is Presence.REMOVED_PROVISIONAL


def test_one_present_look_clears_the_run() -> None:
    state = after(*removed()[:2], look(24, Signal.PRESENT), look(40, Signal.GONE_PAGE))

    assert state.state is Presence.SUSPECT
    assert state.first_absent == START + timedelta(hours=40)


@pytest.mark.parametrize("signal", [Signal.BLOCKED, Signal.CHANGED, Signal.DNS_GONE_HOST_ALIVE])
def test_another_sight_breaks_the_run(signal: Signal) -> None:
    steps = [*removed()[:2], look(20, signal), look(30, Signal.GONE_PAGE)]

    assert after(*steps).state is Presence.SUSPECT


def test_trouble_neither_breaks_nor_extends_the_run() -> None:
    steps = [*removed()[:2], look(20, Signal.TRANSIENT)]

    assert after(*steps).state is Presence.SUSPECT
    assert after(*steps, look(30, Signal.GONE_PAGE)).state is Presence.REMOVED_PROVISIONAL


def test_silence_seen_from_one_vantage_ends_unreachable() -> None:
    states = [after(*every(12, n, Signal.UNREACH, alone=True)).state for n in range(1, 60)]

    assert set(states) == {Presence.LIVE, Presence.UNREACHABLE}
    assert states[-1] is Presence.UNREACHABLE


def test_an_onion_service_may_be_away_for_days() -> None:
    steps = every(24, 7, Signal.UNREACH)

    assert after(*steps).state is Presence.REMOVED_PROVISIONAL
    assert after(*steps, onion=True).state is Presence.SUSPECT
    assert after(*steps, look(174, Signal.UNREACH), onion=True).state is Presence.REMOVED_PROVISIONAL


# ---- after a removal ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("signal", [Signal.BLOCKED, Signal.TRANSIENT, Signal.UNREACH])
def test_a_removal_stays_under_walls_and_trouble(signal: Signal) -> None:
    steps = [*removed(), *every(24, 30, signal, since=60, alone=True)]

    assert after(*steps).state is Presence.REMOVED_PROVISIONAL


def test_a_removal_is_confirmed_after_seven_days_and_three_looks() -> None:
    steps = [*removed(), look(54, Signal.GONE_PAGE), look(102, Signal.GONE_PAGE)]

    assert after(*steps, look(173, Signal.GONE_PAGE)).state is Presence.REMOVED_PROVISIONAL
    confirmed = after(*steps, look(174, Signal.GONE_PAGE))
    assert confirmed.state is Presence.REMOVED_CONFIRMED
    assert confirmed.confirmed_at == START + timedelta(hours=174)


def test_two_looks_do_not_confirm_however_late() -> None:
    steps = [*removed(), look(400, Signal.GONE_PAGE), look(500, Signal.GONE_PAGE)]

    assert after(*steps).state is Presence.REMOVED_PROVISIONAL


def test_the_watch_closes_after_ninety_days() -> None:
    steps = [*removed(), *every(60, 3, Signal.GONE_PAGE, since=54)]
    tail = [look(6 + 24 * days, Signal.GONE_PAGE) for days in (14, 30, 60, 90)]

    assert after(*steps, *tail[:3]).state is Presence.REMOVED_CONFIRMED
    closed = after(*steps, *tail)
    assert (closed.state, closed.due_at) == (Presence.CLOSED, None)


def test_a_blocked_last_look_does_not_close_the_watch() -> None:
    steps = [*removed(), *every(60, 3, Signal.GONE_PAGE, since=54), look(6 + 24 * 91, Signal.BLOCKED)]

    assert after(*steps).state is Presence.REMOVED_CONFIRMED


def test_a_text_that_comes_back_has_reappeared_and_may_be_removed_again() -> None:
    steps = [*removed(), look(50, Signal.PRESENT, elsewhere=True)]
    back = after(*steps)
    again = after(*steps, *removed(since=70))

    assert (back.state, back.moved, back.first_absent) == (Presence.REAPPEARED, True, None)
    assert again.state is Presence.REMOVED_PROVISIONAL
    assert (again.last_present, again.first_absent) == (
        START + timedelta(hours=50),
        START + timedelta(hours=70),
    )


def test_a_removed_page_with_something_new_goes_to_a_person() -> None:
    steps = [*removed(), look(60, Signal.CHANGED), look(84, Signal.CHANGED)]
    state = after(*steps)

    assert (state.state, state.first_absent) == (Presence.REVIEW, START + timedelta(hours=6))


def test_a_confirmed_removal_stays_when_the_name_is_used_anew() -> None:
    steps = [*removed(), *every(60, 3, Signal.GONE_PAGE, since=54), *every(400, 3, Signal.CHANGED, since=400)]

    assert after(*steps).state is Presence.REMOVED_CONFIRMED


def test_a_step_that_says_nothing_changes_nothing() -> None:
    assert after(*removed(), Step(at=START + timedelta(hours=60))).state is Presence.REMOVED_PROVISIONAL


# ---- side states -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("signal", "times", "state"),
    [
        (Signal.BLOCKED, 3, Presence.BLOCKED),
        (Signal.CHANGED, 2, Presence.REVIEW),
        (Signal.DNS_GONE_HOST_ALIVE, 2, Presence.SOURCE_ALIVE),
    ],
)
def test_a_sight_repeated_becomes_a_state(signal: Signal, times: int, state: Presence) -> None:
    assert after(*every(6, times - 1, signal)).state is Presence.LIVE
    assert after(*every(6, times, signal)).state is state


def test_trouble_for_a_week_is_unreachable() -> None:
    assert after(*every(24, 7, Signal.TRANSIENT)).state is Presence.LIVE
    assert after(*every(24, 8, Signal.TRANSIENT)).state is Presence.UNREACHABLE


def test_a_server_that_still_holds_the_text_undoes_a_removal_by_name() -> None:
    gone = every(12, 3, Signal.GONE_DNS)
    alive = [look(40, Signal.DNS_GONE_HOST_ALIVE), look(64, Signal.DNS_GONE_HOST_ALIVE)]

    assert after(*gone, alive[0]).state is Presence.REMOVED_PROVISIONAL
    assert after(*gone, *alive).state is Presence.SOURCE_ALIVE


def test_moved_follows_the_last_sight_of_the_text() -> None:
    steps = [look(6, Signal.PRESENT, elsewhere=True), look(12, Signal.TRANSIENT)]

    assert after(*steps).moved
    assert not after(*steps, look(18, Signal.PRESENT)).moved


# ---- a person's word ---------------------------------------------------------------------------------------


def test_a_person_may_say_removed() -> None:
    review = every(6, 2, Signal.CHANGED)
    said = after(*review, word(20, Verdict.REMOVED))

    assert (said.state, said.first_absent) == (Presence.REMOVED_PROVISIONAL, START + timedelta(hours=6))


def test_the_changed_page_then_counts_as_absence() -> None:
    steps = [
        *every(6, 2, Signal.CHANGED),
        word(20, Verdict.REMOVED),
        *every(48, 4, Signal.CHANGED, since=60),
    ]

    assert after(*steps).state is Presence.REMOVED_CONFIRMED


@pytest.mark.parametrize("verdict", [Verdict.LIVE, Verdict.EDITED, Verdict.MOVED])
def test_a_person_may_say_that_it_stands(verdict: Verdict) -> None:
    steps = [*every(6, 2, Signal.CHANGED), word(20, verdict)]
    state = after(*steps)

    assert (state.state, state.last_present) == (Presence.LIVE, START + timedelta(hours=20))
    assert state.moved is (verdict is Verdict.MOVED)


def test_that_word_holds_for_a_week() -> None:
    steps = [*every(6, 2, Signal.CHANGED), word(20, Verdict.EDITED), *every(24, 7, Signal.CHANGED, since=30)]

    assert after(*steps).state is Presence.LIVE
    assert after(*steps, *every(24, 2, Signal.CHANGED, since=200)).state is Presence.REVIEW


def test_saying_live_of_a_removed_text_is_a_reappearance() -> None:
    assert after(*removed(), word(60, Verdict.LIVE)).state is Presence.REAPPEARED


def test_other_decisions_change_nothing() -> None:
    assert after(*removed(), word(60, Verdict.HELD)).state is Presence.REMOVED_PROVISIONAL


# ---- clocks ------------------------------------------------------------------------------------------------


def test_stamps_from_the_future_are_read_as_now() -> None:
    """A clock that ran a year ahead for some looks does not make a removal of an hour's absence."""
    wrong = every(24, 3, Signal.GONE_PAGE, since=24 * 365)

    assert after(*wrong).state is Presence.REMOVED_PROVISIONAL
    assert after(*wrong, look(1, Signal.GONE_PAGE)).state is Presence.SUSPECT


def test_a_recording_from_the_future_is_read_as_now() -> None:
    state = next_state((), look(-50, Signal.GONE_PAGE), recorded_at=START)

    assert state.last_present == START - timedelta(hours=50)


STEPS = st.lists(
    st.one_of(
        st.builds(
            look,
            st.integers(-100, 4000),
            st.sampled_from(Signal),
            alone=st.booleans(),
            elsewhere=st.booleans(),
        ),
        st.builds(
            word,
            st.integers(-100, 4000),
            st.sampled_from([Verdict.REMOVED, Verdict.LIVE, Verdict.EDITED, Verdict.MOVED]),
        ),
    ),
    min_size=1,
    max_size=40,
)


@given(STEPS, st.booleans())
def test_any_history_gives_an_ordered_interval(steps: list[Step], onion: bool) -> None:
    state = after(*steps, onion=onion)
    now = steps[-1].at

    assert state.last_present <= now
    assert state.first_absent is None or state.last_present <= state.first_absent <= now
    assert state.confirmed_at is None or state.confirmed_at <= now
    assert state.due_at is None or state.due_at > now
    assert (state.first_absent is not None) >= (state.state in REMOVED)
    assert (state.due_at is None) == (state.state is Presence.CLOSED)


@given(STEPS)
def test_a_last_sight_of_the_text_always_means_it_stands(steps: list[Step]) -> None:
    state = after(*steps, look(5000, Signal.PRESENT))

    assert state.state in {Presence.LIVE, Presence.REAPPEARED}
    assert state.first_absent is None
