"""What one text answer says: its blocks and their tags, the operator's rules on it, and its links. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crawler.reading.fingerprint import block_print, fingerprint, stream_tags
from crawler.reading.normalise import fold_blocks

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from crawler.reading.fingerprint import Fingerprint, FingerprintKey
    from crawler.reading.matching import Match, Matcher
    from crawler.reading.page import PageText


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One page as the crawl sees it; lives in memory only."""

    page: PageText
    tags: list[bytes]
    """One tag a block; blocks too short for a tag have an empty one."""
    match: Match
    letters: list[int]
    """How many letters each block holds."""

    def print(self) -> bytes:
        """Return the keyed identity of the page's blocks."""
        return block_print([tag for tag in self.tags if tag])

    def letters_at(self, positions: list[int]) -> int:
        """Return how many letters the blocks at these positions hold."""
        return sum(self.letters[position] for position in positions)


def reading_of(page: PageText, *, matcher: Matcher, key: FingerprintKey) -> Reading:
    """Return what a page says, with the tags of its blocks and the rules that match."""
    folded = fold_blocks(page.blocks)
    streams = folded.streams
    return Reading(
        page=page,
        tags=stream_tags(streams, key),
        match=matcher.match_folded(folded),
        letters=[len(stream) for stream in streams],
    )


def evidence_of(reading: Reading, key: FingerprintKey, frame: AbstractSet[bytes]) -> Fingerprint:
    """Return the hashes to keep of a matching page: its own blocks, without the site's frame.

    Blocks that hold a matched term are kept even if the site's front page shows them too.
    """
    return fingerprint(
        reading.page.blocks, key, frame_tags=frame, must_keep=frozenset(reading.match.block_indexes)
    )
