"""Fold the looks at one piece of evidence into its state: is it gone, since when, how sure. Pure, no I/O.

Steps (looks and a person's words) go in, a `State` comes out. The whole history is folded each time, so that
a wrong clock mends itself: times from the future are read as now, times out of order as the time before them.

A removal is a *run* of absences, enough of them over enough time for the weakest of its signals. A wall,
trouble and an unconfirmed silence are no absence. When it went is an interval: last seen, first absent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from caselog.records.choices import Presence, Signal, Verdict
from crawler.checks.rounds import LADDER_HOURS, TAIL, due_after

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """How many absences over how long make a removal provisional."""

    looks: int
    span: timedelta


NEEDS: Mapping[Signal, Need] = MappingProxyType(
    {
        Signal.GONE_PAGE: Need(looks=3, span=24 * _HOUR),
        Signal.GONE_DNS: Need(looks=3, span=24 * _HOUR),
        Signal.GONE_SOFT: Need(looks=3, span=48 * _HOUR),
        Signal.UNIFORM: Need(looks=4, span=72 * _HOUR),
        Signal.UNREACH: Need(looks=5, span=120 * _HOUR),
    }
)
"""What each signal of absence needs; a mixed run takes the strictest of its signals."""
ONION_NEED: Final = Need(looks=5, span=168 * _HOUR)
"""What UNREACH needs of an onion service, which may be away for days."""
CONFIRM_AFTER: Final = timedelta(days=7)
CONFIRM_LOOKS: Final = 3
BLOCKED_TIMES: Final = 3
CHANGED_TIMES: Final = 2
ALIVE_TIMES: Final = 2
SILENT_FOR: Final = timedelta(days=7)
"""Trouble for so long, with nothing seen in between, is UNREACHABLE."""
WORD_HOLDS: Final = timedelta(days=7)
"""How long a person's word that the changed page stands keeps it out of REVIEW."""

