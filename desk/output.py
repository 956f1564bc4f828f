"""What commands print: JSON lines or tables, errors, the summary line, progress.

Everything shown passes through `plain`, because host names and registry answers are hostile text.
"""

from __future__ import annotations

import json
import sys
import traceback
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from caselog.errors import CaseError

CELL_CHARACTERS = 200
WIDTH_WHEN_PIPED = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """The way out of one command: where and how its results appear."""

    json: bool = False
    quiet: bool = False

    def row(self, row: Mapping[str, Any]) -> None:
        """Print one result as a JSON line, or as `key: value` lines for a reader."""
        if self.json:
            _write(json_line(row))
            return
        width = max(map(len, row), default=0)
        for key, value in row.items():
            _write(f"{key:<{width}}  {cell(value)}")

    def rows(self, rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
        """Print results: every key as JSON lines, or the named columns as a table."""
        if self.json:
            for row in rows:
                _write(json_line(row))
            return
        _print_table(list(rows), columns)

    def summary(self, **counts: Any) -> None:
        """Print the last line of a long command."""
        if self.json:
            _write(json_line({"summary": counts}))
        elif not self.quiet:
            told = {key: value for key, value in counts.items() if value != {}}
            _write(", ".join(f"{key.replace('_', ' ')}: {cell(value)}" for key, value in told.items()))

    def say(self, sentence: str) -> None:
        """Tell a person something on standard error; silent with `--quiet`."""
        if not self.quiet:
            _complain(plain(sentence))

    def item_error(self, error: CaseError) -> None:
        """Report one item of several that could not be done; the command goes on."""
        self.error(error.kind, error.message, error.hint)

    def error(self, kind: str, message: str, hint: str = "") -> None:
        """Print one clear sentence on standard error, and with `--json` the same as an object."""
        _complain(plain(f"{message} {hint}".strip()))
        if self.json:
            _write(json_line({"error": {"kind": kind, "message": message, "hint": hint}}))

    @contextmanager
    def progress(self, what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        """Show a bar on standard error while the block runs; yields a function that advances it.

        Args:
            what: What is counted, such as `leads`.
            total: How many there will be; None when nobody knows.

        """
        if self.json or self.quiet or not sys.stderr.isatty():
            yield lambda _: None
            return
        from rich.console import Console
        from rich.progress import Progress

        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(plain(what), total=total)
            yield lambda count: bar.advance(task, count)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as `1 row was` and `2 rows were` for `row`."""
    return f"{number} {noun} was" if number == 1 else f"{number} {noun}s were"


def json_line(value: Mapping[str, Any]) -> str:
    """Return a value as one ASCII line of JSON, so that no terminal acts on what is in it."""
    return json.dumps(value, default=_as_json, separators=(", ", ": "))


def time_text(at: datetime | None) -> str | None:
    """Return a time as ISO 8601 in UTC with a trailing Z."""
    return None if at is None else at.isoformat().replace("+00:00", "Z")


def plain(text: str) -> str:
    """Return text without control and invisible characters, which a terminal would obey."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)


def cell(value: Any) -> str:
    """Return a value as it stands in a table: short, harmless, empty when absent."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return plain(", ".join(cell(item) for item in value))[:CELL_CHARACTERS]
    if isinstance(value, dict):
        pairs = (f"{key} {cell(item)}" for key, item in value.items() if item is not None)
        return plain(", ".join(pairs))[:CELL_CHARACTERS]
    return plain(str(value))[:CELL_CHARACTERS]


def bug_report(error: BaseException) -> str:
    """Return where an unforeseen error arose: frames and types only.

    No values of variables and no messages, because both may hold an address or a piece of a page.
    """
    lines: list[str] = []
    for link in _chain(error):
        frames = traceback.extract_tb(link.__traceback__, limit=-20)
        lines.extend(f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in frames)
        lines.append(f"{type(link).__module__}.{type(link).__qualname__} (its message is withheld)")
    return "\n".join(lines)


def _chain(error: BaseException) -> list[BaseException]:
    links: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in links:
        links.append(current)
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return links[::-1]


def _as_json(value: object) -> object:
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, Enum):
        return value.value
    return str(value)


def _print_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=sys.stdout)
    if not console.is_terminal:
        console.width = WIDTH_WHEN_PIPED
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell(row.get(column))) for column in columns))
    console.print(table)


def _write(line: str) -> None:
    sys.stdout.write(line + "\n")


def _complain(line: str) -> None:
    sys.stderr.write(line + "\n")
