"""Read the files that come in, row by row: CSV, JSON lines, one address a line.

Files are hostile or broken until proven good. Each bad row comes out as a `BadRow` with its line, a stable
code and a sentence; the rows around it are read all the same, and no line is lost. Memory stays bounded.
"""

from __future__ import annotations

import csv
import json
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

LINE_BYTES = 65_536
"""The longest line, and the longest row over several lines, that is read; a longer one comes back."""
ROW_LINES = 50
"""How many lines one quoted row may take before the quote is held for a slip."""
RAW_CHARACTERS = 2_000
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row that could be read: its fields as text, absent ones left out."""

    line: int
    raw: str
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """One row that could not be taken, and why."""

    line: int
    code: str
    """A short stable word."""
    reason: str
    raw: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The columns of a file: those that each row needs, and those that it may have."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()

    def are(self, names: Iterable[str]) -> bool:
        """Tell whether these names are all required columns and else only known ones, each once."""
        found = list(names)
        known = {*self.required, *self.optional}
        return len(set(found)) == len(found) and set(self.required) <= set(found) <= known


def read_csv(stream: BinaryIO, columns: Columns) -> Iterator[Row | BadRow]:
    """Give each row of a CSV file with a header (RFC 4180; commas, double quotes, UTF-8).

    Under a wrong header every row comes back, and the header too where it looks like a row.
    """
    records = _records(_lines(stream))
    header = _header(records)
    if header is None:
        return
    if isinstance(header, BadRow):
        yield header
        names: list[str] | None = None
    else:
        names = _column_names(header)
        if not columns.are(names):
            yield from _as_row(header, columns)
            names = None
    for record in records:
        yield record if isinstance(record, BadRow) else _csv_row(record, names, columns)


def read_jsonl(stream: BinaryIO, columns: Columns) -> Iterator[Row | BadRow]:
    """Give each row of a JSON lines file: one object a line with the same keys as the CSV columns."""
    for line in _lines(stream):
        if isinstance(line, BadRow):
            yield line
        elif line.text.strip():
            yield _json_row(line, columns)


def read_text(stream: BinaryIO) -> Iterator[Row | BadRow]:
    """Give each line of a plain list of addresses as a row with the field `url` only."""
    for line in _lines(stream):
        if isinstance(line, BadRow):
            yield line
        elif line.text.strip():
            yield Row(line=line.number, raw=line.text, fields={"url": line.text.strip()})


def cut(raw: str) -> str:
    """Return a row as it goes into the rejected file: at most `RAW_CHARACTERS`."""
    return raw[:RAW_CHARACTERS]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """One line, or one row over several lines, without its end."""

    number: int
    text: str


def _lines(stream: BinaryIO) -> Iterator[_Line | BadRow]:
    """Give each line; those too long, undecodable or with NUL bytes come as `BadRow`."""
    number = 0
    while piece := stream.readline(LINE_BYTES + 1):
        number += 1
        if number == 1:
            piece = piece.removeprefix(BOM)
        if len(piece) > LINE_BYTES and not piece.endswith(b"\n"):
            _skip_to_line_end(stream)
            yield _bad(number, "too_long", f"The line is longer than {LINE_BYTES:,} bytes.", _lossy(piece))
        else:
            yield _decoded(number, piece.removesuffix(b"\n").removesuffix(b"\r"))


def _skip_to_line_end(stream: BinaryIO) -> None:
    while piece := stream.readline(LINE_BYTES):
        if piece.endswith(b"\n"):
            return


def _decoded(number: int, line: bytes) -> _Line | BadRow:
    if b"\0" in line:
        return _bad(number, "nul", "The line holds NUL bytes; is the file UTF-16?", _lossy(line))
    try:
        return _Line(number=number, text=line.decode("utf-8"))
    except UnicodeDecodeError:
        return _bad(number, "encoding", "The line is not UTF-8.", _lossy(line))


def _records(lines: Iterator[_Line | BadRow]) -> Iterator[_Line | BadRow]:
    """Join the lines of each quoted row; where a quote never closes, only its first line is bad."""
    waiting: deque[_Line | BadRow] = deque()
    while True:
        first = waiting.popleft() if waiting else next(lines, None)
        if first is None:
            return
        if isinstance(first, BadRow):
            yield first
        elif not _leaves_quote_open(first.text):
            if first.text.strip():
                yield first
        else:
            yield _joined(first, waiting, lines)


def _joined(first: _Line, waiting: deque[_Line | BadRow], lines: Iterator[_Line | BadRow]) -> _Line | BadRow:
    parts, size, taken = [first.text], len(first.text), 0
    while len(parts) < ROW_LINES and size <= LINE_BYTES:
        if taken == len(waiting):
            following = next(lines, None)
            if following is None:
                break
            waiting.append(following)
        line = waiting[taken]
        if isinstance(line, BadRow):
            break
        taken += 1
        parts.append(line.text)
        size += len(line.text) + 1
        if not _leaves_quote_open(line.text, is_open=True):
            for _ in range(taken):
                waiting.popleft()
            return _Line(number=first.number, text="\n".join(parts))
    return _bad(first.number, "quotes", "A quote is opened and never closed.", first.text)


def _leaves_quote_open(text: str, *, is_open: bool = False) -> bool:
    """Tell whether a quoted field goes on after this line; a quote opens only where a field begins."""
    if '"' not in text:
        return is_open
    at_field_start = not is_open
    for sign in text:
        if sign == '"' and (is_open or at_field_start):
            # A doubled quote inside a field closes and opens again, which leaves it open.
            is_open, at_field_start = not is_open, is_open
        else:
            at_field_start = sign == "," and not is_open
    return is_open


def _header(records: Iterator[_Line | BadRow]) -> _Line | BadRow | None:
    return next(records, None)


def _column_names(header: _Line) -> list[str]:
    cells = _cells(header.text)
    return [cell.strip().lower() for cell in cells] if cells else []


def _as_row(header: _Line, columns: Columns) -> Iterator[BadRow]:
    """Give the header back where it names no column at all: then it is a row of a file without header."""
    if not set(_column_names(header)) & {*columns.required, *columns.optional}:
        yield _wrong_columns(header, columns)


def _csv_row(record: _Line, names: list[str] | None, columns: Columns) -> Row | BadRow:
    if names is None:
        return _wrong_columns(record, columns)
    cells = _cells(record.text)
    if cells is None:
        return _bad(record.number, "csv", "The row is not well-formed CSV.", record.text)
    if len(cells) != len(names):
        reason = f"The row has {len(cells)} fields, the header {len(names)}."
        return _bad(record.number, "columns", reason, record.text)
    fields = {name: cell.strip() for name, cell in zip(names, cells, strict=True) if cell.strip()}
    return _complete(record, fields, columns)


def _cells(text: str) -> list[str] | None:
    try:
        rows = list(csv.reader([text], strict=True))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else None


def _json_row(line: _Line, columns: Columns) -> Row | BadRow:
    try:
        value = json.loads(line.text)
    except (ValueError, RecursionError):
        return _bad(line.number, "json", "The line is not a JSON value.", line.text)
    if not isinstance(value, dict):
        return _bad(line.number, "json", "The line is not a JSON object.", line.text)
    if not columns.are({**dict.fromkeys(columns.required), **value}):
        return _wrong_columns(line, columns)
    fields = {key: _scalar_text(part) for key, part in value.items() if part is not None}
    if None in fields.values():
        return _bad(line.number, "json", "A field is neither text nor a number.", line.text)
    return _complete(line, {key: text for key, text in fields.items() if text}, columns)


def _scalar_text(value: object) -> str | None:
    """Return the text of a JSON value that may stand in a field; None for lists, objects and truth values."""
    if isinstance(value, str):
        return value.strip()
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    try:
        return str(value) if is_number else None
    except ValueError:  # an integer of more digits than Python turns into text
        return None


def _complete(line: _Line, fields: dict[str, str], columns: Columns) -> Row | BadRow:
    missing = [name for name in columns.required if name not in fields]
    if missing:
        return _bad(line.number, "missing", f"The field {missing[0]} is empty.", line.text)
    if any("\0" in text or _has_surrogate(text) for text in fields.values()):
        return _bad(line.number, "encoding", "A field holds signs that are no text.", line.text)
    return Row(line=line.number, raw=line.text, fields=fields)


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= sign <= "\udfff" for sign in text)


def _wrong_columns(line: _Line, columns: Columns) -> BadRow:
    reason = f"The columns are wrong: {', '.join(columns.required)} are required"
    if columns.optional:
        reason += f", {', '.join(columns.optional)} are known"
    return _bad(line.number, "columns", reason + ".", line.text)


def _lossy(line: bytes) -> str:
    return line[: RAW_CHARACTERS * 4].decode("utf-8", "backslashreplace").rstrip("\r\n")


def _bad(number: int, code: str, reason: str, raw: str) -> BadRow:
    return BadRow(line=number, code=code, reason=reason, raw=cut(raw))
