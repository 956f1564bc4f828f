"""Shingle hashes: the published SipHash vector, a scalar reference, and windows that stay inside a text."""

from __future__ import annotations

import hashlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from crawler.reading.shingles import HASH_BITS, ShingleHasher, siphash24

MASK = (1 << 64) - 1
SECRET = b"rye bread and a little salt 1234"


def _siphash24(message: bytes, key0: int, key1: int) -> int:
    """Follow the paper word by word (Aumasson and Bernstein, 2012)."""
    v0, v1 = key0 ^ 0x736F6D6570736575, key1 ^ 0x646F72616E646F6D
    v2, v3 = key0 ^ 0x6C7967656E657261, key1 ^ 0x7465646279746573

    def rotated(word: int, bits: int) -> int:
        return ((word << bits) | (word >> (64 - bits))) & MASK

    def sip_round(v0: int, v1: int, v2: int, v3: int) -> tuple[int, int, int, int]:
        v0 = (v0 + v1) & MASK
        v1 = rotated(v1, 13) ^ v0
        v0 = rotated(v0, 32)
        v2 = (v2 + v3) & MASK
        v3 = rotated(v3, 16) ^ v2
        v0 = (v0 + v3) & MASK
        v3 = rotated(v3, 21) ^ v0
        v2 = (v2 + v1) & MASK
        v1 = rotated(v1, 17) ^ v2
        return v0, v1, rotated(v2, 32), v3

    for word in (int.from_bytes(message, "little"), len(message) << 56):
        v3 ^= word
        v0, v1, v2, v3 = sip_round(*sip_round(v0, v1, v2, v3))
        v0 ^= word
    v2 ^= 0xFF
    for _ in range(4):
        v0, v1, v2, v3 = sip_round(v0, v1, v2, v3)
    return v0 ^ v1 ^ v2 ^ v3


def test_the_published_vector_for_eight_bytes_comes_out() -> None:
    key = bytes(range(16))
    key0, key1 = (int.from_bytes(key[i : i + 8], "little") for i in (0, 8))
    message = np.frombuffer(bytes(range(8)), dtype=np.uint64)

    assert int(siphash24(message, key0, key1)[0]) == 0x93F5F5799A932462
    assert _siphash24(bytes(range(8)), key0, key1) == 0x93F5F5799A932462


def _reference(text: str, secret: bytes, length: int) -> list[int]:
    seed = hashlib.blake2b(
        b"shingles:%d" % length, key=hashlib.sha256(secret).digest(), digest_size=64
    ).digest()
    key0, key1 = (int.from_bytes(seed[i : i + 8], "little") for i in (0, 8))
    raw = hashlib.shake_256(seed[16:]).digest(16 * (length + 1))
    words = [int.from_bytes(raw[i : i + 8], "little") for i in range(0, len(raw), 8)]
    first, second = words[: length + 1], words[length + 1 :]
    out = []
    for start in range(len(text) - length + 1):
        codes = [ord(char) for char in text[start : start + length]]
        high = (first[length] + sum(c * f for c, f in zip(codes, first, strict=False))) & MASK
        low = (second[length] + sum(c * f for c, f in zip(codes, second, strict=False))) & MASK
        message = (high & 0xFFFFFFFF00000000) | (low >> 32)
        out.append(_siphash24(message.to_bytes(8, "little"), key0, key1) >> (64 - HASH_BITS))
    return out


@given(st.text(max_size=40), st.sampled_from([5, 12]))
def test_hashes_equal_the_scalar_reference(text: str, length: int) -> None:
    text = text.encode("utf-8", "ignore").decode()

    assert ShingleHasher(SECRET, length).hashes(text).tolist() == _reference(text, SECRET, length)


def test_long_text_equals_its_pieces() -> None:
    """The work is cut into blocks inside; the seams must not show."""
    text = "".join(chr(97 + (n * n) % 26) for n in range(20_000))
    hasher = ShingleHasher(SECRET, 12)

    assert hasher.hashes(text)[8_180:8_200].tolist() == hasher.hashes(text[8_180:8_211]).tolist()


@given(st.lists(st.text(alphabet="abc", max_size=30), max_size=6))
def test_hashes_within_never_cross_texts(texts: list[str]) -> None:
    hasher = ShingleHasher(SECRET, 12)

    expected = [value for text in texts for value in hasher.hashes(text).tolist()]
    assert hasher.hashes_within(texts).tolist() == expected


def test_another_secret_or_length_gives_other_hashes() -> None:
    text = "sourdoughstarterandsalt"
    mine = set(ShingleHasher(SECRET, 12).hashes(text).tolist())

    assert mine.isdisjoint(ShingleHasher(SECRET[::-1], 12).hashes(text).tolist())
    assert mine.isdisjoint(ShingleHasher(SECRET, 5).hashes(text).tolist())


def test_hashes_have_forty_bits() -> None:
    found = ShingleHasher(SECRET, 5).hashes("rye" * 2_000)

    assert int(found.max()) < 1 << HASH_BITS
