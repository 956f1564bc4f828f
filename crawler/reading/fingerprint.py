"""Make the keyed hashes that stay of a page, layers B and C of the evidence, and compare them.

Layer B is one tag for each block; layer C a small sketch of shingles. Comparing is asymmetric: the page in
hand gives all its shingles, the stored side only its sketch, so a text pasted into a much longer page is
still found. Stored shingles lie within one block, because neighbours change; the page's own run across its
blocks, so that a text cut into other blocks is found too. Text goes in, numbers come out; nothing is kept
between calls.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING, Final

import numpy as np

from crawler.reading.normalise import NORM_VERSION, UNICODE_VERSION, block_streams, stream
from crawler.reading.shingles import ShingleHasher

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]

FINGERPRINT_VERSION: Final = 1
"""Version of the parameters and key derivation below."""
STOPLIST_VERSION: Final = 1
"""Version of ``data/stoplist.txt``; a sketch is tied to it."""
TAG_BYTES: Final = 16
MAX_TAGS: Final = 512
MAX_BLOCKS: Final = 20_000
MAX_LETTERS: Final = 2_000_000
LEAST_BLOCK_LETTERS: Final = 20
LEAST_SKETCH_LETTERS: Final = 60
LENGTH: Final = 12
"""Letters in a shingle of alphabetic text; also of Hangul, whose syllables become two or three."""
DENSE_LENGTH: Final = 5
"""Letters in a shingle where Han and Kana dominate."""
MAX_SKETCH: Final = 64
LEAST_SKETCH: Final = 16
_SHINGLES_PER_HASH: Final = 4
LEAD_MATCHES: Final = 5
STRONG_MATCHES: Final = 10
_PRINT_TAGS: Final = 8
_PRINT_BYTES: Final = 8
_DENSE = re.compile(
    r"[\u3041-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f]"
)
_MONTHS: Final = tuple(
    "january february march april may june july august september october november december".split()  # noqa: SIM905
)
_YEARS: Final = range(2000, 2036)


class FingerprintKey:
    """Hold the secret of one epoch and what is derived from it.

    Args:
        epoch: The number under which records name this key.
        secret: At least 16 random bytes; the only thing that makes the hashes safe to keep.
    """

    def __init__(self, epoch: int, secret: bytes) -> None:
        if len(secret) < 16:
            raise ValueError("a fingerprint secret has at least 16 bytes")
        self.epoch = epoch
        self._block_key = hmac.digest(secret, b"block tags", sha256)
        self._hashers = {length: ShingleHasher(secret, length) for length in (LENGTH, DENSE_LENGTH)}

    def __repr__(self) -> str:
        return f"FingerprintKey(epoch={self.epoch})"

    def hasher(self, length: int) -> ShingleHasher:
        """Give the shingle hasher for one of the two lengths."""
        return self._hashers[length]

    def tag(self, folded: str) -> bytes:
        """Give the tag of one normalised block."""
        return hmac.digest(self._block_key, folded.encode("utf-8", "surrogatepass"), sha256)[:TAG_BYTES]

    @cached_property
    def stop_hashes(self) -> Mapping[int, Hashes]:
        """Give the sorted hashes of harmless stock phrases under this key, for each length."""
        streams = [stream(line) for line in stop_lines()]
        return {length: np.unique(hasher.hashes_within(streams)) for length, hasher in self._hashers.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """What is kept of one document: no text can be read from it."""

    epoch: int
    block_tags: tuple[bytes, ...]
    """Of the document's own blocks in order, at most `MAX_TAGS`."""
    sketch: tuple[int, ...]
    """Ascending 40-bit hashes; empty when the text is too short."""
    k: int
    """Size that the sketch was cut to."""
    n: int
    """Letters in a shingle."""
    letters: int
    shingles: int
    """Different shingles that the sketch was taken from."""
    frame_blocks: int
    """Blocks left out because they belong to the site's frame."""
    norm_version: int = NORM_VERSION
    unicode_version: str = UNICODE_VERSION
    stoplist_version: int = STOPLIST_VERSION


