"""Write the generated pages of the reference; run it after a change of commands or records.

In: the command line and the record classes. Out: `reference/commands.md` and `reference/records.md`.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import typing
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from caselog import fields
from caselog.records import choices
from caselog.records.kinds import RECORDS
from desk.cli import build

if TYPE_CHECKING:
    from collections.abc import Iterator

REFERENCE = Path(__file__).resolve().parent / "reference"
WIDTH = 96
"""Columns of a help text; fixed, so that the page is the same on every terminal."""
NOTE = "<!-- Written by docs/generate.py. Do not edit: change the code and run it again. -->"
NUMBER = "Number of the record, given when it is appended."
"""What the field `id` of every record is."""
COMMANDS_HEAD = f"""# Commands

{NOTE}

Every command of `leadline` with its own help. Options of the first block come before the command:
`leadline --user ada --json leads list`. See also [exit statuses](exit-status.md), the [keys of each
list](outputs.md) and the [files](formats.md).
"""
RECORDS_HEAD = f"""# Records

{NOTE}

Everything that is recorded, in the order in which the tables refer to each other. A record is appended once
and never changed; a correction is a new record. Times are UTC. In the column *kept*, `sealed` means encrypted
at rest, `sealed, tagged` means that equal values can also be found without opening any, and a number is the
greatest length in characters or bytes.
"""


def commands() -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """Give each command and group: the words that call it, the command, and its context."""
    root = typer.main.get_command(build())
    yield from _walk(root, _context(root, "leadline", None), ())


def commands_page() -> str:
    """Return the page with the help of every command."""
    found = sorted(commands(), key=lambda one: one[0])
    parts = [COMMANDS_HEAD]
    for words, command, context in found:
        title = f"## leadline {' '.join(words)}".rstrip()
        parts.append(f"{title}\n\n```text\n{_trimmed(command.get_help(context))}\n```\n")
    return "\n".join(parts)


def records_page() -> str:
    """Return the page with every record, its fields, and the words that may stand in them."""
    parts = [
        RECORDS_HEAD,
        *(_record(kind) for kind in RECORDS),
        "# Words\n\nThe closed choices in records.\n",
    ]
    parts += [_choice(kind) for kind in _choices()]
    return "\n".join(parts)


def pages() -> dict[Path, str]:
    """Return every generated page by its path."""
    return {REFERENCE / "commands.md": commands_page(), REFERENCE / "records.md": records_page()}


def _walk(command: Any, context: Any, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    yield words, command, context
    for name, inner in getattr(command, "commands", {}).items():
        yield from _walk(inner, _context(inner, name, context), (*words, name))


def _context(command: Any, name: str, parent: Any) -> Any:
    return command.context_class(
        command, info_name=name, parent=parent, terminal_width=WIDTH, max_content_width=WIDTH
    )


def _trimmed(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def _record(kind: type[Any]) -> str:
    about = field_texts(kind)
    rows = [_row(one, about.get(one.name, "")) for one in dataclasses.fields(kind)]
    head = "| field | type | kept | default | meaning |\n| --- | --- | --- | --- | --- |"
    return f"## {kind.__name__}\n\n{inspect.getdoc(kind)}\n\n{head}\n" + "\n".join(rows) + "\n"


def _row(one: dataclasses.Field[Any], meaning: str) -> str:
    cells = (f"`{one.name}`", f"`{_cell(str(one.type))}`", _kept(one), _default(one), _cell(meaning))
    return f"| {' | '.join(cells)} |"


def field_texts(kind: type[Any]) -> dict[str, str]:
    """Return the docstring under each field of a record class, by field name."""
    (body,) = ast.parse(inspect.getsource(kind)).body
    found = {"id": NUMBER}
    name = ""
    for node in typing.cast("ast.ClassDef", body).body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
        elif name and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            found[name] = inspect.cleandoc(str(node.value.value))
            name = ""
    return found


def _kept(one: dataclasses.Field[Any]) -> str:
    marks = one.metadata
    words = ["sealed"] if marks.get(fields.SEALED) else []
    words += ["tagged"] if marks.get(fields.TAGGED) else []
    words += [str(marks[fields.MAX])] if fields.MAX in marks else []
    return ", ".join(words)


def _default(one: dataclasses.Field[Any]) -> str:
    if one.default is dataclasses.MISSING:
        return "required"
    value = one.default.value if isinstance(one.default, StrEnum) else one.default
    return "" if value is None or value in ((), "") else f"`{value}`"


def _choices() -> list[type[StrEnum]]:
    return [
        kind
        for kind in vars(choices).values()
        if isinstance(kind, type) and kind.__module__ == choices.__name__
    ]


def _choice(kind: type[StrEnum]) -> str:
    return (
        f"## {kind.__name__}\n\n{inspect.getdoc(kind)}\n\n"
        + ", ".join(f"`{one.value}`" for one in kind)
        + "\n"
    )


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main() -> None:
    """Write every generated page."""
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
