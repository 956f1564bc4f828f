"""Bring text to the one form that is compared: frozen and versioned, as old sketches stay as they are.

The steps are NFKC, case folding, NFKD, dropping marks and invisible characters, one ASCII prototype for each
look-alike, look-alike digits, letters and digits only. They are shipped as one table of code points, so the
result does not depend on the Unicode version of the running Python. Only hashes and the matcher see the
result.
"""

from __future__ import annotations

import gc
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

NORM_VERSION: Final = 1
"""Version of the whole normalisation; stands in every record made with it."""
UNICODE_VERSION: Final = "14.0.0"
"""Unicode version of the categories and decompositions in the table."""

_TABLE_FILE: Final = "fold.tsv"
_ASCII_END: Final = 0x80
_SPACES = re.compile("  +")


class FoldTable(dict[int, str]):
    """Map code points to their folded form; what the frozen table does not list parts words."""

    def __missing__(self, code: int) -> str:
        """Give the separator for a code point outside the table."""
        return " "


@cache
def fold_table() -> FoldTable:
    """Load the frozen table; it is the same object in every call and must not be changed."""
    table = FoldTable()
    was_enabled = gc.isenabled()
    gc.disable()  # 140,000 new entries would start a dozen useless collections
    try:
        _fill(table, (files("crawler") / "data" / _TABLE_FILE).read_text(encoding="utf-8"))
    finally:
        if was_enabled:
            gc.enable()
    return table


def _fill(table: FoldTable, lines: str) -> None:
    for line in lines.splitlines():
        first, last, result = line.split("\t")
        codes = range(int(first, 16), int(last, 16) + 1)
        if result == "=":
            table.update((code, chr(code)) for code in codes)
        else:
            table.update(dict.fromkeys(codes, result))


@cache
def _ascii_table(keep: str) -> bytes:
    """Give the translation of ASCII bytes, NUL for those to delete; ``keep`` stays as it is."""
    folded = [keep if chr(c) == keep else fold_table()[c] for c in range(_ASCII_END)]
    return "".join(f or "\0" for f in folded).encode() + b" " * (0x100 - _ASCII_END)


def _ascii_folded(text: str, keep: str = "") -> str:
    folded = text.encode("ascii").translate(_ascii_table(keep))
    if b"\0" in folded:
        folded = folded.replace(b"\0", b"")
    return folded.decode("ascii")


@cache
def _table_keeping_lines() -> FoldTable:
    """Give the table that leaves line feeds alone, so that many blocks are folded in one go."""
    table = FoldTable(fold_table())
    table[ord("\n")] = "\n"
    return table


def _fold(text: str) -> str:
    """Fold ``text`` with single separators not yet collapsed."""
    if text.isascii():
        return _ascii_folded(text)
    return text.translate(fold_table())


def _fold_lines(text: str) -> str:
    if text.isascii():
        return _ascii_folded(text, "\n")
    return text.translate(_table_keeping_lines())


def runs(text: str) -> str:
    """Give the runs of letters and digits, each with one space around it; empty text gives one space."""
    return f" {' '.join(_fold(text).split())} " if text else " "


def stream(text: str) -> str:
    """Give the letters and digits alone."""
    return "".join(_fold(text).split())


def letters(text: str) -> int:
    """Count the letters and digits that remain."""
    return len(stream(text))


@dataclass(frozen=True, slots=True)
class Folded:
    """The normal form of many blocks, in their order, each on a line of its own."""

    size: int
    """Number of blocks."""
    spaced: str
    """The runs of letters and digits, with one space around each."""
    solid: str
    """The letters and digits alone."""

    @property
    def streams(self) -> list[str]:
        """Give the letters and digits of each block."""
        return self.solid.split("\n") if self.size else []


def fold_blocks(blocks: Sequence[str]) -> Folded:
    """Give the normal form of all blocks; much quicker than block by block."""
    joined = " \n ".join(blocks)
    if joined.count("\n") > len(blocks) - 1 and blocks:  # a block with line feeds would be cut in two
        joined = " \n ".join(block.replace("\n", " ") for block in blocks)
    joined = f" {joined} "
    spaced = _fold_lines(joined) if joined.isascii() else _folded_apart(joined.split("\n"))
    spaced = _SPACES.sub(" ", spaced)
    return Folded(len(blocks), spaced, _solid(spaced))


def _solid(text: str) -> str:
    """Take the spaces out; bytes do it twice as quickly."""
    if text.isascii():
        return text.encode("ascii").translate(None, b" ").decode("ascii")
    return text.replace(" ", "")


def folded_blocks(blocks: Sequence[str]) -> list[list[str]]:
    """Give the runs of each block, in the blocks' order."""
    return [line.split() for line in fold_blocks(blocks).spaced.split("\n")] if blocks else []


def _folded_apart(lines: Sequence[str]) -> str:
    """Fold ASCII lines and others apart: the first way is ten times quicker, and most lines take it."""
    plain = [line if line.isascii() else "" for line in lines]
    other = ["" if line.isascii() else line for line in lines]
    quick = _fold_lines("\n".join(plain)).split("\n")
    slow = _fold_lines("\n".join(other)).split("\n")
    return "\n".join([one or two for one, two in zip(quick, slow, strict=True)])


def block_streams(blocks: Sequence[str]) -> list[str]:
    """Give the stream of each block."""
    return fold_blocks(blocks).streams
