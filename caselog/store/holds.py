"""Holds: which process may ask a host or an address now, so that several on one database never share one.

A hold has a time to live and is over by itself; who takes it next waits until the time at which, as the last
holder said, the next request may start. Times are seconds of the database's own clock on PostgreSQL, where
processes of many machines meet, and of this machine's on SQLite. Rows are always locked in the order of their
tags, so that no two transactions wait for each other; each function belongs in a transaction of its own.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from caselog import schema

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from caselog.store.log import Reader, Writer

NOBODY: Final = ""
LONGEST_S: Final = 3600.0
"""No hold or free time lies further ahead; what does was written by a clock that was wrong, and is over."""
OLD_S: Final = 3600.0
"""After so long without a holder a row is forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What came of asking for holds."""

    is_held: bool
    wait_s: float
    """Held: until the first request may start. Not held: until the other process's hold is over."""


def take(writer: Writer, keys: Collection[str], holder: str, ttl_s: float) -> Taken:
    """Take all these holds for `ttl_s` seconds, or none when another process has one of them.

    A hold that the same holder has is taken again. Two statements; takers wait for each other's transactions
    only, never for a hold.
    """
    table = schema.holds
    tags = _tags(writer, keys)
    if not tags:
        return Taken(is_held=True, wait_s=0.0)
    rows = _locked(writer, tags)
    now_s = max(float(row.now_s) for row in rows)
    taken = judge([(row.holder, row.until_s, row.free_s) for row in rows], holder, now_s)
    if taken.is_held:
        change = table.update().where(table.c.tag.in_(tags))
        writer.connection.execute(change.values(holder=holder, until_s=now_s + min(ttl_s, LONGEST_S)))
    return taken


def judge(rows: Iterable[tuple[str, float, float]], holder: str, now_s: float) -> Taken:
    """Decide what a taker gets of rows of holder, end and free time. Pure."""
    rows = list(rows)
    foreign_s = max((_ahead_s(until_s, now_s) for name, until_s, _ in rows if name != holder), default=0.0)
    if foreign_s > 0:
        return Taken(is_held=False, wait_s=foreign_s)
    return Taken(is_held=True, wait_s=max((_ahead_s(free_s, now_s) for _, _, free_s in rows), default=0.0))


def renew(writer: Writer, keys: Collection[str], holder: str, ttl_s: float) -> int:
    """Lengthen those of these holds that the holder has and that are not over; return how many.

    One that is over stays so: another process may have had it meanwhile.
    """
    table, now = schema.holds, _now(writer)
    is_own = sa.and_(table.c.tag.in_(_tags(writer, keys)), table.c.holder == holder, table.c.until_s > now)
    return _change(writer, is_own, until_s=now + min(ttl_s, LONGEST_S))


def leave(writer: Writer, keys: Collection[str], holder: str, free_in_s: float) -> int:
    """End those of these holds that are still the holder's; return how many.

    Args:
        writer: A writer.
        keys: Hosts and addresses.
        holder: Whose holds end.
        free_in_s: Nobody may ask before so many seconds from now; an hour at most.
    """
    table, now = schema.holds, _now(writer)
    is_own = sa.and_(table.c.tag.in_(_tags(writer, keys)), table.c.holder == holder)
    return _change(writer, is_own, until_s=now, free_s=now + min(max(free_in_s, 0.0), LONGEST_S))


def holders(reader: Reader) -> set[str]:
    """Return who has holds that are not over."""
    table = schema.holds
    query = sa.select(table.c.holder).where(table.c.until_s > _now(reader)).distinct()
    return set(reader.connection.execute(query).scalars())


def end_all(writer: Writer, gone: Collection[str], free_in_s: float) -> int:
    """End all holds of processes that are gone for sure; return how many.

    Args:
        writer: A writer.
        gone: Their names.
        free_in_s: Nobody may ask before so many seconds from now; what they asked last is not known.
    """
    table, now = schema.holds, _now(writer)
    is_theirs = sa.and_(table.c.holder.in_(list(gone)), table.c.until_s > now)
    return _change(writer, is_theirs, until_s=now, free_s=now + min(max(free_in_s, 0.0), LONGEST_S))


def forget(writer: Writer) -> int:
    """Delete the rows that have had no holder for an hour; return how many."""
    table, now = schema.holds, _now(writer)
    is_old = sa.and_(table.c.until_s < now - OLD_S, table.c.free_s < now)
    # Waits for nobody: a row that somebody is just taking is not old.
    old = sa.select(table.c.tag).where(is_old).with_for_update(skip_locked=True).cte("old")
    gone = table.delete().where(table.c.tag.in_(sa.select(old.c.tag)), is_old)
    return len(writer.connection.execute(gone.returning(table.c.tag)).all())


def _locked(writer: Writer, tags: list[bytes]) -> list[sa.Row[Any]]:
    """Lock the rows of these tags, made where there were none, and return them with the time."""
    table = schema.holds
    nothing: dict[str, object] = {"holder": NOBODY, "until_s": 0.0, "free_s": 0.0}
    values = [{"tag": tag, **nothing} for tag in tags]
    columns = (table.c.holder, table.c.until_s, table.c.free_s, _now(writer).label("now_s"))
    # A change that changes nothing locks the row, also one that another transaction has just made.
    same = {"holder": table.c.holder}
    if writer.connection.dialect.name == "sqlite":
        light = sqlite_insert(table).values(values).on_conflict_do_update(index_elements=["tag"], set_=same)
        return list(writer.connection.execute(light.returning(*columns)))
    heavy = postgresql_insert(table).values(values).on_conflict_do_update(index_elements=["tag"], set_=same)
    return list(writer.connection.execute(heavy.returning(*columns)))


def _change(writer: Writer, condition: sa.ColumnElement[bool], **values: sa.ColumnElement[float]) -> int:
    table = schema.holds
    ordered = sa.select(table.c.tag).where(condition).order_by(table.c.tag).with_for_update().cte("ordered")
    # The condition stands twice: what has waited for a lock is judged as it is now.
    change = table.update().where(table.c.tag.in_(sa.select(ordered.c.tag)), condition)
    return len(writer.connection.execute(change.values(**values).returning(table.c.tag)).all())


def _tags(reader: Reader, keys: Iterable[str]) -> list[bytes]:
    return sorted({reader.vault.tag("hold", key) for key in keys})


def _now(reader: Reader) -> sa.ColumnElement[float]:
    if reader.connection.dialect.name == "postgresql":
        return sa.cast(sa.extract("epoch", sa.func.clock_timestamp()), sa.Float(53))
    return sa.literal(time.time(), sa.Float(53))


def _ahead_s(at_s: float, now_s: float) -> float:
    ahead_s = at_s - now_s
    return 0.0 if ahead_s > LONGEST_S + 1.0 else max(0.0, ahead_s)
