"""Calls to crawl: which leads, at most how many pages, until when; and how far each site of a call has come.

A call is worked off in slices of one site each. A slice is begun and ended in a transaction of its own, under
a number: a slice that is begun again after a crash, when it had ended already, is told so.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from caselog import schema
from caselog.errors import IntakeError
from caselog.records.ids import LeadId, SiteId

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from caselog.store.log import Reader, Writer

COUNTS = schema.CALL_COUNTS
_LATEST = frozenset({"put_off"})
"""Counts that are facts about a site as it stands, not sums."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One order to crawl."""

    id: int
    lead_ids: tuple[LeadId, ...]
    """Empty stands for every confirmed lead."""
    pages_left: int | None
    ends_at: datetime | None
    made_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far one site of a call has come."""

    call_id: int
    site_id: SiteId
    slices: int
    """Slices that have ended; also the number of the next one."""
    is_open: bool
    due_at: datetime | None
    """When the next slice is worth beginning; None is now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What a whole call has brought so far."""

    counts: Mapping[str, int]
    cpu_s: float
    open_sites: int
    waiting_sites: int
    """Open sites whose next slice is due later."""
    good_at: datetime | None
    """When the last usable answer of any site was recorded."""


def add_call(
    writer: Writer,
    *,
    lead_ids: Iterable[LeadId],
    site_ids: Iterable[SiteId],
    pages: int | None,
    ends_at: datetime | None,
    now: datetime,
    is_followed: bool = False,
) -> int:
    """Add a call with its sites, all open, and return its number.

    Raises:
        IntakeError: It names more leads than a call may name.
    """
    named = json.dumps(sorted(lead_ids))
    if len(named) > schema.CALL_LENGTH:
        raise IntakeError("A call to crawl names too many leads.", "Name fewer, or none for all.")
    values = {"lead_ids": named, "pages_left": pages, "ends_at": ends_at, "made_at": now}
    values["followed_at"] = now if is_followed else None
    query = schema.crawl_calls.insert().values(**values).returning(schema.crawl_calls.c.id)
    number = int(writer.connection.execute(query).scalar_one())
    nothing: dict[str, Any] = {**dict.fromkeys(COUNTS, 0), "cpu_s": 0.0, "slices": 0, "is_open": True}
    rows = [{**nothing, "call_id": number, "site_id": site} for site in site_ids]
    if rows:
        writer.connection.execute(schema.call_sites.insert(), rows)
    return number


def call(reader: Reader, number: int) -> Call:
    """Return a call.

    Raises:
        IntakeError: There is none with this number.
    """
    table = schema.crawl_calls
    row = reader.connection.execute(sa.select(table).where(table.c.id == number)).first()
    if row is None:
        raise IntakeError(f"There is no call to crawl {number}.", "Run leadline crawl again.")
    return Call(
        id=row.id,
        lead_ids=tuple(LeadId(lead) for lead in json.loads(row.lead_ids)),
        pages_left=row.pages_left,
        ends_at=row.ends_at,
        made_at=row.made_at,
    )


def standing(reader: Reader, call_id: int, site_id: SiteId) -> Standing | None:
    """Return how far a site of a call has come, or None when the call has no such site."""
    table = schema.call_sites
    query = sa.select(table).where(table.c.call_id == call_id, table.c.site_id == site_id)
    row = reader.connection.execute(query).first()
    return None if row is None else _standing(row)


def open_standings(reader: Reader, call_id: int | None = None) -> list[Standing]:
    """Return the open sites of a call, or of all calls."""
    table = schema.call_sites
    query = sa.select(table).where(table.c.is_open).order_by(table.c.call_id, table.c.site_id)
    if call_id is not None:
        query = query.where(table.c.call_id == call_id)
    return [_standing(row) for row in reader.connection.execute(query)]


def open_sites(reader: Reader) -> set[SiteId]:
    """Return the sites that any call is still at work on."""
    table = schema.call_sites
    query = sa.select(table.c.site_id).where(table.c.is_open).distinct()
    return {SiteId(number) for number in reader.connection.execute(query).scalars()}


def grant(writer: Writer, call_id: int, wanted: int) -> int:
    """Take up to `wanted` pages out of a call's budget and return how many there were."""
    table = schema.crawl_calls
    query = sa.select(table.c.pages_left).where(table.c.id == call_id).with_for_update()
    left = writer.connection.execute(query).scalar_one()
    if left is None:
        return wanted
    granted = max(0, min(wanted, int(left)))
    _set_left(writer, call_id, left - granted)
    return granted


def give_back(writer: Writer, call_id: int, pages: int) -> None:
    """Put pages that were granted and not spent back into a call's budget."""
    table = schema.crawl_calls
    writer.connection.execute(
        table.update()
        .where(table.c.id == call_id, table.c.pages_left.is_not(None))
        .values(pages_left=table.c.pages_left + pages)
    )


