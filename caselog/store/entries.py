"""The rows of the ledger: entries, their salts, numbered leaves, and the heads that were stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from caselog import schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from caselog.store.log import Reader, Writer

BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One numbered leaf and the entry that it stands for; None where the entry is missing."""

    index: int
    hash: bytes
    entry_id: int
    kind: str | None
    record_id: int | None
    body: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The ledger entry of one record, with what it takes to check it."""

    id: int
    body: str
    seed: bytes | None
    leaf_index: int | None
    is_unsealed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredHead:
    """The tree as it stood after one sealing."""

    id: int
    size: int
    root: bytes
    peaks: bytes
    at: datetime


def unsealed_count(reader: Reader) -> int:
    """Return how many entries have no leaf yet."""
    return _count(reader, schema.unsealed)


def entry_count(reader: Reader) -> int:
    """Return how many entries there are."""
    return _count(reader, schema.entries)


def next_unsealed(writer: Writer, limit: int) -> list[tuple[int, str]]:
    """Return the oldest entries without a leaf, each with its number and its body."""
    entries, unsealed = schema.entries, schema.unsealed
    query = sa.select(entries.c.id, entries.c.body).join(unsealed, unsealed.c.entry_id == entries.c.id)
    rows = writer.connection.execute(query.order_by(entries.c.id).limit(limit))
    return [(number, body) for number, body in rows]


def add_leaves(writer: Writer, leaves: Sequence[tuple[int, int, bytes]]) -> None:
    """Add numbered leaves, each as its index, its entry and its hash."""
    rows = [{"leaf_index": index, "entry_id": entry, "leaf_hash": digest} for index, entry, digest in leaves]
    writer.connection.execute(schema.leaves.insert(), rows)
    taken = [row["entry_id"] for row in rows]
    writer.connection.execute(schema.unsealed.delete().where(schema.unsealed.c.entry_id.in_(taken)))


def add_head(writer: Writer, *, size: int, root: bytes, peaks: bytes, at: datetime) -> None:
    """Store the head of the tree after a sealing."""
    writer.connection.execute(schema.heads.insert().values(size=size, root=root, peaks=peaks, at=at))


def newest_head(reader: Reader) -> StoredHead | None:
    """Return the head that was stored last, or None."""
    query = sa.select(schema.heads).order_by(schema.heads.c.id.desc()).limit(1)
    row = reader.connection.execute(query).first()
    return None if row is None else _head(row)


def all_heads(reader: Reader) -> Iterator[StoredHead]:
    """Yield every stored head, the oldest first."""
    last = 0
    while True:
        query = sa.select(schema.heads).where(schema.heads.c.id > last).order_by(schema.heads.c.id)
        rows = reader.connection.execute(query.limit(BATCH)).all()
        if not rows:
            return
        yield from map(_head, rows)
        last = rows[-1].id


def all_leaves(reader: Reader) -> Iterator[Leaf]:
    """Yield every leaf by ascending index, with its entry."""
    leaves, entries = schema.leaves, schema.entries
    query = sa.select(leaves, entries.c.kind, entries.c.record_id, entries.c.body)
    query = query.outerjoin(entries, entries.c.id == leaves.c.entry_id).order_by(leaves.c.leaf_index)
    last = -1
    while True:
        rows = reader.connection.execute(query.where(leaves.c.leaf_index > last).limit(BATCH)).all()
        if not rows:
            return
        for row in rows:
            yield Leaf(
                index=row.leaf_index,
                hash=bytes(row.leaf_hash),
                entry_id=row.entry_id,
                kind=row.kind,
                record_id=row.record_id,
                body=row.body,
            )
        last = rows[-1].leaf_index


def entries_between(reader: Reader, kind: str, after: int, until: int | None) -> dict[int, Entry]:
    """Return the entries of a kind by record number, of the numbers after `after` up to `until`.

    Args:
        reader: An open reader.
        kind: The name of the record class.
        after: Only greater numbers.
        until: Only numbers up to this one; None returns no more than a batch of whatever comes.
    """
    entries, salts, leaves, unsealed = schema.entries, schema.salts, schema.leaves, schema.unsealed
    query = (
        sa.select(
            entries.c.record_id,
            entries.c.id,
            entries.c.body,
            salts.c.seed,
            leaves.c.leaf_index,
            unsealed.c.entry_id,
        )
        .outerjoin(salts, salts.c.entry_id == entries.c.id)
        .outerjoin(leaves, leaves.c.entry_id == entries.c.id)
        .outerjoin(unsealed, unsealed.c.entry_id == entries.c.id)
        .where(entries.c.kind == kind, entries.c.record_id > after)
        .order_by(entries.c.record_id)
    )
    query = query.limit(BATCH) if until is None else query.where(entries.c.record_id <= until)
    return {
        number: Entry(id=entry, body=body, seed=seed, leaf_index=index, is_unsealed=waiting is not None)
        for number, entry, body, seed, index, waiting in reader.connection.execute(query)
    }


def leaf_indexes(reader: Reader, kind: str, numbers: Iterable[int]) -> dict[int, int]:
    """Return the leaf index of each of these records that has one."""
    entries, leaves = schema.entries, schema.leaves
    wanted, found = sorted(set(numbers)), dict[int, int]()
    query = sa.select(entries.c.record_id, leaves.c.leaf_index).join(
        leaves, leaves.c.entry_id == entries.c.id
    )
    for at in range(0, len(wanted), BATCH):
        chosen = query.where(entries.c.kind == kind, entries.c.record_id.in_(wanted[at : at + BATCH]))
        found.update((row[0], row[1]) for row in reader.connection.execute(chosen))
    return found


def _count(reader: Reader, table: sa.Table) -> int:
    return int(reader.connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def _head(row: sa.Row[int, int, bytes, bytes, datetime]) -> StoredHead:
    return StoredHead(id=row.id, size=row.size, root=bytes(row.root), peaks=bytes(row.peaks), at=row.at)
