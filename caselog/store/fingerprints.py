"""The index of evidence: which blocks and shingles were recorded, and which blocks are a site's own frame.

All rows are projections of Evidence records (and of frame controls); `rebuild` makes them anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from caselog import schema
from caselog.records.ids import EvidenceId, SiteId
from caselog.records.pages import Evidence

if TYPE_CHECKING:
    from collections.abc import Iterable

    from caselog.store.log import Reader, Writer

BLOCK_BYTES = 16
SHINGLE_BYTES = 5


def blocks_of(evidence: Evidence) -> tuple[bytes, ...]:
    """Return the evidential block tags of a record, 16 bytes each."""
    raw = evidence.block_tags
    return tuple(raw[at : at + BLOCK_BYTES] for at in range(0, len(raw), BLOCK_BYTES))


def sketch_of(evidence: Evidence) -> tuple[int, ...]:
    """Return the sketch of a record as numbers, ascending."""
    raw = evidence.sketch
    return tuple(
        int.from_bytes(raw[at : at + SHINGLE_BYTES], "big") for at in range(0, len(raw), SHINGLE_BYTES)
    )


def pack_sketch(sketch: Iterable[int]) -> bytes:
    """Return a sketch as records hold it."""
    return b"".join(int(value).to_bytes(SHINGLE_BYTES, "big") for value in sketch)


def index(writer: Writer, evidence: Evidence) -> None:
    """Add an appended Evidence record to the index, in its transaction."""
    blocks = [{"tag": tag, "evidence_id": evidence.id} for tag in set(blocks_of(evidence))]
    shingles = [
        {"epoch": evidence.key_epoch, "hash": value, "evidence_id": evidence.id}
        for value in set(sketch_of(evidence))
    ]
    if blocks:
        writer.connection.execute(schema.evidence_blocks.insert(), blocks)
    if shingles:
        writer.connection.execute(schema.evidence_shingles.insert(), shingles)


def rebuild(writer: Writer) -> int:
    """Make the whole index anew from the records, and return how many there are."""
    writer.connection.execute(schema.evidence_blocks.delete())
    writer.connection.execute(schema.evidence_shingles.delete())
    found = writer.find(Evidence)
    for evidence in found:
        index(writer, evidence)
    return len(found)


def holders_of_blocks(reader: Reader, tags: Iterable[bytes]) -> dict[EvidenceId, int]:
    """Return how many of these blocks each Evidence record holds."""
    table = schema.evidence_blocks
    query = (
        sa.select(table.c.evidence_id, sa.func.count())
        .where(table.c.tag.in_(list(tags)[:500]))
        .group_by(table.c.evidence_id)
    )
    return {EvidenceId(number): count for number, count in reader.connection.execute(query)}


def block_count(reader: Reader, evidence_id: EvidenceId, site_id: SiteId) -> int:
    """Return how many blocks an Evidence record of this site holds; 0 for one of another site."""
    found = reader.find(Evidence, id=evidence_id, site_id=site_id)
    return len(found[0].block_tags) // BLOCK_BYTES if found else 0


def all_shingles(reader: Reader, epoch: int) -> list[tuple[int, EvidenceId]]:
    """Return every recorded shingle hash of a key epoch with the Evidence that holds it."""
    table = schema.evidence_shingles
    query = sa.select(table.c.hash, table.c.evidence_id).where(table.c.epoch == epoch)
    return [(int(value), EvidenceId(number)) for value, number in reader.connection.execute(query)]


def frame_of(reader: Reader, site_id: SiteId) -> set[bytes]:
    """Return the block tags that stand on the site's control pages."""
    table = schema.site_frames
    return {
        bytes(tag)
        for (tag,) in reader.connection.execute(sa.select(table.c.tag).where(table.c.site_id == site_id))
    }


def add_frame(writer: Writer, site_id: SiteId, tags: Iterable[bytes]) -> None:
    """Remember block tags of a control page as the site's own frame."""
    rows = [{"site_id": site_id, "tag": tag, "seen": 1} for tag in set(tags)]
    if rows:
        writer.insert_new(schema.site_frames, rows, ("site_id", "tag"))