def _set_left(writer: Writer, call_id: int, left: int) -> None:
    table = schema.crawl_calls
    writer.connection.execute(table.update().where(table.c.id == call_id).values(pages_left=left))


def end_slice(
    writer: Writer,
    now_at: Standing,
    *,
    counts: Mapping[str, int],
    cpu_s: float,
    good_at: datetime | None,
    is_open: bool,
    due_at: datetime | None,
) -> bool:
    """Count a slice as ended; False when it had ended before, or the site is no longer open.

    Args:
        writer: An open writer.
        now_at: How far the site had come when the slice began.
        counts: What the slice brought, by the names in `COUNTS`.
        cpu_s: Seconds of processor time.
        good_at: When the slice recorded its last usable answer.
        is_open: Whether another slice is to follow.
        due_at: When; None is at once.
    """
    table = schema.call_sites
    added = {name: counts.get(name, 0) + (0 if name in _LATEST else table.c[name]) for name in COUNTS}
    values: dict[str, Any] = {**added, "cpu_s": table.c.cpu_s + cpu_s, "slices": now_at.slices + 1}
    if good_at is not None:
        values["good_at"] = good_at
    ended = writer.connection.execute(
        table.update()
        .where(
            table.c.call_id == now_at.call_id,
            table.c.site_id == now_at.site_id,
            table.c.slices == now_at.slices,
            table.c.is_open,
        )
        .values(**values, is_open=is_open, due_at=due_at)
    )
    return bool(ended.rowcount)


def note_follower(writer: Writer, call_id: int, now: datetime) -> None:
    """Note that somebody waits for a call."""
    table = schema.crawl_calls
    writer.connection.execute(table.update().where(table.c.id == call_id).values(followed_at=now))


def abandoned(reader: Reader, followed_after: datetime) -> list[int]:
    """Return the calls with open sites for which nobody has waited since then."""
    table, sites = schema.crawl_calls, schema.call_sites
    still_open = sa.select(sites.c.call_id).where(sites.c.is_open)
    query = sa.select(table.c.id).where(
        table.c.id.in_(still_open),
        sa.or_(table.c.followed_at.is_(None), table.c.followed_at < followed_after),
    )
    return list(reader.connection.execute(query).scalars())


def close_sites(writer: Writer, call_id: int) -> int:
    """Close what is still open of a call: what waits stays in the frontier; return how many sites."""
    table = schema.call_sites
    closed = writer.connection.execute(
        table.update().where(table.c.call_id == call_id, table.c.is_open).values(is_open=False)
    )
    return closed.rowcount


def hasten(writer: Writer, call_id: int) -> None:
    """Make the next slices of a call's open sites due now."""
    table = schema.call_sites
    writer.connection.execute(
        table.update().where(table.c.call_id == call_id, table.c.is_open).values(due_at=None)
    )


def progress(reader: Reader, call_id: int, now: datetime) -> Progress:
    """Return what a call has brought, over all its sites."""
    table = schema.call_sites
    is_waiting = sa.and_(table.c.is_open, table.c.due_at.is_not(None), table.c.due_at > now)
    query = sa.select(
        *(sa.func.coalesce(sa.func.sum(table.c[name]), 0).label(name) for name in COUNTS),
        sa.func.coalesce(sa.func.sum(table.c.cpu_s), 0.0).label("cpu_s"),
        sa.func.coalesce(sa.func.sum(sa.case((table.c.is_open, 1), else_=0)), 0).label("open"),
        sa.func.coalesce(sa.func.sum(sa.case((is_waiting, 1), else_=0)), 0).label("waiting"),
        sa.func.max(table.c.good_at).label("good_at"),
    ).where(table.c.call_id == call_id)
    row = reader.connection.execute(query).one()._mapping  # noqa: SLF001 - SQLAlchemy's documented way
    return Progress(
        counts={name: int(row[name]) for name in COUNTS},
        cpu_s=float(row["cpu_s"]),
        open_sites=int(row["open"]),
        waiting_sites=int(row["waiting"]),
        good_at=row["good_at"],
    )


def drop_calls(writer: Writer, before: datetime) -> int:
    """Delete calls that were made before a time and have no open site; return how many."""
    old = schema.crawl_calls
    sites = schema.call_sites
    still_open = sa.select(sites.c.call_id).where(sites.c.is_open)
    ids = sa.select(old.c.id).where(old.c.made_at < before, old.c.id.not_in(still_open))
    numbers = list(writer.connection.execute(ids).scalars())
    if numbers:
        writer.connection.execute(sites.delete().where(sites.c.call_id.in_(numbers)))
        writer.connection.execute(old.delete().where(old.c.id.in_(numbers)))
    return len(numbers)


def _standing(row: sa.Row[Any]) -> Standing:
    return Standing(
        call_id=row.call_id,
        site_id=SiteId(row.site_id),
        slices=row.slices,
        is_open=row.is_open,
        due_at=row.due_at,
    )
