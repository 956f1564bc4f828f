"""The tree agrees with the words of RFC 9162, section 2.1.1."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caselog.merkle import EMPTY_ROOT, Tree, leaf_hash


def definition(bodies: list[bytes]) -> bytes:
    """MTH as the RFC writes it, by recursion."""
    if not bodies:
        return hashlib.sha256().digest()
    if len(bodies) == 1:
        return hashlib.sha256(b"\x00" + bodies[0]).digest()
    split = 1 << (len(bodies) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + definition(bodies[:split]) + definition(bodies[split:])).digest()


def grown(bodies: list[bytes]) -> Tree:
    tree = Tree()
    for body in bodies:
        tree.append(leaf_hash(body))
    return tree


def test_known_roots() -> None:
    """The roots that the test data of the reference implementation of RFC 6962 gives."""
    bodies = [b"", b"\x00", b"\x10", b" !", b"01", b"@ABC", b"PQRSTUVW", b"`abcdefghijklmno"]

    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert (
        grown(bodies[:1]).root().hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    )
    assert grown(bodies).root().hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


@pytest.mark.parametrize("size", range(34))
def test_every_size_has_the_root_of_the_definition(size: int) -> None:
    bodies = [bytes([number]) for number in range(size)]

    assert grown(bodies).root() == definition(bodies)


@given(st.lists(st.binary(max_size=8), max_size=40), st.integers(0, 40))
def test_a_tree_goes_on_from_its_peaks(bodies: list[bytes], cut: int) -> None:
    first = grown(bodies[:cut])
    later = Tree(first.size, first.peaks)
    for body in bodies[cut:]:
        later.append(leaf_hash(body))

    assert (later.size, later.root()) == (len(bodies), definition(bodies))


@pytest.mark.parametrize(
    ("size", "peaks"), [(-1, b""), (1, b""), (2, b"x" * 64), (3, b"x" * 32), (0, b"x" * 32)]
)
def test_peaks_of_another_size_are_refused(size: int, peaks: bytes) -> None:
    with pytest.raises(ValueError, match="peaks"):
        Tree(size, peaks)
