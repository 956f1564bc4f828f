"""Hash every run of n letters of a text under a key, quickly: numbers that only the key can try out.

SipHash-2-4 (Aumasson and Bernstein, 2012) over two 32-bit multilinear hashes of the n code points, all in
numpy, cut to 40 bits.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]

HASH_BITS: Final = 40
_WORD: Final = np.uint64
_BLOCK: Final = 8192
"""Windows worked on at once, so that the numbers stay in the processor's cache."""
_HIGH_HALF: Final = np.uint64(0xFFFFFFFF00000000)


def siphash24(messages: Hashes, key0: int, key1: int) -> Hashes:
    """Give SipHash-2-4 of many 8-byte messages (little-endian words) under one 128-bit key."""
    zero = np.zeros_like(messages)
    state = [
        zero + _WORD(key0 ^ 0x736F6D6570736575),
        zero + _WORD(key1 ^ 0x646F72616E646F6D),
        zero + _WORD(key0 ^ 0x6C7967656E657261),
        zero + _WORD(key1 ^ 0x7465646279746573),
    ]
    spare = np.empty_like(zero)
    for word in (messages, _WORD(8 << 56)):  # the second word carries the length, 8 bytes
        state[3] ^= word
        _round(state, spare)
        _round(state, spare)
        state[0] ^= word
    state[2] ^= _WORD(0xFF)
    for _ in range(4):
        _round(state, spare)
    for other in state[1:]:
        state[0] ^= other
    return state[0]


def _rotate(word: Hashes, bits: int, spare: Hashes) -> None:
    """Rotate left in place; without new arrays it takes half the time."""
    np.left_shift(word, _WORD(bits), out=spare)
    np.right_shift(word, _WORD(64 - bits), out=word)
    word |= spare


def _round(v: list[Hashes], spare: Hashes) -> None:
    """Take one SipRound (SipHash paper, 2.2)."""
    _half(v, 0, 1, 13, spare)
    _half(v, 2, 3, 16, spare)
    _rotate(v[0], 32, spare)
    _half(v, 2, 1, 17, spare)
    _half(v, 0, 3, 21, spare)
    _rotate(v[2], 32, spare)


def _half(v: list[Hashes], sum_at: int, turned_at: int, bits: int, spare: Hashes) -> None:
    v[sum_at] += v[turned_at]
    _rotate(v[turned_at], bits, spare)
    v[turned_at] ^= v[sum_at]


class ShingleHasher:
    """Hash the shingles of one length under one secret; holds no text.

    Args:
        secret: The key of an epoch; lengths have keys of their own derived from it.
        length: Letters in a shingle.
    """

    def __init__(self, secret: bytes, length: int) -> None:
        self.length = length
        seed = hashlib.blake2b(
            b"shingles:%d" % length, key=hashlib.sha256(secret).digest(), digest_size=64
        ).digest()
        self._key0, self._key1 = (int.from_bytes(seed[i : i + 8], "little") for i in (0, 8))
        raw = hashlib.shake_256(seed[16:]).digest(16 * (length + 1))
        self._factors = np.frombuffer(raw, dtype="<u8").reshape(2, length + 1).astype(_WORD)

    def hashes(self, stream: str) -> Hashes:
        """Give the 40-bit hash of every shingle of normalised text, in order, repeats kept."""
        codes = np.frombuffer(stream.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(_WORD)
        count = len(codes) - self.length + 1
        if count <= 0:
            return np.zeros(0, _WORD)
        out = np.empty(count, _WORD)
        for start in range(0, count, _BLOCK):
            end = min(count, start + _BLOCK)
            out[start:end] = self._keyed(codes[start : end + self.length - 1], end - start)
        return out

    def hashes_within(self, streams: Iterable[str]) -> Hashes:
        """Give the hashes of the shingles that lie in one text whole, for many texts at once."""
        kept = [stream for stream in streams if len(stream) >= self.length]
        found = self.hashes("".join(kept))
        if len(kept) < 2:
            return found
        whole = np.ones(len(found), bool)
        ends = np.cumsum([len(stream) for stream in kept[:-1]])
        for back in range(1, self.length):
            whole[ends - back] = False
        return found[whole]

    def _keyed(self, codes: Hashes, count: int) -> Hashes:
        first = np.full(count, self._factors[0, self.length], _WORD)
        second = np.full(count, self._factors[1, self.length], _WORD)
        product = np.empty(count, _WORD)
        for index in range(self.length):
            window = codes[index : index + count]
            first += np.multiply(window, self._factors[0, index], out=product)
            second += np.multiply(window, self._factors[1, index], out=product)
        first &= _HIGH_HALF
        second >>= _WORD(32)
        first |= second
        found = siphash24(first, self._key0, self._key1)
        found >>= _WORD(64 - HASH_BITS)
        return found