@dataclass(frozen=True, slots=True)
class PageHashes:
    """All shingle hashes of the page in hand, for each key epoch, sorted and different."""

    by_epoch: Mapping[int, Hashes]

    def matched(self, epoch: int, sketch: Iterable[int]) -> int:
        """Count the hashes of a stored sketch that occur in the page."""
        found = self.by_epoch.get(epoch)
        return 0 if found is None else contain(sketch, found)


def stop_lines() -> Iterator[str]:
    """Give the harmless stock phrases, with ``{month}`` and ``{year}`` written out."""
    text = (files("crawler") / "data" / "stoplist.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        months = _MONTHS if "{month}" in line else ("",)
        years = _YEARS if "{year}" in line else [0]
        yield from (line.replace("{month}", m).replace("{year}", str(y)) for m in months for y in years)


def block_tags(blocks: Sequence[str], key: FingerprintKey) -> list[bytes]:
    """Give one tag a block; blocks below `LEAST_BLOCK_LETTERS` letters have an empty one."""
    return stream_tags(block_streams(blocks), key)


def stream_tags(streams: Sequence[str], key: FingerprintKey) -> list[bytes]:
    """Give the same of blocks in normal form, letters and digits alone."""
    return _tags(streams[:MAX_BLOCKS], key) + [b""] * max(0, len(streams) - MAX_BLOCKS)


def _tags(streams: Sequence[str], key: FingerprintKey) -> list[bytes]:
    return [key.tag(folded) if len(folded) >= LEAST_BLOCK_LETTERS else b"" for folded in streams]


def fingerprint(
    blocks: Sequence[str],
    key: FingerprintKey,
    *,
    frame_tags: Collection[bytes] = frozenset(),
    must_keep: Collection[int] = frozenset(),
) -> Fingerprint:
    """Give what is kept of a page.

    Args:
        blocks: The page's blocks.
        key: The secret to hash under.
        frame_tags: Tags of the site's own frame; such blocks are left out.
        must_keep: Positions of blocks that stay although they stand in the frame, and first within the cap.
    """
    streams = _capped(block_streams(blocks[:MAX_BLOCKS]))
    tags = _tags(streams, key)
    kept = [i for i, tag in enumerate(tags) if i in must_keep or not tag or tag not in frame_tags]
    own = [streams[i] for i in kept if streams[i]]
    length = _shingle_length(own)
    hashes = _stored_hashes(own, key, length)
    k = _sketch_size(len(hashes))
    return Fingerprint(
        epoch=key.epoch,
        block_tags=_capped_tags(tags, kept, must_keep),
        sketch=tuple(hashes[:k].tolist()),
        k=k,
        n=length,
        letters=sum(map(len, own)),
        shingles=len(hashes),
        frame_blocks=len(streams) - len(kept),
    )


def _capped(streams: list[str]) -> list[str]:
    """Cut the blocks off where the page's letters pass the cap."""
    room = MAX_LETTERS
    for index, folded in enumerate(streams):
        room -= len(folded)
        if room < 0:
            return [*streams[:index], folded[: room + len(folded)]]
    return streams


def _capped_tags(tags: Sequence[bytes], kept: Sequence[int], must_keep: Collection[int]) -> tuple[bytes, ...]:
    order = sorted(kept, key=lambda i: i not in must_keep)
    chosen = sorted([i for i in order if tags[i]][:MAX_TAGS])
    return tuple(dict.fromkeys(tags[i] for i in chosen))


def _shingle_length(streams: Iterable[str]) -> int:
    text = "".join(streams)
    if text.isascii():
        return LENGTH
    return DENSE_LENGTH if 2 * len(_DENSE.findall(text)) > len(text) else LENGTH


def _stored_hashes(own: Sequence[str], key: FingerprintKey, length: int) -> Hashes:
    """Give the different hashes that a sketch may be taken from, ascending.

    Blocks too short for a tag are nearly always the site's controls, so they only count where they carry most
    of the text (a guide in many short lines); then shingles run across them.
    """
    letters = sum(map(len, own))
    if letters < LEAST_SKETCH_LETTERS:
        return np.zeros(0, np.uint64)
    hasher = key.hasher(length)
    long = [folded for folded in own if len(folded) >= LEAST_BLOCK_LETTERS]
    is_in_lines = 2 * sum(map(len, long)) < letters
    found = np.unique(hasher.hashes("".join(own)) if is_in_lines else hasher.hashes_within(long))
    return found[~is_in(found, key.stop_hashes[length])]


def is_in(wanted: Hashes, ascending: Hashes) -> NDArray[np.bool_]:
    """Say for each of ``wanted`` whether it stands in a sorted array."""
    if not len(ascending):
        return np.zeros(len(wanted), bool)
    places = np.minimum(np.searchsorted(ascending, wanted), len(ascending) - 1)
    return np.asarray(ascending[places] == wanted)


def _sketch_size(shingles: int) -> int:
    """Give k = min(64, shingles / 4), at least 16: sparse samples of short texts are better and leak less."""
    return max(LEAST_SKETCH, min(MAX_SKETCH, shingles // _SHINGLES_PER_HASH))


def page_hashes(blocks: Sequence[str], keys: Iterable[FingerprintKey]) -> PageHashes:
    """Give all shingle hashes of a page, to look up stored sketches in; for every live epoch."""
    text = "".join(block_streams(blocks[:MAX_BLOCKS]))[:MAX_LETTERS]
    has_dense = not text.isascii() and _DENSE.search(text) is not None
    lengths = (LENGTH, DENSE_LENGTH) if has_dense else (LENGTH,)
    return PageHashes(
        {key.epoch: np.unique(np.concatenate([key.hasher(n).hashes(text) for n in lengths])) for key in keys}
    )


def contain(sketch: Iterable[int], hashes: Hashes) -> int:
    """Count how many different hashes of a stored sketch occur in a page's sorted hashes: m."""
    stored = np.fromiter(sketch, dtype=np.uint64)
    if not len(stored):
        return 0
    return int(is_in(np.unique(stored), hashes).sum())


def level_of(matched: int, k: int) -> str | None:
    """Give ``strong``, ``lead`` or None for m matched hashes of a sketch of ``k``.

    Measured for k = min(64, shingles / 4): one of a million unrelated pairs passes 5, none of 17 million 10.
    A sketch with fewer than 10 hashes can therefore never be strong.
    """
    return next((name for name, least in thresholds(k).items() if matched >= least), None)


def thresholds(k: int) -> dict[str, int]:
    """Give the least m for each level that a sketch of ``k`` hashes can reach, the strongest first."""
    levels = {"strong": STRONG_MATCHES, "lead": LEAD_MATCHES}
    return {name: least for name, least in levels.items() if least <= k}


def block_print(tags: Iterable[bytes]) -> bytes:
    """Give a small identity of a page: the eight lowest of its block tags, cut to eight bytes, in order."""
    lowest = sorted({tag[:_PRINT_BYTES] for tag in tags if tag})[:_PRINT_TAGS]
    return b"".join(lowest)


def overlap(one: bytes, other: bytes) -> float:
    """Estimate the share of blocks that two pages have in common (Jaccard) from their prints, 0 to 1.

    Exact for pages of up to eight blocks; two pages without blocks share nothing.
    """
    first, second = _print_tags(one), _print_tags(other)
    lowest = sorted(first | second)[:_PRINT_TAGS]
    return sum(tag in first and tag in second for tag in lowest) / len(lowest) if lowest else 0.0


def _print_tags(value: bytes) -> set[bytes]:
    return {value[i : i + _PRINT_BYTES] for i in range(0, len(value), _PRINT_BYTES)}
