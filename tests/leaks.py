"""Look for words in files in every dress that a careless program keeps text in.

Dresses: raw, UTF-16 of both byte orders, hex, base64 (standard and URL-safe, at any shift), percent code,
members of gzip and zlib, and the cells of SQLite databases, read with their WAL.
"""

from __future__ import annotations

import base64
import re
import shutil
import sqlite3
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from ahocorasick_rs import BytesAhoCorasick

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HEX = re.compile(rb"[0-9a-fA-F]{16,}")
BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{11,}(?:[\r\n]{1,2}[A-Za-z0-9+/_-]{11,})*")
URL_SAFE = bytes.maketrans(b"-_", b"+/")
MAGIC = re.compile(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]")
MOST_BYTES = 16 << 20
MOST_MEMBERS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """One word found where it must not be."""

    word: str
    file: str
    dress: str


class Scanner:
    """Looks for all of these words at once, whatever the case of their letters."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words = sorted({word.lower() for word in words}, key=len)
        if not self._words or len(self._words[0]) < 6:
            raise ValueError("words of less than six letters are found in noise")
        self._search = BytesAhoCorasick([word.encode() for word in self._words])

    def files(self, folder: Path) -> list[Leak]:
        """Give what is found in all files below a folder."""
        paths = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
        names = self.text("file names", "\n".join(str(path.relative_to(folder)) for path in paths).encode())
        return names + [leak for path in paths for leak in self.file(path)]

    def file(self, path: Path) -> list[Leak]:
        """Give what is found in one file, and in the cells if it is a database."""
        data = path.read_bytes()
        found = self.text(path.name, data)
        if data.startswith(b"SQLite format 3\0"):
            found += self.text(f"{path.name}, a cell", cells(path))
        return found

    def text(self, name: str, data: bytes) -> list[Leak]:
        """Give what is found in bytes."""
        found = {
            Leak(word=self._words[number], file=name, dress=dress)
            for dress, seen in layers(data)
            for number, _, _ in self._search.find_matches_as_indexes(seen.lower(), overlapping=True)
        }
        return sorted(found, key=lambda leak: (leak.word, leak.dress))


def layers(data: bytes, depth: int = 2) -> Iterator[tuple[str, bytes]]:
    """Give the data in every dress, and in every dress what is packed in it."""
    for dress, seen in dresses(data):
        yield dress, seen
        if depth and dress in {"hex", "base64", "percent"}:
            for inner, again in layers(seen, 0):
                yield f"{dress}, {inner}", again
    if not depth:
        return
    for member in members(data):
        for inner, again in layers(member, depth - 1):
            yield f"packed, {inner}", again


def dresses(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Give the data raw and undressed once."""
    yield "raw", data
    if b"\0" in data:
        yield "utf-16", data.replace(b"\0", b"")
    for shift in (0, 1):
        runs = [found.group()[shift:] for found in HEX.finditer(data)]
        if runs:
            yield "hex", b"\n".join(bytes.fromhex(run[: len(run) // 2 * 2].decode()) for run in runs)
    runs = [re.sub(rb"[\r\n]", b"", found.group()).translate(URL_SAFE) for found in BASE64.finditer(data)]
    for shift in range(4 if runs else 0):
        cut = (run[shift:] for run in runs)
        yield "base64", b"\n".join(base64.b64decode(run[: len(run) // 4 * 4]) for run in cut)
    if b"%" in data:
        yield "percent", unquote_to_bytes(data)


def members(data: bytes) -> Iterator[bytes]:
    """Give every gzip and zlib member that unpacks."""
    for count, found in enumerate(MAGIC.finditer(data)):
        if count >= MOST_MEMBERS:
            return
        packed = zlib.decompressobj(31 if found.group().startswith(b"\x1f") else 15)
        try:
            plain = packed.decompress(data[found.start() :], MOST_BYTES)
        except zlib.error:
            continue
        if len(plain) > 8:
            yield plain


def cells(path: Path) -> bytes:
    """Give every text and blob of an SQLite database, read from a copy with its WAL."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.db"
        for end in ("", "-wal"):
            if Path(f"{path}{end}").exists():
                shutil.copyfile(f"{path}{end}", f"{copy}{end}")
        log = sqlite3.connect(copy)
        try:
            log.text_factory = bytes
            names = log.execute("SELECT name FROM sqlite_master WHERE type='table'").fetchall()
            rows = [row for (name,) in names for row in log.execute(f'SELECT * FROM "{name.decode()}"')]
        finally:
            log.close()
    return b"\n".join(cell for row in rows for cell in row if isinstance(cell, bytes))