_REMOVED: Final = frozenset({Presence.REMOVED_PROVISIONAL, Presence.REMOVED_CONFIRMED, Presence.CLOSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One look, or a person's word on one: exactly one of `signal` and `word`."""

    at: datetime
    signal: Signal | None = None
    word: Verdict | None = None
    """`removed`, `edited`, `moved` or `live`."""
    is_elsewhere: bool = False
    """The text was seen at another host or network than when it was recorded."""
    has_second_vantage: bool = False
    """The signal is what two vantages say together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What the history says, for the next `Check`."""

    state: Presence
    moved: bool
    last_present: datetime
    first_absent: datetime | None
    confirmed_at: datetime | None
    due_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Progress:
    """Where the fold stands."""

    state: Presence = Presence.LIVE
    moved: bool = False
    last_present: datetime
    first_absent: datetime | None = None
    confirmed_at: datetime | None = None
    watch_from: datetime
    """Since when the ladder of a live page counts."""
    run: tuple[tuple[datetime, Signal], ...] = ()
    looks: int = 0
    """Absences since the removal became provisional."""
    was_removed: bool = False
    answered_at: datetime
    """Last look that was neither trouble nor an unconfirmed silence."""
    walls: int = 0
    changes: int = 0
    changed_from: datetime | None = None
    alive: int = 0
    word: Verdict | None = None
    word_at: datetime | None = None


def next_state(
    history: Sequence[Step],
    latest: Step,
    *,
    recorded_at: datetime,
    onion: bool = False,
    ladder_hours: Sequence[float] = LADDER_HOURS,
    jitter: float = 0.0,
) -> State:
    """Return the state after the latest step, whose time is taken as now.

    Args:
        history: The earlier steps, in the order in which they were recorded.
        latest: The look just made, or the word just given.
        recorded_at: When the evidence was recorded: the text was there.
        onion: The page is an onion service's.
        ladder_hours: Hours between looks at a live page.
        jitter: A random share, -0.2 to 0.2, for the time of the next look.

    """
    now = latest.at
    start = min(recorded_at, now)
    progress = _Progress(last_present=start, watch_from=start, answered_at=start)
    before = start
    for step in (*history, latest):
        before = max(before, min(step.at, now))
        progress = _take(progress, replace(step, at=before), onion=onion)
    return _as_state(progress, now, ladder_hours, jitter)


def _as_state(progress: _Progress, now: datetime, ladder_hours: Sequence[float], jitter: float) -> State:
    wait = due_after(
        progress.state,
        age=now - progress.watch_from,
        looks=progress.looks,
        since_absent=now - (progress.first_absent or now),
        silent=now - progress.answered_at,
        ladder_hours=ladder_hours,
        jitter=jitter,
    )
    return State(
        state=progress.state,
        moved=progress.moved,
        last_present=progress.last_present,
        first_absent=progress.first_absent,
        confirmed_at=progress.confirmed_at,
        due_at=None if wait is None else now + wait,
    )


def _take(progress: _Progress, step: Step, *, onion: bool) -> _Progress:
    if step.word is not None:
        return _word(progress, step.word, step.at)
    if step.signal is None:
        return progress
    if step.signal is Signal.PRESENT:
        return replace(_present(progress, step.at), moved=step.is_elsewhere)
    if step.signal is Signal.UNREACH and not step.has_second_vantage:
        return _silence(progress, step.at)  # we may be the ones shut out
    if step.signal in NEEDS:
        return _absent(progress, step.at, step.signal, onion=onion)
    return _OTHERS[step.signal](progress, step.at)


# ---- one signal each ---------------------------------------------------------------------------------------


def _present(progress: _Progress, at: datetime) -> _Progress:
    """Begin anew: the text stands."""
    is_back = progress.state in _REMOVED
    return _Progress(
        state=Presence.REAPPEARED if progress.was_removed else Presence.LIVE,
        last_present=at,
        watch_from=at if is_back else progress.watch_from,
        answered_at=at,
        was_removed=progress.was_removed,
        moved=progress.moved,
    )


def _absent(progress: _Progress, at: datetime, signal: Signal, *, onion: bool) -> _Progress:
    heard = replace(progress, answered_at=at, walls=0, changes=0, changed_from=None, alive=0)
    if progress.state in _REMOVED:
        return _more_absent(heard, at)
    run = (*progress.run, (at, signal))
    suspect = replace(heard, state=Presence.SUSPECT, run=run, first_absent=run[0][0])
    return _removed(suspect) if _is_enough(run, onion=onion) else suspect


def _is_enough(run: Sequence[tuple[datetime, Signal]], *, onion: bool) -> bool:
    needs = [ONION_NEED if onion and signal is Signal.UNREACH else NEEDS[signal] for _, signal in run]
    span = run[-1][0] - run[0][0]
    return len(run) >= max(need.looks for need in needs) and span >= max(need.span for need in needs)


def _removed(progress: _Progress) -> _Progress:
    return replace(progress, state=Presence.REMOVED_PROVISIONAL, was_removed=True, run=(), looks=0)


def _more_absent(progress: _Progress, at: datetime) -> _Progress:
    """Count one more absence of a removed text: towards its confirmation, then the end of the watch."""
    looks = progress.looks + 1
    absent_for = at - (progress.first_absent or at)
    if (
        progress.state is Presence.REMOVED_PROVISIONAL
        and looks >= CONFIRM_LOOKS
        and absent_for >= CONFIRM_AFTER
    ):
        return replace(progress, state=Presence.REMOVED_CONFIRMED, looks=looks, confirmed_at=at)
    is_over = progress.state is Presence.REMOVED_CONFIRMED and absent_for >= TAIL[-1]
    return replace(progress, state=Presence.CLOSED if is_over else progress.state, looks=looks)


def _silence(progress: _Progress, at: datetime) -> _Progress:
    """Leave everything as it is, run included; after a week of nothing else we cannot reach it."""
    if progress.state in _REMOVED or at - progress.answered_at < SILENT_FOR:
        return progress
    return replace(progress, state=Presence.UNREACHABLE, run=(), first_absent=None)


def _blocked(progress: _Progress, at: datetime) -> _Progress:
    if progress.state in _REMOVED:
        return replace(progress, answered_at=at)
    walls = progress.walls + 1
    is_wall = walls >= BLOCKED_TIMES
    return _broken(progress, at, Presence.BLOCKED if is_wall else progress.state, walls=walls)


def _changed(progress: _Progress, at: datetime) -> _Progress:
    if progress.word is Verdict.REMOVED:
        return _more_absent(replace(progress, answered_at=at), at)
    if progress.state in _REMOVED - {Presence.REMOVED_PROVISIONAL}:
        return replace(progress, answered_at=at)
    if progress.word is not None and at - (progress.word_at or at) < WORD_HOLDS:
        return _broken(progress, at, progress.state)
    changes = progress.changes + 1
    state = Presence.REVIEW if changes >= CHANGED_TIMES else progress.state
    changed_from = progress.changed_from or at
    if progress.state is Presence.REMOVED_PROVISIONAL:
        return replace(progress, answered_at=at, state=state, changes=changes, changed_from=changed_from)
    return _broken(progress, at, state, changes=changes, changed_from=changed_from)


def _alive(progress: _Progress, at: datetime) -> _Progress:
    """Note that the server holds the text though its name is gone; twice is certain, whatever was said."""
    alive = progress.alive + 1
    if alive < ALIVE_TIMES and progress.state in _REMOVED:
        return replace(progress, answered_at=at, alive=alive)
    state = Presence.SOURCE_ALIVE if alive >= ALIVE_TIMES else progress.state
    return _broken(progress, at, state, alive=alive, confirmed_at=None)


def _broken(
    progress: _Progress,
    at: datetime,
    state: Presence,
    *,
    walls: int = 0,
    changes: int = 0,
    changed_from: datetime | None = None,
    alive: int = 0,
    confirmed_at: datetime | None = None,
) -> _Progress:
    """Return the progress with its run broken and the other counters at their start."""
    return replace(
        progress,
        state=state,
        answered_at=at,
        run=(),
        first_absent=None,
        walls=walls,
        changes=changes,
        changed_from=changed_from,
        alive=alive,
        confirmed_at=confirmed_at,
    )


_OTHERS: Mapping[Signal, Callable[[_Progress, datetime], _Progress]] = MappingProxyType(
    {
        Signal.TRANSIENT: _silence,
        Signal.BLOCKED: _blocked,
        Signal.CHANGED: _changed,
        Signal.DNS_GONE_HOST_ALIVE: _alive,
    }
)


# ---- a person's word ---------------------------------------------------------------------------------------


def _word(progress: _Progress, word: Verdict, at: datetime) -> _Progress:
    """Take a person's decision: removed, or standing (edited, moved, live)."""
    if word is Verdict.REMOVED:
        if progress.state in _REMOVED:
            return replace(progress, word=word, word_at=at)
        since = progress.first_absent or progress.changed_from or at
        return replace(_removed(progress), first_absent=since, word=word, word_at=at)
    if word in {Verdict.EDITED, Verdict.LIVE, Verdict.MOVED}:
        stands = replace(_present(progress, at), word=word, word_at=at)
        return replace(stands, moved=True) if word is Verdict.MOVED else stands
    return progress
