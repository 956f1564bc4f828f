"""The frontier: which addresses of a site are still to be asked, and how far each has come.

The rows are mutable and hold the address encrypted. A page, its links and its `done` mark are written in
one transaction that first checks the site's epoch, so that a late twin of a crawl can change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from caselog import schema
from caselog.errors import RefusedError
from caselog.records.ids import LeadId, PageId, SiteId

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    from caselog.store.log import Reader, Writer

PENDING = "pending"
DONE = "done"
FAILED = "failed"
TAG_BYTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """One address that is still to be asked."""

    id: int
    site_id: SiteId
    lead_id: LeadId
    url: str
    pattern: str
    depth: int
    attempts: int
    round: int
    parent_id: PageId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One address that the crawl found on a page."""

    url: str
    tag: bytes
    pattern: str
    depth: int
    priority: float


def url_tag(reader: Reader, url: str) -> bytes:
    """Return the equality tag of a canonical address, as frontier rows hold it."""
    return reader.vault.tag("url", url)


def take_site(writer: Writer, site_id: SiteId, holder: str) -> int:
    """Raise the site's epoch and return it: every earlier holder is fenced off from now on."""
    table = schema.site_slots
    row = writer.connection.execute(sa.select(table.c.epoch).where(table.c.site_id == site_id)).first()
    if row is None:
        writer.connection.execute(table.insert().values(site_id=site_id, epoch=1, holder=holder))
        return 1
    epoch = int(row.epoch) + 1
    writer.connection.execute(
        table.update().where(table.c.site_id == site_id).values(epoch=epoch, holder=holder)
    )
    return epoch


def fence(writer: Writer, site_id: SiteId, epoch: int) -> None:
    """Refuse to go on when another crawl has taken the site.

    Raises:
        RefusedError: The epoch is no longer the site's.
    """
    table = schema.site_slots
    query = sa.select(table.c.epoch).where(table.c.site_id == site_id).with_for_update()
    if writer.connection.execute(query).scalar_one_or_none() != epoch:
        raise RefusedError(
            f"Site {site_id} was taken by another crawl.", "This crawl stops here.", code="fenced"
        )


def seed(writer: Writer, *, site_id: SiteId, lead_id: LeadId, found: Found) -> bool:
    """Add the address that a crawl starts from; False when the site's frontier has it already."""
    return bool(add(writer, site_id=site_id, lead_id=lead_id, found=[found], parent_id=None, round_number=1))


def add(
    writer: Writer,
    *,
    site_id: SiteId,
    lead_id: LeadId,
    found: Iterable[Found],
    parent_id: PageId | None,
    round_number: int,
) -> int:
    """Add addresses that the site's frontier does not hold yet, and return how many were new."""
    rows = rows_of(
        writer, site_id=site_id, lead_id=lead_id, found=found, parent_id=parent_id, round_number=round_number
    )
    return insert(writer, rows)


def rows_of(
    writer: Writer,
    *,
    site_id: SiteId,
    lead_id: LeadId,
    found: Iterable[Found],
    parent_id: PageId | None,
    round_number: int,
) -> list[dict[str, Any]]:
    """Return the rows of addresses with their values sealed, for `insert`."""
    key_id = writer.vault.key_id(writer.connection, lead_id)
    return [
        {
            "site_id": site_id,
            "lead_id": lead_id,
            "url_tag": item.tag,
            "url_enc": writer.vault.seal_bytes(key_id, "frontier", item.url),
            "key_id": key_id,
            "state": PENDING,
            "priority": item.priority,
            "depth": item.depth,
            "attempts": 0,
            "round": round_number,
            "parent_id": parent_id,
            "pattern": item.pattern,
        }
        for item in found
    ]


def insert(writer: Writer, rows: Sequence[dict[str, Any]]) -> int:
    """Add rows whose address the site's frontier does not hold yet, and return how many were new."""
    return writer.insert_new(schema.frontier, rows, ("site_id", "url_tag"))


def known_tags(reader: Reader, site_id: SiteId) -> set[bytes]:
    """Return the first 8 bytes of the tag of each address that the site's frontier holds."""
    table = schema.frontier
    rows = reader.connection.execute(sa.select(table.c.url_tag).where(table.c.site_id == site_id))
    return {bytes(tag[:TAG_BYTES]) for (tag,) in rows}


def pending_patterns(
    reader: Reader, site_id: SiteId, lead_ids: Collection[LeadId], now: datetime | None = None
) -> dict[str, int]:
    """Return how many addresses of each pattern are pending for these leads; with ``now``, the due ones."""
    table = schema.frontier
    query = (
        sa.select(table.c.pattern, sa.func.count())
        .where(table.c.site_id == site_id, table.c.state == PENDING, table.c.lead_id.in_(lead_ids))
        .group_by(table.c.pattern)
    )
    if now is not None:
        query = query.where(sa.or_(table.c.due_at.is_(None), table.c.due_at <= now))
    return {row[0]: row[1] for row in reader.connection.execute(query)}


