"""Say whether now is a time in which nothing is asked, by the local time of this machine."""

from __future__ import annotations

from datetime import datetime, timedelta


def quiet_now(hours: str) -> datetime | None:
    """Return when the quiet hours end that are now, or None; reads the clock."""
    return quiet_until(datetime.now().astimezone(), hours)


def quiet_until(now: datetime, hours: str) -> datetime | None:
    """Return when the quiet hours end in which ``now`` lies, or None.

    Args:
        now: Local time, aware or not; the answer is of the same kind.
        hours: ``HH:MM-HH:MM``, several separated by commas; a span may run over midnight, and one whose ends
            are the same is the whole day.
    """
    spans = [span.strip() for span in hours.split(",")]
    until = None
    # One span may end where the next begins; after as many steps as there are spans the day is full.
    for _ in spans:
        ends = [end for span in spans if (end := _end_of(until or now, span)) is not None]
        if not ends:
            break
        until = max(ends)
    return until


def _end_of(now: datetime, span: str) -> datetime | None:
    if not span:
        return None
    first, last = (_at(now, text) for text in span.split("-"))
    if first < last:
        return last if first <= now < last else None
    if first <= now:
        return last + timedelta(days=1)
    return last if now < last else None


def _at(now: datetime, text: str) -> datetime:
    hour, minute = text.split(":")
    return now.replace(hour=int(hour), minute=int(minute), second=0, microsecond=0)
