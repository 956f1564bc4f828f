"""Merkle tree hashing of RFC 9162, section 2.1: leaves, nodes, and a tree that grows in little memory."""

from __future__ import annotations

import hashlib

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(body: bytes) -> bytes:
    """Return the hash of one leaf: SHA-256 of 0x00 and its body."""
    return hashlib.sha256(b"\x00" + body).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node: SHA-256 of 0x01, its left and its right child."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """A growing Merkle tree, kept as the roots of its complete subtrees, the greatest first."""

    __slots__ = ("_peaks", "_size")

    def __init__(self, size: int = 0, peaks: bytes = b"") -> None:
        """Start empty, or go on from the `size` and `peaks` of an earlier tree.

        Raises:
            ValueError: The number of peaks does not belong to a tree of that size.
        """
        if size < 0 or len(peaks) != HASH_BYTES * size.bit_count():
            raise ValueError("these peaks do not belong to a tree of this size")
        self._size = size
        self._peaks = [peaks[at : at + HASH_BYTES] for at in range(0, len(peaks), HASH_BYTES)]

    @property
    def size(self) -> int:
        """Return the number of leaves."""
        return self._size

    @property
    def peaks(self) -> bytes:
        """Return the roots of the complete subtrees, joined, from which a later tree can go on."""
        return b"".join(self._peaks)

    def append(self, leaf: bytes) -> None:
        """Add one leaf by its hash."""
        carried, below = leaf, self._size
        while below & 1:
            carried = node_hash(self._peaks.pop(), carried)
            below >>= 1
        self._peaks.append(carried)
        self._size += 1

    def root(self) -> bytes:
        """Return the root over all leaves so far."""
        if not self._peaks:
            return EMPTY_ROOT
        joined = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            joined = node_hash(peak, joined)
        return joined