def put_off_until(
    reader: Reader, site_id: SiteId, lead_ids: Collection[LeadId], now: datetime
) -> list[tuple[datetime, str]]:
    """Return when each pending address that is due after ``now`` is due, with its pattern."""
    table = schema.frontier
    query = sa.select(table.c.due_at, table.c.pattern).where(
        table.c.site_id == site_id,
        table.c.state == PENDING,
        table.c.lead_id.in_(lead_ids),
        table.c.due_at > now,
    )
    return [(row[0], row[1]) for row in reader.connection.execute(query)]


def pending(
    reader: Reader,
    *,
    site_id: SiteId,
    pattern: str,
    lead_ids: Collection[LeadId],
    without: Iterable[int],
    limit: int,
    now: datetime,
) -> list[Pending]:
    """Return the next addresses of a pattern, the most promising first.

    Args:
        reader: An open reader.
        site_id: The site.
        pattern: The pattern of the addresses.
        lead_ids: Only addresses that belong to one of these leads.
        without: Row numbers that are in flight or already in hand.
        limit: How many at most.
        now: Rows that are due later are left out.
    """
    table = schema.frontier
    query = (
        sa.select(table)
        .where(
            table.c.site_id == site_id,
            table.c.state == PENDING,
            table.c.pattern == pattern,
            table.c.lead_id.in_(lead_ids),
            table.c.id.not_in(list(without)),
            sa.or_(table.c.due_at.is_(None), table.c.due_at <= now),
        )
        .order_by(table.c.priority.desc(), table.c.id)
        .limit(limit)
    )
    return [_pending(reader, row) for row in reader.connection.execute(query)]


def _pending(reader: Reader, row: sa.Row[tuple[object, ...]]) -> Pending:
    return Pending(
        id=row.id,
        site_id=SiteId(row.site_id),
        lead_id=LeadId(row.lead_id),
        url=reader.vault.open_bytes(reader.connection, row.key_id, "frontier", row.url_enc),
        pattern=row.pattern,
        depth=row.depth,
        attempts=row.attempts,
        round=row.round,
        parent_id=None if row.parent_id is None else PageId(row.parent_id),
    )


def finish(writer: Writer, row: Pending, *, failed: bool = False) -> bool:
    """Mark an address as answered; False when another transaction has done so before."""
    return bool(finish_all(writer, [row], failed=failed))


def finish_all(writer: Writer, rows: Sequence[Pending], *, failed: bool = False) -> set[int]:
    """Mark addresses as answered and return the numbers of those that nobody has answered before."""
    table = schema.frontier
    done: set[int] = set()
    for number in {row.round for row in rows}:
        ids = [row.id for row in rows if row.round == number]
        marked = writer.connection.execute(
            table.update()
            .where(table.c.id.in_(ids), table.c.state == PENDING, table.c.round == number)
            .values(state=FAILED if failed else DONE, attempts=table.c.attempts + 1, due_at=None)
            .returning(table.c.id)
        )
        done |= {int(identity) for (identity,) in marked}
    return done


def put_off(writer: Writer, row: Pending, due_at: datetime) -> None:
    """Keep an address pending until `due_at` and count the attempt."""
    table = schema.frontier
    writer.connection.execute(
        table.update().where(table.c.id == row.id).values(attempts=row.attempts + 1, due_at=due_at)
    )


def asked(reader: Reader, lead_id: LeadId) -> int:
    """Return how many addresses of the lead were answered in its present round."""
    table = schema.frontier
    latest = sa.select(sa.func.max(table.c.round)).where(table.c.lead_id == lead_id).scalar_subquery()
    query = sa.select(sa.func.count()).where(
        table.c.lead_id == lead_id, table.c.state != PENDING, table.c.round == latest
    )
    return int(reader.connection.execute(query).scalar_one())


def open_round(writer: Writer, lead_id: LeadId) -> int:
    """Make every address of the lead pending again, a round later; return how many there are."""
    table = schema.frontier
    done = writer.connection.execute(
        table.update()
        .where(table.c.lead_id == lead_id, table.c.state != PENDING)
        .values(state=PENDING, round=table.c.round + 1, attempts=0, due_at=None)
    )
    return done.rowcount


def counts(reader: Reader) -> dict[tuple[SiteId, str], int]:
    """Return how many addresses each site has in each state."""
    table = schema.frontier
    query = sa.select(table.c.site_id, table.c.state, sa.func.count()).group_by(
        table.c.site_id, table.c.state
    )
    return {(SiteId(site), state): number for site, state, number in reader.connection.execute(query)}
