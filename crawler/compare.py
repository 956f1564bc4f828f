"""Score a text in hand against everything that was recorded; nothing of the text is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from caselog.records.pages import Evidence
from caselog.store import fingerprints
from crawler.reading.fingerprint import FingerprintKey, block_tags, contain, level_of, page_hashes
from crawler.reading.page import read_page
from crawler.transport.disguise import cut_data_uris

if TYPE_CHECKING:
    from collections.abc import Sequence

    from caselog.records.ids import EvidenceId
    from caselog.store.log import Reader
    from caselog.vault import Keys
    from crawler.reading.shingles import Hashes

LEAST_MATCHES = 3
"""Fewer shared hashes than this are not worth a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """How much of one evidence item stands in the text."""

    evidence_id: EvidenceId
    m: int
    """Hashes of the stored sketch that occur in the text."""
    k: int
    """Size of the stored sketch."""
    level: str | None
    """`strong`, `lead`, or None below both."""
    blocks_shared: int


def read_blocks(text: str, url: str, media_type: str) -> tuple[str, ...]:
    """Return the blocks of a text or page.

    Raises:
        RefusedError: The page would cost a parser too much.
    """
    return read_page(cut_data_uris(text), url, media_type).blocks


def compare(reader: Reader, keys: Keys, blocks: Sequence[str]) -> list[Likeness]:
    """Return the evidence items that share something with these blocks, the likest first."""
    by_epoch = {epoch: FingerprintKey(epoch, secret) for epoch, secret in keys.fingerprint_keys}
    hashes = page_hashes(blocks, by_epoch.values()).by_epoch
    tags = {epoch: {tag for tag in block_tags(blocks, key) if tag} for epoch, key in by_epoch.items()}
    found = [
        _likeness(item, hashes[item.key_epoch], tags[item.key_epoch])
        for item in reader.find(Evidence)
        if item.key_epoch in by_epoch
    ]
    near = [one for one in found if one.m >= LEAST_MATCHES or one.blocks_shared]
    return sorted(near, key=lambda one: (one.m / max(1, one.k), one.blocks_shared), reverse=True)


def _likeness(item: Evidence, hashes: Hashes, tags: set[bytes]) -> Likeness:
    sketch = fingerprints.sketch_of(item)
    matched = contain(sketch, hashes)
    return Likeness(
        evidence_id=item.id,
        m=matched,
        k=len(sketch),
        level=level_of(matched, len(sketch)) if sketch else None,
        blocks_shared=len(tags.intersection(fingerprints.blocks_of(item))),
    )
