"""Answers of registries by the range they are about, and the pace that servers are asked at.

Answers are sealed under the workspace's data key; a newer answer about the same range takes the place
of the older one, in the same rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from caselog import schema

if TYPE_CHECKING:
    from datetime import datetime

    from caselog.store.log import Reader, Writer

PURPOSE = "lookup"
MOST_CHARACTERS = 60_000
"""A longer answer does not fit into a sealed row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswer:
    """One answer about the addresses from `first` to `last`, 16 bytes each; IPv4 is mapped into IPv6."""

    kind: str
    first: bytes
    last: bytes
    text: str
    fetched_at: datetime
    expires_at: datetime


def narrowest(reader: Reader, kind: str, ip: bytes, now: datetime) -> KeptAnswer | None:
    """Return the answer about the narrowest range around `ip` that has not run out, or None."""
    table = schema.lookup_cache
    query = sa.select(table).where(
        table.c.kind == kind, table.c.first <= ip, table.c.last >= ip, table.c.expires_at > now
    )
    rows = reader.connection.execute(query).all()
    if not rows:
        return None
    row = min(rows, key=lambda each: int.from_bytes(each.last, "big") - int.from_bytes(each.first, "big"))
    text = reader.vault.open_addresses(reader.connection, {row.sealed_id: PURPOSE})[row.sealed_id]
    if text is None:
        return None
    return KeptAnswer(
        kind=kind,
        first=bytes(row.first),
        last=bytes(row.last),
        text=text,
        fetched_at=row.fetched_at,
        expires_at=row.expires_at,
    )


def keep(writer: Writer, answer: KeptAnswer) -> None:
    """Remember an answer in place of an earlier one about the same range."""
    writer.lock(PURPOSE)
    table = schema.lookup_cache
    tag = writer.vault.tag(PURPOSE, answer.kind.encode() + b"\x00" + answer.first + answer.last)
    times = {"fetched_at": answer.fetched_at, "expires_at": answer.expires_at}
    query = sa.select(table.c.id, table.c.sealed_id).where(
        table.c.kind == answer.kind, table.c.key_tag == tag
    )
    there = writer.connection.execute(query).first()
    if there is None:
        place = {"kind": answer.kind, "key_tag": tag, "first": answer.first, "last": answer.last}
        sealed_id = _sealed(writer, answer.text)
        writer.connection.execute(table.insert().values(sealed_id=sealed_id, **place, **times))
        return
    _seal_anew(writer, there.sealed_id, answer.text)
    writer.connection.execute(table.update().where(table.c.id == there.id).values(**times))


def moment(reader: Reader, name: str) -> datetime | None:
    """Return the time that is kept under a name of the limiters, or None."""
    table = schema.limiters
    return reader.connection.execute(sa.select(table.c.at).where(table.c.name == name)).scalar_one_or_none()


def set_moment(writer: Writer, name: str, at: datetime) -> None:
    """Keep a time under a name of the limiters."""
    table = schema.limiters
    done = writer.connection.execute(table.update().where(table.c.name == name).values(at=at))
    if not done.rowcount:
        writer.connection.execute(table.insert().values(name=name, tokens=0.0, at=at))


def _sealed(writer: Writer, text: str) -> int:
    """Return a row of its own: without a tag, so that it may change later and nobody shares it."""
    key_id = writer.vault.key_id(writer.connection, None)
    values = {"key_id": key_id, "ciphertext": writer.vault.seal_bytes(key_id, PURPOSE, text), "tag": None}
    insert = schema.addresses.insert().values(**values).returning(schema.addresses.c.id)
    return int(writer.connection.execute(insert).scalar_one())


def _seal_anew(writer: Writer, sealed_id: int, text: str) -> None:
    table = schema.addresses
    key_id = writer.vault.key_id(writer.connection, None)
    ciphertext = writer.vault.seal_bytes(key_id, PURPOSE, text)
    changed = table.update().where(table.c.id == sealed_id).values(key_id=key_id, ciphertext=ciphertext)
    writer.connection.execute(changed)
